"""The directory in a SQL database: which login or alias stands for which user.

Names are compared in lower case, as mail servers do, and kept as they were given. No two users share one. What is
stored for an id reaches whoever has it, so that an id stays with one person, who may be gone: another login for it is
refused unless that person is renamed, what is left of a removed user goes with it, and no id is made twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from oxpushctl.config.own import USERS_AUTO_CREATE
from oxpushctl.errors import BadData, ConfigurationError
from oxpushctl.model import DirectoryEntry, PushUser, Removed
from oxpushctl.stores import schema
from oxpushctl.stores.checks import check_text, is_possible
from oxpushctl.stores.sql import departure, tables, user_ids, user_rows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.layout import KnownLayout
from oxpushctl.stores.sql.user_roll import LONGEST_NAME, Roll, checked


class SqlUserDirectory:
    """A ``UserDirectory``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._layout = KnownLayout()

    async def add(self, entry: DirectoryEntry, *, rename: bool = False) -> None:
        """Add or replace a user; raise ``BadData`` when a name is of no use or taken by another.

        So it is when the id has or had another login, unless ``rename`` says that this is the same person's new one.
        """
        [refusal] = await self.add_all([entry], rename=rename)
        if refusal is not None:
            raise refusal

    async def add_all(self, entries: Sequence[DirectoryEntry], *, rename: bool = False) -> Sequence[BadData | None]:
        """Add or replace many users in one transaction; return for each why it was refused, or ``None``.

        What is stored already is not written again.
        """
        judged = [_try_check(entry) for entry in entries]
        usable = [entry for entry in judged if isinstance(entry, DirectoryEntry)]
        if not usable:
            return [entry for entry in judged if isinstance(entry, BadData)]

        def add(connection: Connection) -> Sequence[BadData | None]:
            known = user_rows.of_users(connection, {entry.user for entry in usable})
            # Those who are known as they are have their names already.
            others = [entry for entry in usable if known.get(entry.user) != entry]
            owners = user_rows.owners(connection, {folded for entry in others for folded in user_rows.names(entry)})
            former = user_rows.former_logins(connection, {entry.user for entry in others} - known.keys())
            roll = Roll(known, owners, former, rename=rename)
            refusals = [entry if isinstance(entry, BadData) else _try_add(roll, entry) for entry in judged]
            user_rows.delete_all(connection, [entry.user for entry in roll.changed if entry.user in known])
            user_rows.clear_removed(connection, [entry.user for entry in roll.changed if entry.user in former])
            user_rows.insert_all(connection, roll.changed)
            return refusals

        return await self._database.write(add)

    async def create(self, login: str, mail: str, context: int) -> DirectoryEntry:
        """Make a user with an id that nobody ever had in a context; return the entry that has the login, if one has.

        Whoever looked the login up before finds it only if another made it meanwhile. Raise ``BadData`` for a login
        that cannot be stored, ``ConfigurationError`` where the middleware made the tables, and so gives the ids.
        """
        wanted = checked(DirectoryEntry(PushUser(context, 1), login, mail))

        def make(connection: Connection) -> DirectoryEntry:
            if tables.is_of_middleware(connection):
                raise ConfigurationError(
                    f"{USERS_AUTO_CREATE.key}: the middleware made this database's tables and gives its users their "
                    "ids: set it to false, and add users with oxpushctl users add"
                )
            # First, as it keeps others waiting who make the same user.
            user = user_ids.unused(connection, context)
            owner = user_rows.owner(connection, wanted.login)
            if owner is not None and (existing := user_rows.of_user(connection, owner)) is not None:
                return existing
            made = DirectoryEntry(user, wanted.login, wanted.mail)
            user_ids.remember(connection, user)
            user_rows.insert_all(connection, [made])
            return made

        return await self._database.write(make)

    async def remove(self, user: PushUser) -> Removed | None:
        """Remove a user with all that would reach the next bearer of its id; return what went, if it was known."""
        if not is_possible(user):
            return None

        def remove(connection: Connection) -> Removed | None:
            entry = user_rows.of_user(connection, user)
            if entry is None:
                return None
            user_ids.remember(connection, user)
            user_rows.note_removed(connection, entry)
            user_rows.delete_all(connection, [user])
            return departure.remove_belongings(connection, user, self._layout.of(connection))

        return await self._database.write(remove)

    async def listing(self) -> Sequence[DirectoryEntry]:
        """Return all entries ordered by context and user."""
        return await self._database.read(user_rows.every, of=schema.user_name, empty=())

    async def page(self, after: PushUser | None, most: int) -> Sequence[DirectoryEntry]:
        """Return entries behind a user in the order of context and user, at most that many."""
        return await self._database.read(
            lambda connection: user_rows.page(connection, after, most), of=schema.user_name, empty=()
        )

    async def entry(self, user: PushUser) -> DirectoryEntry | None:
        """Return what is known of a user."""
        if not is_possible(user):
            return None
        return await self._database.read(
            lambda connection: user_rows.of_user(connection, user), of=schema.user_name, empty=None
        )

    async def entries(self, users: Iterable[PushUser]) -> Mapping[PushUser, DirectoryEntry]:
        """Return what is known of those of some users that are known, in few queries."""
        asked = {user for user in users if is_possible(user)}
        if not asked:
            return {}
        return await self._database.read(
            lambda connection: user_rows.of_users(connection, asked), of=schema.user_name, empty={}
        )

    async def resolve(self, name: str) -> PushUser | None:
        """Return the user that a login or alias stands for."""
        return (await self.resolve_all([name])).get(name)

    async def resolve_all(self, names: Iterable[str]) -> Mapping[str, PushUser]:
        """Return the users that some logins or aliases stand for, in few queries; names of nobody are left out."""
        asked = {name for name in names if _is_possible_name(name)}
        if not asked:
            return {}
        owners: Mapping[str, PushUser] = await self._database.read(
            lambda connection: user_rows.owners(connection, {name.lower() for name in asked}),
            of=schema.user_name,
            empty=dict[str, PushUser](),
        )
        return {name: owners[name.lower()] for name in asked if name.lower() in owners}


def _is_possible_name(name: str) -> bool:
    try:
        check_text("name", name, LONGEST_NAME)
    except BadData:
        return False
    return True


def _try_check(entry: DirectoryEntry) -> DirectoryEntry | BadData:
    try:
        return checked(entry)
    except BadData as refusal:
        return refusal


def _try_add(roll: Roll, entry: DirectoryEntry) -> BadData | None:
    try:
        roll.add(entry)
    except BadData as refusal:
        return refusal
    return None
