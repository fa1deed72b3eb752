"""Whether the database and Redis could be used, as far as their URLs tell: no connection is made."""

from __future__ import annotations

from collections.abc import Iterator

from oxpushctl.config.check import has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import CREDSTORAGE_RDB
from oxpushctl.config.own import CREDENTIALS_URL, DATABASE_URL
from oxpushctl.config.properties import CREDSTORAGE_ENABLED
from oxpushctl.errors import ConfigurationError


def check_database(configuration: Configuration) -> Iterator[Finding]:
    """Tell when the URL is none of a database, or its driver is missing."""
    if not configuration.settings.is_set(DATABASE_URL) or has_error(configuration, DATABASE_URL):
        return
    from oxpushctl.stores.sql.database import Database  # noqa: PLC0415  # SQLAlchemy takes as long as the whole check

    try:
        Database.open(configuration.database_url)  # does nothing before its first use
    except ConfigurationError as error:
        message = str(error).removeprefix(f"{DATABASE_URL.key}: ")
        yield told(configuration, Severity.ERROR, "OXP501", DATABASE_URL, message)


def check_kept_passwords(configuration: Configuration) -> Iterator[Finding]:
    """Tell when the Redis that is to keep passwords has a URL that is none, or its library is missing."""
    url = redis_url(configuration)
    if url is None:
        return
    from oxpushctl.stores.redis_connecting import RedisAddress, check_library  # noqa: PLC0415  # few have one

    try:
        RedisAddress.parse(url)
        check_library()
    except ConfigurationError as error:
        message = str(error).removeprefix(f"{CREDENTIALS_URL.key}: ")
        yield told(configuration, Severity.ERROR, "OXP502", CREDENTIALS_URL, message)


def redis_url(configuration: Configuration) -> str | None:
    """Return where kept passwords are if that is a Redis, unless what says so has an error already."""
    settings = configuration.settings
    if not settings[CREDSTORAGE_ENABLED] or settings[CREDSTORAGE_RDB]:
        return None
    if has_error(configuration, CREDENTIALS_URL, CREDSTORAGE_ENABLED, CREDSTORAGE_RDB):
        return None
    return settings[CREDENTIALS_URL]
