"""The day of the daemon: start order, signals, reload, orderly stop.

Start: the dispatcher first, the server last, so that nothing is accepted that nobody works on; then ``ready``.
Stop: the server stops accepting, what was accepted is sent within a limit, what is left is on the disk, or else named.
A second signal ends the waiting.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

from oxpushctl import log
from oxpushctl.engine.dispatcher import Dispatcher
from oxpushctl.engine.systemd import ServiceManager
from oxpushctl.errors import OxpushctlError, TryLater
from oxpushctl.interfaces import Outbox
from oxpushctl.model import Entry, MailEvent

_log = log.get(__name__)

# Well below the 90 seconds that systemd waits before it kills.
DRAIN_LIMIT_S = 30.0
# What is on the disk is sent by the next process: it is not kept waiting for a provider that hangs.
DURABLE_DRAIN_LIMIT_S = 10.0
# Requests wait meanwhile in a queue that the service manager keeps, and Dovecot gives up after four seconds.
QUEUED_DRAIN_LIMIT_S = 1.0
# More leftovers than these are only counted.
NAMED_LEFTOVERS = 1_000


class Server(Protocol):
    """What listens for requests, as far as its life goes."""

    async def start(self) -> object:
        """Listen."""

    async def stop_accepting(self) -> None:
        """Take no new requests and answer those that have begun."""

    async def aclose(self) -> None:
        """Close what is open."""


class Daemon:
    """Runs the engine until a signal.

    ``announce`` is called when it serves; ``reload`` swaps what a changed configuration changes, or raises.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        outbox: Outbox,
        server: Server,
        reload: Callable[[], Awaitable[None]],
        announce: Callable[[], None],
        manager: ServiceManager,
        drain_limit_s: float = DRAIN_LIMIT_S,
    ) -> None:
        self._dispatcher = dispatcher
        self._outbox = outbox
        self._server = server
        self._reload = reload
        self._announce = announce
        self._manager = manager
        self._drain_limit_s = drain_limit_s
        self._stop = asyncio.Event()
        self._force = asyncio.Event()
        self._reload_wanted = asyncio.Event()

    def stop(self) -> None:
        """Begin the orderly stop; called again, end it at once."""
        if self._stop.is_set():
            _log.warning("stop forced by a second signal")
            self._force.set()
        self._stop.set()

    async def run(self) -> None:
        """Serve until told to stop; raise ``TryLater`` when something accepted was left unsent."""
        self._watch_signals()
        loop = asyncio.get_running_loop()
        workers = [loop.create_task(self._dispatcher.run()), loop.create_task(self._reload_when_wanted())]
        for worker in workers:
            worker.add_done_callback(lambda _: self._end_at_once())  # before the stop only a bug ends one
        try:
            await self._serve()
        finally:
            await self._server.aclose()
            for worker in workers:
                worker.cancel()
            ends = await asyncio.gather(*workers, return_exceptions=True)
            await self._dispatcher.aclose()
            left = self._tell_leftovers()
        for end in ends:
            if isinstance(end, Exception):
                raise end
        if left:
            raise TryLater(f"{left} accepted events or messages were left unsent")

    async def _serve(self) -> None:
        await self._server.start()
        self._announce()
        self._manager.ready()
        await self._stop.wait()
        self._manager.stopping()
        _log.info("stopping", open=self._outbox.depth, limit_s=self._drain_limit_s)
        async with asyncio.TaskGroup() as ends:
            orderly = ends.create_task(self._finish())
            force = ends.create_task(self._force.wait())
            await asyncio.wait((orderly, force), return_when=asyncio.FIRST_COMPLETED)
            orderly.cancel()
            force.cancel()

    async def _finish(self) -> None:
        await self._server.stop_accepting()
        await self._dispatcher.drain(self._drain_limit_s)

    def _end_at_once(self) -> None:
        self._stop.set()
        self._force.set()

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)

    async def _reload_when_wanted(self) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            if self._stop.is_set():
                continue
            self._manager.reloading()
            try:
                await self._reload()
            except OxpushctlError as error:
                _log.error("reload refused, the old configuration stays", reason=str(error))
            except Exception as error:  # noqa: BLE001  # a bug met by a file must not end what runs well without it
                reason = f"{type(error).__name__}: {error}"
                _log.error("reload failed: bug, the old configuration stays", reason=reason)
            else:
                _log.info("reloaded")
            self._manager.ready()

    def _tell_leftovers(self) -> int:
        """Say what was accepted and is not sent; return how much of it is lost."""
        if not self._outbox.depth:
            _log.info("stopped: everything accepted was sent")
            return 0
        if self._outbox.is_durable:
            _log.info("stopped: what is open is on the disk, and sent after the next start", open=self._outbox.depth)
            return 0
        count = 0
        for item in self._outbox.left():
            count += 1
            if count <= NAMED_LEFTOVERS:
                _log.warning("left unsent", **_named(item))
        return count


def _named(item: MailEvent | Entry) -> dict[str, log.Field]:
    if isinstance(item, MailEvent):
        return {"event_id": item.id, "user": str(item.user)}
    subscription = item.subscription
    return {
        "event_id": item.notification.id,
        "user": str(subscription.user),
        "client": subscription.client,
        "transport": subscription.transport,
        "attempts": item.attempts,
    }
