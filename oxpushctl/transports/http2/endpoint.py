"""Where a client connects to: ``https://host:port``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from oxpushctl import errors


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One origin; as text it is ``host:port``."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """What goes into ``:authority``: without the port where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if (self.scheme, self.port) in (("https", 443), ("http", 80)) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Endpoint:
    """Read ``https://host:port``, or ``http://`` on loopback; raise ``ConfigurationError``."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise errors.ConfigurationError(f"{text!r} is not https://host:port: {error}") from error
    if parts.scheme not in ("https", "http") or not host or parts.path not in ("", "/") or parts.username is not None:
        raise errors.ConfigurationError(f"{text!r} is not https://host:port")
    if parts.scheme == "http" and not _is_loopback(host):
        raise errors.ConfigurationError(f"{text!r} is not encrypted: http:// is for 127.0.0.1 only, use https://")
    return Endpoint(parts.scheme, host, port or (443 if parts.scheme == "https" else 80))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
