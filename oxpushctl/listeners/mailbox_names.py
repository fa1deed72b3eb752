"""Which mailbox is whose: the names that users have at the mail server, for many of them in few queries.

::

    directory: login, mail ─┐
                            ├─ com.openexchange.mail.loginSource ─► anton@example.com
    kept with a password  ──┘

Nothing is opened and nothing decrypted for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from oxpushctl.config.mailboxes import is_master_wanted
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, UnknownEntry
from oxpushctl.listeners.mail_server import login_from_source
from oxpushctl.model import DirectoryEntry, KeptCredential, PushUser


class KnowsUsers(Protocol):
    """What is asked of the directory."""

    async def entries(self, users: Iterable[PushUser]) -> Mapping[PushUser, DirectoryEntry]:
        """Return what is known of those of some users that are known."""

    async def resolve_all(self, names: Iterable[str]) -> Mapping[str, PushUser]:
        """Return the users that some logins or aliases stand for."""


class KnowsLogins(Protocol):
    """What is asked of the kept passwords."""

    async def kept_of(self, users: Iterable[PushUser]) -> Mapping[PushUser, KeptCredential]:
        """Return what some users have, encrypted."""


class MailboxNames:
    """Tells the names of mailboxes; ``credentials`` is ``None`` where no passwords are kept.

    Whoever opens mailboxes with kept passwords asks for their logins first; else the directory's come first.
    """

    def __init__(self, directory: KnowsUsers, credentials: KnowsLogins | None, settings: Settings) -> None:
        self._directory = directory
        self._credentials = credentials
        self._settings = settings

    def reload(self, settings: Settings) -> None:
        """Take over another source of names."""
        self._settings = settings

    async def of(
        self, users: Collection[PushUser], *, is_kept_first: bool
    ) -> Mapping[PushUser, str | UnknownEntry | BadData]:
        """Return each user's name, or why there is none."""
        entries = await self._directory.entries(users)
        logins = await self._kept_logins(users)
        owners = await self._directory.resolve_all(logins.values()) if logins else {}
        found: dict[PushUser, str | UnknownEntry | BadData] = {}
        for user in users:
            entry = entries.get(user)
            kept = logins.get(user)
            if kept is not None and (is_kept_first or entry is None):
                owner = owners.get(kept, user)
                found[user] = self._name(user, kept, entry) if owner == user else _anothers(user, kept, owner)
            elif entry is not None:
                found[user] = self._name(user, entry.login, entry)
            else:
                found[user] = UnknownEntry(
                    f"the directory has no {user}, and no password is kept for it, so its mailbox is not known: add it "
                    f"with `oxpushctl users add -c {user.context} -u {user.user} --login …`"
                )
        return found

    async def _kept_logins(self, users: Collection[PushUser]) -> Mapping[PushUser, str]:
        if self._credentials is None or is_master_wanted(self._settings):
            return {}
        return {user: kept.login for user, kept in (await self._credentials.kept_of(users)).items()}

    def _name(self, user: PushUser, login: str, entry: DirectoryEntry | None) -> str | BadData:
        try:
            return login_from_source(user, login, "" if entry is None else entry.mail, self._settings)
        except BadData as error:
            return error


def _anothers(user: PushUser, login: str, owner: PushUser) -> BadData:
    return BadData(
        f"the password of {user} is kept with the login {login}, which is the one of {owner} in the directory: set it "
        f"with `oxpushctl credentials set -c {user.context} -u {user.user} --login …`"
    )
