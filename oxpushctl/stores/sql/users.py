"""The directory in a SQL database: which login or alias stands for which user.

Names are compared in lower case, as mail servers do, and kept as they were given. No two users share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Connection, delete, insert, or_, select, update

from oxpushctl.errors import BadData
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.checks import check_text, check_user
from oxpushctl.stores.sql.database import Database

_LONGEST = 255
_user = schema.user.c
_name = schema.user_name.c


class SqlUserDirectory:
    """A ``UserDirectory``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: DirectoryEntry) -> None:
        """Add or replace a user; raise ``BadData`` when a name is of no use or taken by another."""
        [refusal] = await self.add_all([entry])
        if refusal is not None:
            raise refusal

    async def add_all(self, entries: Sequence[DirectoryEntry]) -> Sequence[BadData | None]:
        """Add or replace many users in one transaction; return for each why it was refused, or ``None``."""

        def add(connection: Connection) -> Sequence[BadData | None]:
            return [_try_add(connection, entry) for entry in entries]

        return await self._database.write(add)

    async def remove(self, user: PushUser) -> bool:
        """Remove a user; tell whether it was there."""
        # Its names go with it: a foreign key that cascades.
        its = delete(schema.user).where(_user.cid == user.context, _user.user == user.user)
        return await self._database.write(lambda connection: connection.execute(its).rowcount > 0)

    async def listing(self) -> Sequence[DirectoryEntry]:
        """Return all entries ordered by context and user."""
        both = schema.user.join(schema.user_name)
        query = select(_user.cid, _user.user, _user.mail, _name.name).select_from(both)
        ordered = query.order_by(_user.cid, _user.user, _name.position)

        def read(connection: Connection) -> Sequence[DirectoryEntry]:
            rows = connection.execute(ordered).all()
            return [
                _entry(user, mail, [row.name for row in names])
                for (user, mail), names in groupby(rows, lambda row: (PushUser(row.cid, row.user), row.mail))
            ]

        return await self._database.read(read, of=schema.user_name, empty=())

    async def resolve(self, name: str) -> PushUser | None:
        """Return the user that a login or alias stands for."""
        try:
            check_text("name", name, _LONGEST)
        except BadData:
            return None
        query = select(_name.cid, _name.user).where(_name.folded == name.lower())
        row = await self._database.read(
            lambda connection: connection.execute(query).one_or_none(), of=schema.user_name, empty=None
        )
        return None if row is None else PushUser(row.cid, row.user)


def _entry(user: PushUser, mail: str, names: Sequence[str]) -> DirectoryEntry:
    login, *aliases = names
    return DirectoryEntry(user, login, mail, tuple(aliases))


def _try_add(connection: Connection, entry: DirectoryEntry) -> BadData | None:
    try:
        names = _checked(entry)
        _refuse_taken(connection, entry.user, names)
    except BadData as refusal:
        return refusal
    place = {"cid": entry.user.context, "user": entry.user.user}
    is_its = (_user.cid == entry.user.context, _user.user == entry.user.user)
    if connection.execute(update(schema.user).where(*is_its).values(mail=entry.mail)).rowcount == 0:
        connection.execute(insert(schema.user).values(mail=entry.mail, **place))
    connection.execute(delete(schema.user_name).where(_name.cid == entry.user.context, _name.user == entry.user.user))
    rows = [
        {"folded": folded, "name": name, "position": position, **place}
        for position, (folded, name) in enumerate(names.items())
    ]
    connection.execute(insert(schema.user_name), rows)
    return None


def _checked(entry: DirectoryEntry) -> dict[str, str]:
    """Return the names of an entry by what they are compared as, the login first."""
    check_user(entry.user)
    for kind, name in (("login", entry.login), *(("alias", alias) for alias in entry.aliases)):
        check_text(kind, name, _LONGEST)
        check_text(f"{kind} in lower case", name.lower(), _LONGEST)  # some letters become two
    if entry.mail:
        check_text("mail", entry.mail, _LONGEST)
    names: dict[str, str] = {}
    for name in (entry.login, *entry.aliases):
        names.setdefault(name.lower(), name)
    return names


def _refuse_taken(connection: Connection, user: PushUser, names: dict[str, str]) -> None:
    is_another = or_(_name.cid != user.context, _name.user != user.user)
    query = select(_name.folded, _name.cid, _name.user).where(_name.folded.in_(names), is_another)
    row = connection.execute(query.order_by(_name.folded)).first()
    if row is not None:
        raise BadData(f"the name {names[row.folded]!r} belongs to user {row.user} of context {row.cid}")
