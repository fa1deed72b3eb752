"""What the Redis that keeps mail passwords answers when the configuration is checked: nothing of it is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from oxpushctl.config.check import Wishes, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import CREDENTIALS_URL, TLS_CA
from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, TryLater
from oxpushctl.stores.check import redis_url
from oxpushctl.stores.passphrase_check import check_passphrase
from oxpushctl.stores.redis import RedisCredentialRows
from oxpushctl.stores.redis_connecting import RedisAddress, RedisServer

_TIMEOUT_S = 5.0  # somebody waits for the check


async def check_redis(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Ask the Redis for a password as the engine does, and whether it writes to disk; say what stands in the way."""
    url = redis_url(configuration)
    if url is None or wishes.is_offline or has_error(configuration, TLS_CA):
        return []
    ca = configuration.settings[TLS_CA]
    authorities = None if ca is None else configuration.etc / ca
    try:
        async with aclosing(RedisCredentialRows(url, authorities, timeout_s=_TIMEOUT_S)) as rows:
            await rows.page(None, 1)
            passphrase = await check_passphrase(configuration, rows)
        async with aclosing(RedisServer(RedisAddress.parse(url), authorities, _TIMEOUT_S)) as server:
            return [*passphrase, *[finding async for finding in _on_disk(configuration, server)]]
    except (NotReachable, TryLater) as error:
        untrusted = f"name the file of its authority's certificate in {TLS_CA.key}"
        unreachable = "check address, network and firewall; with TLS the URL begins with rediss://"
        hint = untrusted if "is not trusted" in str(error) else unreachable
        return [_told(configuration, "OXP731", str(error), "" if isinstance(error, TryLater) else hint)]
    except (NotPermitted, ConfigurationError) as error:
        return [_told(configuration, "OXP732", str(error))]


async def _on_disk(configuration: Configuration, server: RedisServer) -> AsyncIterator[Finding]:
    """Say by what it writes to disk, or that its login may not ask."""
    for ask in (_configured, _observed):
        try:
            ways = await ask(server)
        except (NotPermitted, ConfigurationError):
            continue
        if ways:
            message = f"{server.name}: it writes what it has to disk ({' and '.join(ways)}), kept passwords too"
            yield _told(configuration, "OXP733", message, 'set save "" and appendonly no in its redis.conf')
        return
    message = (
        f"{server.name}: whether it writes to disk cannot be told, since this login may use neither CONFIG nor INFO"
    )
    yield told(configuration, Severity.INFO, "OXP733", CREDENTIALS_URL, message)


async def _configured(server: RedisServer) -> list[str]:
    settings: dict[str, Any] = {}
    for name in ("save", "appendonly"):
        settings |= await server.ask("CONFIG GET", name)
    if settings.keys() < {"save", "appendonly"}:
        raise NotPermitted  # as some providers say it
    return [name for name in ("save", "appendonly") if settings[name] not in ("", "no")]


async def _observed(server: RedisServer) -> list[str]:
    found: dict[str, Any] = await server.ask("INFO", "persistence")
    has_saved = found.get("rdb_saves", 0) > 0 or found.get("rdb_last_bgsave_time_sec", -1) >= 0
    return [*(["save"] if has_saved else []), *(["appendonly"] if found.get("aof_enabled") else [])]


def _told(configuration: Configuration, code: str, message: str, hint: str = "") -> Finding:
    return told(configuration, Severity.WARNING, code, CREDENTIALS_URL, message, hint)
