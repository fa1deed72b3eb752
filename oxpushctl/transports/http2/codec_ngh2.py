"""The codec on ngh2, which is libnghttp2: some 5 µs a request."""

from __future__ import annotations

from collections.abc import Sequence

import ngh2
from ngh2 import events

from oxpushctl.transports.http2.codec import MAX_HEADER_BYTES, UNINDEXED, ErrorCode, Handler, Malformed

_CONFIGURATION = ngh2.Configuration(max_inbound_header_list_size=MAX_HEADER_BYTES, max_inbound_header_count=128)
_SETTINGS = {ngh2.Setting.ENABLE_PUSH: 0, ngh2.Setting.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES}


class Ngh2Codec:
    """Protocol state in libnghttp2, which queues bodies and obeys the peer's windows by itself.

    libnghttp2 never indexes ``authorization``; that cannot be changed, and costs the length of the token a request.
    """

    def __init__(self, handler: Handler, scheme: str, authority: str) -> None:
        self._handler = handler
        self._scheme = (b":scheme", scheme.encode())
        self._authority = (b":authority", authority.encode())
        self._connection = ngh2.Connection(ngh2.Role.CLIENT, _CONFIGURATION)
        self._outgoing = b""
        self._is_going_away = False
        self._failure: str | None = None

    def start(self) -> None:
        """Prepare the preface and our settings."""
        self._connection.initiate_connection(_SETTINGS)

    def receive(self, data: bytes) -> None:
        """Take bytes of the peer and tell the handler; raise ``Malformed``."""
        try:
            self._connection.receive_data(data)
        except ngh2.NGH2Error as error:
            raise Malformed(str(error)) from error
        self._tell()
        # libnghttp2 notices most errors silently: it queues a GOAWAY, and closes once that was taken.
        self._outgoing += self._connection.data_to_send()
        self._tell()
        if self._failure is not None:
            raise Malformed(self._failure)

    def request(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        """Start a stream; libnghttp2 sends it when the windows allow."""
        fields: list[tuple[bytes, bytes] | ngh2.NeverIndexedHeader] = [
            (b":method", method.encode()),
            self._scheme,
            self._authority,
            ngh2.NeverIndexedHeader(b":path", path.encode()),
        ]
        for name, value in headers:
            if name in UNINDEXED:
                fields.append(ngh2.NeverIndexedHeader(name.encode(), value.encode()))
            else:
                fields.append((name.encode(), value.encode()))
        try:
            if not body:
                return self._connection.send_request(fields, end_stream=True)
            stream_id = self._connection.send_request(fields)
            self._connection.send_data(stream_id, body, end_stream=True)
        except ngh2.NGH2Error as error:
            raise Malformed(str(error)) from error
        return stream_id

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream, unless it has ended."""
        try:
            self._connection.reset_stream(stream_id, code)
        except ngh2.NGH2Error:
            return  # it is closed, which is what was wanted

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._connection.ping()

    def goaway(self) -> None:
        """Say that we are leaving."""
        try:
            self._connection.terminate_connection(ErrorCode.NO_ERROR)
        except ngh2.NGH2Error:
            return  # both sides have said that they are leaving

    def take(self) -> bytes:
        """Return what is to be sent."""
        data = self._outgoing + self._connection.data_to_send()
        self._outgoing = b""
        self._tell()  # of streams that could not be started after a GOAWAY
        return data

    def _tell(self) -> None:
        handler = self._handler
        for event in self._connection.events():
            if isinstance(event, events.ResponseReceived):
                handler.on_head(event.stream_id, event.headers, event.end_stream)
                if event.end_stream:
                    self._stop_upload(event.stream_id)
            elif isinstance(event, events.DataReceived):
                handler.on_body(event.stream_id, event.data, event.end_stream)
                if event.end_stream:
                    self._stop_upload(event.stream_id)
            elif isinstance(event, events.TrailersReceived):
                handler.on_body(event.stream_id, b"", True)
                self._stop_upload(event.stream_id)
            elif isinstance(event, events.StreamClosed):
                handler.on_reset(event.stream_id, event.error_code)
            elif isinstance(event, events.SettingsReceived):
                settings = self._connection.remote_settings
                handler.on_settings(settings[ngh2.Setting.MAX_CONCURRENT_STREAMS])
            elif isinstance(event, events.GoAwayReceived):
                self._is_going_away = True
                handler.on_goaway(event.last_stream_id, event.error_code, event.debug_data)
            elif isinstance(event, events.ConnectionClosed) and not self._is_going_away:
                self._failure = event.debug_data.decode("ascii", "replace")

    def _stop_upload(self, stream_id: int) -> None:
        """End a stream that was answered before its body was sent (RFC 9113, 8.1): the rest is not wanted."""
        if self._connection.queued_body_size(stream_id):
            self.reset(stream_id, ErrorCode.NO_ERROR)
