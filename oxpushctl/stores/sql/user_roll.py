"""Whether entries may be added to the directory, one after the other: in memory, so that many cost few queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from oxpushctl.errors import BadData
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.checks import check_text, check_user
from oxpushctl.stores.sql import user_rows

LONGEST_NAME = 255
_LONGEST_MAIL = 255


def checked(entry: DirectoryEntry) -> DirectoryEntry:
    """Return an entry as it can be stored, each name once; raise ``BadData`` for what no column holds."""
    check_user(entry.user)
    for kind, name in (("login", entry.login), *(("alias", alias) for alias in entry.aliases)):
        check_text(kind, name, LONGEST_NAME)
        check_text(f"{kind} in lower case", name.lower(), LONGEST_NAME)  # some letters become two
    if entry.mail:
        check_text("mail", entry.mail, _LONGEST_MAIL)
    _login, *aliases = user_rows.names(entry).values()
    return replace(entry, aliases=tuple(aliases))


class Roll:
    """The part of the directory that some entries have to do with, as it becomes while they are added.

    ``known`` are the entries of their users, ``owners`` those whom their names belong to, ``former`` the logins, in
    lower case, of those who were removed. ``rename``: an id that has another login by now is still the same person's.
    """

    def __init__(
        self,
        known: Mapping[PushUser, DirectoryEntry],
        owners: Mapping[str, PushUser],
        former: Mapping[PushUser, str],
        *,
        rename: bool,
    ) -> None:
        self._entries = dict(known)
        self._owners = dict(owners)
        self._former = former
        self._rename = rename
        self._changed: set[PushUser] = set()

    @property
    def changed(self) -> Sequence[DirectoryEntry]:
        """The entries that have to be written, each user's once."""
        return [self._entries[user] for user in sorted(self._changed)]

    def add(self, entry: DirectoryEntry) -> None:
        """Take in a checked entry; raise ``BadData`` when a name is another's, or the id is another person's."""
        before = self._entries.get(entry.user)
        if entry == before:
            return
        names = user_rows.names(entry)
        self._refuse_taken(entry.user, names)
        if before is None:
            self._refuse_former(entry)
        else:
            if not self._rename and before.login.lower() != entry.login.lower():
                raise BadData(
                    f"user {entry.user.user} of context {entry.user.context} is {before.login}: another login would "
                    "give its devices to somebody else (--rename if it is the same person, or remove the user first)"
                )
            for folded in user_rows.names(before):
                self._owners.pop(folded, None)
        self._owners.update(dict.fromkeys(names, entry.user))
        self._entries[entry.user] = entry
        self._changed.add(entry.user)

    def _refuse_former(self, entry: DirectoryEntry) -> None:
        """Refuse the id of somebody else who is gone: a mailbox that still names it would be the new one's to hear."""
        login = entry.login.lower()
        former = self._former.get(entry.user, login)
        if former != login and not self._rename:
            raise BadData(
                f"user id {entry.user.user} of context {entry.user.context} was {former}'s, whose mailbox may still "
                "name it: give another id (--rename if it is the same person)"
            )

    def _refuse_taken(self, user: PushUser, names: Mapping[str, str]) -> None:
        for folded, name in sorted(names.items()):
            owner = self._owners.get(folded, user)
            if owner != user:
                raise BadData(f"the name {name!r} belongs to user {owner.user} of context {owner.context}")
