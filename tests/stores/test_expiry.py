"""Subscriptions whose time is over: no push at once, no row after the next sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection, Table

from oxpushctl.model import NEW_MAIL, PushUser, Subscription
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Now, Sql

ALICE = PushUser(1, 3)
T = TypeVar("T")
E = TypeVar("E")
PHONE = Subscription(ALICE, "app", "apn", "a1b2c3")


async def test_sweep_before_anything_was_stored(store: SqlSubscriptionStore) -> None:
    """Where nothing is, nothing is over."""
    assert (await store.sweep()).removed == ()


async def test_sweep(store: SqlSubscriptionStore, sql: Sql, now: Now) -> None:
    """Removed with its topics, and told, is what is over; what lives to this very millisecond stays."""
    over = replace(PHONE, topics=("ox:mail:*", NEW_MAIL), expires_ms=now.ms + 9)
    await store.subscribe(over)
    await store.subscribe(replace(PHONE, token="now", expires_ms=now.ms + 10))
    await store.subscribe(replace(PHONE, token="never"))
    now.ms += 10

    swept = (await store.sweep()).removed

    assert [replace(each, id=b"", changed_ms=0) for each in swept] == [over]
    assert [each.token for each in await store.listing()] == ["never", "now"]
    assert sql("SELECT count(*) FROM pns_subscription_topic_wildcard") == [(0,)]
    assert sql("SELECT count(*) FROM pns_subscription_topic_exact") == [(2,)]


async def test_sweep_in_parts(store: SqlSubscriptionStore, now: Now) -> None:
    """Many are removed in parts, so that nobody has to wait for them; an empty answer says that all are gone."""
    for number in range(5):
        await store.subscribe(replace(PHONE, token=str(number), expires_ms=now.ms))
    now.ms += 1

    swept = [len((await store.sweep(most=2)).removed) for _ in range(4)]

    assert swept == [2, 2, 1, 0]


async def test_sweep_of_a_device_that_comes_again(database: Database, url: str, now: Now) -> None:
    """A device that comes again while a sweep is under way stays."""
    store = SqlSubscriptionStore(database, now=now)

    class Renewed(Database):
        async def read(self, work: Callable[[Connection], T], *, of: Table, empty: E) -> T | E:
            result = await super().read(work, of=of, empty=empty)
            await store.subscribe(PHONE)
            return result

    sweeping = Renewed.open(url)
    await store.subscribe(replace(PHONE, expires_ms=now.ms - 1))

    swept = (await SqlSubscriptionStore(sweeping, now=now).sweep()).removed

    await sweeping.aclose()
    assert swept == []
    assert [each.expires_ms for each in await store.listing()] == [None]
