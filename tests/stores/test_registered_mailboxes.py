"""What is remembered of mailboxes that are registered at Dovecot, on every kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from oxpushctl.errors import BadData
from oxpushctl.model import DirectoryEntry, PushUser, RegisteredMailbox
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.stores.conftest import Sql

ALICE, BOB, CAROL = PushUser(1, 3), PushUser(1, 4), PushUser(2, 3)


def mailbox(user: PushUser, verified_ms: int = 1_700_000_000_000) -> RegisteredMailbox:
    return RegisteredMailbox(user, f"login{user}", f"{user.user:064x}", verified_ms)


@pytest.fixture
def mailboxes(database: Database) -> SqlRegisteredMailboxes:
    return SqlRegisteredMailboxes(database)


async def test_before_anything_was_written(mailboxes: SqlRegisteredMailboxes) -> None:
    """Where there are no tables nothing is remembered."""
    assert await mailboxes.read([ALICE]) == {}
    assert await mailboxes.page(None, 10) == ()
    await mailboxes.remove([ALICE])
    assert await mailboxes.read([]) == {}


async def test_put_and_read(mailboxes: SqlRegisteredMailboxes) -> None:
    """What is put is read as it was, for those who are asked for; who is unknown or impossible is left out."""
    odd = RegisteredMailbox(BOB, "Günter+Größe'\" 📬 %s:x ", "b" * 64, 2**42)
    await mailboxes.put([mailbox(ALICE), odd, mailbox(CAROL)])

    found = await mailboxes.read([ALICE, BOB, PushUser(9, 9), PushUser(0, 1), PushUser(1, 2**40)])

    assert found == {ALICE: mailbox(ALICE), BOB: odd}


async def test_put_again(mailboxes: SqlRegisteredMailboxes) -> None:
    """A user has one row: the last one that was put, also within one call; what is there of others stays."""
    await mailboxes.put([mailbox(ALICE), mailbox(BOB)])
    other = RegisteredMailbox(ALICE, "LoginAlice", "a" * 64, 5)

    await mailboxes.put([mailbox(ALICE, 7), other])

    assert await mailboxes.read([ALICE, BOB]) == {ALICE: other, BOB: mailbox(BOB)}


async def test_remove(mailboxes: SqlRegisteredMailboxes) -> None:
    """Those go that are named, also twice or unknown, and nobody else of the same number or context."""
    await mailboxes.put([mailbox(ALICE), mailbox(BOB), mailbox(CAROL)])

    await mailboxes.remove([ALICE, ALICE, PushUser(9, 9)])

    assert await mailboxes.page(None, 10) == [mailbox(BOB), mailbox(CAROL)]


async def test_pages(mailboxes: SqlRegisteredMailboxes) -> None:
    """Pages come in the order of context and user, each row once, wherever a context ends."""
    users = [PushUser(context, user) for context in (1, 2, 7) for user in (1, 2, 3)]
    await mailboxes.put([mailbox(user) for user in reversed(users)])

    walked: list[PushUser] = []
    sizes = []
    while page := await mailboxes.page(walked[-1] if walked else None, 4):
        walked += [each.user for each in page]
        sizes.append(len(page))

    assert (walked, sizes) == (users, [4, 4, 1])


async def test_many(mailboxes: SqlRegisteredMailboxes) -> None:
    """More than a statement takes are written and read at once."""
    rows = [mailbox(PushUser(1, number)) for number in range(1, 701)]
    await mailboxes.put(rows)

    found = await mailboxes.read([row.user for row in rows])

    assert sorted(found.values(), key=lambda row: row.user) == rows


async def test_two_write_at_the_same_time(open_database: Callable[[], Database]) -> None:
    """Two programs that write the same rows in different orders do not get in each other's way."""
    rows = [mailbox(PushUser(1, number)) for number in range(1, 51)]
    stores = [SqlRegisteredMailboxes(open_database()) for _ in range(2)]

    await asyncio.gather(
        *(store.put(rows if number % 2 else rows[::-1]) for number in range(10) for store in stores),
    )

    assert list(await stores[0].page(None, 100)) == rows


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (mailbox(PushUser(1, 0)), "user 0 is not a number"),
        (replace(mailbox(BOB), name="x" * 321), "the login of 4@1 at the mail server has more than 320 characters"),
    ],
    ids=["user", "name"],
)
async def test_impossible(mailboxes: SqlRegisteredMailboxes, row: RegisteredMailbox, reason: str) -> None:
    """What no column holds is refused, with all that came with it."""
    with pytest.raises(BadData, match=reason):
        await mailboxes.put([mailbox(ALICE), row])
    assert await mailboxes.page(None, 10) == ()


async def test_user_that_leaves(mailboxes: SqlRegisteredMailboxes, directory: SqlUserDirectory, sql: Sql) -> None:
    """Whose mailbox still carries our value is remembered beyond the directory, until that is unset."""
    await directory.add(DirectoryEntry(ALICE, "alice"))
    await mailboxes.put([mailbox(ALICE)])

    await directory.remove(ALICE)

    assert sql(select(schema.dovecot.c.cid, schema.dovecot.c.user)) == [(1, 3)]
