"""Whom the name means that somebody types to log in, and what the mail server is asked about for it.

A name that the directory does not know, or whose user has no name at the mail server, is tried as it stands: neither
the answer nor the time it takes tells which names are known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oxpushctl import log
from oxpushctl.errors import BadData
from oxpushctl.interfaces import Clock, MailboxOpener, UserDirectory
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.web.seldom import Seldom

_log = log.get(__name__)

_NOBODY = PushUser(0, 0)


@dataclass(frozen=True, slots=True)
class MailAccounts:
    """The mail server as log-ins of apps see it.

    ``opener`` tries the passwords of the directory's users, ``strangers`` those of all others. ``name_of`` says what a
    user is called there, or raises ``BadData``. Behind ``master_delimiter`` a name says who else opens the mailbox.
    """

    opener: MailboxOpener
    strangers: MailboxOpener
    name_of: Callable[[DirectoryEntry], str]
    master_delimiter: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a name means; somebody unknown goes by what was typed.

    ``mail_name`` is what the mail server is asked about; without ``has_account`` nobody is let in, whatever it says.
    """

    entry: DirectoryEntry
    mail_name: str
    has_account: bool = True

    @property
    def is_known(self) -> bool:
        """Whether the directory has an entry."""
        return self.entry.user != _NOBODY


class LoginNames:
    """Finds persons by what they type."""

    def __init__(self, directory: UserDirectory, accounts: MailAccounts, clock: Clock) -> None:
        self._directory = directory
        self.master_delimiter = accounts.master_delimiter
        self._accounts = accounts
        self._without_account = Seldom(clock.monotonic)

    async def person(self, name: str) -> Person:
        """Return whom a name means; raise as the directory does."""
        user = await self._directory.resolve(name)
        entry = None if user is None else await self._directory.entry(user)
        if entry is None:
            entry = DirectoryEntry(_NOBODY, name, name if "@" in name else "")
        try:
            mail_name = self._accounts.name_of(entry)
            if not mail_name:
                raise BadData("its name at the mail server is empty")
        except BadData as problem:
            if entry.user != _NOBODY and (count := self._without_account.due()):
                _log.warning(
                    "a user has no name at the mail server", user=str(entry.user), reason=str(problem), count=count
                )
            return Person(entry, entry.login, has_account=False)
        return Person(entry, mail_name)

    def is_master(self, name: str, person: Person) -> bool:
        """Tell whether a name is one with which a master user opens the mailbox of another."""
        return self.master_delimiter in name or self.master_delimiter in person.mail_name

    def opener(self, person: Person) -> MailboxOpener:
        """Return what tries the password: who cannot be let in anyhow must not keep others out."""
        return self._accounts.opener if person.is_known and person.has_account else self._accounts.strangers

    def is_same(self, entry: DirectoryEntry, person: Person) -> bool:
        """Tell whether a user of the directory has the mailbox that a person opened."""
        return self._accounts.name_of(entry) == person.mail_name
