"""The rows of the directory: one of a user, and one for each of its names; of a removed one its last login is left.

Everything here works inside a transaction that a store has begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, Table, and_, bindparam, delete, insert, or_, select, union_all

from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.sql.matching import LARGEST_BATCH, asked, asked_values

T = TypeVar("T")

# Fills a batch up to its size: nobody has these numbers.
_NOBODY = PushUser(0, 0)
_user = schema.user.c
_name = schema.user_name.c
_former = schema.removed_user.c


def names(entry: DirectoryEntry) -> Mapping[str, str]:
    """Return the names of an entry, each once, by what they are compared as; the login first."""
    found: dict[str, str] = {}
    for name in (entry.login, *entry.aliases):
        found.setdefault(name.lower(), name)
    return found


def every(connection: Connection) -> Sequence[DirectoryEntry]:
    """Return all entries ordered by context and user."""
    return _entries(connection.execute(_rows().select_from(schema.user.join(schema.user_name))))


def page(connection: Connection, after: PushUser | None, most: int) -> Sequence[DirectoryEntry]:
    """Return entries behind a user in the order of context and user, at most that many."""
    users = select(_user.cid, _user.user, _user.mail).order_by(_user.cid, _user.user).limit(most)
    if after is not None:  # not one comparison of pairs: MariaDB would walk there through all that is before
        users = users.where(or_(_user.cid > after.context, and_(_user.cid == after.context, _user.user > after.user)))
    its = users.subquery("its").c
    rows = select(its.cid, its.user, its.mail, _name.name).order_by(its.cid, its.user, _name.position)
    return _entries(connection.execute(rows.where(_name.cid == its.cid, _name.user == its.user)))


def of_user(connection: Connection, user: PushUser) -> DirectoryEntry | None:
    """Return a user's entry."""
    return of_users(connection, [user]).get(user)


def of_users(connection: Connection, users: Iterable[PushUser]) -> dict[PushUser, DirectoryEntry]:
    """Return the entries of those users that have one."""
    found: dict[PushUser, DirectoryEntry] = {}
    for batch in _batches(users):
        size = _size(batch)
        rows = connection.execute(_rows_of(size), asked_values(_filled(batch, _NOBODY, size)))
        found |= {entry.user: entry for entry in _entries(rows)}
    return found


def former_logins(connection: Connection, users: Iterable[PushUser]) -> dict[PushUser, str]:
    """Return the logins, in lower case, that those of some users had who were removed."""
    found: dict[PushUser, str] = {}
    for batch in _batches(users):
        size = _size(batch)
        rows = connection.execute(_former_of(size), asked_values(_filled(batch, _NOBODY, size)))
        found |= {PushUser(row.cid, row.user): row.folded for row in rows}
    return found


def owners(connection: Connection, folded: Iterable[str]) -> dict[str, PushUser]:
    """Return whose some names are, given and returned as they are compared."""
    found: dict[str, PushUser] = {}
    for batch in _batches(folded):
        size = _size(batch)
        values = {f"name{number}": name for number, name in enumerate(_filled(batch, "", size))}
        rows = connection.execute(_owners_of(size), values)
        found |= {row.folded: PushUser(row.cid, row.user) for row in rows}
    return found


def owner(connection: Connection, name: str) -> PushUser | None:
    """Return whose a name is, in whatever case."""
    folded = name.lower()
    return owners(connection, [folded]).get(folded)


def insert_all(connection: Connection, entries: Sequence[DirectoryEntry]) -> None:
    """Write entries of users that have none."""
    if not entries:
        return
    connection.execute(insert(schema.user), [{**_place(entry.user), "mail": entry.mail} for entry in entries])
    rows = [
        {**_place(entry.user), "position": position, "folded": folded, "name": name}
        for entry in entries
        for position, (folded, name) in enumerate(names(entry).items())
    ]
    connection.execute(insert(schema.user_name), rows)


def delete_all(connection: Connection, users: Sequence[PushUser]) -> None:
    """Delete the entries of some users."""
    # Their names go with them: a foreign key that cascades.
    _delete(connection, schema.user, users)


def note_removed(connection: Connection, entry: DirectoryEntry) -> None:
    """Remember whose the id of a user is that is being removed."""
    clear_removed(connection, [entry.user])
    connection.execute(insert(schema.removed_user).values(**_place(entry.user), folded=entry.login.lower()))


def clear_removed(connection: Connection, users: Sequence[PushUser]) -> None:
    """Forget that some users were removed: they are back."""
    _delete(connection, schema.removed_user, users)


def _rows() -> Select[Any]:
    columns = (_user.cid, _user.user, _user.mail, _name.name)
    return select(*columns).order_by(_user.cid, _user.user, _name.position)


@cache
def _rows_of(size: int) -> Select[Any]:
    """Write the query for a number of users, once: that takes longer than to run it.

    The users stand in a table of their own, since SQLite looks for pairs of numbers in the whole directory.
    """
    wanted = asked(size)
    its = wanted.join(schema.user, (_user.cid == wanted.c.cid) & (_user.user == wanted.c.user))
    return _rows().select_from(its.join(schema.user_name))


@cache
def _former_of(size: int) -> Select[Any]:
    wanted = asked(size)
    its = wanted.join(schema.removed_user, (_former.cid == wanted.c.cid) & (_former.user == wanted.c.user))
    return select(_former.cid, _former.user, _former.folded).select_from(its)


@cache
def _owners_of(size: int) -> Select[Any]:
    """Write the query for a number of names, once.

    They stand in a table as well: PostgreSQL, as long as it has not counted the rows, reads them all for a list.
    """
    names = [select(bindparam(f"name{number}", type_=_name.folded.type).label("folded")) for number in range(size)]
    wanted = (union_all(*names) if size > 1 else names[0]).subquery("wanted")
    its = wanted.join(schema.user_name, _name.folded == wanted.c.folded)
    return select(_name.folded, _name.cid, _name.user).select_from(its)


def _delete(connection: Connection, table: Table, users: Sequence[PushUser]) -> None:
    row = table.c
    its = delete(table).where(row.cid == bindparam("its_cid"), row.user == bindparam("its_user"))
    if users:
        connection.execute(its, [{"its_cid": user.context, "its_user": user.user} for user in users])


def _place(user: PushUser) -> dict[str, int]:
    return {"cid": user.context, "user": user.user}


def _entries(rows: Iterable[Row[Any]]) -> list[DirectoryEntry]:
    return [
        _entry(user, mail, [row.name for row in its])
        for (user, mail), its in groupby(rows, lambda row: (PushUser(row.cid, row.user), row.mail))
    ]


def _entry(user: PushUser, mail: str, its_names: Sequence[str]) -> DirectoryEntry:
    login, *aliases = its_names
    return DirectoryEntry(user, login, mail, tuple(aliases))


def _batches(values: Iterable[T]) -> Iterator[Sequence[T]]:
    remaining = iter(values)
    while batch := list(islice(remaining, LARGEST_BATCH)):
        yield batch


def _size(batch: Sequence[T]) -> int:
    """Return the number of parameters of the query that takes a batch: few numbers, so few queries."""
    return 1 << (len(batch) - 1).bit_length()


def _filled(batch: Sequence[T], nothing: T, size: int) -> Sequence[T]:
    return (*batch, *[nothing] * (size - len(batch)))
