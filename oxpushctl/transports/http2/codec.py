"""HTTP/2 as bytes in, bytes out: the small interface to the libraries that speak it, and the choice of one.

A codec never touches a socket. What the peer sends is handed to a ``Handler``; what is to be sent is taken from the
codec once per turn of the loop. A codec keeps bodies that flow control (RFC 9113, 5.2) does not let go yet; that no
more streams are opened than the peer allows is the caller's business.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

MAX_HEADER_BYTES = 16_384

# Values that differ from request to request would push the useful ones out of the peer's HPACK table, and ``:path``
# holds the device token: https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
UNINDEXED = frozenset({":path", "apns-id", "apns-collapse-id", "apns-expiration", "content-length"})


class Malformed(Exception):
    """The peer breaks the protocol, or the codec can serve no more: the connection is of no further use."""


class ErrorCode(enum.IntEnum):
    """Why a stream or connection ends (RFC 9113, 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


def error_name(code: int) -> str:
    """Return the name of an error code, or its number."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code:#x}"


class Handler(Protocol):
    """Who hears what the peer sent; streams that nobody knows any more are to be ignored."""

    def on_settings(self, max_streams: int) -> None:
        """Take how many streams the peer allows at a time; the first call says that the connection stands."""

    def on_head(self, stream_id: int, headers: Sequence[tuple[bytes, bytes]], is_end: bool) -> None:
        """Take the head of a final answer; ``:status``, three digits, comes first."""

    def on_body(self, stream_id: int, data: bytes, is_end: bool) -> None:
        """Take a part of a body."""

    def on_reset(self, stream_id: int, code: int) -> None:
        """Take that a stream ended without a whole answer."""

    def on_goaway(self, last_stream_id: int, code: int, debug: bytes) -> None:
        """Take that streams above ``last_stream_id`` were not and will not be processed; may come twice."""


class Codec(Protocol):
    """One client connection's protocol state."""

    def start(self) -> None:
        """Prepare the preface and our settings: no server push."""

    def receive(self, data: bytes) -> None:
        """Take bytes of the peer and tell the handler; raise ``Malformed``."""

    def request(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        """Start a stream and return its id; raise ``Malformed`` when the connection takes none any more."""

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream that is of no interest any more; an unknown one is ignored."""

    def ping(self) -> None:
        """Ask for a sign of life."""

    def goaway(self) -> None:
        """Say that we are leaving."""

    def take(self) -> bytes:
        """Return what is to be sent."""


CodecFactory = Callable[[Handler, str, str], Codec]  # handler, :scheme, :authority


def codec_named(name: Literal["ngh2", "h2"]) -> CodecFactory:
    """Return a codec by the name of its library; raise ``ImportError`` where that is not installed."""
    if name == "ngh2":
        from oxpushctl.transports.http2 import codec_ngh2  # noqa: PLC0415  # an extra: may be missing

        return codec_ngh2.Ngh2Codec
    from oxpushctl.transports.http2 import codec_h2  # noqa: PLC0415  # 40 ms of imports, only where it is used

    return codec_h2.H2Codec


def best_codec() -> CodecFactory:
    """Return the fastest codec that is installed: ngh2 (libnghttp2), else h2."""
    try:
        return codec_named("ngh2")
    except ImportError:
        return codec_named("h2")
