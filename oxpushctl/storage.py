"""What outlives a process, put together as the configuration wants it: for the engine and for commands alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.listening import CREDSTORAGE_RDB
from oxpushctl.config.own import CREDENTIALS_URL, TLS_CA
from oxpushctl.config.properties import ALLOWED_CLIENTS, CREDSTORAGE_ENABLED, PASSCRYPT
from oxpushctl.config.settings import Settings
from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import Origin, PushUser
from oxpushctl.stores.devices import Devices
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.stores.vault import Vault


@dataclass(frozen=True, slots=True)
class Storage:
    """The stores; ``credentials`` is ``None`` where no passwords are kept, or none that can be reached from here."""

    database: Database
    users: SqlUserDirectory
    registrations: SqlRegistrationStore
    subscriptions: Devices
    credentials: Vault | None


@asynccontextmanager
async def opened_storage(
    configuration: Configuration, *, memory: CredentialRows | None = None, has_credentials: bool = True
) -> AsyncIterator[Storage]:
    """Open the stores, and close them at the end; nothing is connected to before its first use.

    ``memory`` are the rows of passwords that are kept in the engine's memory, where the configuration wants that.
    ``has_credentials``: whether the passwords are wanted.
    """
    async with AsyncExitStack() as stack:
        database = Database.open(configuration.database_url)
        stack.push_async_callback(database.aclose)
        vault = await _vault(configuration, database, memory, stack) if has_credentials else None
        registrations = SqlRegistrationStore(database)

        async def kept_users() -> AsyncIterator[PushUser]:
            if vault is not None:
                async for kept in vault.kept():
                    if kept.origin is Origin.SUBSCRIBING:
                        yield kept.user

        patterns = configuration.settings[ALLOWED_CLIENTS]

        def is_client_allowed(client: str) -> bool:
            return is_allowed(client, patterns)

        yield Storage(
            database,
            SqlUserDirectory(database),
            registrations,
            Devices(
                SqlSubscriptionStore(database, is_client_allowed),
                registrations,
                vault,
                kept_users,
                SqlRegisteredMailboxes(database),
            ),
            vault,
        )


@asynccontextmanager
async def opened_rows(
    configuration: Configuration, database: Database, memory: CredentialRows | None
) -> AsyncIterator[CredentialRows | None]:
    """Open what keeps passwords, encrypted as they are: a database, Redis, or ``memory``; ``None`` where none is kept.

    Raise ``ConfigurationError`` for a Redis that cannot be one.
    """
    settings = configuration.settings
    if not settings[CREDSTORAGE_ENABLED]:
        yield None
    elif settings[CREDSTORAGE_RDB]:
        yield SqlCredentialRows(database)
    elif url := settings[CREDENTIALS_URL]:
        from oxpushctl.stores.redis import RedisCredentialRows  # noqa: PLC0415  # its library is an extra

        ca = settings[TLS_CA]
        async with aclosing(RedisCredentialRows(url, None if ca is None else configuration.etc / ca)) as redis:
            yield redis
    else:
        yield memory


def is_in_engine_memory(settings: Settings) -> bool:
    """Tell whether passwords are kept, and in the memory of the running engine alone."""
    return settings[CREDSTORAGE_ENABLED] and not settings[CREDSTORAGE_RDB] and not settings[CREDENTIALS_URL]


async def _vault(
    configuration: Configuration, database: Database, memory: CredentialRows | None, stack: AsyncExitStack
) -> Vault | None:
    passcrypt = configuration.settings[PASSCRYPT]
    if not passcrypt:
        return None
    rows = await stack.enter_async_context(opened_rows(configuration, database, memory))
    if rows is None:
        return None
    vault = Vault(rows, passcrypt)
    stack.push_async_callback(vault.aclose)
    return vault
