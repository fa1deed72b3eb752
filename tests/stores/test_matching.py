from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from oxpushctl import topics
from oxpushctl.model import NEW_MAIL, PushUser, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.matching import LARGEST_BATCH, statement
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Now

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)


async def _matched(store: SqlSubscriptionStore, topic: str, *users: PushUser) -> dict[PushUser, list[str]]:
    """Return the tokens that matched, by user."""
    found = await store.matching(users, topic)
    return {user: sorted(each.token for each in its) for user, its in found.items()}


async def test_before_anything_was_stored(store: SqlSubscriptionStore) -> None:
    """Without tables nobody is subscribed."""
    assert await _matched(store, NEW_MAIL, ALICE) == {ALICE: []}


async def test_nobody_asked_for(store: SqlSubscriptionStore) -> None:
    """An empty batch matches nothing."""
    assert await _matched(store, NEW_MAIL) == {}


async def test_what_a_transport_needs(store: SqlSubscriptionStore, now: Now) -> None:
    """A match is the whole subscription, with the one topic that matched."""
    await store.subscribe(Subscription(ALICE, "app", "fcm", "t", ("ox:mail:*", "ox:calendar:*"), now.ms + 5))

    [match] = (await store.matching([ALICE], NEW_MAIL))[ALICE]

    expected = Subscription(ALICE, "app", "gcm", "t", ("ox:mail:*",), now.ms + 5, now.ms, match.id)
    assert (match, len(match.id)) == (expected, 16)


async def test_other_users(store: SqlSubscriptionStore) -> None:
    """A match belongs to the user asked for; the same number in another context is another user."""
    for user in (ALICE, BOB, PushUser(2, 3)):
        await store.subscribe(Subscription(user, "app", "apn", f"token of {user}"))

    assert await _matched(store, NEW_MAIL, ALICE, BOB) == {ALICE: ["token of 3@1"], BOB: ["token of 4@1"]}


async def test_impossible_user(store: SqlSubscriptionStore) -> None:
    """A number that no column holds matches nothing, and costs the others of its batch nothing."""
    await store.subscribe(Subscription(ALICE, "app", "apn", "t"))
    impossible = PushUser(10**30, -1)

    assert await _matched(store, NEW_MAIL, impossible, ALICE) == {impossible: [], ALICE: ["t"]}


@pytest.mark.parametrize(("later_ms", "is_live"), [(0, True), (1, False)])
async def test_expiry(store: SqlSubscriptionStore, now: Now, later_ms: int, is_live: bool) -> None:
    """A subscription lives until its expiry, that millisecond included."""
    await store.subscribe(Subscription(ALICE, "app", "apn", "t", expires_ms=now.ms + 100))
    now.ms += 100 + later_ms

    assert await _matched(store, NEW_MAIL, ALICE) == {ALICE: ["t"] if is_live else []}


async def test_overlapping_wildcards(store: SqlSubscriptionStore) -> None:
    """A device whose topics all match is told once."""
    await store.subscribe(Subscription(ALICE, "app", "apn", "t", ("ox:*", "ox:mail:*", "ox:mail:new")))

    assert await _matched(store, NEW_MAIL, ALICE) == {ALICE: ["t"]}


async def test_underscore_in_a_prefix(store: SqlSubscriptionStore) -> None:
    """A prefix is taken literally: an underscore stands for itself, not for any character as in LIKE."""
    await store.subscribe(Subscription(ALICE, "app", "apn", "t", ("a_b:*",)))

    assert await _matched(store, "axb:c", ALICE) == {ALICE: []}
    assert await _matched(store, "a_b:c", ALICE) == {ALICE: ["t"]}


async def test_more_users_than_one_statement_takes(store: SqlSubscriptionStore) -> None:
    """A batch of any size finds everyone, repeated users once."""
    users = [PushUser(1, number) for number in range(1, 2 * LARGEST_BATCH + 2)]
    chosen = users[:: LARGEST_BATCH // 2]
    for user in chosen:
        await store.subscribe(Subscription(user, "app", "apn", str(user)))

    found = await _matched(store, NEW_MAIL, *users, *users)

    assert found == {user: [str(user)] if user in chosen else [] for user in users}


_WORDS = st.lists(st.sampled_from(["ox", "OX", "mail", "new", "a_b", "axb", "A-"]), min_size=1, max_size=4).map(
    ":".join
)
_WISHES = _WORDS | _WORDS.map(lambda words: f"{words}:*") | st.just("*")
# Of topics that differ in case only, one device wants one.
_WISH = st.lists(_WISHES, min_size=1, max_size=3, unique_by=str.lower)


# Examples share a database, which each leaves as it finds it.
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(_WISH, min_size=1, max_size=10), asked=st.lists(_WORDS, min_size=5, max_size=10))
async def test_any_topic(store: SqlSubscriptionStore, wishes: list[list[str]], asked: list[str]) -> None:
    """The query matches exactly what the rule of topics says, and says by which of them."""
    for number, wish in enumerate(wishes):
        await store.subscribe(Subscription(ALICE, "app", "apn", str(number), tuple(wish)))

    found = {topic: (await store.matching([ALICE], topic))[ALICE] for topic in asked}
    await store.unsubscribe(ALICE, None, None)

    for topic, matches in found.items():
        wanted = {number: [each for each in wish if topics.matches(each, topic)] for number, wish in enumerate(wishes)}
        assert {int(each.token) for each in matches} == {number for number, its in wanted.items() if its}
        assert all(each.topics[0] in wanted[int(each.token)] for each in matches)


@pytest.mark.parametrize("size", [1, 2, 64, LARGEST_BATCH])
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_plan(database: Database, size: int) -> None:
    """Users, topics and prefixes are looked up by key: no table is read from end to end."""
    await database.prepare()

    def explain(connection: Connection) -> list[str]:
        query = statement(size, 2).compile(dialect=connection.dialect)
        parameters = (1,) * len(query.positiontup or ())
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)]

    plan = await database.read(explain, of=schema.subscription, empty=list[str]())

    steps = {step for step in plan if "pns_" in step}
    assert steps == {
        "SEARCH pns_subscription USING PRIMARY KEY (cid=? AND user=?)",
        "SEARCH pns_subscription_topic_exact USING PRIMARY KEY (id=? AND topic=?) LEFT-JOIN",
        "SEARCH pns_subscription_topic_wildcard USING PRIMARY KEY (id=? AND topic=?) LEFT-JOIN",
    }


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_plan_of_a_token(database: Database) -> None:
    """Whose token it is is looked up in the index."""
    await database.prepare()

    def explain(connection: Connection) -> list[str]:
        condition = "token = '' AND client = '' AND transport IN ('apn', 'apns', 'apns_http2')"
        query = f"EXPLAIN QUERY PLAN SELECT id FROM pns_subscription WHERE {condition}"
        return [row[3] for row in connection.exec_driver_sql(query)]

    plan = await database.read(explain, of=schema.subscription, empty=list[str]())

    [step] = plan
    assert step.endswith("INDEX tokenIndex (token=? AND transport=? AND client=?)")
