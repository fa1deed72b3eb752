"""Apple's tokens are bytes: one phone is one phone, whether an app writes them in small or in capital digits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select

from oxpushctl.errors import BadData
from oxpushctl.model import NEW_MAIL, PushUser, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Sql
from tests.stores.middleware_tables import RELEASE_7_8

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
SMALL, LARGE, MIXED = "ab" * 32, "AB" * 32, "aB" * 32
PHONE = Subscription(ALICE, "app", "apn", SMALL)


async def _stored(store: SqlSubscriptionStore) -> list[tuple[PushUser, str, str]]:
    return [(each.user, each.transport, each.token) for each in await store.listing()]


def _row(number: int, user: PushUser, token: str, **others: object) -> dict[str, Any]:
    """Return a row as somebody writes it to whom the letters count."""
    row = {"id": bytes([number] * 16), "cid": user.context, "user": user.user, "token": token, "client": "app"}
    return {**row, "transport": "apn", "last_modified": 5, "all_flag": 1, **others}


@pytest.mark.parametrize(("before", "after"), [(SMALL, LARGE), (LARGE, SMALL), (SMALL, MIXED)])
async def test_phone_of_another_user(store: SqlSubscriptionStore, before: str, after: str) -> None:
    """A phone that is passed on is no longer its former user's, however its token was written."""
    await store.subscribe(replace(PHONE, token=before))

    await store.subscribe(replace(PHONE, token=after, user=BOB))

    assert await _stored(store) == [(BOB, "apn", after)]


@pytest.mark.parametrize(("before", "after"), [(SMALL, LARGE), (LARGE, SMALL), (LARGE, MIXED)])
async def test_own_phone(store: SqlSubscriptionStore, before: str, after: str) -> None:
    """A user's phone that comes again keeps its row, which has the token as it came last."""
    await store.subscribe(replace(PHONE, token=before))
    [first] = await store.listing()

    await store.subscribe(replace(PHONE, token=after))

    [again] = await store.listing()
    assert (again.id, again.token, again.topics) == (first.id, after, (NEW_MAIL,))


async def test_phone_that_stands_twice(store: SqlSubscriptionStore, database: Database, sql: Sql, kind: str) -> None:
    """Where somebody wrote a phone twice, for whomever, one row is left, that of the token as it came now."""
    await database.prepare()
    own = () if kind == "mariadb" else (_row(2, ALICE, LARGE),)  # whose primary key takes them for one
    for row in (_row(1, ALICE, SMALL), *own, _row(3, BOB, LARGE, transport="apns_http2"), _row(4, BOB, "cd" * 32)):
        sql(insert(schema.subscription).values(**row))

    await store.subscribe(PHONE)

    assert sql(select(schema.subscription.c.id).order_by("id")) == [(bytes([number] * 16),) for number in (1, 4)]


@pytest.mark.parametrize(
    ("token", "other"),
    [
        (replace(PHONE, transport="gcm"), replace(PHONE, transport="gcm", token=LARGE)),
        (replace(PHONE, token="ab-cd"), replace(PHONE, token="AB-CD")),
        (PHONE, replace(PHONE, token=LARGE, transport="gcm")),
        (PHONE, replace(PHONE, token=LARGE, client="other")),
    ],
)
async def test_other_tokens(store: SqlSubscriptionStore, token: Subscription, other: Subscription) -> None:
    """Letters count in tokens that are not Apple's, and another client's token is another device."""
    await store.subscribe(token)

    await store.subscribe(replace(other, user=BOB))

    assert [each.user for each in await store.listing()] == [ALICE, BOB]


async def test_token_of_two_clients_in_two_spellings(store: SqlSubscriptionStore) -> None:
    """A user's two apps on one phone are two devices, whichever way each writes the token."""
    await store.subscribe(PHONE)

    await store.subscribe(replace(PHONE, client="other", token=LARGE))

    assert {(each.client, each.token) for each in await store.listing()} == {("app", SMALL), ("other", LARGE)}


async def test_token_of_another_transport_in_another_spelling(store: SqlSubscriptionStore, kind: str) -> None:
    """What another transport calls a device is another device: both are kept, or the second is refused."""
    android = replace(PHONE, transport="gcm", token=LARGE)
    await store.subscribe(android)

    if kind == "mariadb":  # whose primary key, as the middleware made it, takes them for one
        with pytest.raises(BadData, match="differ from this one's in nothing but case or accents"):
            await store.subscribe(PHONE)
    else:
        await store.subscribe(PHONE)

    both = [(ALICE, "apn", SMALL), (ALICE, "gcm", LARGE)]
    assert await _stored(store) == (both[1:] if kind == "mariadb" else both)


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_narrow_table(store: SqlSubscriptionStore, sql: Sql) -> None:
    """The table of an older middleware knows the phone again as well."""
    sql(*RELEASE_7_8.values())
    await store.subscribe(PHONE)

    await store.subscribe(replace(PHONE, token=LARGE))

    assert await _stored(store) == [(ALICE, "apn", LARGE)]
