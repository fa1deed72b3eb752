"""The HTTP/2 side of the provider port (RFC 9113): one asyncio protocol a connection, h2 underneath."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

from cryptography import x509
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error, StreamClosedError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

from oxpushctl import log
from oxpushctl.sandbox.exchange import Answer, Ending, Handler, Request

MAX_CONCURRENT_STREAMS = 1000
MAX_BODY = 65536
"""Bytes of a request's body that are kept; no provider takes nearly as much."""
_GOAWAY_WORDS = b'{"reason":"Shutdown"}'

_log = log.get(__name__)


class _Codec(H2Connection):
    """h2 that lives on after a GOAWAY: it ends new streams, not those that are open (python-hyper/h2 issue 1181)."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        """Tell of the client's GOAWAY and go on: it still waits for its answers."""
        return [], [ConnectionTerminated()]

    def announce_end(self) -> bytes:
        """Return a GOAWAY that lets all streams so far come to their end (section 6.8)."""
        frame = GoAwayFrame(0, last_stream_id=self.highest_inbound_stream_id, additional_data=_GOAWAY_WORDS)
        return self.data_to_send() + frame.serialize()


@dataclass(slots=True)
class _Incoming:
    headers: tuple[tuple[str, str], ...]
    body: bytearray = field(default_factory=bytearray)


class Http2Connection(asyncio.Protocol):
    """One client's connection: its requests run side by side, each in a task that this connection owns.

    ``open_ones`` is where it stands as long as it is open, for the one that has to close it.
    """

    def __init__(self, handler: Handler, certificate: x509.Certificate | None, open_ones: set[Http2Connection]) -> None:
        self._handler = handler
        self._open_ones = open_ones
        self._certificate = certificate
        self._codec = _Codec(H2Configuration(client_side=False, header_encoding=None))
        self._codec.local_settings = Settings(
            client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: MAX_CONCURRENT_STREAMS}
        )
        self._incoming: dict[int, _Incoming] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unsent: dict[int, bytes] = {}
        self._is_going = False
        self._is_flush_due = False
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves: SETTINGS."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._open_ones.add(self)
        self._codec.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take in frames; what breaks the protocol gets h2's GOAWAY and the end."""
        try:
            for event in self._codec.receive_data(data):
                self._take(event)
        except H2Error as error:
            _log.info("sandbox: a client broke the protocol", error=type(error).__name__)
            self._flush()
            self._transport.close()
            return
        self._flush()
        self._close_if_done()

    def pause_writing(self) -> None:
        """Take in nothing more from a client that does not read what it asked for."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what nobody waits for any more."""
        for task in self._tasks.values():
            task.cancel()
        self._open_ones.discard(self)
        self._lost.set()

    def go_away(self) -> None:
        """Take no new streams, and close when the open ones have their answers."""
        if not self._is_going and not self._transport.is_closing():
            self._is_going = True
            self._transport.write(self._codec.announce_end())
            self._close_if_done()

    async def drain(self) -> None:
        """End in good order; return when the connection is closed."""
        self.go_away()
        await self._lost.wait()

    async def abort(self) -> None:
        """End at once."""
        self._transport.abort()
        await self._lost.wait()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=stream_id, headers=headers):
                if self._is_going:
                    self._codec.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
                    return
                text = tuple((bytes(n).decode("latin-1"), bytes(v).decode("latin-1")) for n, v in headers)
                self._incoming[stream_id] = _Incoming(text)
            case DataReceived(stream_id=stream_id, data=data, flow_controlled_length=length):
                self._codec.acknowledge_received_data(length, stream_id)
                if incoming := self._incoming.get(stream_id):
                    incoming.body += data[: MAX_BODY - len(incoming.body)]
            case StreamEnded(stream_id=stream_id):
                if incoming := self._incoming.pop(stream_id, None):
                    self._start(stream_id, incoming)
            case StreamReset(stream_id=stream_id):
                self._incoming.pop(stream_id, None)
                self._unsent.pop(stream_id, None)
                if task := self._tasks.get(stream_id):
                    task.cancel()
            case WindowUpdated() | RemoteSettingsChanged():
                for stream_id in tuple(self._unsent):
                    self._send_body(stream_id)
            case ConnectionTerminated():
                self._is_going = True

    def _start(self, stream_id: int, incoming: _Incoming) -> None:
        pseudo = {name: value for name, value in incoming.headers if name.startswith(":")}
        headers = tuple((name, value) for name, value in incoming.headers if not name.startswith(":"))
        method, path = pseudo.get(":method", ""), pseudo.get(":path", "")
        request = Request(method, path, headers, bytes(incoming.body), self._certificate)
        task = asyncio.get_running_loop().create_task(self._serve(stream_id, request))
        self._tasks[stream_id] = task
        task.add_done_callback(lambda done: self._finished(stream_id, done))

    async def _serve(self, stream_id: int, request: Request) -> None:
        answer = await self._handler(request)
        if answer.ending is Ending.LAST:
            self.go_away()  # before the answer, so that who has it also knows where to send the next request
        if answer.ending is Ending.CUT:
            self._transport.abort()
        elif answer.ending is not Ending.HELD:
            self._send(stream_id, answer)

    def _finished(self, stream_id: int, task: asyncio.Task[None]) -> None:
        del self._tasks[stream_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("sandbox: a request failed", error=f"{type(error).__name__}: {error}")
            self._transport.abort()
        self._close_if_done()

    def _send(self, stream_id: int, answer: Answer) -> None:
        headers = [(":status", str(answer.status)), *answer.headers.items()]
        self._codec.send_headers(stream_id, headers, end_stream=not answer.body)
        if answer.body:
            self._unsent[stream_id] = answer.body
            self._send_body(stream_id)
        self._flush_soon()

    def _send_body(self, stream_id: int) -> None:
        """Send as much of an answer as the client's windows allow (section 5.2)."""
        while body := self._unsent.get(stream_id, b""):
            try:
                room = min(self._codec.local_flow_control_window(stream_id), self._codec.max_outbound_frame_size)
            except StreamClosedError:
                break  # the client gave it up; h2 tells of that with the next event
            if room <= 0:
                return
            self._codec.send_data(stream_id, body[:room], end_stream=room >= len(body))
            self._unsent[stream_id] = body[room:]
        del self._unsent[stream_id]

    def _flush_soon(self) -> None:
        """Write once for all answers of this turn of the loop."""
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if not self._transport.is_closing() and (data := self._codec.data_to_send()):
            self._transport.write(data)

    def _close_if_done(self) -> None:
        if self._is_going and not (self._tasks or self._unsent or self._incoming):
            self._flush()
            self._transport.close()
