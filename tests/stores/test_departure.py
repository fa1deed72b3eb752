"""A user that is removed from the directory: what goes with it, and what stays others'."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from oxpushctl.errors import ConfigurationError
from oxpushctl.model import DirectoryEntry, PushUser, Removed, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.stores.conftest import Sql

ANNA, BOB, CAROL = PushUser(1, 3), PushUser(1, 4), PushUser(2, 3)
_BY_ID = (schema.topic_exact, schema.topic_wildcard)
_BY_USER: dict[Table, dict[str, Any]] = {
    schema.registration: {"client": "app"},
    schema.credential: {"password": "encrypted", "login": "login"},
    schema.credential_state: {"origin": "command", "state": "opened", "about": "a", "changed": 1},
    schema.mark: {"uidvalidity": 1, "uidnext": 2, "recent": "1", "changed": 1},
}


@pytest.fixture
async def everything(
    database: Database, directory: SqlUserDirectory, store: SqlSubscriptionStore, sql: Sql
) -> SqlSubscriptionStore:
    """Three users, each with two devices and all that can be stored for a user."""
    await database.prepare()
    for user in (ANNA, BOB, CAROL):
        await directory.add(DirectoryEntry(user, f"login{user}", "", (f"alias{user}",)))
        for number in (1, 2):
            topics = ("ox:mail:new", "ox:calendar:*")
            await store.subscribe(Subscription(user, "app", "apn", f"token {number} of {user}", topics))
        sql(*(insert(table).values(cid=user.context, user=user.user, **values) for table, values in _BY_USER.items()))
    sql(*(insert(schema.registered_context).values(cid=context) for context in (1, 2)))
    return store


def _users(sql: Sql, table: Table) -> set[PushUser]:
    return {PushUser(*row) for row in sql(select(table.c.cid, table.c.user))}


async def test_remove(directory: SqlUserDirectory, everything: SqlSubscriptionStore, sql: Sql) -> None:
    """All that would reach the next bearer of the id goes, and nothing of anybody else's."""
    removed = await directory.remove(ANNA)

    assert removed == Removed(devices=2, has_password=True)
    assert (await directory.entry(ANNA), await directory.resolve(f"alias{ANNA}")) == (None, None)
    for table in (schema.user, schema.user_name, schema.subscription, *_BY_USER):
        assert (table.name, _users(sql, table)) == (table.name, {BOB, CAROL})
    left = {subscription.id for subscription in await everything.listing()}
    for table in _BY_ID:
        assert (table.name, {row[0] for row in sql(select(table.c.id))}) == (table.name, left)


@pytest.mark.usefixtures("everything")
async def test_context_of_the_last_registered_user(directory: SqlUserDirectory, sql: Sql) -> None:
    """A context stays marked as long as one of its users is registered."""
    await directory.remove(ANNA)
    after_one = sql(select(schema.registered_context.c.cid).order_by("cid"))
    await directory.remove(BOB)

    assert (after_one, sql(select(schema.registered_context.c.cid))) == ([(1,), (2,)], [(2,)])


async def test_user_with_nothing(directory: SqlUserDirectory) -> None:
    """A user that had nothing is removed as well, once."""
    await directory.add(DirectoryEntry(ANNA, "anna"))

    assert [await directory.remove(ANNA) for _ in range(2)] == [Removed(), None]


async def test_lock_of_the_middleware(directory: SqlUserDirectory, database: Database, sql: Sql) -> None:
    """The middleware's lock among the subscriptions is no device."""
    await database.prepare()
    await directory.add(DirectoryEntry(ANNA, "anna"))
    values = {"client": "app", "transport": "apn", "token": schema.LOCK_TOKEN, "last_modified": 1, "id": bytes(16)}
    sql(insert(schema.subscription).values(cid=ANNA.context, user=ANNA.user, **values))

    assert await directory.remove(ANNA) == Removed()


@pytest.mark.parametrize("user", [PushUser(1, 9), PushUser(1, 2**64), PushUser(-1, 3)])
async def test_nobody(directory: SqlUserDirectory, everything: SqlSubscriptionStore, user: PushUser) -> None:
    """Who is not in the directory keeps its devices; who cannot be has none."""
    device = Subscription(PushUser(1, 9), "app", "apn", "token of nobody")
    await everything.subscribe(device)

    assert await directory.remove(user) is None
    assert len(await everything.listing(device.user)) == 1


async def test_trouble_in_the_middle(directory: SqlUserDirectory, everything: SqlSubscriptionStore, sql: Sql) -> None:
    """What cannot be done as a whole is not done at all."""
    sql(f"DROP TABLE {schema.mark.name}")

    with pytest.raises(ConfigurationError):
        await directory.remove(ANNA)

    assert await directory.entry(ANNA) is not None
    assert len(await everything.listing(ANNA)) == 2
    assert _users(sql, schema.credential) == {ANNA, BOB, CAROL}


async def test_token_of_a_removed_user(directory: SqlUserDirectory, everything: SqlSubscriptionStore) -> None:
    """Who comes back has none of the devices, and the phone can be anybody's."""
    await directory.remove(ANNA)
    await directory.add(DirectoryEntry(ANNA, f"login{ANNA}"))

    assert await everything.matching([ANNA], "ox:mail:new") == {ANNA: []}
    await everything.subscribe(replace((await everything.listing(BOB))[0], user=ANNA, token=f"token 1 of {ANNA}"))
    assert len(await everything.listing(ANNA)) == 1
