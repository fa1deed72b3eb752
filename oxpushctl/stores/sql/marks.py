"""Up to where mailboxes were heard: one row a user, written by many nodes and never taken back.

Within a uidvalidity the higher ``uidnext`` stays, and what each writer heard is put together; another uidvalidity
takes the place of all that was known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from sqlalchemy import Connection, Insert, Select, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from oxpushctl.model import MOST_RECENT, Mark, PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.checks import is_possible
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.matching import LARGEST_BATCH, asked, asked_values

# Fills a query up to its size: nobody has these numbers.
_NOBODY = PushUser(0, 0)

_row = schema.mark.c
_SET = ("uidvalidity", "uidnext", "recent", "changed")


class SqlMarkStore:
    """A ``MarkStore``; ``now`` returns epoch seconds."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def read(self, users: Sequence[PushUser]) -> Mapping[PushUser, Mark]:
        """Return the marks of those of some users that have one."""
        batches = list(_batches(users))

        def read(connection: Connection) -> Mapping[PushUser, Mark]:
            found: dict[PushUser, Mark] = {}
            for batch in batches:
                found |= _read(connection, batch, is_to_change=False)
            return found

        return await self._database.read(read, of=schema.mark, empty={})

    async def write(self, marks: Mapping[PushUser, Mark]) -> None:
        """Put marks in the place of older ones; each batch of them is a transaction of its own."""
        changed = int(self._now() * 1000)
        for batch in _batches(list(marks)):
            news = [(user, marks[user]) for user in batch]
            await self._database.write(partial(_write, news=news, changed=changed))


def merged(before: Mark | None, mark: Mark) -> Mark:
    """Put a mark together with the one that is there: nothing that either has heard is forgotten.

    A uid that no longer fits among those remembered raises ``uidnext``, so that it is still known to be heard.
    """
    if before is None or before.uidvalidity != mark.uidvalidity:
        return mark
    heard = [*(uid for uid in before.recent if uid not in mark.recent), *mark.recent]
    dropped = heard[:-MOST_RECENT]
    uidnext = max(before.uidnext, mark.uidnext, *(uid + 1 for uid in dropped))
    return Mark(mark.uidvalidity, uidnext, tuple(heard[-MOST_RECENT:]))


def _write(connection: Connection, news: Sequence[tuple[PushUser, Mark]], changed: int) -> None:
    there = _read(connection, [user for user, _ in news], is_to_change=True)
    rows = [
        {
            "cid": user.context,
            "user": user.user,
            "uidvalidity": mark.uidvalidity,
            "uidnext": mark.uidnext,
            "recent": ",".join(map(str, mark.recent)),
            "changed": changed,
        }
        for user, mark in ((user, merged(there.get(user), mark)) for user, mark in news)
        if mark != there.get(user)
    ]
    if rows:
        connection.execute(_insert_or_replace(connection), rows)


def _insert_or_replace(connection: Connection) -> Insert:
    match connection.dialect.name:
        case "mysql" | "mariadb":
            theirs = mysql.insert(schema.mark)
            return theirs.on_duplicate_key_update({name: theirs.inserted[name] for name in _SET})
        case "postgresql":
            its = postgresql.insert(schema.mark)
            news = {name: its.excluded[name] for name in _SET}
            return its.on_conflict_do_update(index_elements=[_row.cid, _row.user], set_=news)
        case _:
            ours = sqlite.insert(schema.mark)
            news = {name: ours.excluded[name] for name in _SET}
            return ours.on_conflict_do_update(index_elements=[_row.cid, _row.user], set_=news)


def _read(connection: Connection, batch: Sequence[PushUser], *, is_to_change: bool) -> dict[PushUser, Mark]:
    size = 1 << (len(batch) - 1).bit_length()
    values = asked_values((*batch, *[_NOBODY] * (size - len(batch))))
    return {
        PushUser(context, user): Mark(uidvalidity, uidnext, _uids(recent))
        for context, user, uidvalidity, uidnext, recent in connection.execute(_query(size, is_to_change), values)
    }


@cache
def _query(size: int, is_to_change: bool) -> Select[Any]:
    """Ask for the rows of so many users; kept, since making it and knowing it again cost more than running it."""
    wanted = asked(size)
    both = wanted.join(schema.mark, (_row.cid == wanted.c.cid) & (_row.user == wanted.c.user))
    query = select(_row.cid, _row.user, _row.uidvalidity, _row.uidnext, _row.recent).select_from(both)
    # Two who read the same rows before they write them would keep each other from it, and one had to begin again.
    return query.with_for_update(of=schema.mark) if is_to_change else query


def _uids(recent: str) -> tuple[int, ...]:
    return tuple(int(uid) for uid in recent.split(",") if uid.isdecimal())


def _batches(users: Sequence[PushUser]) -> Iterator[Sequence[PushUser]]:
    """Yield users that there can be, in one order: who writes the same rows waits for another only once."""
    ordered = sorted({user for user in users if is_possible(user)})
    for start in range(0, len(ordered), LARGEST_BATCH):
        yield ordered[start : start + LARGEST_BATCH]
