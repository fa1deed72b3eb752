"""What is known of devices beside their subscriptions: which still stand, and when a push last reached them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from oxpushctl.model import PushUser, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Now, Sql
from tests.stores.middleware_tables import RELEASE_7_8

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
PHONE = Subscription(ALICE, "app", "apn", "a1b2c3")


async def _ids(store: SqlSubscriptionStore) -> dict[str, bytes]:
    return {each.token: each.id for each in await store.listing()}


async def _times(store: SqlSubscriptionStore) -> dict[str, int | None]:
    return {each.token: each.delivered_ms for each in await store.listing()}


async def test_before_anything_was_stored(store: SqlSubscriptionStore) -> None:
    """Where nothing is, nothing stands, and nothing is noted."""
    assert await store.standing([b"0" * 16]) == frozenset()
    await store.delivered({b"0" * 16: 1})
    assert await store.listing() == []


async def test_standing(store: SqlSubscriptionStore, now: Now) -> None:
    """Those stand that are there and live to this very millisecond; not those that are over, moved or removed."""
    for token, expires_ms in (("never", None), ("now", now.ms + 10), ("over", now.ms + 9), ("gone", None)):
        await store.subscribe(replace(PHONE, token=token, expires_ms=expires_ms))
    await store.subscribe(replace(PHONE, token="moved"))
    ids = await _ids(store)
    await store.subscribe(replace(PHONE, token="moved", user=BOB))
    await store.unsubscribe(ALICE, None, "gone")
    now.ms += 10

    assert await store.standing([*ids.values(), b"0" * 16]) == {ids["never"], ids["now"]}


async def test_many_stand(store: SqlSubscriptionStore) -> None:
    """More than one statement takes are asked for at once."""
    await store.subscribe(PHONE)
    ids = list((await _ids(store)).values())

    assert await store.standing([*(number.to_bytes(16) for number in range(1200)), *ids]) == set(ids)


async def test_delivered(store: SqlSubscriptionStore) -> None:
    """The last time is what a listing tells, also when an earlier one comes to be known after it."""
    for token in ("reached", "twice", "earlier", "never"):
        await store.subscribe(replace(PHONE, token=token))
    ids = await _ids(store)

    await store.delivered({ids["reached"]: 100, ids["twice"]: 100, ids["earlier"]: 100})
    await store.delivered({ids["twice"]: 101, ids["earlier"]: 99})

    assert await _times(store) == {"reached": 100, "twice": 101, "earlier": 100, "never": None}


async def test_delivered_to_a_device_that_is_gone(store: SqlSubscriptionStore, sql: Sql) -> None:
    """With a subscription goes when it was reached, and what comes to be known later is left out."""
    await store.subscribe(PHONE)
    ids = await _ids(store)
    await store.delivered({ids["a1b2c3"]: 100})

    await store.unsubscribe(ALICE, None, None)
    await store.delivered({ids["a1b2c3"]: 101})

    assert sql(select(schema.delivered.c.id)) == []


async def test_device_that_comes_again_or_moves(store: SqlSubscriptionStore) -> None:
    """A device that comes again was reached when it was; one with another user is a new one."""
    await store.subscribe(PHONE)
    await store.delivered({(await _ids(store))["a1b2c3"]: 100})

    await store.subscribe(PHONE)
    again = await _times(store)
    await store.subscribe(replace(PHONE, user=BOB))

    assert again == {"a1b2c3": 100}
    assert await _times(store) == {"a1b2c3": None}


async def test_many_deliveries_at_once(store: SqlSubscriptionStore, open_database: Callable[[], Database]) -> None:
    """Two that note the same devices at the same time both succeed, and the later time stays."""
    other = SqlSubscriptionStore(open_database())
    for number in range(40):
        await store.subscribe(replace(PHONE, token=str(number)))
    ids = list((await _ids(store)).values())

    await asyncio.gather(
        *(
            each.delivered(dict.fromkeys(ids if round_ms % 2 else reversed(ids), round_ms))
            for round_ms in range(100, 110)
            for each in (store, other)
        )
    )

    assert set((await _times(store)).values()) == {109}


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_tables_of_an_old_middleware(store: SqlSubscriptionStore, sql: Sql) -> None:
    """In the tables of 7.8 everything stands, and a listing makes no table to look for times in."""
    sql(*RELEASE_7_8.values())
    row = {"cid": 1, "user": 3, "token": "t", "client": "app", "transport": "apn", "last_modified": 5, "all_flag": 1}
    sql(insert(schema.subscription).values(id=b"0" * 16, **row))

    assert await _times(store) == {"t": None}
    assert await store.standing([b"0" * 16]) == {b"0" * 16}
    await store.delivered({b"0" * 16: 100})
    assert await _times(store) == {"t": 100}
