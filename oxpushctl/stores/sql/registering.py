"""The rows of registrations, which come and go with subscriptions: whatever belongs together is one transaction.

::

    registeredPush             who is listened for, and on behalf of which client
    context2push_registration  contexts that have a row there

The middleware keeps the second one in its configdb. Where that is another database, the one here is ours alone: it is
kept all the same, since nothing else needs it.

Everything here works inside a transaction that a store has begun.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, Insert, Table, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from oxpushctl.errors import BadData
from oxpushctl.model import NEW_MAIL, PushUser, Registration
from oxpushctl.stores import schema
from oxpushctl.stores.sql.layout import Layout
from oxpushctl.stores.sql.matching import LARGEST_BATCH, MatchingQuery, asked, asked_values, matched_by

_row = schema.registration.c
_context = schema.registered_context.c


def put(connection: Connection, registration: Registration) -> bool:
    """Register a user for a client that fits; tell whether that is new."""
    place = {"cid": registration.user.context, "user": registration.user.user}
    if not _insert_missing(connection, schema.registration, {**place, "client": registration.client}):
        if registration.client not in _alike(connection, registration):
            raise BadData(
                "the user is registered for a client whose name differs from this one's in nothing but case or "
                "accents: this database cannot keep both"
            )
        return False
    _mark_context(connection, registration.user.context)
    return True


def take_back(connection: Connection, registration: Registration) -> bool:
    """Delete a registration; tell whether it was there."""
    if registration.client not in _alike(connection, registration):
        return False
    _delete(connection, registration)
    return True


def of_users(connection: Connection, users: Collection[PushUser]) -> frozenset[Registration]:
    """Return the registrations of some users."""
    found: set[Registration] = set()
    for batch in _batches(users):
        wanted = asked(len(batch))
        both = wanted.join(schema.registration, (_row.cid == wanted.c.cid) & (_row.user == wanted.c.user))
        query = select(_row.cid, _row.user, _row.client).select_from(both)
        for context, user, client in connection.execute(query, asked_values(batch)):
            found.add(Registration(PushUser(context, user), client))
    return frozenset(found)


class Interest:
    """Who wants to hear of new mail: asked with the query that matches."""

    def __init__(self, query: MatchingQuery) -> None:
        self._query = query

    def of_users(
        self, connection: Connection, users: Collection[PushUser], found: Layout, now_ms: int | None = None
    ) -> frozenset[Registration]:
        """Return for which clients some users have subscriptions to new mail.

        Live ones alone, where a time is given; else those that are expired and not swept yet as well.
        """
        has_expires = found.has_expires and now_ms is not None
        rows = self._query.rows(connection, list(users), NEW_MAIL, now_ms or 0, has_expires=has_expires)
        return frozenset(
            Registration(PushUser(context, user), client)
            for (_, context, user, _, client, *_), topic in ((row, matched_by(row, NEW_MAIL)) for row in rows)
            if topic is not None
        )

    def withdraw(
        self, connection: Connection, candidates: Iterable[Registration], found: Layout, now_ms: int
    ) -> Sequence[Registration]:
        """Take back those registrations whose users and clients have no live subscription to new mail left.

        ``candidates`` are those that lost one; return what was taken back, ordered.
        """
        given = frozenset(candidates)
        standing = given & of_users(connection, {each.user for each in given})
        gone = standing - self.of_users(connection, {each.user for each in standing}, found, now_ms)
        for each in gone:
            _delete(connection, each)
        return sorted(gone)


def _is_of(user: PushUser) -> tuple[ColumnElement[bool], ...]:
    return _row.cid == user.context, _row.user == user.user


def _alike(connection: Connection, registration: Registration) -> Sequence[str]:
    """Return the clients of the user's that are the same to the database: MySQL takes any case for one."""
    query = select(_row.client).where(*_is_of(registration.user), _row.client == registration.client)
    return connection.scalars(query).all()


def _delete(connection: Connection, registration: Registration) -> None:
    # What is alike to the database is one and the same to its primary key.
    its = delete(schema.registration).where(*_is_of(registration.user), _row.client == registration.client)
    connection.execute(its)
    if connection.scalar(select(_row.cid).where(_row.cid == registration.user.context).limit(1)) is None:
        connection.execute(delete(schema.registered_context).where(_context.cid == registration.user.context))


def _mark_context(connection: Connection, context: int) -> None:
    # Asked first: to PostgreSQL only what was read can have been taken away by another at the same time.
    if connection.scalar(select(_context.cid).where(_context.cid == context)) is None:
        _insert_missing(connection, schema.registered_context, {"cid": context})


def _insert_missing(connection: Connection, table: Table, values: dict[str, int | str]) -> bool:
    """Write a row that fits its columns unless it is there; tell whether it was written.

    Not asked first: on MySQL those who ask for a row that is not there keep each other from writing it.
    """
    statement: Insert
    match connection.dialect.name:
        case "mysql" | "mariadb":
            statement = insert(table).prefix_with("IGNORE")
        case "postgresql":
            statement = postgresql.insert(table).on_conflict_do_nothing()
        case _:
            statement = sqlite.insert(table).on_conflict_do_nothing()
    # SQLAlchemy counts no rows of an INSERT unless it is told to.
    counted = connection.execute(statement.values(values), execution_options={"preserve_rowcount": True})
    return counted.rowcount > 0


def _batches(users: Collection[PushUser]) -> Iterator[Sequence[PushUser]]:
    ordered = sorted(users)
    for start in range(0, len(ordered), LARGEST_BATCH):
        yield ordered[start : start + LARGEST_BATCH]
