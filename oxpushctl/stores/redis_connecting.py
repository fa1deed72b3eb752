"""From a URL to Redis: whom to ask, over TLS or not, for how long, and how often (once).

::

    redis://[LOGIN[:PASSWORD]@]HOST[:6379][/0]      in clear
    rediss://…                                      over TLS; the certificate is verified, for this very host

The library is an extra and slow to load, so it is loaded when a server is about to be asked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

from oxpushctl.errors import ConfigurationError, NotReachable

KEY = "oxpushctl.credentials.url"
TIMEOUT_S = 10.0

_CONNECTIONS = 4
_PORT = 6379
_CA_KEY = "oxpushctl.tls.ca"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is, and as whom it is asked."""

    host: str
    port: int
    database: int
    is_tls: bool
    login: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take a URL; raise ``ConfigurationError``, without its password, for one that cannot be meant."""
        try:
            parts = urlsplit(url)
            host, port, database = parts.hostname, parts.port, _database(parts)
        except ValueError:
            host = None
        if not host or parts.scheme not in ("redis", "rediss"):
            # Without "from": the library's text may quote the URL, password included.
            raise ConfigurationError(
                f"{KEY}: not the URL of a Redis (as redis://LOGIN:PASSWORD@HOST:PORT/DATABASE; @, :, /, ? and # in "
                "login and password in percent form)"
            ) from None
        login, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        return cls(host, port or _PORT, database, parts.scheme == "rediss", login, password)

    @property
    def name(self) -> str:
        """The URL without the password."""
        scheme, host = "rediss" if self.is_tls else "redis", f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/{self.database}"


def _database(parts: SplitResult) -> int:
    """Return the number of the database; a URL with more to it would be believed to do what it does not."""
    number = parts.path.removeprefix("/")
    if parts.query or parts.fragment or (number and not (number.isascii() and number.isdigit())):
        raise ValueError
    return int(number or 0)


def check_library() -> None:
    """Raise ``ConfigurationError`` where the library is not installed."""
    if find_spec("redis") is None:
        raise ConfigurationError(f"{KEY}: the Python package redis is missing (pip install 'oxpushctl[redis]')")


class RedisServer:
    """A Redis, reached from asyncio; nothing is connected to before the first use.

    Every use ends within ``timeout_s`` and raises ``NotReachable``, ``NotPermitted`` (the login), ``TryLater`` (it is
    loading, busy, full or taking over) or ``ConfigurationError``. Nothing is sent twice: whether a script has run
    before a connection broke cannot be known. A server that was away is connected to again at the next use.
    """

    def __init__(self, address: RedisAddress, ca: Path | None = None, timeout_s: float = TIMEOUT_S) -> None:
        check_library()
        from redis import asyncio as library  # noqa: PLC0415  # see above
        from redis.asyncio.retry import Retry  # noqa: PLC0415  # same
        from redis.backoff import NoBackoff  # noqa: PLC0415  # same

        if address.is_tls:
            _check_authorities(ca)
        tls: dict[str, Any] = {"connection_class": library.SSLConnection, "ssl_check_hostname": True}
        # What is found here comes in addition to the system's authorities.
        tls["ssl_ca_certs"] = None if ca is None else str(ca)
        pool = library.BlockingConnectionPool(
            max_connections=_CONNECTIONS,
            timeout=timeout_s,
            host=address.host,
            port=address.port,
            db=address.database,
            username=address.login,
            password=address.password,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **(tls if address.is_tls else {}),
        )
        self.name = address.name
        self._timeout_s = timeout_s
        self._client: Any = library.Redis.from_pool(pool)  # whose types are not all there

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """Run a Lua script, which nobody else's comes between, and return what it returns."""
        return await self.ask("EVAL", script, len(keys), *keys, *arguments)

    async def ask(self, *command: str | bytes | int) -> Any:
        """Send a command and return the answer."""
        from oxpushctl.stores import redis_troubles  # noqa: PLC0415  # needs the library

        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._client.execute_command(*command)
        except TimeoutError as error:
            raise NotReachable(f"{self.name}: no answer within {self._timeout_s:g} s") from error
        except redis_troubles.EXPECTED as error:
            trouble, is_telling = redis_troubles.mapped(error, self.name)
            # A server that does not know a command may quote its arguments, secrets among them.
            raise trouble from (None if is_telling else error)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _check_authorities(ca: Path | None) -> None:
    if ca is None:
        return
    try:
        ssl.create_default_context().load_verify_locations(ca)
    except OSError as error:  # ssl.SSLError is one of them
        reason = "holds no certificates in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(f"{_CA_KEY}: {ca}: {reason}") from error
