"""Who is listened for comes and goes with its devices: every way in has its way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import insert, select
from sqlalchemy.schema import DropTable

from oxpushctl.errors import BadData, ConfigurationError
from oxpushctl.model import NEW_MAIL, PushUser, Registration, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Now, Sql
from tests.stores.middleware_tables import RELEASE_7_8

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
APP = "open-xchange-mobile-api-facade"
PHONE = Subscription(ALICE, APP, "apn", "a1b2c3")
TABLET = replace(PHONE, token="d4e5f6")
CALENDAR = ("ox:calendar:updates",)


@pytest.fixture
def store(database: Database, now: Now) -> SqlSubscriptionStore:
    """All clients are allowed but one."""
    return SqlSubscriptionStore(database, lambda client: client != "forbidden", now)


@pytest.fixture
def registrations(database: Database) -> SqlRegistrationStore:
    return SqlRegistrationStore(database)


@pytest.mark.parametrize("topics", [("*",), ("ox:*",), ("ox:mail:*", *CALENDAR), (NEW_MAIL,)])
async def test_device_that_wants_new_mail(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, sql: Sql, topics: tuple[str, ...]
) -> None:
    """An allowed client that hears of new mail, by whatever topic, has its user registered, and the context noted."""
    is_registered = (await store.subscribe(replace(PHONE, topics=topics))).is_registered

    assert is_registered
    assert await registrations.listing() == [Registration(ALICE, APP)]
    assert sql(select(schema.registered_context.c.cid)) == [(1,)]


@pytest.mark.parametrize(
    "wish",
    [
        replace(PHONE, topics=CALENDAR),
        replace(PHONE, topics=("ox:mail", "mail:*", "ox:mail:new:*")),
        replace(PHONE, client="forbidden"),
        replace(PHONE, client="日本"),  # the middleware's column is in latin1
        replace(PHONE, expires_ms=Now.ms - 1),
    ],
)
async def test_device_without_a_registration(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, wish: Subscription
) -> None:
    """Whoever does not hear of new mail, may not, or could not be written down, has a device and no registration."""
    is_registered = (await store.subscribe(wish)).is_registered

    assert not is_registered
    assert len(await store.listing()) == 1
    assert await registrations.listing() == []


async def test_no_client_is_allowed_unless_said(database: Database, registrations: SqlRegistrationStore) -> None:
    """A store that was not told which clients are allowed registers nobody."""
    assert not (await SqlSubscriptionStore(database).subscribe(PHONE)).is_registered
    assert await registrations.listing() == []


async def test_device_that_comes_again(store: SqlSubscriptionStore, registrations: SqlRegistrationStore) -> None:
    """Once more is not twice, and not nothing."""
    both = [(await store.subscribe(PHONE)).is_registered for _ in range(2)]

    assert both == [True, True]
    assert await registrations.listing() == [Registration(ALICE, APP)]


Way = Callable[[SqlSubscriptionStore, Now, Subscription], Awaitable[object]]


async def _unsubscribe(store: SqlSubscriptionStore, _now: Now, device: Subscription) -> None:
    await store.unsubscribe(device.user, device.client, device.token)


async def _bury(store: SqlSubscriptionStore, _now: Now, device: Subscription) -> None:
    [stored] = [each for each in await store.listing() if each.token == device.token]
    assert (await store.remove_gone(stored, None)).removed


async def _expire(store: SqlSubscriptionStore, now: Now, device: Subscription) -> None:
    await store.subscribe(replace(device, expires_ms=now.ms))
    now.ms += 1
    await store.sweep()


async def _expire_and_want_less(store: SqlSubscriptionStore, now: Now, device: Subscription) -> None:
    await store.subscribe(replace(device, expires_ms=now.ms))
    now.ms += 1
    await store.subscribe(replace(device, topics=CALENDAR))


async def _want_less(store: SqlSubscriptionStore, _now: Now, device: Subscription) -> None:
    assert not (await store.subscribe(replace(device, topics=CALENDAR))).is_registered


async def _come_expired(store: SqlSubscriptionStore, now: Now, device: Subscription) -> None:
    assert not (await store.subscribe(replace(device, expires_ms=now.ms - 1))).is_registered


async def _move(store: SqlSubscriptionStore, _now: Now, device: Subscription) -> None:
    await store.subscribe(replace(device, user=BOB, topics=CALENDAR))


WAYS_OUT = [_unsubscribe, _bury, _expire, _expire_and_want_less, _want_less, _come_expired, _move]


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_last_device_goes(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, now: Now, sql: Sql, way: Way
) -> None:
    """By whatever way the last device goes that wanted new mail, the registration goes, and with it the context."""
    await store.subscribe(PHONE)

    await way(store, now, PHONE)

    assert await registrations.listing() == []
    assert sql(select(schema.registered_context.c.cid)) == []


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_another_device_stays(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, now: Now, sql: Sql, way: Way
) -> None:
    """While another live device of the same user and client wants new mail, its user is listened for."""
    await store.subscribe(PHONE)
    await store.subscribe(replace(TABLET, topics=("ox:mail:*",)))

    await way(store, now, PHONE)

    assert await registrations.listing() == [Registration(ALICE, APP)]
    assert sql(select(schema.registered_context.c.cid)) == [(1,)]


@pytest.mark.parametrize(
    "other",
    [
        replace(TABLET, topics=CALENDAR),
        replace(TABLET, client="other"),
        replace(TABLET, user=BOB),
        replace(TABLET, expires_ms=Now.ms - 1),
    ],
)
async def test_other_devices_that_do_not_count(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, other: Subscription
) -> None:
    """Devices of others, of another client, for something else or with their time over keep no registration."""
    await store.subscribe(PHONE)
    await store.subscribe(other)

    await store.unsubscribe(ALICE, APP, PHONE.token)

    assert Registration(ALICE, APP) not in await registrations.listing()


async def test_token_moves(store: SqlSubscriptionStore, registrations: SqlRegistrationStore) -> None:
    """With the device of a former user goes its registration, and the new user has one."""
    await store.subscribe(PHONE)

    await store.subscribe(replace(PHONE, user=BOB))

    assert await registrations.listing() == [Registration(BOB, APP)]


async def test_client_that_is_no_longer_allowed(
    store: SqlSubscriptionStore, database: Database, registrations: SqlRegistrationStore, now: Now
) -> None:
    """A registration that stands is not taken back because of the allow-list, and goes with its device all the same."""
    await store.subscribe(PHONE)
    stricter = SqlSubscriptionStore(database, now=now)

    is_registered = (await stricter.subscribe(PHONE)).is_registered
    while_there = await registrations.listing()
    await stricter.unsubscribe(ALICE, None, None)

    assert (is_registered, while_there) == (False, [Registration(ALICE, APP)])
    assert await registrations.listing() == []


async def test_registration_made_by_hand(store: SqlSubscriptionStore, registrations: SqlRegistrationStore) -> None:
    """One that no device stood for stays while other devices come and go, and goes with one of its own."""
    await registrations.add(Registration(ALICE, APP))

    await store.subscribe(replace(PHONE, topics=CALENDAR))
    await store.subscribe(replace(PHONE, topics=CALENDAR))
    await store.subscribe(replace(TABLET, client="other", topics=CALENDAR))
    await store.unsubscribe(ALICE, "other", None)
    await store.sweep()
    meanwhile = await registrations.listing()
    await store.unsubscribe(ALICE, APP, None)

    assert meanwhile == [Registration(ALICE, APP)]
    assert await registrations.listing() == []


async def test_many_are_swept(store: SqlSubscriptionStore, registrations: SqlRegistrationStore, now: Now) -> None:
    """Of many users in many contexts whose devices expire together, each loses its own registration and no other."""
    users = [PushUser(1 + number % 7, 1 + number) for number in range(300)]
    for user in users:
        await store.subscribe(Subscription(user, APP, "apn", f"phone of {user}", expires_ms=now.ms))
        if user.user % 3 == 0:
            await store.subscribe(Subscription(user, APP, "apn", f"tablet of {user}"))
    now.ms += 1

    swept = (await store.sweep()).removed

    assert {each.user for each in swept} == set(users)
    stayed = sorted(Registration(user, APP) for user in users if user.user % 3 == 0)
    assert await registrations.listing() == stayed


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_client_that_the_database_takes_for_another(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, sql: Sql
) -> None:
    """Where two clients of a user cannot both be registered, the second device is refused, and the first stays."""
    await store.subscribe(PHONE)

    with pytest.raises(BadData, match="differs from this one's in nothing but case or accents"):
        await store.subscribe(replace(TABLET, client=APP.upper()))

    assert [each.token for each in await store.listing()] == [PHONE.token]
    assert await registrations.listing() == [Registration(ALICE, APP)]


async def test_change_that_fails_half_way(
    store: SqlSubscriptionStore, database: Database, registrations: SqlRegistrationStore, sql: Sql
) -> None:
    """Where the registration cannot be written, neither is the subscription."""
    await database.prepare()
    sql(DropTable(schema.registration))

    with pytest.raises(ConfigurationError, match="oxpushctl database create"):
        await store.subscribe(PHONE)

    assert sql(select(schema.subscription.c.token)) == []


async def test_two_at_once(
    store: SqlSubscriptionStore, open_database: Callable[[], Database], registrations: SqlRegistrationStore, now: Now
) -> None:
    """However devices of one user come and go at the same time, the registration is there if one is left, else not."""
    stores = [store, SqlSubscriptionStore(open_database(), lambda _client: True, now)]
    for number in range(10):
        phone, tablet = (replace(each, token=f"{each.token} {number}") for each in (PHONE, TABLET))
        await stores[0].subscribe(phone)

        await asyncio.gather(
            stores[0].unsubscribe(ALICE, APP, phone.token),
            stores[1].subscribe(tablet),
        )
        with_tablet = await registrations.listing()
        await stores[0].subscribe(phone)
        await asyncio.gather(*(stores[n].unsubscribe(ALICE, APP, each.token) for n, each in enumerate((phone, tablet))))

        assert with_tablet == [Registration(ALICE, APP)]
        assert await registrations.listing() == []


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_tables_of_an_old_middleware(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, sql: Sql, now: Now
) -> None:
    """The tables of 7.8 take registrations as they are, the middleware's own row among them."""
    sql(*RELEASE_7_8.values())
    sql(insert(schema.registration).values(cid=1, user=4, client="USM-EAS"))

    is_registered = (await store.subscribe(PHONE)).is_registered
    while_there = await registrations.listing()
    await store.subscribe(replace(PHONE, topics=CALENDAR))

    assert (is_registered, while_there) == (True, [Registration(ALICE, APP), Registration(BOB, "USM-EAS")])
    assert await registrations.listing() == [Registration(BOB, "USM-EAS")]
