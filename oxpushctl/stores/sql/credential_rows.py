"""The rows of kept passwords, many in few statements; everything here works inside a transaction of a store's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Insert, Row, Select, Table, and_, null, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.sql.layout import CredentialLayout
from oxpushctl.stores.sql.matching import LARGEST_BATCH, asked, asked_values

_row = schema.credential.c
_beside = schema.credential_state.c
_is_beside = and_(_beside.cid == _row.cid, _beside.user == _row.user)

_KEY = ["cid", "user"]
_ORIGINS = {origin.value: origin for origin in Origin}
_STATES = {state.value: state for state in CredentialState}

Columns = Mapping[str, int | str]
Rows = Select[Any]


def _rows(of: FromClause) -> Rows:
    """Return the query for all rows of the table, or those that a join with it leaves."""
    columns = (_row.cid, _row.user, _row.login, _row.password, _beside.origin, _beside.state, _beside.about)
    return select(*columns).select_from(of.outerjoin(schema.credential_state, _is_beside))


ROWS = _rows(schema.credential)
# For a database of the middleware's that has none of our tables yet.
ROWS_ALONE: Rows = select(
    *(_row.cid, _row.user, _row.login, _row.password),
    *(null().label(column.name) for column in (_beside.origin, _beside.state, _beside.about)),
)


def of(connection: Connection, rows: Rows, user: PushUser) -> Sequence[KeptCredential]:
    """Return a user's row, if there is one."""
    return _read(connection, rows.where(_row.cid == user.context, _row.user == user.user))


def page(
    connection: Connection, rows: Rows, after: PushUser | None, most: int, context: int | None
) -> Sequence[KeptCredential]:
    """Return rows behind a user: the others of its context, then those of higher ones.

    These are two queries, since not every database sees that both together are one stretch of the primary key.
    """
    found: list[KeptCredential] = []
    rows = rows.order_by(_row.cid, _row.user)
    if after is not None and context in (None, after.context):
        behind = rows.where(_row.cid == after.context, _row.user > after.user)
        found += _read(connection, behind.limit(most))
    if context is None:
        higher = rows if after is None else rows.where(_row.cid > after.context)
        found += _read(connection, higher.limit(most - len(found)))
    elif after is None or after.context < context:
        found += _read(connection, rows.where(_row.cid == context).limit(most))
    return found


def of_commands(connection: Connection, rows: Sequence[KeptCredential]) -> Sequence[KeptCredential]:
    """Return rows that are to be written, of a command's origin where that is what their users have.

    These are locked, so that no command comes between.
    """
    users = [row.user for row in rows if row.origin is not Origin.COMMAND]
    of_command = {row.user for row in _locked(connection, users) if row.origin is Origin.COMMAND}
    return [changed(row, origin=Origin.COMMAND) if row.user in of_command else row for row in rows]


def write(connection: Connection, rows: Sequence[KeptCredential], now_ms: int) -> None:
    """Write rows over what their users have."""
    columns = [{**_place(row.user), "login": row.login, "password": row.value} for row in rows]
    _write_over(connection, schema.credential, columns, ("login", "password"))
    _write_beside(connection, rows, now_ms)


def replace(
    connection: Connection, changes: Sequence[tuple[KeptCredential, str]], layout: CredentialLayout, now_ms: int
) -> int:
    """Give rows another value where they still have the one that was read; return how many."""
    there = {row.user: row for row in _locked(connection, [kept.user for kept, _ in changes])}
    given: dict[PushUser, KeptCredential] = {}
    count = 0
    for kept, value in changes:
        row = there.get(kept.user)
        if row is not None and row.value == kept.value:
            layout.check(row.login, value)
            there[kept.user] = given[kept.user] = changed(row, value=value)
            count += 1
    write(connection, list(given.values()), now_ms)
    return count


def mark(connection: Connection, kept: KeptCredential, state: CredentialState, now_ms: int) -> None:
    """Note what a password is worth, unless the row has another one by now."""
    for row in _locked(connection, [kept.user]):
        if row.value == kept.value and row.state is not state:
            _write_beside(connection, [changed(row, state=state)], now_ms)


def origin(connection: Connection, user: PushUser) -> Origin | None:
    """Return who gave a user's password, ``None`` where there is none."""
    for row in _locked(connection, [user]):
        return row.origin
    return None


def _locked(connection: Connection, users: Sequence[PushUser]) -> Sequence[KeptCredential]:
    """Return the rows of some users, and let nobody else change them before the end of the transaction."""
    found: list[KeptCredential] = []
    for start in range(0, len(users), LARGEST_BATCH):
        batch = users[start : start + LARGEST_BATCH]
        wanted = asked(len(batch))
        query = _rows(wanted.join(schema.credential, (_row.cid == wanted.c.cid) & (_row.user == wanted.c.user)))
        # Of the one table only: PostgreSQL cannot lock what an outer join may not find.
        found += _read(connection, query.with_for_update(of=schema.credential), asked_values(batch))
    return found


def _read(connection: Connection, rows: Rows, values: Columns | None = None) -> list[KeptCredential]:
    return [_kept(row) for row in connection.execute(rows, values or {})]


def _kept(row: Row[Any]) -> KeptCredential:
    """Return a row as a value; whatever is beside it may be missing, of another password, or of a newer release."""
    user = PushUser(row.cid, row.user)
    origin, state = _ORIGINS.get(row.origin, Origin.COMMAND), CredentialState.UNTRIED
    if row.about == _hash(row.password):
        state = _STATES.get(row.state, state)
    return KeptCredential(user, row.login, row.password, origin, state)


def _write_beside(connection: Connection, rows: Sequence[KeptCredential], now_ms: int) -> None:
    columns = [
        {
            **_place(row.user),
            "origin": row.origin.value,
            "state": row.state.value,
            "about": _hash(row.value),
            "changed": now_ms,
        }
        for row in rows
    ]
    _write_over(connection, schema.credential_state, columns, ("origin", "state", "about", "changed"))


def _write_over(connection: Connection, table: Table, rows: Sequence[Columns], names: Sequence[str]) -> None:
    """Insert rows; a user that has one gets these columns of it instead."""
    if not rows:
        return
    statement: Insert
    match connection.dialect.name:
        case "mysql" | "mariadb":
            theirs = mysql.insert(table)
            statement = theirs.on_duplicate_key_update(_named(theirs.inserted, names))
        case "postgresql":
            its = postgresql.insert(table)
            statement = its.on_conflict_do_update(index_elements=_KEY, set_=_named(its.excluded, names))
        case _:
            ours = sqlite.insert(table)
            statement = ours.on_conflict_do_update(index_elements=_KEY, set_=_named(ours.excluded, names))
    # In one order, so that two who write the same at the same time wait for each other only once.
    connection.execute(statement, sorted(rows, key=lambda row: (row["cid"], row["user"])))


def _named(columns: ReadOnlyColumnCollection[str, Any], names: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    return {name: columns[name] for name in names}


def _place(user: PushUser) -> dict[str, int | str]:
    return {"cid": user.context, "user": user.user}


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
