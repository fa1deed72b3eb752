"""Kept passwords in a SQL database: the middleware's table ``credentials``, and what it has no column for beside it.

::

    credentials        password, login                   read and written by the middleware as well
    oxpush_credential  origin, state, about, changed     ours; the state holds for the password with the hash ``about``
    oxpush_passcrypt   current, following                the seals

A row without one of ours beside it was written by the middleware: it counts as given by command, so that it is never
deleted behind the middleware's back. Passwords are compared here and not in SQL, where MySQL takes a letter in either
case for the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, delete, insert, select

from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores import schema
from oxpushctl.stores.checks import check_kept, check_value, is_possible
from oxpushctl.stores.sql import credential_rows
from oxpushctl.stores.sql.credential_rows import ROWS, ROWS_ALONE, Rows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.layout import KnownCredentialLayout

_seal = schema.passcrypt.c
_row = schema.credential.c
_beside = schema.credential_state.c


class SqlCredentialRows:
    """``CredentialRows`` of a database; ``now`` returns epoch seconds."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._layout = KnownCredentialLayout()

    async def seals(self) -> Seals:
        """Return the seals."""
        return await self._database.read(_seals, of=schema.passcrypt, empty=Seals())

    async def seal(self, before: Seals, after: Seals) -> bool:
        """Put other seals in place of those that were read; return false where somebody else was faster."""
        named = {"current": after.current, "following": after.following}
        rows = [{"name": name, "value": value} for name, value in named.items() if value is not None]

        def write(connection: Connection) -> bool:
            if _seals(connection, is_writing=True) != before:
                return False
            connection.execute(delete(schema.passcrypt).where(_seal.name.in_(named)))
            if rows:
                connection.execute(insert(schema.passcrypt), rows)
            return True

        return await self._database.write(write)

    async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
        """Write rows over what users have, all or none; return false where other seals are in place.

        What a command gave stays of a command's origin. Raise ``BadData`` for what no table could keep,
        ``ConfigurationError`` for what only a wider one could.
        """
        for row in rows:
            check_kept(row)
        wanted = list({row.user: row for row in rows}.values())
        now_ms = self._now_ms()

        def write(connection: Connection) -> bool:
            if _seals(connection) != under:
                return False
            layout = self._layout.of(connection)
            for row in wanted:
                layout.check(row.login, row.value)
            credential_rows.write(connection, credential_rows.of_commands(connection, wanted), now_ms)
            return True

        return await self._database.write(write)

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        """Give rows another value where they still have the one that was read, keeping their state.

        All in one transaction; return how many, ``None`` where other seals are in place.
        """
        for _, value in changes:
            check_value(value)
        now_ms = self._now_ms()

        def write(connection: Connection) -> int | None:
            if _seals(connection) != under:
                return None
            return credential_rows.replace(connection, changes, self._layout.of(connection), now_ms)

        return await self._database.write(write)

    async def get(self, user: PushUser) -> KeptCredential | None:
        """Return a user's row."""
        if not is_possible(user):
            return None
        found = await self._read(lambda connection, rows: credential_rows.of(connection, rows, user))
        return found[0] if found else None

    async def page(self, after: PushUser | None, most: int, *, context: int | None = None) -> Sequence[KeptCredential]:
        """Return rows behind a user in the order of context and user, at most that many."""
        return await self._read(lambda connection, rows: credential_rows.page(connection, rows, after, most, context))

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        """Delete a user's row, only if of that origin where one is given; tell whether it was there."""
        is_its = (_row.cid == user.context, _row.user == user.user)
        is_its_beside = (_beside.cid == user.context, _beside.user == user.user)

        def write(connection: Connection) -> bool:
            if origin is not None and credential_rows.origin(connection, user) is not origin:
                return False
            was_there = connection.execute(delete(schema.credential).where(*is_its)).rowcount > 0
            connection.execute(delete(schema.credential_state).where(*is_its_beside))
            return was_there

        return is_possible(user) and await self._database.write(write)

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what a password is worth, unless the row has another one by now."""
        now_ms = self._now_ms()
        if is_possible(kept.user):
            await self._database.write(lambda connection: credential_rows.mark(connection, kept, state, now_ms))

    async def _read(self, read: Callable[[Connection, Rows], Sequence[KeptCredential]]) -> Sequence[KeptCredential]:
        """Read rows, also from a database of the middleware's that has none of our tables yet."""
        found = await self._database.read(
            lambda connection: read(connection, ROWS), of=schema.credential_state, empty=None
        )
        if found is not None:
            return found
        return await self._database.read(
            lambda connection: read(connection, ROWS_ALONE), of=schema.credential, empty=()
        )

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _seals(connection: Connection, *, is_writing: bool = False) -> Seals:
    query = select(_seal.name, _seal.value)
    found = {row.name: row.value for row in connection.execute(query.with_for_update() if is_writing else query)}
    return Seals(found.get("current"), found.get("following"))
