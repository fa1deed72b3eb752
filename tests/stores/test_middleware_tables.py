"""Tables that a middleware made: today's are used as they are, old ones read, and widened when somebody says so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, insert
from sqlalchemy.engine import make_url

from oxpushctl.errors import BadData, ConfigurationError
from oxpushctl.model import NEW_MAIL, PushUser, Registration, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.layout import KnownLayout
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.stores.conftest import Now, Sql
from tests.stores.middleware_tables import CREDENTIAL, RELEASE_7_8, RELEASE_8_19, SUBSCRIPTION

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
PHONE = Subscription(ALICE, "open-xchange-mobile-api-facade", "apn", "a1b2c3")
ALL_STEPS = [
    "column expires of pns_subscription",
    "column meta of pns_subscription",
    "column client of pns_subscription (for all of Unicode)",
    "primary key of pns_subscription (cid, user, token, client)",
    "index tokenIndex of pns_subscription",
    "column password of credentials (512 characters, for all of Unicode)",
    "column login of credentials (for all of Unicode)",
]
INDEX = ALL_STEPS[4:5]
OURS = sorted(name for name in schema.metadata.tables if name.startswith("oxpush_"))


@pytest.fixture
def kind() -> str:
    """The middleware knows no other."""
    return "mariadb"


def _made(sql: Sql, tables: Mapping[str, str]) -> None:
    """Make tables as the middleware does, with a row of its own: Alice's phone, told of all mail."""
    sql(*tables.values())
    row = {"id": b"0" * 16, "cid": 1, "user": 3, "token": "a1b2c3", "client": PHONE.client, "transport": "apn"}
    sql(insert(schema.subscription).values(**row, last_modified=5, all_flag=0))
    sql(insert(schema.topic_wildcard).values(id=b"0" * 16, cid=1, topic="ox:mail:"))


def _layout(sql: Sql) -> list[str]:
    return [str(sql(f"SHOW CREATE TABLE {name}")[0][1]) for name in RELEASE_8_19]


def _columns(sql: Sql) -> list[tuple[object, ...]]:
    return list(sql("SELECT * FROM pns_subscription ORDER BY id"))


async def test_today_s_tables_are_left_as_they_are(
    database: Database, store: SqlSubscriptionStore, sql: Sql, now: Now
) -> None:
    """Tables of 8.19 are read and written, and not changed by anything but an upgrade."""
    _made(sql, RELEASE_8_19)
    before = _layout(sql)

    made = await database.prepare()
    await store.subscribe(replace(PHONE, user=BOB, expires_ms=now.ms + 1))
    await store.subscribe(replace(PHONE, client="日本"))
    await SqlRegistrationStore(database).add(Registration(ALICE, PHONE.client))
    found = await store.matching([ALICE, BOB], NEW_MAIL)
    await store.unsubscribe(BOB, None, None)

    assert sorted(made) == OURS
    assert {user: [each.client for each in its] for user, its in found.items()} == {
        ALICE: ["日本"],
        BOB: [PHONE.client],
    }
    assert _layout(sql) == before


async def test_index_that_a_fresh_schema_lacks(database: Database, sql: Sql) -> None:
    """What an update task of the middleware adds to its tables of 8.19 is the only thing that an upgrade finds."""
    _made(sql, RELEASE_8_19)
    before, rows = _layout(sql), _columns(sql)

    assert await database.pending() == INDEX
    assert await database.upgrade() == INDEX

    assert await database.pending() == []
    index = "KEY `tokenIndex` (`token`,`transport`,`client`)"
    assert [after.replace(f",\n  {index}", "") for after in _layout(sql)] == before
    assert _columns(sql) == rows


async def test_old_tables_are_read_and_written(store: SqlSubscriptionStore, sql: Sql) -> None:
    """Rows in the tables of 7.8 are matched and listed; what fits into them is written, moved and removed."""
    _made(sql, RELEASE_7_8)
    before = _layout(sql)

    [match] = (await store.matching([ALICE], NEW_MAIL))[ALICE]
    await store.subscribe(replace(PHONE, user=BOB))
    await store.subscribe(replace(PHONE, token="d4e5f6"))
    swept = (await store.sweep()).removed
    others = await store.listing(None, "日本")
    listed = [(each.user, each.token, each.topics) for each in await store.listing()]
    await store.unsubscribe(BOB, None, None)

    assert (match.token, match.topics, match.expires_ms, match.changed_ms) == ("a1b2c3", ("ox:mail:*",), None, 5)
    assert listed == [(ALICE, "d4e5f6", (NEW_MAIL,)), (BOB, "a1b2c3", (NEW_MAIL,))]
    assert (swept, others) == ((), [])
    assert [each.user for each in await store.listing()] == [ALICE]
    assert _layout(sql) == before


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (replace(PHONE, token="d4e5f6", expires_ms=2**42), "cannot keep when a subscription expires"),
        (replace(PHONE, client="another-app"), "cannot keep a token for more than one client of a user"),
        (replace(PHONE, token="d4e5f6", client="日本"), "cannot keep this client's name, for its letters"),
    ],
)
async def test_wish_that_old_tables_cannot_keep(
    store: SqlSubscriptionStore, database: Database, sql: Sql, wish: Subscription, words: str
) -> None:
    """What would not fit is refused with the command that widens, and fits after it, the engine still running."""
    _made(sql, RELEASE_7_8)
    rows = _columns(sql)
    with pytest.raises(ConfigurationError, match=f"{words}.*oxpushctl database upgrade widens"):
        await store.subscribe(wish)
    assert _columns(sql) == rows

    await database.upgrade()
    store = SqlSubscriptionStore(database)
    await store.subscribe(wish)

    stored = [(each.token, each.client, each.expires_ms) for each in await store.listing()]
    assert (wish.token, wish.client, wish.expires_ms) in stored
    assert len(stored) == 2


async def test_widened_while_the_engine_runs(store: SqlSubscriptionStore, database: Database, sql: Sql) -> None:
    """A store that knew narrow tables looks again after a while."""
    _made(sql, RELEASE_7_8)
    await store.listing()
    clock = [1000.0]
    looking = KnownLayout(lambda: clock[0])

    async def has_expires() -> bool:
        return await database.read(
            lambda connection: looking.of(connection).has_expires, of=schema.subscription, empty=False
        )

    before = await has_expires()
    await database.upgrade()
    at_once = await has_expires()
    clock[0] += 31

    assert (before, at_once, await has_expires()) == (False, False, True)


async def test_old_tables_are_widened(database: Database, store: SqlSubscriptionStore, sql: Sql) -> None:
    """All that today's tables have is added step by step, every row is kept, and once more finds nothing to do."""
    _made(sql, RELEASE_7_8)
    kept = {"cid": 1, "user": 3, "login": "alice", "password": "p" * 64}
    sql(insert(schema.credential).values(**kept))
    rows = _columns(sql)
    heard: list[str] = []

    done = await database.upgrade(heard.append)

    assert done == heard == ALL_STEPS
    assert (await database.upgrade(), await database.pending()) == ([], [])
    assert _columns(sql) == [(*row, None, None) for row in rows]
    assert sql("SELECT cid, user, login, password FROM credentials") == [tuple(kept.values())]
    [listed] = await store.listing()
    assert (listed.token, listed.topics) == ("a1b2c3", ("ox:mail:*",))


@pytest.mark.parametrize("name", [SUBSCRIPTION, CREDENTIAL])
async def test_widened_table_is_today_s(database: Database, sql: Sql, name: str) -> None:
    """After the steps the columns and keys of an old table are those of 8.19, to the letter."""
    _made(sql, RELEASE_7_8)
    await database.upgrade()
    widened = sql(f"SHOW CREATE TABLE {name}")[0][1]

    sql(f"DROP TABLE {name}", RELEASE_8_19[name])
    await database.upgrade()
    today_s = sql(f"SHOW CREATE TABLE {name}")[0][1]

    def lines(ddl: str) -> list[str]:
        # Columns of the table's own character set and collation may or may not name them.
        return [line.replace(" CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", "") for line in ddl.splitlines()[:-1]]

    assert sorted(lines(widened)) == sorted(lines(today_s))


async def test_rows_that_a_step_would_make_one(database: Database, sql: Sql) -> None:
    """Where two rows would become the same, that step is refused with what to do, and nothing is lost."""
    _made(sql, RELEASE_7_8)
    sql("ALTER TABLE pns_subscription DROP PRIMARY KEY, ADD PRIMARY KEY (cid, user, token, client)")
    row = {"cid": 1, "user": 3, "token": "t", "transport": "apn", "last_modified": 5, "all_flag": 0}
    sql(*(insert(schema.subscription).values(id=bytes([n]) * 16, client=c, **row) for n, c in enumerate(("aß", "ass"))))

    with pytest.raises(BadData, match=r"column client .*: two rows would become one and the same"):
        await database.upgrade()

    assert len(_columns(sql)) == 3
    sql("DELETE FROM pns_subscription WHERE client = 'ass'")
    assert await database.upgrade() == [ALL_STEPS[2], *ALL_STEPS[4:]]


def _started(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _UPGRADE, url], stdout=subprocess.PIPE, text=True)


_UPGRADE = textwrap.dedent("""
    import asyncio, sys
    from oxpushctl.stores.sql.database import Database

    async def main(url):
        await Database.open(url, is_patient=True).upgrade(lambda words: print(words, flush=True))

    asyncio.run(main(sys.argv[1]))
""")


async def test_upgrade_that_is_killed(database: Database, url: str, sql: Sql, running: ExitStack) -> None:
    """An upgrade that was killed in the middle of a step is finished by the next: all rows are there, nothing twice."""
    _made(sql, RELEASE_7_8)
    await database.prepare()
    # Another program that uses the table keeps the first step waiting.
    holder = running.enter_context(create_engine(make_url(url).set(drivername="mysql+pymysql")).connect())
    holder.exec_driver_sql("SELECT * FROM pns_subscription")
    process = running.enter_context(_started(url))
    assert process.stdout is not None
    assert process.stdout.readline() == f"{ALL_STEPS[0]}\n"
    process.kill()
    process.wait()
    following = asyncio.create_task(database.upgrade())
    await asyncio.sleep(0)
    holder.close()

    done = await following

    assert done in (ALL_STEPS, ALL_STEPS[1:])  # the server may have finished the first one by itself
    assert await database.pending() == []
    assert len(_columns(sql)) == 1


async def test_two_upgrades_at_once(database: Database, open_database: Callable[[], Database], sql: Sql) -> None:
    """Two that begin at the same time do each step once, and neither fails."""
    _made(sql, RELEASE_7_8)

    done = await asyncio.gather(database.upgrade(), open_database().upgrade())

    assert sorted(done, key=len) == [[], ALL_STEPS]
