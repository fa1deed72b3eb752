"""Registrations as a command or a listener sees them: added, taken back, listed, looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import insert, select

from oxpushctl.errors import BadData
from oxpushctl.model import PushUser, Registration
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from tests.stores.conftest import Sql

ALICE, BOB, CAROL = PushUser(1, 3), PushUser(1, 4), PushUser(2, 3)
APP = Registration(ALICE, "app")


@pytest.fixture
def registrations(database: Database) -> SqlRegistrationStore:
    return SqlRegistrationStore(database)


def _contexts(sql: Sql) -> list[object]:
    return [row[0] for row in sql(select(schema.registered_context.c.cid).order_by("cid"))]


async def test_before_anything_was_written(registrations: SqlRegistrationStore) -> None:
    """Where there are no tables nobody is registered, and none are made by asking."""
    assert await registrations.listing() == []
    assert await registrations.registered([ALICE]) == frozenset()


async def test_add_and_remove(registrations: SqlRegistrationStore) -> None:
    """What is there already is not new, and what is gone cannot be taken back."""
    added = [await registrations.add(APP), await registrations.add(APP)]
    there = await registrations.listing()
    removed = [await registrations.remove(APP), await registrations.remove(APP)]

    assert (added, there, removed) == ([True, False], [APP], [True, False])
    assert await registrations.listing() == []


async def test_contexts(registrations: SqlRegistrationStore, sql: Sql) -> None:
    """A context is noted from its first registration to its last."""
    noted = []
    for registration in (APP, Registration(BOB, "app"), Registration(CAROL, "app")):
        await registrations.add(registration)
        noted.append(_contexts(sql))
    for registration in (APP, Registration(BOB, "app")):
        await registrations.remove(registration)
        noted.append(_contexts(sql))

    assert noted == [[1], [1], [1, 2], [1, 2], [2]]


async def test_listing(registrations: SqlRegistrationStore) -> None:
    """Registrations come ordered, and only those of the context, user or client asked for."""
    for registration in (Registration(CAROL, "a"), Registration(BOB, "b"), Registration(ALICE, "b"), APP):
        await registrations.add(registration)

    async def places(user: PushUser | None, client: str | None, context: int | None) -> list[str]:
        found = await registrations.listing(user, client, context=context)
        return [f"{each.user} {each.client}" for each in found]

    assert await places(None, None, None) == ["3@1 app", "3@1 b", "4@1 b", "3@2 a"]
    assert await places(None, None, 1) == ["3@1 app", "3@1 b", "4@1 b"]
    assert await places(None, "b", None) == ["3@1 b", "4@1 b"]
    assert await places(ALICE, "b", None) == ["3@1 b"]


async def test_order_of_clients(registrations: SqlRegistrationStore) -> None:
    """Clients are ordered alike on every database, whatever it thinks of case and accents."""
    clients = ["Z", "a", "b", "é"]
    for client in reversed(clients):
        await registrations.add(Registration(ALICE, client))

    assert [each.client for each in await registrations.listing()] == clients


async def test_registered(registrations: SqlRegistrationStore) -> None:
    """Of however many users, those with a registration; an impossible one has none and costs nobody theirs."""
    users = [PushUser(1 + number % 3, 1 + number) for number in range(600)]
    there = users[::7]
    for user in there:
        await registrations.add(Registration(user, "app"))

    assert await registrations.registered([PushUser(0, 1), *users, PushUser(1, 2**70)]) == frozenset(there)


ODD = ["'; DROP TABLE registeredPush; --", '"', "\\", "%", "_", "`", "café", "ÿ" * 64, "x" * 64]


async def test_odd_clients(registrations: SqlRegistrationStore) -> None:
    """A client is kept, listed and taken back to the letter, and nothing else with it."""
    for client in ODD:
        await registrations.add(Registration(ALICE, client))

    assert {each.client for each in await registrations.listing()} == set(ODD)
    for client in ODD:
        assert [each.client for each in await registrations.listing(ALICE, client)] == [client]
        assert await registrations.remove(Registration(ALICE, client))
    assert await registrations.listing() == []


@pytest.mark.parametrize("kind", ["sqlite"])  # the others are not asked
@pytest.mark.parametrize(
    ("registration", "reason"),
    [
        (Registration(ALICE, ""), "client is empty"),
        (Registration(ALICE, "c" * 65), "client has 65 characters, 64 are possible"),
        (Registration(ALICE, "日本"), "client has a character that cannot be stored"),
        (Registration(ALICE, "a\x00b"), "client has a control character"),
        (Registration(ALICE, "app "), "client ends with a space"),
        (Registration(PushUser(0, 3), "app"), "context 0 is not a number from 1"),
        (Registration(PushUser(1, 2**32), "app"), "user 4294967296 is not a number from 1"),
    ],
)
async def test_registration_that_does_not_fit(
    registrations: SqlRegistrationStore, registration: Registration, reason: str
) -> None:
    """What does not fit the middleware's table is refused by name, its value not repeated."""
    with pytest.raises(BadData, match=f"^{reason}"):
        await registrations.add(registration)
    with pytest.raises(BadData, match=f"^{reason}"):
        await registrations.remove(registration)


@pytest.mark.parametrize("other", ["APP", "App", "äpp"])
async def test_clients_that_look_alike(registrations: SqlRegistrationStore, kind: str, other: str) -> None:
    """Clients that differ in case or accents are two; where the database cannot keep both, the second is refused."""
    await registrations.add(APP)

    removed = await registrations.remove(Registration(ALICE, other))
    listed = await registrations.listing(None, other)
    try:
        await registrations.add(Registration(ALICE, other))
    except BadData as error:
        assert kind == "mariadb", "the others tell them apart"
        assert str(error).endswith("nothing but case or accents: this database cannot keep both")
        kept = ["app"]
    else:
        kept = sorted(["app", other])

    assert (removed, listed) == (False, [])
    assert [each.client for each in await registrations.listing()] == kept


async def test_rows_of_the_middleware(registrations: SqlRegistrationStore, database: Database, sql: Sql) -> None:
    """What the middleware wrote is there, and may be taken back; its contexts are noted elsewhere."""
    await database.prepare()
    sql(insert(schema.registration).values(cid=1, user=3, client="app"))

    assert await registrations.listing() == [APP]
    assert not await registrations.add(APP)
    assert await registrations.remove(APP)


async def test_contexts_by_many_at_once(
    registrations: SqlRegistrationStore, open_database: Callable[[], Database], sql: Sql
) -> None:
    """However many come and go at the same time, over two connections, a context is noted while somebody is there."""
    stores = [registrations, SqlRegistrationStore(open_database())]
    comers = [Registration(PushUser(1, number), "app") for number in range(1, 31)]

    added = await asyncio.gather(*(stores[n % 2].add(each) for n, each in enumerate([*comers, *comers])))
    noted = _contexts(sql)
    await asyncio.gather(
        *(stores[n % 2].remove(each) for n, each in enumerate(comers)),
        stores[0].add(Registration(BOB, "other")),
    )

    assert (sum(added), noted) == (30, [1])
    assert await registrations.listing() == [Registration(BOB, "other")]
    assert _contexts(sql) == [1]


async def test_walk(registrations: SqlRegistrationStore, database: Database) -> None:
    """Page by page the same is found as at once, in the same order, wherever a page ends."""
    for user in (ALICE, BOB, CAROL):
        for client in ("B", "a", "é", "z"):
            await registrations.add(Registration(user, client))
    everything = await registrations.listing()
    walking = SqlRegistrationStore(database, page_rows=3)

    async def walked(context: int | None = None, user: int | None = None, client: str | None = None) -> object:
        return [each async for each in walking.walk(context, user, client)]

    assert await walked() == everything
    assert await walked(context=1) == [each for each in everything if each.user.context == 1]
    assert await walked(user=3) == [each for each in everything if each.user.user == 3]
    assert await walked(client="a") == [each for each in everything if each.client == "a"]
    assert await walked(2, 3, "z") == [Registration(CAROL, "z")]
    assert await walked(3) == []
