"""Asking the name service for a host's addresses, which nothing can interrupt: who waits no longer just goes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future

# What socket.getaddrinfo returns: family, type, protocol, canonical name, and an address that a socket connects to.
Found = Sequence[tuple[int, int, int, str, tuple[object, ...]]]


def looked_up(host: str, port: int | None) -> Future[Found]:
    """Return what becomes the addresses of a host, or the ``OSError`` or ``UnicodeError`` of one that has none.

    ``await asyncio.wrap_future(…)`` waits for it. The thread behind it is of no pool and a daemon, so that neither the
    end of an event loop nor that of the program waits for a name service that does not answer.
    """
    future: Future[Found] = Future()
    future.set_running_or_notify_cancel()  # from here on nobody can cancel it, and the thread may always answer

    def look_up() -> None:
        try:
            future.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            future.set_exception(error)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    return future
