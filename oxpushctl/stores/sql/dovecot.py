"""Which mailboxes are registered at Dovecot, in a SQL database: one row a user, read and written many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Select, bindparam, delete, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from oxpushctl.errors import BadData
from oxpushctl.model import PushUser, RegisteredMailbox
from oxpushctl.stores import schema
from oxpushctl.stores.checks import check_user, is_possible
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.matching import LARGEST_BATCH, asked, asked_values

_LONGEST_NAME = 320
# Fills a batch up to its size: nobody has these numbers.
_NOBODY = PushUser(0, 0)
_row = schema.dovecot.c
_KEY = ["cid", "user"]
_COLUMNS = (_row.cid, _row.user, _row.name, _row.about, _row.verified)


class SqlRegisteredMailboxes:
    """``RegisteredMailboxes`` of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, users: Sequence[PushUser]) -> Mapping[PushUser, RegisteredMailbox]:
        """Return what is remembered of those of some users that are registered."""
        wanted = list({user for user in users if is_possible(user)})
        if not wanted:
            return {}

        def read(connection: Connection) -> Mapping[PushUser, RegisteredMailbox]:
            found = [mailbox for batch in _batches(wanted) for mailbox in _of_users(connection, batch)]
            return {mailbox.user: mailbox for mailbox in found}

        return await self._database.read(read, of=schema.dovecot, empty={})

    async def page(self, after: PushUser | None, most: int) -> Sequence[RegisteredMailbox]:
        """Return rows behind a user in the order of context and user, at most that many.

        These are two queries, since not every database sees that both together are one stretch of the primary key.
        """
        rows = select(*_COLUMNS).order_by(_row.cid, _row.user)

        def read(connection: Connection) -> Sequence[RegisteredMailbox]:
            found: list[RegisteredMailbox] = []
            if after is not None:
                behind = rows.where(_row.cid == after.context, _row.user > after.user)
                found += _read(connection, behind.limit(most))
            if len(found) < most:
                higher = rows if after is None else rows.where(_row.cid > after.context)
                found += _read(connection, higher.limit(most - len(found)))
            return found

        return await self._database.read(read, of=schema.dovecot, empty=())

    async def put(self, rows: Sequence[RegisteredMailbox]) -> None:
        """Remember mailboxes, in the place of what was remembered of their users; of several of one the last counts.

        Raise ``BadData`` for what no column holds.
        """
        for row in rows:
            check_user(row.user)
            if len(row.name) > _LONGEST_NAME:
                raise BadData(f"the login of {row.user} at the mail server has more than {_LONGEST_NAME} characters")
        wanted = {row.user: row for row in rows}
        # In one order, so that two who write the same at the same time wait for each other only once.
        columns = [
            {"cid": user.context, "user": user.user, "name": row.name, "about": row.about, "verified": row.verified_ms}
            for user, row in sorted(wanted.items())
        ]
        if columns:
            await self._database.write(lambda connection: connection.execute(_put(connection), columns))

    async def remove(self, users: Sequence[PushUser]) -> None:
        """Forget mailboxes."""
        statement = delete(schema.dovecot).where(_row.cid == bindparam("its_cid"), _row.user == bindparam("its_user"))
        places = [{"its_cid": user.context, "its_user": user.user} for user in sorted(set(users)) if is_possible(user)]
        if places:
            await self._database.write(lambda connection: connection.execute(statement, places))


def _read(
    connection: Connection, rows: Select[Any], values: Mapping[str, int] | None = None
) -> Sequence[RegisteredMailbox]:
    return [
        RegisteredMailbox(PushUser(row.cid, row.user), row.name, row.about, row.verified)
        for row in connection.execute(rows, values or {})
    ]


def _put(connection: Connection) -> Insert:
    """Write the statement that inserts a row, or changes the one that the user has."""
    match connection.dialect.name:
        case "mysql" | "mariadb":
            theirs = mysql.insert(schema.dovecot)
            new = theirs.inserted
            return theirs.on_duplicate_key_update(name=new.name, about=new.about, verified=new.verified)
        case "postgresql":
            its = postgresql.insert(schema.dovecot)
            values = {"name": its.excluded.name, "about": its.excluded.about, "verified": its.excluded.verified}
            return its.on_conflict_do_update(index_elements=_KEY, set_=values)
        case _:
            ours = sqlite.insert(schema.dovecot)
            values = {"name": ours.excluded.name, "about": ours.excluded.about, "verified": ours.excluded.verified}
            return ours.on_conflict_do_update(index_elements=_KEY, set_=values)


def _of_users(connection: Connection, users: Sequence[PushUser]) -> Sequence[RegisteredMailbox]:
    """Return the rows of a batch; it is filled up to one of few sizes, so that few queries are written."""
    size = 1 << (len(users) - 1).bit_length()
    filled = (*users, *[_NOBODY] * (size - len(users)))
    return _read(connection, _rows_of(size), asked_values(filled))


@cache
def _rows_of(size: int) -> Select[Any]:
    """Write the query for a number of users, once: that takes longer than to run it."""
    wanted = asked(size)
    its = wanted.join(schema.dovecot, (_row.cid == wanted.c.cid) & (_row.user == wanted.c.user))
    return select(*_COLUMNS).select_from(its)


def _batches(users: Sequence[PushUser]) -> Iterator[Sequence[PushUser]]:
    for start in range(0, len(users), LARGEST_BATCH):
        yield users[start : start + LARGEST_BATCH]
