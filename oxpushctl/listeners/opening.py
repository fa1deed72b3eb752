"""What opens a user's mailbox without the user: the master password for everybody, or the password that is kept."""

from __future__ import annotations

from oxpushctl.config.mailboxes import is_master_wanted, why_not_kept
from oxpushctl.config.own import MASTER_USER
from oxpushctl.config.properties import AUTH_PROXY_DELIMITER, LOGIN_SOURCE, MASTER_PASSWORD, PASSWORD_SOURCE
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, ConfigurationError, UnknownEntry
from oxpushctl.interfaces import CredentialStore, UserDirectory
from oxpushctl.listeners.mail_server import LogIn, login_from_source, mail_login, master_delimiter, master_log_in
from oxpushctl.model import Credential, DirectoryEntry, PushUser


async def opening(
    user: PushUser, settings: Settings, directory: UserDirectory, credentials: CredentialStore | None
) -> LogIn:
    """Return what opens a user's mailbox; nothing is tried.

    Raise ``UnknownEntry`` for a user of whom nothing is known, ``BadData`` for one without a mail address where that is
    wanted, or whose password is kept with another's login (``Undecipherable`` for a password that cannot be decrypted),
    ``ConfigurationError`` where nothing opens anybody's.
    """
    if is_master_wanted(settings):
        return with_master_password(user, await directory.entry(user), settings)
    if credentials is None:
        raise none_is_kept(user, settings)
    credential = await credentials.get(user)
    if credential is None:
        raise not_kept(user)
    return await with_kept_password(credential, settings, directory)


def with_master_password(user: PushUser, entry: DirectoryEntry | None, settings: Settings) -> LogIn:
    """Return how the master password opens a mailbox, given what the directory has on its user; errors as above."""
    if entry is None:
        add = f"oxpushctl users add {_options(user)}"
        raise UnknownEntry(f"the directory has no {user}, and so no login for the master password: add it with `{add}`")
    login = mail_login(entry, settings)
    log_in = master_log_in(login, settings)
    if log_in is None:
        raise ConfigurationError(f"{PASSWORD_SOURCE.key} is global, and {MASTER_PASSWORD.key} is not set")
    delimiter = master_delimiter(settings)
    if settings[MASTER_USER] and delimiter in login:
        # Where the server splits the name elsewhere than we joined it, it would open somebody else's mailbox.
        reason = f"the login of {user} has a {delimiter} in it, behind which the master user's is expected"
        raise BadData(f"{reason}: change the login, or {AUTH_PROXY_DELIMITER.key}")
    return log_in


async def with_kept_password(credential: Credential, settings: Settings, directory: UserDirectory) -> LogIn:
    """Return how a kept password opens its user's mailbox; raise ``BadData`` as above.

    And so where its login is another user's by now: that mailbox would be heard for this one.
    """
    owner = await directory.resolve(credential.login)
    if owner not in (None, credential.user):
        raise BadData(
            f"the password of {credential.user} is kept with the login {credential.login}, which is the one of {owner} "
            f"in the directory: set it with `oxpushctl credentials set {_options(credential.user)}`"
        )
    mail = ""
    if settings[LOGIN_SOURCE] != "login":
        entry = await directory.entry(credential.user)
        mail = "" if entry is None else entry.mail
    return LogIn(login_from_source(credential.user, credential.login, mail, settings), credential.secret)


def none_is_kept(user: PushUser, settings: Settings) -> ConfigurationError:
    """Say why no password opens a mailbox where there is no store of passwords."""
    reason = why_not_kept(settings) or "the kept ones cannot be reached from here"
    return ConfigurationError(f"no password opens the mailbox of {user}: {reason}")


def not_kept(user: PushUser) -> UnknownEntry:
    """Say that the store of passwords has none of a user."""
    return UnknownEntry(f"no password of {user} is kept: set it with `oxpushctl credentials set {_options(user)}`")


def _options(user: PushUser) -> str:
    return f"-c {user.context} -u {user.user} --login …"
