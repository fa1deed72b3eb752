"""Listening sockets that the service manager has opened for us and keeps when we end: sd_listen_fds(3).

``LISTEN_FDS=2`` says that descriptors 3 and 4 are ours if ``LISTEN_PID`` is our process;
``LISTEN_FDNAMES=intake:admin`` names them, after ``FileDescriptorName=`` of the socket unit.
Their queues go on while no engine runs.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from oxpushctl.errors import ConfigurationError

VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_FIRST = 3
_MOST = 1024


@dataclass(frozen=True, slots=True)
class Inherited:
    """A listening socket of the service manager's, and the name that it has there."""

    name: str
    socket: socket.socket


def inherited(environment: Mapping[str, str], pid: int) -> list[Inherited]:
    """Return the sockets that are meant for this process, closed on exec; raise ``ConfigurationError`` for others.

    Once only: they belong to what is returned. ``environment`` has the variables, which whoever calls removes from the
    environment of the process, so that no child takes them for its own.
    """
    if environment.get("LISTEN_PID") != str(pid):
        return []
    count = environment.get("LISTEN_FDS", "")
    if not count.isascii() or not count.isdigit() or int(count) > _MOST:
        raise ConfigurationError(f"LISTEN_FDS: '{count}' is not the number of sockets that were passed")
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * (int(count) - len(names))
    return [_taken(number, name) for number, name in zip(range(_FIRST, _FIRST + int(count)), names, strict=False)]


def _taken(number: int, name: str) -> Inherited:
    told = f"descriptor {number} of the service manager (FileDescriptorName={name})"
    try:
        os.set_inheritable(number, False)
        taken = socket.socket(fileno=number)
    except OSError as error:
        raise ConfigurationError(f"{told} is not a socket: {error.strerror}") from error
    is_stream = taken.family in {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX} and taken.type == socket.SOCK_STREAM
    if not is_stream or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        taken.close()
        raise ConfigurationError(f"{told} is not listened at for streams: give its unit ListenStream= and Accept=no")
    if taken.family == socket.AF_UNIX and not isinstance(taken.getsockname(), str):
        taken.close()
        raise ConfigurationError(f"{told} is an abstract socket: give its unit ListenStream= with a path")
    return Inherited(name, taken)
