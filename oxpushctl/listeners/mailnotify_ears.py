"""Reading the sockets at which mail servers' datagrams arrive, on the event loop and without a thread."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Sequence

from oxpushctl.errors import NotReachable
from oxpushctl.listeners.mailnotify_socket import SO_RXQ_OVFL

# A UDP datagram cannot be longer.
_LARGEST = 65_535
# So many datagrams are read before others have their turn.
_READ_AT_ONCE = 100


class Ears:
    """Sockets that are open and read; ``heard`` is given each datagram and the address of its sender.

    ``dropped`` is told how many the kernel had no room for. ``ended`` is done when it is over: by ``end``, or by an
    error that makes the sockets useless.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], heard: Callable[[bytes, str], None], dropped: Callable[[int], None]
    ) -> None:
        self._sockets = sockets
        self._heard = heard
        self._dropped = dropped
        self._drops = {each.fileno(): 0 for each in sockets}
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        for each in sockets:
            self._loop.add_reader(each.fileno(), self._read, each)

    def end(self) -> None:
        """Let ``ended`` be done."""
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        """Read what has come by now, a bounded number, and close the sockets."""
        self._stop_reading()
        for each in self._sockets:
            self._read(each)
            each.close()
        if self.ended.done() and not self.ended.cancelled():
            self.ended.exception()  # whoever closes does not have to ask why it ended

    def _stop_reading(self) -> None:
        for each in self._sockets:
            self._loop.remove_reader(each.fileno())

    def _read(self, one: socket.socket) -> None:
        try:
            for _ in range(_READ_AT_ONCE):
                datagram, told, _flags, sender = one.recvmsg(_LARGEST, socket.CMSG_SPACE(4))
                if told:
                    self._note_drops(one, told)
                self._heard(datagram, sender[0])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._stop_reading()  # it would be ready for ever
            if not self.ended.done():
                self.ended.set_exception(NotReachable(f"datagrams cannot be received: {os.strerror(error.errno or 0)}"))

    def _note_drops(self, one: socket.socket, told: Sequence[tuple[int, int, bytes]]) -> None:
        """Take over how many the kernel has dropped since the socket was opened (socket(7), SO_RXQ_OVFL)."""
        for level, kind, content in told:
            if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL) and len(content) >= 4:
                (drops,) = struct.unpack_from("@I", content)
                self._dropped((drops - self._drops[one.fileno()]) % (1 << 32))
                self._drops[one.fileno()] = drops
