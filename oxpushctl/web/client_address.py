"""Whose request it is: the address of the client, also where proxies stand between.

::

    X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.0.4     peer 10.1.0.3
                     (anybody's) ──┘         └── known proxies, walked from the right

Each proxy appends whom it was asked by, so that what stands right of the first address that is no known proxy is
believed, and what stands left of it is what the client made up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from oxpushctl.config.property import Network

IpAddress = IPv4Address | IPv6Address

_HEADER = "X-Forwarded-For"
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
# What one household has; privacy extensions (RFC 8981) take another address of it every day.
_IPV6_PREFIX = 64


def client_address(request: web.BaseRequest, proxies: Sequence[Network]) -> IpAddress | None:
    """Return the address of the client, or the last believable one on the way there; ``None`` if there is none at all.

    Who comes through a socket of this machine has no address, and is taken for a known proxy.
    """
    believed = _parsed(request.remote or "")
    if not is_from_proxy(request, proxies):
        return believed
    for entry in reversed(",".join(request.headers.getall(_HEADER, ())).split(",")):
        named = _named(entry.strip())
        if named is None:
            break
        believed = named
        if not _is_proxy(named, proxies):
            break
    return believed


def is_from_proxy(request: web.BaseRequest, proxies: Sequence[Network]) -> bool:
    """Tell whether a known proxy brought a request, or somebody who came through a socket of this machine."""
    peer = _parsed(request.remote or "")
    return peer is None or _is_proxy(peer, proxies)


def household(address: IpAddress) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 network of an IPv6 address."""
    return str(address if address.version == 4 else IPv6Network((int(address), _IPV6_PREFIX), strict=False))


def _is_proxy(address: IpAddress, proxies: Sequence[Network]) -> bool:
    return any(address in network for network in proxies)


def _named(entry: str) -> IpAddress | None:
    """Read an address as proxies write it: bare, or with the port that some of them add."""
    match = _WITH_PORT.fullmatch(entry)
    return _parsed((match[1] or match[2]) if match else entry)


def _parsed(text: str) -> IpAddress | None:
    """Read an address; IPv4 that was mapped into IPv6 is IPv4, and an interface's name says nothing to others."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))
