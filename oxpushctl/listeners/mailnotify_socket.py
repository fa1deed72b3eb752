"""The sockets at which mail servers' datagrams arrive: at every address of a host, or for a multicast group.

A group is joined on every network interface, as nobody says behind which of them the mail servers are. A socket hears
of no other groups: Linux hands it those of the whole machine by default (ip(7), IP_MULTICAST_ALL).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from oxpushctl.config.listening import NOTIFY_HOST, NOTIFY_MULTICAST, NOTIFY_PORT
from oxpushctl.errors import ConfigurationError, NotReachable
from oxpushctl.look_up import looked_up

_LOOK_UP_S = 10.0
# Room for a burst: some ten thousand datagrams. Without the right to exceed it, net.core.rmem_max is the bound.
_BUFFER = 4 << 20

# Linux' numbers of options that Python has no names for: asm-generic/socket.h, linux/in.h, linux/in6.h.
_SO_RCVBUFFORCE, SO_RXQ_OVFL, _IP_MULTICAST_ALL, _IPV6_MULTICAST_ALL = 33, 40, 49, 29
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

Address = tuple[int, tuple[object, ...]]


async def bound(host: str, port: int, *, is_multicast: bool) -> Sequence[socket.socket]:
    """Return sockets that are bound, and have joined the group; raise ``NotReachable`` or ``ConfigurationError``."""
    return bound_to(await _addresses(host, port), host, port, is_multicast=is_multicast)


def bound_to(addresses: Sequence[Address], host: str, port: int, *, is_multicast: bool) -> Sequence[socket.socket]:
    """Do so for the addresses that a host has.

    One that this machine does not have is left out as long as there is another: ``::1`` where there is no IPv6.
    """
    if is_multicast and not all(_is_group(address) for address in addresses):
        raise ConfigurationError(
            f"{NOTIFY_HOST.key}: {host} is no multicast group: write one, or set {NOTIFY_MULTICAST.key} to false"
        )
    is_ipv6_only = any(family == socket.AF_INET for family, _ in addresses)
    absent: OSError | None = None
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for address in addresses:
            try:
                one = _joined(address, port) if is_multicast else _opened(address, is_ipv6_only=is_ipv6_only)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise _not_bound(host, port, error) from error
                absent = error
            else:
                sockets.append(opened.enter_context(one))
        if absent is not None and not sockets:
            raise _not_bound(host, port, absent) from absent
        opened.pop_all()
    return sockets


async def _addresses(host: str, port: int) -> Sequence[Address]:
    try:
        async with asyncio.timeout(_LOOK_UP_S):
            found = await asyncio.wrap_future(looked_up(host, port))
    except (OSError, UnicodeError) as error:  # TimeoutError is one of them
        raise NotReachable(f"{NOTIFY_HOST.key}: the name {host} cannot be resolved: correct it") from error
    ours = ((family, address) for family, _, _, _, address in found if family in (socket.AF_INET, socket.AF_INET6))
    return list(dict.fromkeys(ours))


def _is_group(address: Address) -> bool:
    return ip_address(str(address[1][0]).partition("%")[0]).is_multicast


def _opened(address: Address, *, is_ipv6_only: bool) -> socket.socket:
    """Bind to an address; ``::`` alone hears IPv4 as well."""
    family, where = address
    with _closed_on_error(socket.socket(family, socket.SOCK_DGRAM)) as one:
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_ipv6_only)
        _make_room(one)
        one.bind(where)
    return one


def _joined(address: Address, port: int) -> socket.socket:
    """Bind to a port, which others on this machine may share, and join a group."""
    family, where = address
    with _closed_on_error(socket.socket(family, socket.SOCK_DGRAM)) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _hear_no_other_groups(one, family)
        _make_room(one)
        one.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))  # noqa: S104  # a group has no address of ours
        _join(one, family, where)
    return one


def _join(one: socket.socket, family: int, where: tuple[object, ...]) -> None:
    """Join a group on all interfaces, or on the one that is given as its zone; raise when it can on none."""
    group = socket.inet_pton(family, str(where[0]).partition("%")[0])
    zone = where[3] if family == socket.AF_INET6 else 0
    interfaces = [int(str(zone))] if zone else [index for index, _name in socket.if_nameindex()]
    problem: OSError | None = None
    count = 0
    for index in interfaces:
        try:
            if family == socket.AF_INET6:
                membership = group + struct.pack("@I", index)
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
            else:
                membership = group + bytes(4) + struct.pack("@i", index)  # struct ip_mreqn
                one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            count += 1
        except OSError as error:  # that interface knows no multicast
            problem = error
    if problem is not None and not count:
        raise problem


def _hear_no_other_groups(one: socket.socket, family: int) -> None:
    with contextlib.suppress(OSError):  # a kernel that does not know the option
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        else:
            one.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)


def _make_room(one: socket.socket) -> None:
    """Let a burst wait in the kernel, and have it tell what it drops all the same; nothing in here blocks."""
    one.setblocking(False)
    try:
        one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except OSError:  # it takes a right that few have
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)


def _not_bound(host: str, port: int, error: OSError) -> NotReachable:
    where = f"UDP port {port} of {host}"
    match error.errno:
        case errno.EADDRINUSE:
            return NotReachable(f"{where} is taken: stop the program that has it, or change {NOTIFY_PORT.key}")
        case errno.EADDRNOTAVAIL:
            return NotReachable(f"{NOTIFY_HOST.key}: {host} is no address of this machine: write one that is")
        case errno.EACCES:
            return NotReachable(f"{where} takes more rights than this program has: set {NOTIFY_PORT.key} above 1023")
    return NotReachable(f"{where}: {error.strerror}")


@contextlib.contextmanager
def _closed_on_error(one: socket.socket) -> Iterator[socket.socket]:
    try:
        yield one
    except BaseException:
        one.close()
        raise
