"""Rules about what somebody set for a use that another setting rules out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import CREDSTORAGE_RDB
from oxpushctl.config.mailboxes import KEPT, MASTER, is_master_wanted
from oxpushctl.config.own import (
    ADMIN_LISTEN,
    ADMIN_LOGIN,
    CREDENTIALS_URL,
    MASTER_USER,
    PUBLIC_LISTEN,
    SESSION_IDLE,
    SESSION_MAX_AGE,
    USERS_AUTO_CREATE,
    USERS_CONTEXT,
)
from oxpushctl.config.properties import (
    AUTH_PROXY_DELIMITER,
    CREDSTORAGE_ENABLED,
    KNOWN_PROXIES,
    MASTER_PASSWORD,
    PASSWORD_SOURCE,
)
from oxpushctl.config.property import Property
from oxpushctl.config.settings import Settings

_MASTER_ON = f"{MASTER.switch.key}={MASTER.on}"
_KEPT_ON = f"{KEPT.switch.key}={KEPT.on}"


@dataclass(frozen=True, slots=True)
class _Use:
    """What makes rows useful: a setting, in words, and whether it is there."""

    rows: tuple[Property[object], ...]
    needed: Property[object]
    wanted: str
    is_there: bool
    severity: Severity = Severity.INFO


def _uses(settings: Settings) -> Iterator[_Use]:
    is_master, is_kept = is_master_wanted(settings), settings[CREDSTORAGE_ENABLED]
    yield _Use((MASTER_PASSWORD,), PASSWORD_SOURCE, _MASTER_ON, is_master)
    yield _Use((MASTER_USER,), PASSWORD_SOURCE, _MASTER_ON, is_master, Severity.WARNING)
    yield _Use((AUTH_PROXY_DELIMITER,), MASTER_USER, MASTER_USER.key, bool(settings[MASTER_USER]))
    yield _Use((CREDSTORAGE_RDB, CREDENTIALS_URL), CREDSTORAGE_ENABLED, _KEPT_ON, is_kept)
    if is_kept:
        is_redis = not settings[CREDSTORAGE_RDB]
        yield _Use((CREDENTIALS_URL,), CREDSTORAGE_RDB, f"{CREDSTORAGE_RDB.key}=false", is_redis, Severity.WARNING)
    rows = (KNOWN_PROXIES, SESSION_IDLE, SESSION_MAX_AGE, USERS_AUTO_CREATE)
    yield _Use(rows, PUBLIC_LISTEN, PUBLIC_LISTEN.key, settings[PUBLIC_LISTEN] is not None)
    yield _Use((USERS_CONTEXT,), USERS_AUTO_CREATE, f"{USERS_AUTO_CREATE.key}=true", settings[USERS_AUTO_CREATE])
    has_port = any(not address.startswith("unix:") for address in settings[ADMIN_LISTEN] or ())
    yield _Use((ADMIN_LOGIN,), ADMIN_LISTEN, f"a port in {ADMIN_LISTEN.key}", has_port)


def _without_use(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    for use in _uses(settings):
        if use.is_there or has_error(configuration, use.needed):
            continue
        for row in use.rows:
            if settings[row] != row.default:
                yield told(configuration, use.severity, "OXP324", row, f"is of no use without {use.wanted}")


RULES: tuple[Check, ...] = (_without_use,)
