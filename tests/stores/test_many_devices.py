"""A user has as many devices as anybody could have, and not as many as a runaway app would like."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert

from oxpushctl.errors import BadData
from oxpushctl.model import PushUser, Registration, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.rows import MOST_DEVICES
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Now, Sql

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
PHONE = Subscription(ALICE, "app", "gcm", "phone")
REFUSED = r"^PNS-0013: the user has 200 devices already"


@pytest.fixture
def store(database: Database, now: Now) -> SqlSubscriptionStore:
    """Every client is allowed."""
    return SqlSubscriptionStore(database, lambda _client: True, now)


async def _fill(database: Database, sql: Sql, count: int, *, expires_ms: int | None = None) -> None:
    """Write devices of a user and of two apps."""
    await database.prepare()
    row = {"cid": 1, "user": 3, "transport": "gcm", "last_modified": 5, "all_flag": 1, "expires": expires_ms}
    rows = [
        {**row, "id": number.to_bytes(16), "token": f"device {number}", "client": f"app{number % 2}"}
        for number in range(count)
    ]
    sql(insert(schema.subscription).values(rows))


async def test_one_too_many(store: SqlSubscriptionStore, database: Database, sql: Sql) -> None:
    """The last possible device is taken and the next one refused, also a phone of somebody else's; those there stay."""
    await _fill(database, sql, MOST_DEVICES - 1)
    others = replace(PHONE, user=BOB, token="his")
    await store.subscribe(others)

    await store.subscribe(PHONE)
    for wish in (replace(PHONE, token="another"), replace(others, user=ALICE)):
        with pytest.raises(BadData, match=REFUSED):
            await store.subscribe(wish)

    assert len(await store.listing(ALICE)) == MOST_DEVICES
    assert [each.token for each in await store.listing(BOB)] == ["his"]


async def test_device_that_comes_again(store: SqlSubscriptionStore, database: Database, sql: Sql) -> None:
    """Who has all that are possible renews them as before, and others are not concerned."""
    await _fill(database, sql, MOST_DEVICES)

    await store.subscribe(Subscription(ALICE, "app1", "gcm", "device 1"))
    await store.subscribe(replace(PHONE, user=BOB))

    assert len(await store.listing(ALICE)) == MOST_DEVICES


async def test_expired_ones(store: SqlSubscriptionStore, database: Database, sql: Sql, now: Now) -> None:
    """Those that are expired make room at once, and take their registrations along."""
    registrations = SqlRegistrationStore(database)
    await _fill(database, sql, MOST_DEVICES, expires_ms=now.ms - 1)
    await registrations.add(Registration(ALICE, "app0"))

    await store.subscribe(PHONE)

    assert [each.token for each in await store.listing(ALICE)] == [PHONE.token]
    assert await registrations.listing() == [Registration(ALICE, "app")]


async def test_not_yet_expired(store: SqlSubscriptionStore, database: Database, sql: Sql, now: Now) -> None:
    """Whatever expires later is a device until then."""
    await _fill(database, sql, MOST_DEVICES, expires_ms=now.ms)

    with pytest.raises(BadData, match=REFUSED):
        await store.subscribe(PHONE)

    assert len(await store.listing(ALICE)) == MOST_DEVICES


async def test_lock_of_the_middleware(store: SqlSubscriptionStore, database: Database, sql: Sql) -> None:
    """The middleware's lock among the subscriptions is no device."""
    await _fill(database, sql, MOST_DEVICES - 1)
    lock = {"id": bytes([255] * 16), "token": schema.LOCK_TOKEN, "client": "app", "transport": "gcm"}
    sql(insert(schema.subscription).values(cid=1, user=3, last_modified=5, **lock))

    await store.subscribe(PHONE)

    assert len(await store.listing(ALICE)) == MOST_DEVICES
