"""What travels: a request on its way to an answer, the answer, and the news that there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxpushctl import errors


class Unreachable(errors.NotReachable):
    """There is no answer; ``is_fate_unknown`` says that the request may have been processed all the same."""

    def __init__(self, reason: str, *, is_fate_unknown: bool = False) -> None:
        super().__init__(reason)
        self.is_fate_unknown = is_fate_unknown


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much; times in seconds.

    ``answer_bytes`` bounds an answer's body, ``waiting`` the requests that wait for room on a connection.
    A connection with requests under way is asked for a sign of life after ``quiet_s`` of silence, an idle one after
    ``idle_s``, and is given up when none comes within ``ping_s``. ``refusals``: how often one request is sent again
    because the peer refused its stream. ``first_delay_s`` and ``longest_delay_s`` stand between failing connects.
    """

    connections: int = 4
    streams: int = 1000
    waiting: int = 4096
    answer_bytes: int = 65_536
    refusals: int = 8
    connect_s: float = 10.0
    close_s: float = 5.0
    idle_s: float = 30.0
    quiet_s: float = 2.0
    ping_s: float = 4.0
    first_delay_s: float = 1.0
    longest_delay_s: float = 60.0


class Exchange:
    """One request until its answer; ``deadline`` is in the loop's time.

    ``answer`` is a bare future: a task and a timer for each request would cost more than the request.
    """

    __slots__ = ("answer", "body", "deadline", "head", "headers", "method", "path", "received", "refusals", "stream_id")

    def __init__(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        deadline: float,
        answer: asyncio.Future[Response],
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.deadline = deadline
        self.answer = answer
        self.head: Sequence[tuple[bytes, bytes]] = ()
        self.received: bytearray | None = None
        self.refusals = 0
        self.stream_id = 0

    def complete(self) -> None:
        """Hand the answer to who waits for it, unless that one has gone."""
        if self.answer.done():
            return
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.head[1:]}
        self.answer.set_result(Response(int(self.head[0][1]), fields, bytes(self.received or b"")))

    def fail(self, reason: str, *, is_fate_unknown: bool) -> None:
        """Tell who waits that there will be no answer."""
        if not self.answer.done():
            self.answer.set_exception(Unreachable(reason, is_fate_unknown=is_fate_unknown))
