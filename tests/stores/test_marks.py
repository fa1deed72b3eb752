"""Up to where mailboxes were heard: what is written stays, whoever else writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import insert, select

from oxpushctl.model import MOST_RECENT, DirectoryEntry, Mark, PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.marks import SqlMarkStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.stores.conftest import Now, Sql

ALICE, BOB, CAROL = PushUser(1, 3), PushUser(1, 4), PushUser(2, 3)


@pytest.fixture
def marks(database: Database, now: Now) -> SqlMarkStore:
    return SqlMarkStore(database, now)


async def _of_alice(marks: SqlMarkStore, *written: Mark) -> Mark:
    """Write marks of one user, one after the other, and return what is there then."""
    for mark in written:
        await marks.write({ALICE: mark})
    return (await marks.read([ALICE]))[ALICE]


async def test_before_anything_was_written(marks: SqlMarkStore) -> None:
    """Where nothing is, nobody has a mark."""
    await marks.write({})
    assert await marks.read([]) == {}
    assert await marks.read([ALICE]) == {}


async def test_users_apart(marks: SqlMarkStore) -> None:
    """Each user has its own mark; who has none, or cannot be, is left out."""
    written = {BOB: Mark(7, 10, (8, 9)), ALICE: Mark(2**32 - 1, 2**32, ()), CAROL: Mark(7, 1, (2**32 - 1,))}
    await marks.write({**written, PushUser(0, 1): Mark(1, 1), PushUser(1, 2**70): Mark(1, 1)})

    assert await marks.read([CAROL, ALICE, BOB, PushUser(9, 9), PushUser(1, 2**70)]) == written


async def test_never_back(marks: SqlMarkStore) -> None:
    """Within a uidvalidity the highest stays, and what was heard is put together in the order of hearing."""
    kept = await _of_alice(marks, Mark(7, 10, (8, 9)), Mark(7, 5, (12, 8)), Mark(7, 9))
    assert kept == Mark(7, 10, (9, 12, 8))


async def test_more_heard_than_remembered(marks: SqlMarkStore) -> None:
    """The last are remembered; what is dropped lies below the mark, so that it is still known to be heard."""
    first, second = tuple(range(101, 161)), tuple(range(201, 211))
    kept = await _of_alice(marks, Mark(7, 100, first), Mark(7, 100, second))
    assert kept == Mark(7, 107, (*first, *second)[-MOST_RECENT:])


@pytest.mark.parametrize("uidvalidity", [6, 8])
async def test_another_uidvalidity(marks: SqlMarkStore, uidvalidity: int) -> None:
    """Another mailbox under the same name begins anew, whatever was known."""
    assert await _of_alice(marks, Mark(7, 10, (9,)), Mark(uidvalidity, 2, (1,))) == Mark(uidvalidity, 2, (1,))


async def test_many(marks: SqlMarkStore) -> None:
    """However many are written and read at once, each is there."""
    written = {PushUser(1 + number % 3, number): Mark(7, number, (number,)) for number in range(1, 1301)}
    await marks.write(written)
    assert await marks.read(list(written)) == written


async def test_nothing_new(marks: SqlMarkStore, now: Now, sql: Sql) -> None:
    """A row says when it was last changed, and is not written where nothing is new."""
    await marks.write({ALICE: Mark(7, 10, (9,)), BOB: Mark(7, 10)})
    now.ms += 5
    await marks.write({ALICE: Mark(7, 3, (9,)), BOB: Mark(7, 11)})

    changed = sql(select(schema.mark.c.changed).order_by("cid", "user"))
    assert changed == [(now.ms - 5,), (now.ms,)]


async def test_row_that_somebody_spoilt(marks: SqlMarkStore, database: Database, sql: Sql) -> None:
    """What is no number among the uids is passed over."""
    await database.prepare()
    sql(insert(schema.mark).values(cid=1, user=3, uidvalidity=7, uidnext=10, recent="9,,x,-1, 8,²,7", changed=1))
    assert await marks.read([ALICE]) == {ALICE: Mark(7, 10, (9, 7))}


async def test_many_writers(marks: SqlMarkStore, open_database: Callable[[], Database]) -> None:
    """Nodes that write the same users at the same time all succeed, and nothing that one has heard is lost."""
    stores = [marks, SqlMarkStore(open_database())]
    users = [PushUser(1, number) for number in range(1, 41)]

    await asyncio.gather(
        *(
            stores[uid % 2].write({user: Mark(7, uid + 1, (uid,)) for user in (users if uid % 3 else reversed(users))})
            for uid in range(1, 11)
        )
    )

    kept = await marks.read(users)
    assert {(mark.uidnext, frozenset(mark.recent)) for mark in kept.values()} == {(11, frozenset(range(1, 11)))}
    assert len(kept) == len(users)


async def test_user_that_leaves(marks: SqlMarkStore, directory: SqlUserDirectory) -> None:
    """Who gets the id next begins without a mark."""
    await directory.add(DirectoryEntry(ALICE, "alice"))
    await marks.write({ALICE: Mark(7, 10), BOB: Mark(7, 10)})

    await directory.remove(ALICE)

    assert await marks.read([ALICE, BOB]) == {BOB: Mark(7, 10)}
