"""Registrations in a SQL database: who is listened for, in the middleware's tables.

A client is kept to the letter, in the column's latin1. Where MySQL takes two for one and the same, the second is
refused.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import groupby

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from oxpushctl.model import PushUser, Registration
from oxpushctl.stores import schema
from oxpushctl.stores.checks import check_text, check_user, is_possible
from oxpushctl.stores.sql import registering, user_ids
from oxpushctl.stores.sql.database import Database

_LONGEST_CLIENT = 64
_row = schema.registration.c


class SqlRegistrationStore:
    """A ``RegistrationStore``; of many rows at most ``page_rows`` are read at once."""

    def __init__(self, database: Database, *, page_rows: int = 2000) -> None:
        self._database = database
        self._page_rows = page_rows

    async def add(self, registration: Registration) -> bool:
        """Register a user for a client; tell whether that is new; raise ``BadData`` for what cannot be kept."""
        _check(registration)
        return await self._database.write(lambda connection: registering.put(connection, registration))

    async def remove(self, registration: Registration) -> bool:
        """Take a registration back; tell whether it was there."""
        _check(registration)

        def take_back(connection: Connection) -> bool:
            # What was written into the mailbox may outlive it: nobody else gets the number that is in it.
            user_ids.remember_all(connection, [registration.user])
            return registering.take_back(connection, registration)

        return await self._database.write(take_back)

    async def listing(
        self, user: PushUser | None = None, client: str | None = None, *, context: int | None = None
    ) -> Sequence[Registration]:
        """Return registrations ordered by context, user and client."""
        conditions: list[ColumnElement[bool]] = []
        if user is not None:
            check_user(user)
            conditions += [_row.cid == user.context, _row.user == user.user]
        if context is not None:
            conditions.append(_row.cid == context)
        if client is not None:
            _check_client(client)
            conditions.append(_row.client == client)
        query = select(_row.cid, _row.user, _row.client).where(*conditions)

        def read(connection: Connection) -> Sequence[Registration]:
            return [
                Registration(PushUser(row.cid, row.user), row.client)
                for row in connection.execute(query)
                if client in (None, row.client)
            ]

        return sorted(await self._database.read(read, of=schema.registration, empty=()))

    async def page(self, after: Registration | None, most: int) -> Sequence[Registration]:
        """Return registrations behind one in the order of context, user and client, at most that many."""
        return await self._page([] if after is None else [_is_behind(after)], most)

    async def walk(
        self, context: int | None = None, user: int | None = None, client: str | None = None
    ) -> AsyncGenerator[Registration, None]:
        """Yield registrations ordered by context, user and client, of which none but a page is held."""
        conditions = [
            column == wanted for column, wanted in ((_row.cid, context), (_row.user, user)) if wanted is not None
        ]
        if client is not None:
            _check_client(client)
            conditions.append(_row.client == client)
        after: list[ColumnElement[bool]] = []
        waiting: list[Registration] = []  # of the user that the page ended with: the next may have more of it
        while rows := await self._page([*conditions, *after], self._page_rows):
            after = [_is_behind(rows[-1])]
            for owner, its in groupby(rows, lambda row: row.user):
                if waiting and waiting[0].user != owner:
                    for each in sorted(waiting):
                        yield each
                    waiting.clear()
                waiting += (each for each in its if client in (None, each.client))
        for each in sorted(waiting):
            yield each

    async def _page(self, conditions: Sequence[ColumnElement[bool]], most: int) -> Sequence[Registration]:
        query = select(_row.cid, _row.user, _row.client).where(*conditions)
        query = query.order_by(_row.cid, _row.user, _row.client).limit(most)

        def read(connection: Connection) -> Sequence[Registration]:
            return [Registration(PushUser(row.cid, row.user), row.client) for row in connection.execute(query)]

        return await self._database.read(read, of=schema.registration, empty=())

    async def registered(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return those of some users that have a registration."""
        asked = {user for user in users if is_possible(user)}

        def read(connection: Connection) -> frozenset[PushUser]:
            return frozenset(each.user for each in registering.of_users(connection, asked))

        return await self._database.read(read, of=schema.registration, empty=frozenset())


def _is_behind(row: Registration) -> ColumnElement[bool]:
    """Return what holds behind a row; MariaDB would walk there through all that is before, were it one comparison."""
    of_user = and_(_row.user == row.user.user, _row.client > row.client)
    return or_(_row.cid > row.user.context, and_(_row.cid == row.user.context, or_(_row.user > row.user.user, of_user)))


def _check(registration: Registration) -> None:
    check_user(registration.user)
    _check_client(registration.client)


def _check_client(client: str) -> None:
    check_text("client", client, _LONGEST_CLIENT, "latin-1")
