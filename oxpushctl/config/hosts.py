"""Addresses: how a host is written, and whether what is sent there leaves this machine."""

from __future__ import annotations

import ipaddress

# A name or an address; one of IPv6 stands in brackets.
HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])"
LAST_PORT = 65535


def host_of(address: str) -> str:
    """Return the host of ``host``, ``host:port``, ``[::1]:port`` or a URL of these; ``unix:/path`` has none."""
    if address.startswith("unix:"):
        return ""
    authority = address.partition("://")[2] or address
    authority = authority.partition("/")[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def is_this_machine(host: str) -> bool:
    """Tell whether a host is this machine: its name or address of the loopback, or none at all."""
    if not host or host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
