"""An HTTP/2 server on 127.0.0.1 that behaves, or misbehaves, as a test says.

It speaks through the h2 library, so that it shares nothing with the code under test but the wire. What it does with a
request is a function: ``answer(session, request)``, called once the request is whole. The default answers 200.
"""

from __future__ import annotations

import asyncio
import collections
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import h2.config
import h2.connection
import h2.events
import h2.settings
from hpack.struct import HeaderTuple
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame

MAX_CONCURRENT_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
INITIAL_WINDOW_SIZE = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; ``fields`` say whether HPACK was allowed to index them."""

    stream_id: int
    fields: Sequence[HeaderTuple]
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.fields}

    @property
    def path(self) -> str:
        return self.headers[":path"]

    @property
    def never_indexed(self) -> set[str]:
        return {field[0].decode() for field in self.fields if not field.indexable}


Answer = Callable[["Session", Request], None]


def answer_200(session: Session, request: Request) -> None:
    session.respond(request)


class Session(asyncio.Protocol):
    """One client's connection; ``most_open`` is how many of its streams were open at the same time."""

    def __init__(self, server: Http2Server) -> None:
        self._server = server
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self._open: dict[int, Sequence[HeaderTuple]] = {}
        self._bodies: dict[int, bytearray] = collections.defaultdict(bytearray)
        self._last_stream_id: int | None = None
        self.transport = cast(asyncio.Transport, None)
        self.is_deaf = False
        self.is_first_request = True
        self.most_open = 0
        self.resets: list[int] = []
        self.pings = 0
        self.pongs = 0
        self.goaways = 0

    def respond(self, request: Request, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Answer a request, unless its stream was reset meanwhile."""
        if self._open.pop(request.stream_id, None) is None:
            return
        fields = [(":status", str(status)), *headers.items()]
        self._h2.send_headers(request.stream_id, fields, end_stream=not body)
        for start in range(0, len(body), 16_384):
            part = body[start : start + 16_384]
            self._h2.send_data(request.stream_id, part, end_stream=start + len(part) == len(body))
        self._flush()

    def reset(self, request: Request, code: int) -> None:
        """End a stream with an error code."""
        self._open.pop(request.stream_id)
        self.raw(RstStreamFrame(request.stream_id, error_code=code))

    def goaway(self, last_stream_id: int, code: int = 0, words: bytes = b"") -> None:
        """Announce the end, and ignore what is above the last stream from now on, as a real server does."""
        self._last_stream_id = last_stream_id
        for stream_id in [number for number in self._open if number > last_stream_id]:
            del self._open[stream_id]
        self.raw(GoAwayFrame(0, last_stream_id=last_stream_id, error_code=code, additional_data=words))

    def settings(self, values: Mapping[h2.settings.SettingCodes, int]) -> None:
        """Change our settings."""
        self._h2.update_settings({int(code): value for code, value in values.items()})
        self._flush()

    @property
    def allows_push(self) -> bool:
        """Whether the client's settings leave server push on."""
        return bool(self._h2.remote_settings.enable_push)

    async def round_trip(self) -> None:
        """Return when the client has answered a PING: by then it has acted on all that was sent before."""
        awaited = self.pongs + 1
        self._h2.ping(bytes(8))
        self._flush()
        await self._server.until(lambda: self.pongs >= awaited)

    def raw(self, data: bytes | Frame) -> None:
        """Write a frame, or anything, past the protocol state."""
        self._flush()
        self.transport.write(data if isinstance(data, bytes) else data.serialize())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.sessions.append(self)
        if self._server.greeting is not None:
            self.transport.write(self._server.greeting)
            return
        self._h2.local_settings = h2.settings.Settings(client=False, initial_values=dict(self._server.settings))
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self.is_deaf or self._server.greeting is not None:
            return
        for event in self._h2.receive_data(data):
            self._take(event)
        self._flush()
        self._server.stir()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.clear()
        self._server.stir()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                if self._last_stream_id is None or event.stream_id <= self._last_stream_id:
                    self._open[event.stream_id] = cast(Sequence[HeaderTuple], event.headers)
                    self.most_open = max(self.most_open, len(self._open))
                    if self._server.on_head is not None:
                        self._server.on_head(self, Request(event.stream_id, self._open[event.stream_id]))
            case h2.events.DataReceived():
                self._bodies[event.stream_id] += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded(stream_id=stream_id):
                fields = self._open.get(stream_id)
                if fields is not None:
                    request = Request(stream_id, fields, bytes(self._bodies.pop(stream_id, b"")))
                    self._server.requests.append((self, request))
                    self._server.answer(self, request)
            case h2.events.StreamReset(stream_id=stream_id):
                self._open.pop(stream_id, None)
                self.resets.append(int(event.error_code or 0))
            case h2.events.PingReceived():
                self.pings += 1
            case h2.events.PingAckReceived():
                self.pongs += 1
            case h2.events.ConnectionTerminated():
                self.goaways += 1

    def _flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._h2.data_to_send())


class Http2Server:
    """Listens while its context lasts; ``greeting`` is sent instead of HTTP/2.

    ``on_head`` is called when a request's head has come, before its body. ``until`` waits for a condition.
    """

    def __init__(
        self,
        answer: Answer = answer_200,
        *,
        tls: ssl.SSLContext | None = None,
        settings: Mapping[h2.settings.SettingCodes, int] | None = None,
        greeting: bytes | None = None,
        on_head: Answer | None = None,
    ) -> None:
        self.answer = answer
        self.on_head = on_head
        self.settings = settings or {}
        self.greeting = greeting
        self.sessions: list[Session] = []
        self.requests: list[tuple[Session, Request]] = []
        self.port = 0
        self._tls = tls
        self._stirred = asyncio.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """The paths of all requests that were taken in whole, in order."""
        return [request.path for _, request in self.requests]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(self), "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for session in self.sessions:
            session.transport.abort()
        await self._server.wait_closed()

    def stir(self) -> None:
        """Have waiting conditions looked at again."""
        self._stirred.set()

    async def until(self, condition: Callable[[], bool], within_s: float = 10) -> None:
        """Wait until something holds on this side."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()


async def eventually(condition: Callable[[], bool], within_s: float = 10) -> None:
    """Wait until something holds that nobody announces."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


async def settled(*waiting: Awaitable[object]) -> list[object]:
    """Wait for requests and return their answers or errors."""
    return list(await asyncio.gather(*waiting, return_exceptions=True))


def server_tls(
    certificate: Path, key: Path, *, alpn: Sequence[str] = ("h2",), client_ca: Path | None = None
) -> ssl.SSLContext:
    """Make a server's TLS context; with ``client_ca`` it demands a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(list(alpn))
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context
