"""The codec on h2, pure Python and always there: some 100 µs a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hpack
from hpack.struct import HeaderTuple, NeverIndexedHeaderTuple
from hyperframe.frame import Frame, GoAwayFrame, SettingsFrame

from oxpushctl.transports.http2.codec import MAX_HEADER_BYTES, UNINDEXED, ErrorCode, Handler, Malformed

# Our callers' headers are lower case and in order; h2 would make authorization never-indexed if it "normalised" them.
_CONFIGURATION = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
_Answer = h2.events.ResponseReceived | h2.events.DataReceived | h2.events.TrailersReceived
_SWEEP_EVERY = 1024  # in stream ids, that is 512 requests


class _H2Connection(h2.connection.H2Connection):
    """h2's connection with two of its habits changed, both pinned by tests."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[h2.events.Event]]:
        """Tell of GOAWAY and go on: h2 would close, and lose the answers that are still to come.

        https://github.com/python-hyper/h2/issues/1181
        """
        event = h2.events.ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        event.additional_data = frame.additional_data or None
        return [], [event]

    @property
    def open_outbound_streams(self) -> int:
        """Say none: h2 walks all streams to count them at every request, and our caller counts and keeps the limit."""
        return 0

    def forget_closed(self) -> None:
        """Drop the state of streams that ended, as the count would have."""
        self._open_streams(1)


class _PlainEncoder(hpack.Encoder):
    """An HPACK encoder without Huffman coding, which is a third of h2's CPU and saves 100 bytes a request."""

    def encode(self, headers: Any, huffman: bool = False) -> bytes:
        """Encode a header block."""
        return super().encode(headers, huffman)


class H2Codec:
    """Protocol state in h2; bodies wait here for the peer's windows."""

    def __init__(self, handler: Handler, scheme: str, authority: str) -> None:
        self._handler = handler
        self._scheme = HeaderTuple(b":scheme", scheme.encode())
        self._authority = HeaderTuple(b":authority", authority.encode())
        self._connection = _H2Connection(_CONFIGURATION)
        self._connection.local_settings = h2.settings.Settings(
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
            }
        )
        self._connection.encoder = _PlainEncoder()
        self._unsent: dict[int, memoryview] = {}
        self._beginning: bytes | None = b""

    def start(self) -> None:
        """Prepare the preface and our settings."""
        self._connection.initiate_connection()

    def receive(self, data: bytes) -> None:
        """Take bytes of the peer and tell the handler; raise ``Malformed``."""
        if self._beginning is not None:
            self._begin(data)
        try:
            for event in self._connection.receive_data(data):
                self._tell(event)
        except h2.exceptions.H2Error as error:
            raise Malformed(str(error) or type(error).__name__) from error

    def request(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        """Start a stream; what the windows do not let go waits here."""
        fields = [
            HeaderTuple(b":method", method.encode()),
            self._scheme,
            self._authority,
            NeverIndexedHeaderTuple(b":path", path.encode()),
        ]
        for name, value in headers:
            kind = NeverIndexedHeaderTuple if name in UNINDEXED else HeaderTuple
            fields.append(kind(name.encode(), value.encode()))
        connection = self._connection
        try:
            stream_id = connection.get_next_available_stream_id()
            if stream_id % _SWEEP_EVERY == 1:
                connection.forget_closed()
            connection.send_headers(stream_id, fields, end_stream=not body)
            if body:
                self._upload(stream_id, memoryview(body))
        except h2.exceptions.H2Error as error:
            raise Malformed(str(error)) from error
        return stream_id

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream, unless it has ended."""
        self._unsent.pop(stream_id, None)
        try:
            self._connection.reset_stream(stream_id, code)
        except h2.exceptions.H2Error:
            return  # it is closed, which is what was wanted

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._connection.ping(bytes(8))

    def goaway(self) -> None:
        """Say that we are leaving."""
        self._connection.close_connection()

    def take(self) -> bytes:
        """Return what is to be sent."""
        return self._connection.data_to_send()

    def _begin(self, data: bytes) -> None:
        """See that the first frame is SETTINGS: h2 would wait for the megabytes that "HTTP" says as a length."""
        self._beginning = (self._beginning or b"") + data[:4]
        if len(self._beginning) >= 4:
            if self._beginning[3] != SettingsFrame.type:
                raise Malformed("SETTINGS expected")
            self._beginning = None

    def _tell(self, event: h2.events.Event) -> None:
        handler = self._handler
        match event:
            case h2.events.ResponseReceived(stream_id=stream_id, headers=headers):
                if _is_status(headers[0][1]):
                    handler.on_head(stream_id, headers, self._is_end(event))
                else:
                    self.reset(stream_id, ErrorCode.PROTOCOL_ERROR)
                    handler.on_reset(stream_id, ErrorCode.PROTOCOL_ERROR)
            case h2.events.DataReceived(stream_id=stream_id):
                self._connection.acknowledge_received_data(event.flow_controlled_length, stream_id)
                handler.on_body(stream_id, event.data, self._is_end(event))
            case h2.events.TrailersReceived(stream_id=stream_id):
                handler.on_body(stream_id, b"", self._is_end(event))
            case h2.events.StreamReset(stream_id=stream_id):
                self._unsent.pop(stream_id, None)
                handler.on_reset(stream_id, event.error_code)
            case h2.events.RemoteSettingsChanged():
                self._go_on_uploading()
                handler.on_settings(self._connection.remote_settings.max_concurrent_streams)
            case h2.events.WindowUpdated():
                self._go_on_uploading()
            case h2.events.ConnectionTerminated():
                code = event.error_code or ErrorCode.NO_ERROR
                handler.on_goaway(event.last_stream_id or 0, code, event.additional_data or b"")

    def _is_end(self, event: _Answer) -> bool:
        """Tell whether an answer ends here; a body that is still on its way up is not wanted then (RFC 9113, 8.1)."""
        if event.stream_ended is None:
            return False
        if event.stream_id in self._unsent:
            self.reset(event.stream_id, ErrorCode.NO_ERROR)
        return True

    def _upload(self, stream_id: int, body: memoryview) -> None:
        """Send as much of a body as the windows allow and keep the rest."""
        connection = self._connection
        while body:
            size = min(connection.local_flow_control_window(stream_id), connection.max_outbound_frame_size)
            if size <= 0:
                self._unsent[stream_id] = body
                return
            connection.send_data(stream_id, body[:size], end_stream=size >= len(body))
            body = body[size:]
        self._unsent.pop(stream_id, None)

    def _go_on_uploading(self) -> None:
        for stream_id, body in list(self._unsent.items()):
            self._upload(stream_id, body)


def _is_status(value: bytes) -> bool:
    """Tell whether a status is one: h2 sees that there is exactly one, not what it says."""
    return len(value) == 3 and value.isdigit()
