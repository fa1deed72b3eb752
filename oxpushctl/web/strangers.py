"""Connections of people whom nobody knows: each has its deadlines, and there is a bound on all of them.

::

    opened ──head──► a request is answered ──idle──► closed
                          ▲                  │
                          └──────head────────┘ its next first byte

A connection that a mail server or an operator has shown to be theirs, by a request that is not for everybody and was
granted, is a stranger's no more: nothing closes it.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from oxpushctl import log
from oxpushctl.web.connections import Connection, Connections
from oxpushctl.web.seldom import Seldom

_log = log.get(__name__)

_MOST = 2000


def _most() -> int:
    """Return how many connections strangers may have: not all that the system lets this process open."""
    return min(_MOST, max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long strangers are waited for, in seconds.

    ``head_s``: from a connection's start, or its next first byte, until all headers are there; ``idle_s`` without a
    request; ``reading_s`` without reading what it is sent.
    """

    head_s: float = 10.0
    idle_s: float = 75.0
    reading_s: float = 20.0


class Strangers:
    """All open connections of strangers: where there are too many, the one that waits longest has to go."""

    def __init__(self, patience: Patience, monotonic: Callable[[], float], most: int | None = None) -> None:
        self.patience = patience
        self._most = _most() if most is None else most
        self._open: set[StrangerConnection] = set()
        self._waiting: dict[StrangerConnection, None] = {}  # since when: in the order of it
        self._too_many = Seldom(monotonic)

    def __len__(self) -> int:
        return len(self._open)

    def came(self, connection: StrangerConnection) -> bool:
        """Make room for a connection; return false where there is none, since all others are being served."""
        if len(self._open) >= self._most:
            if count := self._too_many.due():
                _log.warning("too many connections of apps, the longest idle one closed", most=self._most, count=count)
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            longest.drop()
        self._open.add(connection)
        return True

    def waits(self, connection: StrangerConnection) -> None:
        """Note that a connection has nothing to be answered."""
        if connection in self._open:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def is_served(self, connection: StrangerConnection) -> None:
        """Note that a connection has a request that is being answered."""
        self._waiting.pop(connection, None)

    def went(self, connection: StrangerConnection) -> None:
        """Forget a connection that is closed, or no stranger's."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)


class StrangerConnection(Connection):
    """One connection of a stranger.

    A connection is closed without waiting for what it has still to read: the other end may never do so.
    """

    __slots__ = (
        "_deadline",
        "_is_head_under_way",
        "_is_served",
        "_is_trusted",
        "_reading_deadline",
        "_strangers",
        "_wire",
    )

    def __init__(
        self, connections: Connections, tell_not_http: Callable[[str | None], None], strangers: Strangers
    ) -> None:
        super().__init__(connections, tell_not_http)
        self._strangers = strangers
        self._wire: asyncio.Transport | None = None  # aiohttp forgets its own when it begins to close it
        self._deadline: asyncio.TimerHandle | None = None
        self._reading_deadline: asyncio.TimerHandle | None = None
        self._is_head_under_way = True
        self._is_served = False
        self._is_trusted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wire = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        if not self._strangers.came(self):
            self.drop()
            return
        self._strangers.waits(self)
        self._close_in(self._strangers.patience.head_s)

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the rest of a request."""
        if not (self._is_served or self._is_head_under_way or self._is_trusted):
            self._is_head_under_way = True
            self._close_in(self._strangers.patience.head_s)
        super().data_received(data)

    def served(self) -> None:
        """Note that a request is complete and being answered: its handler bounds the time from here."""
        self._is_served = True
        self._is_head_under_way = False
        self._strangers.is_served(self)
        self._cancel()

    def trust(self) -> None:
        """Note that this is no stranger: nothing closes the connection any more."""
        self._is_trusted = True
        self._strangers.went(self)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer, then begin to wait for the next request."""
        result = await super().finish_response(request, resp, start_time)
        self._is_served = False
        if not self._is_trusted:
            self._strangers.waits(self)
            self._close_in(self._strangers.patience.idle_s)
        return result

    def pause_writing(self) -> None:
        """Begin to wait for the other end to read what it is sent."""
        super().pause_writing()
        self._reading_deadline = self._loop.call_later(self._strangers.patience.reading_s, self.drop)

    def resume_writing(self) -> None:
        """Stop waiting: it reads."""
        super().resume_writing()
        self._cancel_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._wire = None
        self._strangers.went(self)
        self._cancel()
        self._cancel_reading()
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close the connection at once."""
        self._strangers.went(self)
        self._cancel()
        self._cancel_reading()
        if self._wire is not None:
            self._wire.abort()

    def _close_in(self, seconds: float) -> None:
        self._cancel()
        if self._wire is not None:
            self._deadline = self._loop.call_later(seconds, self.drop)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_reading(self) -> None:
        if self._reading_deadline is not None:
            self._reading_deadline.cancel()
            self._reading_deadline = None
