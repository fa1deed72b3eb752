"""Which web sockets still have somebody at the other end: one timer for all of them.

A client of Engine.IO 4 is asked every 25 s and has to answer; one of revision 3 asks by itself. Either way, who says
nothing for longer than both times together is gone, and so is who lets what it is sent lie for too long.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from oxpushctl.interfaces import Clock
from oxpushctl.web import engine_io
from oxpushctl.web.open_socket import OpenSocket, text_frame

_PING = text_frame(engine_io.PING.encode())


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: between two pings, without a word before a peer is dead, without reading, between two looks.

    ``joining_s``: until a client of Engine.IO 4 has joined the namespace.
    """

    ping_s: float = engine_io.PING_S
    silence_s: float = engine_io.PING_S + engine_io.PING_TIMEOUT_S
    reading_s: float = 10.0
    joining_s: float = 45.0
    look_s: float = 1.0


class Heartbeat:
    """Pings, and drops who is gone; ``also`` is done at each look, which come only while there are sockets."""

    def __init__(self, pace: Pace, clock: Clock, also: Callable[[], object]) -> None:
        self._pace = pace
        self._clock = clock
        self._also = also
        # Each in the order of the time that it holds.
        self._heard: OrderedDict[OpenSocket, float] = OrderedDict()
        self._pinged: OrderedDict[OpenSocket, float] = OrderedDict()
        self._lagging: OrderedDict[OpenSocket, float] = OrderedDict()
        self._joining: OrderedDict[OpenSocket, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: OpenSocket) -> None:
        """Begin to look after a socket."""
        now = self._clock.monotonic()
        self._heard[socket] = self._joining[socket] = now
        if socket.revision > 3:
            self._pinged[socket] = now
        if self._timer is None:
            self._set_timer()

    def heard(self, socket: OpenSocket) -> None:
        """Note that a socket's other end has said something."""
        if socket in self._heard:
            self._heard[socket] = self._clock.monotonic()
            self._heard.move_to_end(socket)

    def joined(self, socket: OpenSocket) -> None:
        """Note that a socket takes events now."""
        self._joining.pop(socket, None)

    def written(self, socket: OpenSocket) -> None:
        """Note that a socket was sent something: somebody has to read it."""
        if socket.queued and socket in self._heard:
            self._lagging.setdefault(socket, self._clock.monotonic())

    def discard(self, socket: OpenSocket) -> None:
        """Look after a socket no more."""
        for each in (self._heard, self._pinged, self._lagging, self._joining):
            each.pop(socket, None)
        if not self._heard and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pace.look_s, self._look)

    def _look(self) -> None:
        self._set_timer()
        self._also()
        now = self._clock.monotonic()
        for socket in [socket for socket in self._lagging if not socket.queued]:
            del self._lagging[socket]
        self._drop(self._heard, now - self._pace.silence_s, "nobody is there any more")
        self._drop(self._lagging, now - self._pace.reading_s, "what it is sent is not read")
        self._drop(self._joining, now - self._pace.joining_s, "it does not join")
        while self._pinged:
            socket, at = next(iter(self._pinged.items()))
            if at > now - self._pace.ping_s:
                break
            self._pinged[socket] = now
            self._pinged.move_to_end(socket)
            socket.write(_PING)
            self.written(socket)

    def _drop(self, order: OrderedDict[OpenSocket, float], until: float, reason: str) -> None:
        while order:
            socket, at = next(iter(order.items()))
            if at > until:
                return
            self.discard(socket)
            socket.drop(reason)
