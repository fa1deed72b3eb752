"""Registrations in a SQL database: who is listened for, in the middleware's tables.

A client is kept to the letter, in the column's latin1. Where MySQL takes two for one and the same, the second is
refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, select

from oxpushctl.model import PushUser, Registration
from oxpushctl.stores import schema
from oxpushctl.stores.checks import check_text, check_user, is_possible
from oxpushctl.stores.sql import registering, user_ids
from oxpushctl.stores.sql.database import Database

_LONGEST_CLIENT = 64
_row = schema.registration.c


class SqlRegistrationStore:
    """A ``RegistrationStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def registered(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return those of some users that have a registration."""
        asked = {user for user in users if is_possible(user)}

        def read(connection: Connection) -> frozenset[PushUser]:
            return frozenset(each.user for each in registering.of_users(connection, asked))

        return await self._database.read(read, of=schema.registration, empty=frozenset())


def _check(registration: Registration) -> None:
    check_user(registration.user)
    _check_client(registration.client)


def _check_client(client: str) -> None:
    check_text("client", client, _LONGEST_CLIENT, "latin-1")
