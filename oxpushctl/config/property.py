"""The row of the property table: what a key means, how its text is read, what it is when unset."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from oxpushctl.config.hosts import HOST, LAST_PORT
from oxpushctl.config.mail_address import MailAddress

Network = IPv4Network | IPv6Network

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


def _never(_text: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """How a text becomes a value; ``parse`` raises ``ValueError`` and ``wanted`` completes "… is not …".

    ``values`` are all texts that it takes, where they are few. ``is_default`` tells of texts that stand for the
    default, whatever they look like.
    """

    name: str
    wanted: str
    parse: Callable[[str], T_co]
    values: tuple[str, ...] = ()
    is_default: Callable[[str], bool] = _never


class Effect(enum.Enum):
    """Who heeds a property."""

    ENGINE = "the engine and the commands"
    NONE = "nobody: it is accepted and checked"


@dataclass(frozen=True, slots=True)
class Property(Generic[T_co]):
    """One row: ``file`` is where the key customarily stands, ``qualifiers`` what may follow the key.

    ``since`` is the middleware's version that brought the key. ``is_cascaded`` tells that the middleware may know
    another value for some users (its config cascade), which is not evaluated here. ``aliases`` are other spellings of
    the key, of which ``overriding_alias`` wins where both are set. ``default_text`` says what the default is where that
    depends on the machine; ``example`` is a value for a sample, where the default is none.
    """

    key: str
    kind: Kind[T_co]
    default: T_co
    file: str
    doc: str
    since: str = ""
    is_reloadable: bool = False
    is_secret: bool = False
    qualifiers: tuple[str, ...] = ()
    effect: Effect = Effect.ENGINE
    is_cascaded: bool = False
    aliases: tuple[str, ...] = ()
    overriding_alias: str = ""
    default_text: str = ""
    example: str = ""


_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise ValueError
    return lowered == "true"


def _natural(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError
    return int(text)


def _is_not_positive(text: str) -> bool:
    return re.fullmatch(r"0+|-[0-9]{1,18}", text) is not None


def _context_id(text: str) -> int:
    number = _natural(text)
    if not 0 < number < 2**32:
        raise ValueError
    return number


def _port(text: str) -> int:
    number = _natural(text)
    if not 0 < number <= LAST_PORT:
        raise ValueError
    return number


def _duration_s(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d)", text)
    if match is None:
        raise ValueError
    return int(match[1]) * _UNITS_S[match[2]]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip('"') for piece in _listed(text)) if part)


_HOST_PORT = re.compile(rf"{HOST}:(?P<port>[0-9]{{1,5}})")
_LONGEST_SOCKET_PATH = 107  # bytes; unix(7): sun_path has 108, the last one NUL


def socket_path(address: str) -> str | None:
    """Return the path in ``unix:/path``, ``None`` for other addresses; ``ValueError`` if no socket can be there."""
    if not address.startswith("unix:/"):
        return None
    path = address.removeprefix("unix:")
    if "\0" in path or len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise ValueError
    return path


def _addresses(text: str) -> tuple[str, ...]:
    addresses = _listed(text)
    if not addresses:
        raise ValueError
    for address in addresses:
        if socket_path(address) is not None:
            continue
        match = _HOST_PORT.fullmatch(address)
        # Port 0 is one that the system chooses, which tests and trials are glad of.
        if match is None or int(match["port"]) > LAST_PORT:
            raise ValueError
    return addresses


def _server_url(scheme: str, *, may_log_in: bool = False) -> Callable[[str], str]:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        # Reading the port is what makes urlsplit look at it.
        if parts.scheme != scheme or not parts.hostname or parts.port == 0 or parts.path.strip("/") or parts.query:
            raise ValueError
        # A login or query would be shown wherever the URL is.
        if not may_log_in and set("@?#") & set(text):
            raise ValueError
        return text.rstrip("/")

    return parse


_UNFIT = re.compile(r"[@?#\s]")


def _http_urls(text: str) -> tuple[str, ...]:
    urls = _listed(text)
    for url in urls:
        parts = urlsplit(url)
        # Reading the port is what makes urlsplit look at it.
        # A login or query would be shown wherever the URL is.
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or _UNFIT.search(url):
            raise ValueError
    return urls


def _url(text: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise ValueError
    return text


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(part, strict=False) for part in _listed(text))


def _redis_url(text: str) -> str:
    parts = urlsplit(text)
    # Reading the port is what makes urlsplit look at it; a sentinel URL has several hosts.
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or parts.port == 0:
        raise ValueError
    return text


def choice(*values: str) -> Kind[str]:
    """One word of several, case ignored."""

    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError
        return text.lower()

    return Kind("choice", values[0] if len(values) == 1 else "one of " + ", ".join(values), parse, values)


def choice_or(otherwise: str, *values: str) -> Kind[str]:
    """One word of several, case ignored; any other word means ``otherwise``, which is one of them."""

    def parse(text: str) -> str:
        return text.lower() if text.lower() in values else otherwise

    return Kind("choice", f"one of {', '.join(values)}; anything else means {otherwise}", parse, values)


TEXT: Kind[str] = Kind("text", "text", str)
PATH: Kind[str] = Kind("path", "a path", str)
BOOLEAN: Kind[bool] = Kind("boolean", "true or false", _boolean, ("true", "false"))
NATURAL: Kind[int] = Kind("number", "a whole number", _natural)
CONTEXT_ID: Kind[int] = Kind("context", "the number of a context (1 to 4294967295)", _context_id)
PORT: Kind[int] = Kind("port", "a port (1 to 65535)", _port)
MILLISECONDS: Kind[int] = Kind("milliseconds", "milliseconds", _natural)
POSITIVE_MILLISECONDS: Kind[int] = Kind("milliseconds", "milliseconds", _natural, is_default=_is_not_positive)
DURATION: Kind[float] = Kind("duration", "a duration such as 500ms, 5s, 10m, 4h or 30d", _duration_s)
TEXTS: Kind[tuple[str, ...]] = Kind("list", "a comma-separated list", _listed)
PATTERNS: Kind[tuple[str, ...]] = Kind("patterns", "a comma-separated list of patterns", _patterns)
ADDRESSES: Kind[tuple[str, ...]] = Kind(
    "addresses",
    f"a comma-separated list of host:port, [::1]:port or unix:/path ({_LONGEST_SOCKET_PATH} bytes at most)",
    _addresses,
)
MAIL_SERVER: Kind[MailAddress] = Kind(
    "mail server", "host, host:port, imap://host:port or imaps://host:port", MailAddress.parse
)
ENDPOINT: Kind[str] = Kind("endpoint", "https://host:port", _server_url("https"))
PROXY_URL: Kind[str] = Kind("proxy", "http://host:port", _server_url("http", may_log_in=True))
HTTP_URLS: Kind[tuple[str, ...]] = Kind(
    "URLs", "a comma-separated list of http:// or https:// URLs, without a login or query", _http_urls
)
URL: Kind[str] = Kind("url", "a URL such as sqlite:////var/lib/oxpushctl/oxpushctl.db", _url)
NETWORKS: Kind[tuple[Network, ...]] = Kind(
    "networks", "a comma-separated list of addresses and networks, such as 10.0.0.7 or 10.1.0.0/16", _networks
)
REDIS_URL: Kind[str] = Kind(
    "Redis URL", "redis://[LOGIN:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS", _redis_url
)
# Such a value holds a secret only where it has a login or a query, and may be shown without these.
URL_KINDS: tuple[Kind[str], ...] = (URL, PROXY_URL, REDIS_URL)
