"""Where a server listens: ``host:port``, ``[::1]:port`` or ``unix:/path``, read and opened."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oxpushctl.config.property import socket_path
from oxpushctl.errors import ConfigurationError, NotReachable

_TCP = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]:\s]+)):([0-9]{1,5})")
_BACKLOG = 1024
# How long another start may take to put its socket into the same folder, and how often we look.
_LOCK_LIMIT_S = 5.0
_LOCK_LOOK_S = 0.01


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

    def open(self, inherited: Sequence[socket.socket] = ()) -> Sequence[socket.socket]:
        """Return listening sockets, one for each address that a host name stands for.

        Of ``inherited``, which listen already, those at this address are taken in the place of new ones. Raises
        ``NotReachable`` when another program listens there, ``ConfigurationError`` when nobody could.
        """
        try:
            if self.path is None:
                return _open_host(self.host, self.port, inherited)
            path = self.path
            return [next((each for each in inherited if _is_at_path(each, path)), None) or _open_path(path)]
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                for each in inherited:
                    if self.port and bound(each).port == self.port:
                        raise ConfigurationError(
                            f"cannot listen at {self}: the service manager holds its port and listens at "
                            f"{bound(each)}: write the same address in ListenStream= and in the setting"
                        ) from problem
                raise NotReachable(f"{self} is in use by another program: stop it or listen elsewhere") from problem
            reason = problem.strerror or str(problem)
            raise ConfigurationError(f"cannot listen at {self}: {reason}") from problem


def bound(opened: socket.socket) -> Address:
    """Return where a socket listens, its port told by the system if 0 was asked for."""
    name = opened.getsockname()
    return Address(path=Path(name)) if opened.family == socket.AF_UNIX else Address(host=name[0], port=name[1])


def _open_host(host: str, port: int, inherited: Sequence[socket.socket]) -> list[socket.socket]:
    opened: list[socket.socket] = []
    taken: list[socket.socket] = []
    try:
        for family, kind, protocol, _, target in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if (found := next((each for each in inherited if _is_at(each, family, target)), None)) is not None:
                if found not in taken:
                    taken.append(found)
                continue
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
    return [*taken, *opened]


def _is_at(listener: socket.socket, family: int, target: tuple[object, ...]) -> bool:
    """Tell whether a socket listens at an address; at ``[::]`` it may listen for IPv4, too."""
    if listener.family == socket.AF_UNIX:
        return False
    name = listener.getsockname()
    if listener.family == family:
        return bool(name[:2] == target[:2])
    is_dual = listener.family == socket.AF_INET6 and not listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return is_dual and name[0] == "::" and target[0] == "0.0.0.0" and name[1] == target[1]  # noqa: S104  # compared


def _is_at_path(listener: socket.socket, path: Path) -> bool:
    # /var/run/x and /run/x are often one.
    return listener.family == socket.AF_UNIX and os.path.realpath(listener.getsockname()) == os.path.realpath(path)


def _open_path(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _folder_locked(path.parent):
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


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Keep other starts away: a socket that is bound and does not listen yet looks as if its program were gone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + _LOCK_LIMIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise OSError(errno.EBUSY, f"another program has locked the folder {folder}") from None
                time.sleep(_LOCK_LOOK_S)
            else:
                break
        yield
    finally:
        os.close(descriptor)


def _remove_stale(path: Path) -> None:
    """Remove the socket of a program that is gone; raise ``OSError`` (EADDRINUSE) when somebody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "somebody listens")
