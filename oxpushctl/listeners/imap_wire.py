"""The socket under an IMAP connection: all of it ends at one deadline, however slowly bytes drip in, or how many.

For a thread it waits, up to its deadline. An event loop that watches the socket takes what is there, and waits for
nothing (``receive_now``, ``send_now``): both read into one buffer, so that nothing is lost between them.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import ssl
import time
from typing import TYPE_CHECKING

from oxpushctl.look_up import Found

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_CHUNK = 16384
# Of those at once, so that one connection keeps no other waiting.
_CHUNKS_AT_ONCE = 4
# Ours are answers of a few lines.
_LONGEST_ANSWER = 1024 * 1024
# Seconds of silence before the first probe, between two, and how many; then milliseconds until an answer to anything.
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6, "TCP_USER_TIMEOUT": 120_000}


class Received(enum.Enum):
    """What is known after all that was there has been taken in."""

    ALL = "there is nothing more now"
    MORE = "there may be more at once"
    END = "the connection has ended"


class TooMuch(ValueError):
    """The other side says more than any answer to us takes, or announces it."""


class Wire:
    """A connection to ``host`` for one thread at a time; only ``cut`` may come from another.

    Whatever waits raises ``TimeoutError`` at the deadline that ``allow`` has set, and ``OSError`` otherwise; what reads
    raises ``TooMuch`` when more than 1 MiB came since then.
    """

    def __init__(self, host: str) -> None:
        self.has_heard = False
        """Whether the other side ever said anything."""
        self._host = host
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._until = 0.0
        self._left_bytes = 0
        self._is_cut = False

    @property
    def socket(self) -> socket.socket:
        """The connected socket, encrypted or not."""
        if self._socket is None:
            raise OSError("not connected")
        return self._socket

    def allow(self, seconds: float) -> None:
        """Set the deadline of what comes next."""
        self._until = time.monotonic() + seconds
        self._left_bytes = _LONGEST_ANSWER

    def allow_another_answer(self) -> None:
        """Let another answer come before the deadline, as large as the first may be."""
        self._left_bytes = _LONGEST_ANSWER

    def left_s(self) -> float:
        """Return the time to the deadline, which is never zero; raise ``TimeoutError`` after it."""
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the time is up")
        return left_s

    def connect(self, found: Found) -> None:
        """Connect to the first of the host's addresses that answers, each with its share of the time."""
        failure = OSError("it has no address")
        for tried, (family, kind, protocol, _, address) in enumerate(found):
            connecting = socket.socket(family, kind, protocol)
            try:
                connecting.settimeout(self.left_s() / (len(found) - tried))
                connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                failure = error
            else:
                self._socket = connecting
                if self._is_cut:  # while there was nothing yet to be cut
                    self.close()
                return
        raise failure

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on; what came before is not taken for part of it."""
        if self._received:
            # Somebody on the way could have put it there (STARTTLS command injection, CVE-2011-0411).
            raise OSError("it sent more than its answer before TLS began")
        plain = self.socket
        plain.settimeout(self.left_s())
        plain.getpeername()  # fails where the other side is gone, which wrap_socket does not clean up after
        name = self._host.partition("%")[0]  # the zone of a link-local address is this machine's own word
        self._socket = encrypted = context.wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False)
        encrypted.do_handshake()

    def readline(self) -> bytes:
        """Return a line with its end, or what there is at the connection's end."""
        start = 0
        while (end := self._received.find(b"\n", start)) < 0:
            start = len(self._received)
            if not self._receive():
                break
        return self._take(end + 1 if end >= 0 else len(self._received))

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the connection's end."""
        if size > len(self._received) + self._left_bytes:
            raise TooMuch(f"{size} bytes are announced")
        while len(self._received) < size and self._receive():
            pass
        return self._take(size)

    def send(self, data: ReadableBuffer) -> None:
        """Send everything."""
        self.socket.settimeout(self.left_s())
        self.socket.sendall(data)

    def outlast_silence(self) -> None:
        """Let the system find out by itself when the other side is gone, though nothing is said: within two minutes."""
        for name, value in _PROBES.items():
            if (option := getattr(socket, name, None)) is not None:  # each system has some of them
                self.socket.setsockopt(socket.IPPROTO_TCP, option, value)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def receive_now(self) -> Received:
        """Take in what has come, without a wait and not without end: ``MORE`` where there may be more at once."""
        connected = _hasty(self.socket)
        for _ in range(_CHUNKS_AT_ONCE):
            try:
                chunk = connected.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return Received.ALL
            if not chunk:
                return Received.END
            self._received += chunk
            # What TLS has decrypted makes no socket readable; anything else does, if there is more of it.
            if len(chunk) < _CHUNK and not (isinstance(connected, ssl.SSLSocket) and connected.pending()):
                return Received.ALL
        return Received.MORE

    def send_now(self, data: bytes) -> None:
        """Send a few bytes without a wait; raise ``OSError`` where the other side has not taken what came before."""
        if _hasty(self.socket).send(data) != len(data):
            raise BlockingIOError("it takes no more")

    @property
    def received(self) -> bytearray:
        """What has come and is not read yet: who takes something deletes it there."""
        return self._received

    def cut(self) -> None:
        """End whatever waits on this connection."""
        self._is_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, without a word to the other side."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self) -> bool:
        self.socket.settimeout(self.left_s())
        chunk = self.socket.recv(_CHUNK)
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            raise TooMuch(f"an answer of more than {_LONGEST_ANSWER} bytes")
        self._received += chunk
        self.has_heard = self.has_heard or bool(chunk)
        return bool(chunk)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken


def _hasty(connected: socket.socket) -> socket.socket:
    """Return a socket on which nothing waits from here on."""
    if connected.gettimeout() != 0:
        connected.setblocking(False)
    return connected
