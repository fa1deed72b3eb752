"""What the commands on kept passwords share: whether any are kept, and where."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from oxpushctl.cli.options import Invocation
from oxpushctl.cli.stored import named_user, refuse_errors, with_storage
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.mailboxes import why_not_kept
from oxpushctl.config.properties import CREDSTORAGE_ENABLED, MAIL_SERVER_URL
from oxpushctl.engine.clock import SystemClock
from oxpushctl.errors import BadData, ConfigurationError
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.model import Credential, KeptCredential, PushUser
from oxpushctl.storage import Storage
from oxpushctl.stores.vault import Vault

T = TypeVar("T")


def storing_configuration(invocation: Invocation, *, is_keeping: bool = False) -> Configuration:
    """Return a configuration with which passwords are stored; raise ``ConfigurationError`` for any other.

    ``is_keeping``: the command has passwords to keep, which nobody would ever read where another one opens mailboxes.
    """
    invocation.start_quiet_logging()
    configuration = invocation.configuration()
    refuse_errors(configuration)
    settings = configuration.settings
    if not settings[CREDSTORAGE_ENABLED]:
        key, file = CREDSTORAGE_ENABLED.key, CREDSTORAGE_ENABLED.file
        raise ConfigurationError(f"{key} is false, so no passwords are kept: set {key}=true in {file}")
    if is_keeping and (reason := why_not_kept(settings)):
        raise ConfigurationError(f"no password is kept: {reason}")
    return configuration


def with_vault(
    configuration: Configuration, work: Callable[[Storage, Vault], Awaitable[T]], *, is_writing: bool = False
) -> T:
    """Run one command's work on the passwords that are kept, wherever that is."""

    async def run(storage: Storage) -> T:
        assert storage.credentials is not None  # noqa: S101  # a configuration that stores them, and the engine asked
        return await work(storage, storage.credentials)

    return with_storage(configuration, run, is_writing=is_writing, is_engine_wanted=True)


def mailboxes_of(configuration: Configuration) -> Mailboxes:
    """Return what opens mailboxes at the mail server; raise ``ConfigurationError`` where none is configured."""
    mailboxes = Mailboxes.from_settings(configuration.settings, configuration.etc, SystemClock())
    if mailboxes is None:
        raise ConfigurationError(f"{MAIL_SERVER_URL.key} is not set: nobody can be logged in")
    return mailboxes


async def refusals_of_logins(
    storage: Storage, passwords: Sequence[Credential | KeptCredential]
) -> Sequence[BadData | None]:
    """Return for each password that is to be kept why its login refuses it, or ``None``.

    One that is another user's in the directory opens that one's mailbox, whose mail would then be told to this one.
    """
    owners = await storage.users.resolve_all(each.login for each in passwords)
    return [_refusal(each.user, each.login, owners.get(each.login)) for each in passwords]


def _refusal(user: PushUser, login: str, owner: PushUser | None) -> BadData | None:
    if owner is None or owner == user:
        return None
    return BadData(f"the login {login} is user {owner.user}'s of context {owner.context}")


async def chosen(
    storage: Storage, vault: Vault, context: int | None, user: str | None
) -> AsyncIterator[KeptCredential]:
    """Walk over what is kept: of all users, of those of a context, or of one.

    Raise ``ConfigurationError`` where that is under another passphrase than the configured one.
    """
    await vault.refuse_another_passphrase()
    if user is not None:
        owner = await named_user(storage.database, context, user)
        if (kept := await kept_of(vault, owner)) is not None:
            yield kept
        return
    async for kept in vault.kept(context=context):
        yield kept


async def kept_of(vault: Vault, user: PushUser) -> KeptCredential | None:
    """Return what is kept for a user, encrypted."""
    async for kept in vault.kept(PushUser(user.context, user.user - 1), context=user.context):
        return kept if kept.user == user else None
    return None


def in_words(user: PushUser) -> str:
    """Name a user in a sentence."""
    return f"user {user.user} of context {user.context}"
