from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import insert

from oxpushctl.errors import BadData
from oxpushctl.model import NEW_MAIL, PushUser, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Now, Sql

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
PHONE = Subscription(ALICE, "open-xchange-mobile-api-facade", "apn", "a1b2c3")


async def _only(store: SqlSubscriptionStore) -> Subscription:
    [subscription] = await store.listing()
    return subscription


async def test_subscribe(store: SqlSubscriptionStore, now: Now) -> None:
    """What was asked for is what is listed, with an id of 16 bytes and the time of the change."""
    wish = replace(PHONE, topics=("ox:mail:*", "ox:calendar:updates"), expires_ms=now.ms + 1)

    await store.subscribe(wish)

    stored = await _only(store)
    expected = replace(wish, topics=("ox:calendar:updates", "ox:mail:*"), changed_ms=now.ms, id=stored.id)
    assert (stored, len(stored.id)) == (expected, 16)


async def test_subscribe_to_everything(store: SqlSubscriptionStore, sql: Sql) -> None:
    """A star among the topics stands for all of them, kept as a flag without topic rows."""
    await store.subscribe(replace(PHONE, topics=("ox:mail:new", "*", "ox:*")))

    assert (await _only(store)).topics == ("*",)
    assert sql("SELECT topic FROM pns_subscription_topic_wildcard UNION ALL"
                          " SELECT topic FROM pns_subscription_topic_exact") == []  # fmt: skip


async def test_layout_of_topics(store: SqlSubscriptionStore, sql: Sql) -> None:
    """A wildcard is stored as the middleware does: the prefix with its colon, without the star."""
    await store.subscribe(replace(PHONE, topics=("ox:mail:*", "ox:mail:new", "ox:mail:new")))

    assert sql("SELECT topic, cid FROM pns_subscription_topic_wildcard") == [("ox:mail:", 1)]
    assert sql("SELECT topic, cid FROM pns_subscription_topic_exact") == [("ox:mail:new", 1)]


async def test_register_again(store: SqlSubscriptionStore, now: Now) -> None:
    """A device that comes again keeps its row: new topics and expiry, and a later change even in one millisecond."""
    await store.subscribe(replace(PHONE, topics=("*",), expires_ms=now.ms + 1))
    first = await _only(store)

    await store.subscribe(PHONE)

    again = await _only(store)
    assert again == replace(first, topics=(NEW_MAIL,), expires_ms=None, changed_ms=first.changed_ms + 1)


async def test_register_with_another_transport(store: SqlSubscriptionStore) -> None:
    """The same token of the same user and client on another transport changes the row, as with the middleware."""
    await store.subscribe(PHONE)
    first = await _only(store)

    await store.subscribe(replace(PHONE, transport="gcm"))

    again = await _only(store)
    assert (again.transport, again.id) == ("gcm", first.id)


async def test_token_moves_to_the_newest_user(store: SqlSubscriptionStore) -> None:
    """A phone that is passed on no longer shows the mails of its former user."""
    await store.subscribe(PHONE)
    former = await _only(store)

    await store.subscribe(replace(PHONE, user=BOB))

    moved = await _only(store)
    assert moved.user == BOB
    assert moved.id != former.id


@pytest.mark.parametrize("other", [replace(PHONE, client="another-app"), replace(PHONE, transport="gcm")])
async def test_token_stays_with_its_user(store: SqlSubscriptionStore, other: Subscription) -> None:
    """A token belongs to one user for each client and transport."""
    await store.subscribe(PHONE)

    await store.subscribe(replace(other, user=BOB))

    assert [each.user for each in await store.listing()] == [ALICE, BOB]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("apn", "apn"),
        ("apns", "apn"),
        ("apns_http2", "apn"),
        ("gcm", "gcm"),
        ("fcm", "gcm"),
        ("websocket", "websocket"),
    ],
)
async def test_transport_spellings(store: SqlSubscriptionStore, written: str, canonical: str) -> None:
    """All spellings of a transport are one to us."""
    await store.subscribe(replace(PHONE, transport=written))

    assert (await _only(store)).transport == canonical


@pytest.mark.parametrize("kind", ["sqlite"])  # the others are not asked
@pytest.mark.parametrize("transport", ["wns", "webhook", "APN", ""])
async def test_unknown_transport(store: SqlSubscriptionStore, transport: str) -> None:
    """A transport that is not ours is refused with the middleware's code."""
    with pytest.raises(BadData, match=r"^PNS-0005: "):
        await store.subscribe(replace(PHONE, transport=transport))


@pytest.mark.parametrize("kind", ["sqlite"])  # the others are not asked
@pytest.mark.parametrize(
    "topics", [(), ("",), ("ox:",), (":x",), ("a::b",), ("**",), ("ox.mail",), ("ox:mail*",), (":*",)]
)
async def test_invalid_topics(store: SqlSubscriptionStore, topics: tuple[str, ...]) -> None:
    """Topics that nothing can match are refused with the middleware's code, and nothing is stored."""
    with pytest.raises(BadData, match=r"^PNS-0007: "):
        await store.subscribe(replace(PHONE, topics=topics))

    assert list(await store.listing()) == []


@pytest.mark.parametrize("kind", ["sqlite"])  # the others are not asked
@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (replace(PHONE, token=""), "token is empty"),
        (replace(PHONE, token="t" * 256), "token has 256 characters, 255 are possible"),
        (replace(PHONE, token="日本"), "token has a character that cannot be stored"),
        (replace(PHONE, token="a\x1b[2J"), "token has a control character"),
        (replace(PHONE, client=""), "client is empty"),
        (replace(PHONE, client="c" * 65), "client has 65 characters, 64 are possible"),
        (replace(PHONE, user=PushUser(0, 3)), "context 0 is not a number from 1"),
        (replace(PHONE, user=PushUser(1, 2**32)), "user 4294967296 is not a number from 1"),
    ],
)
async def test_wish_that_does_not_fit(store: SqlSubscriptionStore, wish: Subscription, reason: str) -> None:
    """What does not fit the tables of every database is refused by name, its value not repeated."""
    with pytest.raises(BadData, match=f"^{reason}"):
        await store.subscribe(wish)


async def test_longest_values(store: SqlSubscriptionStore) -> None:
    """Values as long as their columns are stored whole."""
    longest = replace(PHONE, token="ÿ" * 255, client="ÿ" * 64, user=PushUser(2**32 - 1, 2**32 - 1))

    await store.subscribe(longest)

    stored = await _only(store)
    assert (stored.token, stored.client, stored.user) == (longest.token, longest.client, longest.user)


async def test_listing(store: SqlSubscriptionStore) -> None:
    """Subscriptions come ordered, and only those of the context, user or client asked for."""
    for user, client in ((PushUser(2, 1), "a"), (BOB, "b"), (ALICE, "b"), (ALICE, "a")):
        await store.subscribe(Subscription(user, client, "apn", f"token of {user}"))

    async def places(user: PushUser | None, client: str | None, context: int | None) -> list[str]:
        found = await store.listing(user, client, context=context)
        return [f"{each.user} {each.client}" for each in found]

    assert await places(None, None, None) == ["3@1 a", "3@1 b", "4@1 b", "1@2 a"]
    assert await places(None, None, 1) == ["3@1 a", "3@1 b", "4@1 b"]
    assert await places(None, "b", None) == ["3@1 b", "4@1 b"]
    assert await places(ALICE, "b", None) == ["3@1 b"]


@pytest.mark.parametrize(
    ("client", "token", "removed"),
    [(None, None, ["1", "2", "3"]), ("a", None, ["1", "2"]), ("a", "2", ["2"]), (None, "3", ["3"]), ("c", None, [])],
)
async def test_unsubscribe(
    store: SqlSubscriptionStore, client: str | None, token: str | None, removed: list[str]
) -> None:
    """Removed, and told, is what belongs to the user and fits; everything else stays."""
    for user, its_client, its_token in ((ALICE, "a", "1"), (ALICE, "a", "2"), (ALICE, "b", "3"), (BOB, "a", "4")):
        await store.subscribe(Subscription(user, its_client, "apn", its_token))

    gone = (await store.unsubscribe(ALICE, client, token)).removed

    assert sorted(each.token for each in gone) == removed
    assert {each.token for each in await store.listing()} == {"1", "2", "3", "4"} - set(removed)


async def test_unsubscribe_leaves_no_topics(store: SqlSubscriptionStore, sql: Sql) -> None:
    """With a subscription go its topics."""
    await store.subscribe(replace(PHONE, topics=("ox:mail:*", "ox:mail:new")))

    await store.unsubscribe(ALICE, None, None)

    assert sql("SELECT id FROM pns_subscription_topic_wildcard UNION"
                          " SELECT id FROM pns_subscription_topic_exact") == []  # fmt: skip


@pytest.mark.parametrize(("gone_after_ms", "is_removed"), [(None, True), (1000, True), (0, True), (-1, False)])
async def test_token_is_gone(
    store: SqlSubscriptionStore, now: Now, gone_after_ms: int | None, is_removed: bool
) -> None:
    """A dead token is removed, unless the provider buried it before the device came to us."""
    await store.subscribe(PHONE)
    gone_since_ms = None if gone_after_ms is None else now.ms + gone_after_ms

    assert bool((await store.remove_gone(await _only(store), gone_since_ms)).removed) is is_removed
    assert len(await store.listing()) == (0 if is_removed else 1)


async def test_token_is_gone_but_was_renewed(store: SqlSubscriptionStore) -> None:
    """A device that came again while its push was on its way stays."""
    await store.subscribe(PHONE)
    sent = await _only(store)
    await store.subscribe(PHONE)

    assert not (await store.remove_gone(sent, None)).removed
    assert len(await store.listing()) == 1


async def test_token_is_gone_but_moved(store: SqlSubscriptionStore, now: Now) -> None:
    """What a provider says about a push to the former user does not cost the new one the device."""
    await store.subscribe(PHONE)
    sent = await _only(store)
    await store.subscribe(replace(PHONE, user=BOB))

    assert not (await store.remove_gone(sent, now.ms + 1000)).removed
    assert (await _only(store)).user == BOB


async def test_token_is_gone_without_a_row(store: SqlSubscriptionStore) -> None:
    """A token that was never stored cannot be removed."""
    assert not (await store.remove_gone(PHONE, None)).removed


async def test_rows_of_the_middleware(store: SqlSubscriptionStore, database: Database, sql: Sql, now: Now) -> None:
    """Rows that the middleware wrote are read in our words; its own words, and its locks, stay as they are."""
    await database.prepare()
    facade = {"cid": 1, "user": 3, "client": "open-xchange-mobile-api-facade", "last_modified": 5}
    phone = {**facade, "id": b"0" * 16, "token": "a1b2c3", "transport": "apns_http2", "all_flag": 1}
    hook = {**phone, "id": b"1" * 16, "token": "uri", "client": "hooks", "transport": "webhook", "meta": "meta"}
    lock = {**facade, "id": b"2" * 16, "token": "lock.registration", "transport": "apn"}
    sql(*(insert(schema.subscription).values(row) for row in (phone, hook, lock)))

    assert [(each.transport, each.changed_ms) for each in await store.listing()] == [("webhook", 5), ("apn", 5)]
    await store.subscribe(PHONE)
    await store.unsubscribe(ALICE, "hooks", None)

    rows = sql("SELECT id, token, transport, last_modified FROM pns_subscription ORDER BY id")
    assert rows == [(b"0" * 16, "a1b2c3", "apns_http2", now.ms), (b"2" * 16, "lock.registration", "apn", 5)]


async def test_many_users_bring_the_same_token(database: Database, open_database: Callable[[], Database]) -> None:
    """However many bring a token at the same time, over two connections: it ends with one user, and never with none."""
    stores = (SqlSubscriptionStore(database), SqlSubscriptionStore(open_database()))
    await stores[0].subscribe(PHONE)
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(len(await stores[0].listing()))

    watching = asyncio.create_task(watch())
    await asyncio.gather(
        *(stores[number % 2].subscribe(replace(PHONE, user=PushUser(1, 10 + number))) for number in range(40))
    )
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching

    assert len(await stores[0].listing()) == 1
    assert set(seen) == {1}
