"""Whether the engine could listen where it is to listen; nothing is left behind, and who listens is not disturbed."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oxpushctl.config.check import Wishes, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import ADMIN_LISTEN, INTAKE_LISTEN, PUBLIC_LISTEN, TLS_CERTIFICATE
from oxpushctl.config.property import Property
from oxpushctl.errors import ConfigurationError
from oxpushctl.look_up import Found, looked_up
from oxpushctl.web.listen import Address

_QUESTION = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_ANSWER_S = 1.0
_LOOK_UP_LIMIT_S = 3.0
_LONGEST_HEAD = 8192
_FIRST_FREE_PORT = 1024
_AS_ENGINE = "run the check as the system user that runs oxpushctl"

_Trouble = tuple[str, str, str]  # code, message, hint
_Place = tuple[object, ...] | str  # what a socket connects to


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of an address: whether an oxpushctl listens there, and what is in the way if it is not ours."""

    has_engine: bool = False
    trouble: _Trouble | None = None
    is_unknown: bool = False  # who listens there, if anybody, is hidden from this system user


_FREE = _Tried()


async def check_ports(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Tell which addresses cannot be listened at, and why; one that our running engine holds is fine."""
    if wishes.is_offline:
        return []
    rows: dict[Address, Property[object]] = {}
    for row, texts in (
        (INTAKE_LISTEN, configuration.settings[INTAKE_LISTEN]),
        (PUBLIC_LISTEN, configuration.settings[PUBLIC_LISTEN] or ()),
        (ADMIN_LISTEN, configuration.admin_listen),
    ):
        for address in () if has_error(configuration, row) else _addresses(texts):
            rows.setdefault(address, row)
    tried = await asyncio.gather(*(_tried(address, configuration) for address in rows))
    found = dict(zip(rows, tried, strict=True))
    is_ours = _is_our_engine(configuration, found)
    troubles = [
        (row, found[address].trouble or (None if is_ours else _another(address, found[address])))
        for address, row in rows.items()
    ]
    return [
        told(configuration, Severity.WARNING, trouble[0], row, *trouble[1:]) for row, trouble in troubles if trouble
    ]


def _is_our_engine(configuration: Configuration, found: Mapping[Address, _Tried]) -> bool:
    """Tell whether the engine that listens is this configuration's: it listens at our admin address, too.

    Where that cannot be told, nothing is held against the engine.
    """
    if has_error(configuration, ADMIN_LISTEN):
        return True
    admin = [found[address] for address in _addresses(configuration.admin_listen)]
    return not admin or any(each.has_engine or each.is_unknown for each in admin)


def _another(address: Address, tried: _Tried) -> _Trouble | None:
    """Say that an engine holds an address which is not the one that our commands would speak to."""
    if not tried.has_engine:
        return None
    hint = f"stop it, or listen elsewhere; it has another {ADMIN_LISTEN.key} or state folder than this configuration"
    return "OXP701", f"{address} is in use by another oxpushctl", hint


def _addresses(texts: tuple[str, ...]) -> list[Address]:
    """Read addresses; what is wrong with the default one's path was told before."""
    try:
        return [Address.parse(text) for text in texts]
    except ConfigurationError:
        return []


async def _tried(address: Address, configuration: Configuration) -> _Tried:
    if address.path is not None:
        return await asyncio.to_thread(_tried_socket, address, address.path, configuration)
    try:
        async with asyncio.timeout(_LOOK_UP_LIMIT_S):
            found = await asyncio.wrap_future(looked_up(address.host, address.port))
    except (OSError, UnicodeError) as error:  # TimeoutError is one of them
        return _Tried(trouble=("OXP702", *_why(address, error)))
    has_tls = configuration.settings[TLS_CERTIFICATE] is not None
    return await asyncio.to_thread(_tried_port, address, found, has_tls=has_tls)


def _tried_port(address: Address, found: Found, *, has_tls: bool) -> _Tried:
    try:
        _bind(found)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return _Tried(trouble=("OXP702", *_why(address, error)))
        ways = (_anonymous_tls(), None) if has_tls else (None, _anonymous_tls())
        return _held(address, has_engine=any(_has_engine(family, target, ways) for family, _, _, _, target in found))
    return _FREE


def _bind(found: Found) -> None:
    """Take the addresses for a moment as the engine does, without listening: no request gets lost here."""
    for family, kind, protocol, _, target in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(target)


def _why(address: Address, error: OSError | UnicodeError) -> tuple[str, str]:
    """Return why nobody can listen, and what to do."""
    match error:
        case TimeoutError():
            hint = "name an address of this machine, or have its name service answer"
            return f"no name service tells the address of {address}", hint
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


def _tried_socket(address: Address, path: Path, configuration: Configuration) -> _Tried:
    try:
        return _at_socket(address, path) or _Tried(trouble=_folder_trouble(address, path.parent, configuration))
    except OSError as error:
        return _Tried(trouble=("OXP703", f"{address}: {error.strerror}", _AS_ENGINE), is_unknown=True)


def _at_socket(address: Address, path: Path) -> _Tried | None:
    """Tell who is at the path, or what is and must not be; the socket of a program that is gone is replaced."""
    if not path.is_socket():
        if path.exists() or path.is_symlink():
            return _Tried(trouble=("OXP703", f"{path} is there and is not a socket", "name another path"))
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_S)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except PermissionError:
            trouble = ("OXP703", f"this system user may not connect to {address}", _AS_ENGINE)
            return _Tried(trouble=trouble, is_unknown=True)
        except OSError:
            pass  # it is listened at, by somebody too busy to take connections
    return _held(address, has_engine=_has_engine(socket.AF_UNIX, str(path), (None,)))


def _held(address: Address, *, has_engine: bool) -> _Tried:
    return _Tried(has_engine=True) if has_engine else _Tried(trouble=_in_use(address))


def _in_use(address: Address) -> _Trouble:
    """Say that somebody else listens there; who it is only root may see."""
    sockets = f"-ltnp 'sport = :{address.port}'" if address.path is None else f"-lxp 'src = {address.path}'"
    hint = f"see which one with `ss {sockets}` as root and stop it, or listen elsewhere"
    return "OXP701", f"{address} is in use by another program", hint


def _folder_trouble(address: Address, folder: Path, configuration: Configuration) -> _Trouble | None:
    # The state folder is made at first use, with all above it.
    if folder == configuration.state:
        folder = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not folder.is_dir():
        return "OXP703", f"{address}: there is no folder {folder}", "make it, writable for the engine's system user"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "OXP703", f"{address}: this system user may not write into {folder}", f"{_AS_ENGINE}, or let it write"
    return None


def _has_engine(family: int, place: _Place, ways: Sequence[ssl.SSLContext | None]) -> bool:
    """Tell whether an oxpushctl answers there, in one of the ways: over HTTPS, or HTTP where ``None`` is given."""
    return any(b"\r\nserver: oxpushctl\r\n" in _head(family, place, way).lower() for way in ways)


def _anonymous_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # who answers is asked for its name only, and is told nothing
    return context


def _head(family: int, place: _Place, tls: ssl.SSLContext | None) -> bytes:
    """Return the head of an answer, or as much of it as came in time."""
    until = time.monotonic() + _ANSWER_S
    head = b""
    try:
        with _connected(family, place) as plain, tls.wrap_socket(plain) if tls else plain as asked:
            asked.sendall(_QUESTION)
            while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD and time.monotonic() < until:
                chunk = asked.recv(_LONGEST_HEAD)
                if not chunk:
                    break
                head += chunk
    except OSError:
        pass  # ssl.SSLError is one: whoever it is does not speak as we do
    return head


def _connected(family: int, place: _Place) -> socket.socket:
    connected = socket.socket(family)
    connected.settimeout(_ANSWER_S)
    try:
        connected.connect(place)
    except OSError:
        connected.close()
        raise
    return connected
