"""Which user a mail server means by a name: those that are listened for, by the addresses they have.

A name that two of them have stands for neither, until one of them goes: a push to the wrong person is worse than none.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from oxpushctl.config.listening import NOTIFY_DELIMITER, NOTIFY_FULL_ADDRESS, NOTIFY_OX_LOGIN
from oxpushctl.config.settings import Settings
from oxpushctl.model import DirectoryEntry, PushUser


class NoOwner(enum.Enum):
    """Why a name stands for nobody."""

    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


class Spelling:
    """How names are written, as the properties of mailnotify say."""

    def __init__(self, settings: Settings) -> None:
        self._delimiter = settings[NOTIFY_DELIMITER]
        self._has_login = settings[NOTIFY_OX_LOGIN]
        self.is_full = settings[NOTIFY_FULL_ADDRESS]

    def names(self, entry: DirectoryEntry) -> frozenset[str]:
        """Return the names of a user, in lower case.

        Each address stands for itself and, unless whole addresses are wanted, by the part before its first @ as well: a
        received name with a domain never stands for somebody of another domain. A login with an @ serves as address
        where there is none.
        """
        mail = entry.mail or (entry.login if "@" in entry.login else "")
        addresses = {address.lower() for address in (mail, *entry.aliases) if address}
        names = set(addresses)
        if not self.is_full:
            names |= {_local_part(address) for address in addresses}
        if self._has_login:
            names.add(entry.login.lower())
        return frozenset(names)

    def received(self, user: str) -> str:
        """Return what a received name is compared as: cut at its first delimiter, in lower case."""
        if self._delimiter:
            user = user.partition(self._delimiter)[0]
        return user.lower()


class Names:
    """The names of users that are listened for; each name is given in lower case."""

    def __init__(self) -> None:
        # The few names that several users have are kept apart, so that the many cost no set each.
        self._owners: dict[str, PushUser] = {}
        self._disputed: dict[str, set[PushUser]] = {}
        self._names: dict[PushUser, frozenset[str]] = {}

    def put(self, user: PushUser, names: frozenset[str]) -> None:
        """Let a user have these names and no others."""
        before = self._names.get(user, frozenset())
        if names == before and user in self._names:
            return
        self._release(user, before - names)
        self._claim(user, names - before)
        self._names[user] = names

    def remove(self, user: PushUser) -> None:
        """Take all names from a user."""
        self._release(user, self._names.pop(user, frozenset()))

    def owner(self, name: str) -> PushUser | NoOwner:
        """Return whom a name stands for."""
        if name in self._disputed:
            return NoOwner.AMBIGUOUS
        return self._owners.get(name, NoOwner.UNKNOWN)

    def claimants(self, name: str) -> list[PushUser]:
        """Return who has a name, in order."""
        disputed = self._disputed.get(name)
        if disputed is not None:
            return sorted(disputed)
        return [self._owners[name]] if name in self._owners else []

    def _claim(self, user: PushUser, names: Iterable[str]) -> None:
        for name in names:
            if name in self._disputed:
                self._disputed[name].add(user)
            elif name in self._owners:
                self._disputed[name] = {self._owners.pop(name), user}
            else:
                self._owners[name] = user

    def _release(self, user: PushUser, names: Iterable[str]) -> None:
        for name in names:
            disputed = self._disputed.get(name)
            if disputed is None:
                del self._owners[name]
                continue
            disputed.discard(user)
            if len(disputed) == 1:
                self._owners[name] = disputed.pop()
                del self._disputed[name]


def _local_part(address: str) -> str:
    """Return what is before the first @, as the middleware does: the whole where nothing is."""
    at = address.find("@")
    return address[:at] if at > 0 else address
