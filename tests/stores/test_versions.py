"""Tables of an earlier version of ours, and of the middleware: what is there stays, what is missing is added."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert
from sqlalchemy.schema import CreateTable, DropTable

from oxpushctl.model import PushUser, Registration, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.tables import is_of_middleware
from tests.peers.mariadb import MariaDb
from tests.stores.conftest import Sql
from tests.stores.middleware_tables import CREDENTIAL, REGISTRATION, SUBSCRIPTION

ALICE = PushUser(1, 3)
VERSION_1 = (
    "oxpush_schema",
    "oxpush_user",
    "oxpush_user_name",
    "pns_subscription",
    "pns_subscription_topic_exact",
    "pns_subscription_topic_wildcard",
)


async def _are_the_middleware_s(database: Database) -> bool:
    return await database.write(is_of_middleware)


def _make(sql: Sql, names: Iterable[str]) -> None:
    sql(*(CreateTable(schema.metadata.tables[name]) for name in names))


def _make_version_1(sql: Sql) -> None:
    _make(sql, VERSION_1)
    sql(insert(schema.schema_version).values(version=1))


async def test_first_version_is_brought_to_today_s(database: Database, sql: Sql) -> None:
    """A database of the first version gets the tables that it lacks and today's version; its rows stay."""
    _make_version_1(sql)
    sql(insert(schema.user).values(cid=1, user=3, mail="alice@example.org"))

    made = await database.prepare()

    assert set(made) == set(schema.metadata.tables) - set(VERSION_1)
    assert sql("SELECT version FROM oxpush_schema") == [(schema.VERSION,)]
    assert sql("SELECT mail FROM oxpush_user") == [("alice@example.org",)]
    assert not await _are_the_middleware_s(database)


async def test_first_version_is_read_as_it_is(
    store: SqlSubscriptionStore, database: Database, open_database: Callable[[], Database], sql: Sql
) -> None:
    """Who only reads finds what is there in the first version's tables, and makes none."""
    _make_version_1(sql)
    row = {"cid": 1, "user": 3, "token": "t", "client": "app", "transport": "apn", "last_modified": 5, "all_flag": 1}
    sql(insert(schema.subscription).values(id=b"0" * 16, **row))

    assert [each.token for each in await store.listing()] == ["t"]
    assert await SqlRegistrationStore(database).listing() == []
    assert len(await open_database().prepare()) == len(schema.metadata.tables) - len(VERSION_1)


async def test_creation_that_was_interrupted_before_its_version(
    database: Database, open_database: Callable[[], Database], sql: Sql
) -> None:
    """Where all tables are there and the version is still the former one, the next process writes today's."""
    await database.prepare()
    sql("UPDATE oxpush_schema SET version = 1")

    assert await open_database().prepare() == []
    assert sql("SELECT version FROM oxpush_schema") == [(schema.VERSION,)]


async def test_two_at_once(database: Database, open_database: Callable[[], Database], sql: Sql) -> None:
    """Two processes that bring the same database to today's version do it once, and neither fails."""
    _make_version_1(sql)

    made = await asyncio.gather(database.prepare(), open_database().prepare())

    assert sorted(map(len, made)) == [0, len(schema.metadata.tables) - len(VERSION_1)]
    assert sql("SELECT version FROM oxpush_schema") == [(schema.VERSION,)]


async def test_tables_of_ours(database: Database, open_database: Callable[[], Database]) -> None:
    """Where all tables are our own, the ids of users are as well: at once, and for whoever comes later."""
    await database.prepare()

    assert not await _are_the_middleware_s(database)
    assert not await _are_the_middleware_s(open_database())


@pytest.mark.parametrize("name", [SUBSCRIPTION, REGISTRATION, CREDENTIAL])
async def test_table_that_was_there_before_ours(
    database: Database, open_database: Callable[[], Database], sql: Sql, name: str
) -> None:
    """One table that is shared with the middleware and was there before any of ours is enough to know it."""
    _make(sql, [name])

    assert await _are_the_middleware_s(database)
    assert await _are_the_middleware_s(open_database())


@pytest.mark.parametrize("name", [REGISTRATION, CREDENTIAL])
async def test_table_that_was_there_beside_the_first_version(database: Database, sql: Sql, name: str) -> None:
    """What the first version never made and is there beside it came from the middleware."""
    _make_version_1(sql)
    _make(sql, [name])

    assert await _are_the_middleware_s(database)


async def test_middleware_that_came_later(database: Database, sql: Sql) -> None:
    """The middleware's list of its update tasks tells as well, whoever made the tables."""
    await database.prepare()
    before = await _are_the_middleware_s(database)

    sql(CreateTable(Table("updateTask", MetaData(), Column("cid", Integer))))

    assert (before, await _are_the_middleware_s(database)) == (False, True)


@pytest.mark.parametrize(
    ("there", "are_the_middleware_s"), [(["oxpush_found"], False), (["oxpush_found", REGISTRATION], True)]
)
async def test_creation_that_was_interrupted_before_noting(
    database: Database, sql: Sql, there: list[str], are_the_middleware_s: bool
) -> None:
    """A table of what was found that is empty was interrupted: what is there by the next time was there before."""
    _make(sql, there)

    assert await _are_the_middleware_s(database) is are_the_middleware_s


async def test_creation_that_was_interrupted_after_noting(
    database: Database, open_database: Callable[[], Database], sql: Sql
) -> None:
    """Tables that we made before an interruption are not taken for the middleware's."""
    await database.prepare()
    sql(DropTable(schema.schema_version), DropTable(schema.credential))

    assert set(await open_database().prepare()) == {"oxpush_schema", "credentials"}
    assert not await _are_the_middleware_s(database)


async def test_server_that_writes_names_in_lower_case() -> None:
    """Tables are found whatever case the server writes their names in."""
    with MariaDb("--lower-case-table-names=1") as server, server.fresh() as url:
        first, later = Database.open(url), Database.open(url)
        await SqlSubscriptionStore(first, lambda _client: True).subscribe(Subscription(ALICE, "app", "apn", "a1b2c3"))

        listed = await SqlRegistrationStore(later).listing()
        made = await later.prepare()
        await first.aclose()
        await later.aclose()

    assert (listed, made) == ([Registration(ALICE, "app")], ())
