"""One web socket that is open: texts go out at once, without a task, and nobody waits for its reader.

::

    0x81 length text                    RFC 6455 section 5.2: one frame, final, not masked, as servers send them
    0x81 126 length (2 bytes) text
    0x81 127 length (8 bytes) text

Reading and the closing handshake are aiohttp's.
"""

from __future__ import annotations

import asyncio

from aiohttp import WSCloseCode, web

from oxpushctl import log
from oxpushctl.web.sessions import Session

# How much may wait for a reader when the next text comes.
MOST_QUEUED = 64 * 1024
# How long the other end is waited for when we close.
CLOSE_S = 2.0

_TEXT = 0x81

_log = log.get(__name__)


def text_frame(text: bytes) -> bytes:
    """Put a text into a frame."""
    length = len(text)
    if length < 126:
        return bytes((_TEXT, length)) + text
    if length < 1 << 16:
        return bytes((_TEXT, 126)) + length.to_bytes(2) + text
    return bytes((_TEXT, 127)) + length.to_bytes(8) + text


class OpenSocket:
    """A web socket of a session; ``is_joined`` from when it takes events until it closes.

    ``closing`` is the task that closes it, where this end does.
    """

    __slots__ = ("_response", "_transport", "closing", "is_joined", "revision", "session")

    def __init__(
        self,
        session: Session,
        revision: int,
        response: web.WebSocketResponse,
        transport: asyncio.Transport,
    ) -> None:
        self.session = session
        self.revision = revision
        self.is_joined = False
        self.closing: asyncio.Task[None] | None = None
        self._response = response
        self._transport = transport

    @property
    def queued(self) -> int:
        """How many bytes its reader has not taken yet, nor the system for it."""
        return self._transport.get_write_buffer_size()

    def say(self, text: str) -> None:
        """Send a text."""
        self.write(text_frame(text.encode()))

    def write(self, frame: bytes) -> None:
        """Send a frame, unless the socket closes."""
        if self.closing is None and not self._response.closed and not self._transport.is_closing():
            self._transport.write(frame)

    async def is_unread(self) -> bool:
        """Tell whether its reader has left too much lying."""
        if self.queued > MOST_QUEUED:
            await asyncio.sleep(0)  # a loop may hand to the system only now what came at once
        return self.queued > MOST_QUEUED

    async def end(self) -> None:
        """Let nothing of it stay open behind its end: the system would wait for its reader for ever."""
        if self.queued:
            await asyncio.sleep(0)  # as above
        if self.queued:
            self.drop("it left without reading")

    def drop(self, reason: str) -> None:
        """End it at once, without what waits for its reader."""
        _log.debug("web socket dropped", **self.named, reason=reason)
        self._transport.abort()

    async def receive(self) -> str | None:
        """Return the next text; ``None`` at the end, also where that is a frame that is not served."""
        message = await self._response.receive()
        if message.type is web.WSMsgType.BINARY:
            self.close(WSCloseCode.UNSUPPORTED_DATA)
        return str(message.data) if message.type is web.WSMsgType.TEXT else None

    def close(self, code: int) -> None:
        """Begin to close it: what was sent arrives before. Nothing is sent after this."""
        if self.closing is None:
            self.closing = asyncio.get_running_loop().create_task(self._close(code))

    async def _close(self, code: int) -> None:
        # Nothing is waited for but its answer: a reader that is slow would be waited for without end.
        await self._response.close(code=code, drain=False)
        if self._response.close_code == WSCloseCode.ABNORMAL_CLOSURE:
            self._transport.abort()

    @property
    def named(self) -> dict[str, str]:
        """The fields by which a log record names it."""
        return {"user": str(self.session.user), "client": self.session.client, "session": self.session.shown}
