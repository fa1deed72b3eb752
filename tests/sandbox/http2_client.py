"""A client that says every frame itself: what a well-behaved library would never show of a server."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
from cryptography.hazmat.primitives import serialization
from hyperframe.frame import Frame, GoAwayFrame

from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.sandbox import Sandbox
from tests.sandbox.provider_requests import APNS_HEADERS


class _Codec(h2.connection.H2Connection):
    """h2 that takes the answers which come after a GOAWAY."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[h2.events.Event]]:
        event = h2.events.ConnectionTerminated()
        event.error_code, event.last_stream_id = frame.error_code, frame.last_stream_id
        return [], [event]


def client_context(identity: Identity, alpn: str, *, is_certified: bool = True) -> ssl.SSLContext:
    """Trust the sandbox, and show its push certificate."""
    context = ssl.create_default_context(cadata=identity.ca_pem.decode())
    context.set_alpn_protocols([alpn])
    if is_certified:
        key = identity.apns_certificate_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "client.pem"
            path.write_bytes(key + identity.apns_certificate.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(path)
    return context


class Http2Client:
    """One connection; ``events`` is all that h2 told so far."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.h2 = _Codec(h2.config.H2Configuration(header_encoding="utf-8"))
        self.events: list[h2.events.Event] = []
        self.is_at_end = False

    def push(self, token: str, body: bytes = b'{"aps":{"alert":"Lunch?"}}', **headers: str) -> int:
        """Queue a push and return its stream."""
        stream_id = self.h2.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", f"/3/device/{token}")]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.h2.send_headers(stream_id, [*head, *(APNS_HEADERS | named).items()])
        self.h2.send_data(stream_id, body, end_stream=True)
        return stream_id

    async def flush(self) -> None:
        """Send what is queued."""
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Read until the condition holds; fail when it does not in time or before the end of the connection."""
        with suppress(ConnectionResetError):  # what the server said before is still to be read
            await self.flush()
        async with asyncio.timeout(timeout_s):
            while not condition():
                assert not self.is_at_end, self.events
                try:
                    data = await self.reader.read(65536)
                except ConnectionResetError:
                    data = b""
                self.is_at_end = not data
                self.events += self.h2.receive_data(data)
                self.writer.write(self.h2.data_to_send())

    def headers(self, stream_id: int) -> dict[str, str]:
        """Return an answer's headers, none if there is no answer."""
        for event in self.events:
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream_id:
                return {str(name): str(value) for name, value in event.headers}
        return {}

    def statuses(self) -> dict[int, str]:
        """Return the status of each stream that has one."""
        answers = (event.stream_id for event in self.events if isinstance(event, h2.events.ResponseReceived))
        return {stream_id: self.headers(stream_id)[":status"] for stream_id in answers}

    def body(self, stream_id: int) -> bytes:
        """Return what came of an answer's body."""
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream_id
        )

    def has(self, kind: type[h2.events.Event]) -> bool:
        """Tell whether an event of that kind was seen."""
        return any(isinstance(event, kind) for event in self.events)

    def has_ended(self, stream_id: int) -> bool:
        """Tell whether an answer is complete."""
        return any(isinstance(e, h2.events.StreamEnded) and e.stream_id == stream_id for e in self.events)


@asynccontextmanager
async def connected(sandbox: Sandbox, **settings: int) -> AsyncIterator[Http2Client]:
    """Connect with the push certificate, and introduce ourselves with SETTINGS."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", sandbox.port, ssl=client_context(sandbox.identity, "h2")
    )
    client = Http2Client(reader, writer)
    client.h2.initiate_connection()
    if settings:
        client.h2.update_settings({h2.settings.SettingCodes[name]: value for name, value in settings.items()})
    try:
        yield client
    finally:
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
