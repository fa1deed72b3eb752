"""The row of the property table: what a key means, how its text is read, what it is when unset."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """How a text becomes a value; ``parse`` raises ``ValueError`` and ``wanted`` completes "… is not …".

    ``values`` are all texts that it takes, where they are few.
    """

    name: str
    wanted: str
    parse: Callable[[str], T_co]
    values: tuple[str, ...] = ()


class Effect(enum.Enum):
    """Who heeds a property."""

    ENGINE = "the engine"
    JUDGED = "the configuration's check and flow only: listeners are not part of this version"
    NONE = "nobody: it is accepted and checked"


@dataclass(frozen=True, slots=True)
class Property(Generic[T_co]):
    """One row: ``file`` is where the key customarily stands, ``qualifiers`` what may follow the key.

    ``since`` is the middleware's version that brought the key. ``is_cascaded`` tells that the middleware may know
    another value for some users (its config cascade), which is not evaluated here. ``aliases`` are other spellings of
    the key; ``default_text`` says what the default is where that depends on the machine; ``example`` is a value for
    a sample, where the default is none.
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


def _port(text: str) -> int:
    number = _natural(text)
    if not 0 < number <= _MAX_PORT:
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


_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])"
_HOST_PORT = re.compile(rf"{_HOST}:(?P<port>[0-9]{{1,5}})")
_MAIL_SERVER = re.compile(rf"(?:imaps?://)?{_HOST}(?::(?P<port>[0-9]{{1,5}}))?/?")
_MAX_PORT = 65535
_LONGEST_SOCKET_PATH = 107  # bytes; unix(7): sun_path has 108, the last one NUL


def _check_port(match: re.Match[str] | None) -> None:
    if match is None or int(match["port"] or 0) > _MAX_PORT:
        raise ValueError


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
        if socket_path(address) is None:
            _check_port(_HOST_PORT.fullmatch(address))
    return addresses


def _mail_server(text: str) -> str:
    _check_port(_MAIL_SERVER.fullmatch(text))
    return text


def _server_url(scheme: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        # Reading the port is what makes urlsplit look at it.
        if parts.scheme != scheme or not parts.hostname or parts.port == 0 or parts.path.strip("/") or parts.query:
            raise ValueError
        return text.rstrip("/")

    return parse


def _http_urls(text: str) -> tuple[str, ...]:
    urls = _listed(text)
    for url in urls:
        parts = urlsplit(url)
        # Reading the port is what makes urlsplit look at it.
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
    return urls


def _url(text: str) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise ValueError
    return text


def choice(*values: str) -> Kind[str]:
    """One word of several, case ignored."""

    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError
        return text.lower()

    return Kind("choice", values[0] if len(values) == 1 else "one of " + ", ".join(values), parse, values)


TEXT: Kind[str] = Kind("text", "text", str)
BOOLEAN: Kind[bool] = Kind("boolean", "true or false", _boolean, ("true", "false"))
NATURAL: Kind[int] = Kind("number", "a whole number", _natural)
PORT: Kind[int] = Kind("port", "a port (1 to 65535)", _port)
MILLISECONDS: Kind[int] = Kind("milliseconds", "milliseconds", _natural)
DURATION: Kind[float] = Kind("duration", "a duration such as 500ms, 5s, 10m, 4h or 30d", _duration_s)
TEXTS: Kind[tuple[str, ...]] = Kind("list", "a comma-separated list", _listed)
PATTERNS: Kind[tuple[str, ...]] = Kind("patterns", "a comma-separated list of patterns", _patterns)
ADDRESSES: Kind[tuple[str, ...]] = Kind(
    "addresses",
    f"a comma-separated list of host:port, [::1]:port or unix:/path ({_LONGEST_SOCKET_PATH} bytes at most)",
    _addresses,
)
MAIL_SERVER: Kind[str] = Kind("mail server", "host, host:port, imap://host:port or imaps://host:port", _mail_server)
ENDPOINT: Kind[str] = Kind("endpoint", "https://host:port", _server_url("https"))
PROXY_URL: Kind[str] = Kind("proxy", "http://host:port", _server_url("http"))
HTTP_URLS: Kind[tuple[str, ...]] = Kind("URLs", "a comma-separated list of http:// or https:// URLs", _http_urls)
URL: Kind[str] = Kind("url", "a URL such as sqlite:////var/lib/oxpushctl/oxpushctl.db", _url)
