"""When pushes last reached devices: one row beside each subscription that ever had one.

Everything here works inside a transaction that a store has begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Insert, case, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from oxpushctl.stores import schema

_row = schema.delivered.c
_AT_ONCE = 500  # ids in one statement


def note(connection: Connection, at_ms: Mapping[bytes, int]) -> None:
    """Note when pushes reached devices, unless a later one is noted; ids without a subscription are left out."""
    statement = _insert_or_advance(connection)
    for batch in _batches(list(at_ms)):
        is_asked = schema.subscription.c.id.in_(batch)
        # In one order, so that two who note the same at the same time wait for each other only once.
        standing = sorted(connection.scalars(select(schema.subscription.c.id).where(is_asked)))
        if standing:
            connection.execute(statement, [{"id": identity, "at": at_ms[identity]} for identity in standing])


def read(connection: Connection, identities: Sequence[bytes]) -> Mapping[bytes, int]:
    """Return when a push last reached those of some devices that ever had one."""
    return {
        identity: at_ms
        for batch in _batches(identities)
        for identity, at_ms in connection.execute(select(_row.id, _row.at).where(_row.id.in_(batch)))
    }


def _insert_or_advance(connection: Connection) -> Insert:
    match connection.dialect.name:
        case "mysql" | "mariadb":
            theirs = mysql.insert(schema.delivered)
            return theirs.on_duplicate_key_update(at=_later(theirs.inserted.at))
        case "postgresql":
            its = postgresql.insert(schema.delivered)
            return its.on_conflict_do_update(index_elements=[_row.id], set_={"at": _later(its.excluded.at)})
        case _:
            ours = sqlite.insert(schema.delivered)
            return ours.on_conflict_do_update(index_elements=[_row.id], set_={"at": _later(ours.excluded.at)})


def _later(new: ColumnElement[int]) -> ColumnElement[int]:
    return case((_row.at > new, _row.at), else_=new)


def _batches(identities: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(identities), _AT_ONCE):
        yield identities[start : start + _AT_ONCE]
