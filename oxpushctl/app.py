"""The module that knows every part by name: from a configuration to a wired engine (``checks`` knows their checks)."""

from __future__ import annotations

import asyncio
import gc
import importlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from oxpushctl import log
from oxpushctl.config import render, state, table
from oxpushctl.config.clients.options import ApnsOptions, FcmOptions, switch_of, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity
from oxpushctl.config.own import INTAKE_LISTEN, PUSH_MAX_AGE
from oxpushctl.config.properties import DELAY_DURATION, MAX_DELAY_DURATION, SWITCHES
from oxpushctl.config.property import Effect
from oxpushctl.engine.buffer import Buffer
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.daemon import Daemon
from oxpushctl.engine.delivery import Delivery
from oxpushctl.engine.dispatcher import Dispatcher
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.engine.routes import Routes
from oxpushctl.engine.sweep import sweep
from oxpushctl.engine.systemd import ServiceManager
from oxpushctl.errors import ConfigurationError
from oxpushctl.messages.facade import MobileApiFacade
from oxpushctl.model import Outcome
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.transports import apns_verdicts, fcm_verdicts
from oxpushctl.transports.apns import ApnsTransport
from oxpushctl.transports.fcm import FcmTransport
from oxpushctl.web import notify
from oxpushctl.web.notify import NotifyEndpoint
from oxpushctl.web.server import Server

_log = log.get(__name__)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the fastest event loop at hand: uvloop's where it is installed, else asyncio's."""
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return factory


@dataclass(frozen=True, slots=True)
class Stores:
    """What outlives the process."""

    database: Database
    subscriptions: SqlSubscriptionStore
    users: SqlUserDirectory


@asynccontextmanager
async def opened_stores(configuration: Configuration) -> AsyncIterator[Stores]:
    """Open the stores, and close them at the end."""
    database = open_database(configuration)
    try:
        yield Stores(database, SqlSubscriptionStore(database), SqlUserDirectory(database))
    finally:
        await database.aclose()


def open_database(configuration: Configuration) -> Database:
    """Return the configured database, or the one in the state folder."""
    return Database.open(configuration.database_url)


def make_routes(configuration: Configuration) -> Routes:
    """Make the transports of all usable clients, and the generators that write for them."""
    settings, clients = configuration.settings, configuration.usable_clients
    apns = [client for client in clients if isinstance(client, ApnsOptions)]
    fcm = [client for client in clients if isinstance(client, FcmOptions)]
    switches = {(client.client, transport_of(client)): SWITCHES[switch_of(client)] for client in clients}

    def is_enabled(client: str, transport: str, topic: str) -> bool:
        return settings.qualified(switches[client, transport], client, topic)

    return Routes(
        [
            ApnsTransport.from_settings(settings, apns, configuration.etc),
            FcmTransport.from_settings(settings, fcm, configuration.etc),
        ],
        [MobileApiFacade.from_settings(settings, configuration.facade_clients, SystemClock())],
        is_enabled,
    )


def simulated(transport: str, status: int, reason: str) -> Outcome:
    """Judge an answer that nobody gave: what would follow if the provider said this."""
    if transport == FcmTransport.name:
        details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": reason}]
        body = orjson.dumps({"error": {"code": status, "status": reason, "details": details if reason else []}})
        return fcm_verdicts.judge(status, {}, body, time.time())
    body = orjson.dumps({"reason": reason}) if reason else b""
    return apns_verdicts.judge(status, {}, body, time.time())


class Engine:
    """The wired parts of one running node; ``reload`` swaps what a changed configuration changes."""

    def __init__(self, configuration: Configuration, stores: Stores) -> None:
        settings = configuration.settings
        clock = SystemClock()
        self._configuration = configuration
        self._closing: set[asyncio.Task[None]] = set()
        self.outbox = MemoryOutbox()
        self._buffer = Buffer(settings[DELAY_DURATION] / 1000, settings[MAX_DELAY_DURATION] / 1000)
        self._delivery = Delivery(make_routes(configuration), stores.subscriptions, self.outbox, clock)
        self.dispatcher = Dispatcher(
            outbox=self.outbox,
            buffer=self._buffer,
            subscriptions=stores.subscriptions,
            delivery=self._delivery,
            clock=clock,
            max_age_s=settings[PUSH_MAX_AGE],
        )
        self._endpoint = NotifyEndpoint.from_settings(settings, self.dispatcher, stores.users, clock)
        notify_routes = {notify.PATH: dict.fromkeys(notify.METHODS, self._endpoint)}
        self.server = Server.from_settings(
            settings, settings[INTAKE_LISTEN], notify_routes, lambda: not self.outbox.is_full, clock, configuration.etc
        )
        self.server.add(configuration.admin_listen, {})
        _tell_troubles(configuration)

    def reload(self, configuration: Configuration) -> None:
        """Take over what may change while running, and name what needs a restart.

        Raises ``ConfigurationError`` when a client that is served would be lost to a mistake.
        """
        _refuse_losses(self._configuration, configuration)
        settings, before = configuration.settings, self._configuration.settings
        old_routes, self._delivery.routes = self._delivery.routes, make_routes(configuration)
        closing = asyncio.get_running_loop().create_task(_close(old_routes))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._buffer.set_delays(settings[DELAY_DURATION] / 1000, settings[MAX_DELAY_DURATION] / 1000)
        self.dispatcher.max_age_s = settings[PUSH_MAX_AGE]
        self._endpoint.reload(settings)
        self._configuration = configuration
        _tell_troubles(configuration)
        for row in table.TABLE:
            if row.effect is Effect.ENGINE and not row.is_reloadable and settings[row] != before[row]:
                _log.warning("changed, needs a restart", key=row.key)

    async def aclose(self) -> None:
        """Close the transports."""
        await asyncio.gather(self._delivery.routes.aclose(), *self._closing)

    def ready_line(self) -> str:
        """Return the line that says where a running engine is reached."""
        listen = (("intake", self._configuration.settings[INTAKE_LISTEN]), ("admin", self._configuration.admin_listen))
        reached = [f"{name}={address}" for name, given in listen for address in self.server.addresses(given)]
        return " ".join(["ready", *reached])


def _tell_troubles(configuration: Configuration) -> None:
    """Say loudly which clients cannot be served, or which file would have named them, and what else is amiss."""
    for finding in render.in_order(configuration.findings):
        match = table.find(finding.key)
        # What listeners would mind, this engine does not.
        is_heeded = match is None or match.row.effect is Effect.ENGINE
        if finding.severity is Severity.WARNING and is_heeded:
            _log.warning("configuration", reason=render.line(finding))
    for finding in render.in_order(configuration.client_errors):
        _log.error(
            "client out of service",
            client=finding.client or None,
            transport=finding.transport or None,
            reason=render.line(finding),
        )


def _refuse_losses(before: Configuration, after: Configuration) -> None:
    """Raise when an error in the new configuration takes a client out of service that the old one serves."""
    served = {(client.client, transport_of(client)) for client in before.usable_clients}
    lost = served - {(client.client, transport_of(client)) for client in after.usable_clients}
    guilty = [
        finding
        for finding in after.client_errors
        if any(finding.client in ("", client) and finding.transport in ("", transport) for client, transport in lost)
    ]
    if guilty:
        raise ConfigurationError("; ".join(render.line(finding) for finding in guilty))


async def _close(routes: Routes) -> None:
    """Close what a reload has replaced; closed TLS contexts hang in cycles, too large to wait for their collection."""
    await routes.aclose()
    gc.collect()


async def serve(
    configuration: Configuration,
    *,
    read_again: Callable[[], Configuration],
    announce: Callable[[str], None],
    notify_socket: str | None = None,
) -> None:
    """Run the engine until a signal; ``read_again`` gives the configuration of a reload, or raises."""
    state.made(configuration.state)
    async with opened_stores(configuration) as stores:
        await stores.database.prepare()
        for name in await stores.database.pending():
            _log.warning("oxpushctl database upgrade would add or widen", what=name)
        engine = Engine(configuration, stores)

        async def reload() -> None:
            engine.reload(await asyncio.to_thread(read_again))

        daemon = Daemon(
            dispatcher=engine.dispatcher,
            outbox=engine.outbox,
            server=engine.server,
            reload=reload,
            announce=lambda: announce(engine.ready_line()),
            manager=ServiceManager(notify_socket),
        )
        _collect_seldom()
        sweeping = asyncio.create_task(sweep(stores.subscriptions, SystemClock()))
        try:
            await daemon.run()
        finally:
            sweeping.cancel()
            await asyncio.wait([sweeping])
            await engine.aclose()


def _collect_seldom() -> None:
    """Let the garbage collector look at what start-up made never again, and at the rest less often.

    Events and messages hold no cycles, so nearly all that it looks at is alive: at its defaults it took a sixth of the
    CPU and the longest pauses under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
