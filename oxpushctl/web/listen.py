"""Where a server listens: ``host:port``, ``[::1]:port`` or ``unix:/path``, read and opened."""

from __future__ import annotations

import errno
import re
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oxpushctl.config.property import socket_path
from oxpushctl.errors import ConfigurationError, NotReachable

_TCP = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]:\s]+)):([0-9]{1,5})")
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Address:
    """One place to listen at: a host and port, or else the path of a socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address; raise ``ConfigurationError`` when it is none."""
        try:
            path = socket_path(text)
        except ValueError as problem:
            raise ConfigurationError(f"'{text}' is too long for a socket, or not a path") from problem
        if path is not None:
            return cls(path=Path(path))
        match = _TCP.fullmatch(text)
        if match is None or int(match[3]) > 65535:
            raise ConfigurationError(f"'{text}' is not host:port, [::1]:port or unix:/path")
        return cls(host=match[1] or match[2], port=int(match[3]))

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def open(self) -> Sequence[socket.socket]:
        """Return listening sockets, one for each address that a host name stands for.

        Raises ``NotReachable`` when another program listens there, ``ConfigurationError`` when nobody could.
        """
        try:
            return [_open_path(self.path)] if self.path is not None else _open_host(self.host, self.port)
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                raise NotReachable(f"{self} is in use by another program: stop it or listen elsewhere") from problem
            reason = problem.strerror or str(problem)
            raise ConfigurationError(f"cannot listen at {self}: {reason}") from problem


def bound(opened: socket.socket) -> Address:
    """Return where a socket listens, its port told by the system if 0 was asked for."""
    name = opened.getsockname()
    return Address(path=Path(name)) if opened.family == socket.AF_UNIX else Address(host=name[0], port=name[1])


def _open_host(host: str, port: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, target in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            listener = socket.socket(family, kind, protocol)
            opened.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(target)
            listener.listen(_BACKLOG)
    except OSError:
        for listener in opened:
            listener.close()
        raise
    return opened


def _open_path(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            _remove_stale(path)
        elif path.exists():
            raise FileExistsError(errno.EEXIST, "there is a file that is not a socket")
        listener.bind(str(path))
        # Nobody gets in between: until listen() a connection is refused.
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket of a program that is gone; raise ``OSError`` (EADDRINUSE) when somebody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "somebody listens")
