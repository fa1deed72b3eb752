"""Whether the engine could listen where it is to listen; nothing is left behind, and who listens is not disturbed."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from oxpushctl.config.check import Wishes, has_error, told
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.properties import ADMIN_LISTEN, INTAKE_LISTEN, TLS_CERTIFICATE
from oxpushctl.config.property import Property
from oxpushctl.config.reading import Configuration
from oxpushctl.errors import ConfigurationError
from oxpushctl.web.holder import holder
from oxpushctl.web.listen import Address

_QUESTION = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_ANSWER_S = 1.0
_LONGEST_HEAD = 8192
_FIRST_FREE_PORT = 1024
_AS_ENGINE = "run the check as the system user that runs oxpushctl"
_ELSEWHERE = "stop that program, or listen elsewhere"

_Trouble = tuple[str, str, str]  # code, message, hint


async def check_ports(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Tell which addresses cannot be listened at, and why; one that our running engine holds is fine."""
    if wishes.is_offline:
        return []
    rows: dict[Address, Property[object]] = {}
    for row, texts in (
        (INTAKE_LISTEN, configuration.settings[INTAKE_LISTEN]),
        (ADMIN_LISTEN, configuration.admin_listen),
    ):
        for address in () if has_error(configuration, row) else _addresses(texts):
            rows.setdefault(address, row)
    found = await asyncio.gather(*(asyncio.to_thread(_trouble, address, configuration) for address in rows))
    return [
        told(configuration, Severity.WARNING, trouble[0], row, *trouble[1:])
        for row, trouble in zip(rows.values(), found, strict=True)
        if trouble is not None
    ]


def _addresses(texts: tuple[str, ...]) -> list[Address]:
    """Read addresses; what is wrong with the default one's path was told before."""
    try:
        return [Address.parse(text) for text in texts]
    except ConfigurationError:
        return []


def _trouble(address: Address, configuration: Configuration) -> _Trouble | None:
    if address.path is None:
        return _port_trouble(address, has_tls=configuration.settings[TLS_CERTIFICATE] is not None)
    try:
        return _socket_trouble(address, address.path) or _folder_trouble(address, address.path.parent, configuration)
    except OSError as error:
        return "OXP703", f"{address}: {error.strerror}", _AS_ENGINE


def _port_trouble(address: Address, *, has_tls: bool) -> _Trouble | None:
    try:
        _bind(address)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            if _is_ours(address, (_anonymous_tls(), None) if has_tls else (None, _anonymous_tls())):
                return None
            return "OXP701", f"{address} is in use by {holder(address.port) or 'another program'}", _ELSEWHERE
        return "OXP702", *_why(address, error)
    return None


def _bind(address: Address) -> None:
    """Take the address for a moment as the engine does, without listening: no request gets lost here."""
    for family, kind, protocol, _, target in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(target)


def _why(address: Address, error: OSError | UnicodeError) -> tuple[str, str]:
    """Return why nobody can listen, and what to do."""
    match error:
        case socket.gaierror() | UnicodeError():
            return f"the host of {address} has no address", "name an address of this machine"
        case OSError(errno=errno.EADDRNOTAVAIL):
            hint = "name one that it has; 0.0.0.0 and [::] are all of them"
            return f"this machine does not have the address of {address}", hint
        case PermissionError() if address.port < _FIRST_FREE_PORT:
            hint = f"{_AS_ENGINE}, grant it CAP_NET_BIND_SERVICE, or take a port from {_FIRST_FREE_PORT} on"
            return f"this system user may not listen at {address}", hint
        case _:
            return f"nobody can listen at {address}: {error.strerror}", ""


def _socket_trouble(address: Address, path: Path) -> _Trouble | None:
    """Tell what is at the path and must not be; the socket of a program that is gone is replaced by the engine."""
    if not path.is_socket():
        if path.exists() or path.is_symlink():
            return "OXP703", f"{path} is there and is not a socket", "name another path"
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_S)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except PermissionError:
            return "OXP703", f"this system user may not connect to {address}", _AS_ENGINE
        except OSError:
            pass  # it is listened at, by somebody too busy to take connections
    return None if _is_ours(address, (None,)) else ("OXP701", f"{address} is in use by another program", _ELSEWHERE)


def _folder_trouble(address: Address, folder: Path, configuration: Configuration) -> _Trouble | None:
    # The state folder is made at first use, with all above it.
    if folder == configuration.state:
        folder = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not folder.is_dir():
        return "OXP703", f"{address}: there is no folder {folder}", "make it, writable for the engine's system user"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "OXP703", f"{address}: this system user may not write into {folder}", f"{_AS_ENGINE}, or let it write"
    return None


def _is_ours(address: Address, ways: Sequence[ssl.SSLContext | None]) -> bool:
    """Tell whether an engine of ours answers there, in one of the ways: over HTTPS, or HTTP where ``None`` is given."""
    return any(b"\r\nserver: oxpushctl\r\n" in _head(address, way).lower() for way in ways)


def _anonymous_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # who answers is asked for its name only, and is told nothing
    return context


def _head(address: Address, tls: ssl.SSLContext | None) -> bytes:
    """Return the head of an answer, or as much of it as came in time."""
    until = time.monotonic() + _ANSWER_S
    head = b""
    try:
        with _connected(address) as plain, tls.wrap_socket(plain) if tls else plain as asked:
            asked.sendall(_QUESTION)
            while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD and time.monotonic() < until:
                chunk = asked.recv(_LONGEST_HEAD)
                if not chunk:
                    break
                head += chunk
    except OSError:
        pass  # ssl.SSLError is one: whoever it is does not speak as we do
    return head


def _connected(address: Address) -> socket.socket:
    if address.path is None:
        return socket.create_connection((address.host, address.port), _ANSWER_S)
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(_ANSWER_S)
    try:
        connected.connect(str(address.path))
    except OSError:
        connected.close()
        raise
    return connected
