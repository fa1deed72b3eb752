"""Tell from an address whether what is sent there leaves this machine."""

from __future__ import annotations

import ipaddress

_IMAPS_PORT = "993"


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


def is_imaps(mail_server: str) -> bool:
    """Tell whether a mail server is spoken to over TLS from the first byte on: by its scheme, or by port 993."""
    scheme, separator, authority = mail_server.rpartition("://")
    if separator and scheme.lower() == "imaps":
        return True
    return authority.rstrip("/").rpartition("]")[2].rpartition(":")[2] == _IMAPS_PORT
