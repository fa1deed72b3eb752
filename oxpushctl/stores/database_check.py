"""What the database answers when the configuration is checked: nothing in it is changed, and no table is made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from sqlalchemy import Connection

from oxpushctl.config.check import Wishes, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import CREDSTORAGE_RDB
from oxpushctl.config.own import DATABASE_URL, USERS_AUTO_CREATE
from oxpushctl.config.properties import CREDSTORAGE_ENABLED, PASSCRYPT
from oxpushctl.errors import ConfigurationError, NotPermitted, OxpushctlError
from oxpushctl.stores import schema
from oxpushctl.stores.passphrase_check import check_passphrase
from oxpushctl.stores.sql import tables
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database


async def check_stored(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Ask the database for its tables as the engine does; say what stands in the way."""
    if wishes.is_offline or has_error(configuration, DATABASE_URL):
        return []
    try:
        async with aclosing(Database.open(configuration.database_url)) as database:
            return [finding async for finding in _answers(configuration, database)]
    except (NotPermitted, ConfigurationError) as error:
        return [_told(configuration, "OXP742", str(error))]
    except OxpushctlError as error:
        return [_told(configuration, "OXP741", str(error), "check address, network and firewall")]


async def _answers(configuration: Configuration, database: Database) -> AsyncIterator[Finding]:
    settings = configuration.settings
    pending = await database.pending()
    if pending:
        message = f"the tables are those of an older release: {', '.join(pending)} would be added or widened"
        yield _told(configuration, "OXP743", message, "run oxpushctl database upgrade in a quiet hour")

    def look(connection: Connection) -> bool:
        return tables.is_of_middleware(connection)

    if settings[USERS_AUTO_CREATE] and await database.read(look, of=schema.subscription, empty=False):
        message = "is true, but the middleware made the tables of this database: the ids of users are its own"
        yield told(configuration, Severity.WARNING, "OXP745", USERS_AUTO_CREATE, message, "remove the line")
    if settings[CREDSTORAGE_ENABLED] and settings[CREDSTORAGE_RDB] and not has_error(configuration, PASSCRYPT):
        for finding in await check_passphrase(configuration, SqlCredentialRows(database)):
            yield finding


def _told(configuration: Configuration, code: str, message: str, hint: str = "") -> Finding:
    return told(configuration, Severity.WARNING, code, DATABASE_URL, message, hint)
