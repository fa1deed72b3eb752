"""Whether the database could be used, as far as its URL tells: no connection is made."""

from __future__ import annotations

from collections.abc import Iterator

from oxpushctl.config.check import has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import DATABASE_URL
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
