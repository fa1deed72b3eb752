"""What only servers have: log-ins, rights, settings of their own, and days on which they are restarted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.engine import make_url

from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError, TryLater
from oxpushctl.model import NEW_MAIL, PushUser, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.peers.mariadb import MariaDb
from tests.peers.ports import free_port
from tests.peers.postgresql import PostgreSql
from tests.stores.test_database import add_user, count
from tests.waiting import until


# What is said to be stored is on disk, so that nothing of it is lost when the server is killed.
def _careful(kind: str) -> MariaDb | PostgreSql:
    return MariaDb("--innodb-flush-log-at-trx-commit=2") if kind == "mariadb" else PostgreSql("synchronous_commit=on")


@pytest.fixture(params=["mariadb", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _changed(
    url: str, *, username: str | None = None, password: str | None = None, port: int | None = None, database: str = ""
) -> str:
    """Return a URL with other parts; what is ``None`` or empty stays as it is, but an empty password goes."""
    changed = make_url(url).set(username=username, password=password, port=port, database=database or None)
    return changed.render_as_string(hide_password=False)


async def _failure(url: str) -> OxpushctlError:
    """Return how the first use of a database ends."""
    database = Database.open(url)
    try:
        with pytest.raises(OxpushctlError) as caught:
            await database.write(add_user)
    finally:
        await database.aclose()
    return caught.value


async def test_nobody_answers(url: str) -> None:
    """A server that does not run is named by its address, without the password."""
    error = await _failure(_changed(url, port=free_port(), password="geheim"))

    assert type(error) is NotReachable
    assert "127.0.0.1" in str(error)
    assert "geheim" not in str(error)


async def test_unknown_database(url: str, kind: str) -> None:
    """A schema that is not there is said to be missing; it is not ours to make."""
    if kind == "mariadb":
        url = _changed(url, username="root", password="")

    error = await _failure(_changed(url, database="nosuch"))

    assert type(error) is ConfigurationError
    assert "nosuch" in str(error)
    assert str(error).endswith("create it, or name another in oxpushctl.database.url")


async def test_refused_login(url: str, kind: str) -> None:
    """A login that the server does not know is not permitted, and the message says where to look."""
    error = await _failure(_changed(url, username="mallory", password="geheim"))

    assert type(error) is NotPermitted
    assert "look at login and password in oxpushctl.database.url" in str(error)
    assert "geheim" not in str(error)


async def test_no_right_to_make_tables(url: str, kind: str, request: pytest.FixtureRequest) -> None:
    """A login that may not make tables is told so by the database's own words."""
    server: MariaDb | PostgreSql = request.getfixturevalue(kind)
    if kind == "mariadb":
        name = make_url(url).database
        server.execute(f"REVOKE CREATE ON {name}.* FROM {name}@'127.0.0.1'")
    else:
        name = str(make_url(url).query["options"]).rpartition("=")[2]
        server.execute("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
        server.execute(f"GRANT USAGE ON SCHEMA {name} TO reader")
        url = _changed(url, username="reader")

    error = await _failure(url)

    assert type(error) is NotPermitted
    assert "denied" in str(error)


async def test_row_that_stays_locked(database: Database, open_database: Callable[[], Database], kind: str) -> None:
    """A row that another transaction does not let go of is worth another try."""
    await database.write(add_user)
    row = select(schema.user.c.mail).with_for_update()
    impatient = {
        "mariadb": "SET SESSION innodb_lock_wait_timeout = 1",
        "postgresql": "SET LOCAL lock_timeout = '100ms'",
    }[kind]
    has_locked, may_end, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()

    def hold(connection: Connection) -> None:
        connection.execute(row)
        loop.call_soon_threadsafe(has_locked.set)
        asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result()

    def want(connection: Connection) -> None:
        connection.execute(text(impatient))
        connection.execute(row)

    holding = asyncio.create_task(open_database().write(hold))
    await has_locked.wait()
    try:
        with pytest.raises(TryLater):
            await database.read(want, of=schema.user, empty=None)
    finally:
        may_end.set()
        await holding


async def test_lenient_server(kind: str, url: str, request: pytest.FixtureRequest) -> None:
    """What does not fit is refused, also by a server that is set to cut it off."""
    server: MariaDb | PostgreSql = request.getfixturevalue(kind)
    if isinstance(server, MariaDb):
        server.execute("SET GLOBAL sql_mode = ''")
    database = Database.open(url)
    too_long = insert(schema.user).values(cid=1, user=3, mail="m" * 256)

    with pytest.raises(ConfigurationError, match="oxpushctl database upgrade widens them") as caught:
        await database.write(lambda connection: connection.execute(too_long))

    assert "mmm" not in str(caught.value)
    assert await database.read(count, of=schema.user, empty=0) == 0
    await database.aclose()
    if isinstance(server, MariaDb):
        server.execute("SET GLOBAL sql_mode = DEFAULT")


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_frozen_server(url: str, mariadb: MariaDb) -> None:
    """A server that accepts and then says nothing is given up, as soon as the URL wants."""
    database = Database.open(f"{url}?read_timeout=1")
    await database.write(add_user)

    with mariadb.frozen(), pytest.raises(NotReachable, match="timed out"):
        await database.read(count, of=schema.user, empty=0)

    assert await database.read(count, of=schema.user, empty=0) == 1
    await database.aclose()


@pytest.mark.parametrize("kind", ["mariadb"])
@pytest.mark.parametrize("name", ["mariadb", "mariadb+pymysql", "mysql+pymysql"])
async def test_other_names_of_the_same(url: str, name: str) -> None:
    """MariaDB may be called by its name, and the driver by its own."""
    database = Database.open(url.replace("mysql", name, 1))
    store = SqlSubscriptionStore(database)

    await store.subscribe(Subscription(PushUser(1, 3), "app", "apn", "a1b2c3"))

    assert len(await store.listing()) == 1
    assert await database.upgrade() == []
    await database.aclose()


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_charset_of_the_url(url: str) -> None:
    """Whatever character set the URL says, every text is kept to the letter."""
    database = Database.open(f"{url}?charset=latin1")
    store = SqlSubscriptionStore(database)

    await store.subscribe(Subscription(PushUser(1, 3), "日本📱", "apn", "é"))

    assert [(each.client, each.token) for each in await store.listing()] == [("日本📱", "é")]
    await database.aclose()


async def test_server_is_restarted(kind: str, running: ExitStack) -> None:
    """While a server is away each use fails with an error of ours; then the same store works again, and has it all."""
    server = _careful(kind)
    running.enter_context(server)
    url = running.enter_context(server.fresh())
    database = Database.open(url)
    store = SqlSubscriptionStore(database)
    user, stored, failures = PushUser(1, 3), set[str](), list[OxpushctlError]()

    async def subscribe(prefix: str) -> None:
        for number in range(2000):
            token = f"{prefix}{number}"
            try:
                await store.subscribe(Subscription(user, "app", "apn", token))
                stored.add(token)
            except OxpushctlError as error:
                failures.append(error)
                await asyncio.sleep(0.02)
            if is_back.is_set() and failures:
                return

    is_back = asyncio.Event()
    at_work = [asyncio.create_task(subscribe(prefix)) for prefix in "abc"]
    await until(lambda: len(stored) >= 30)
    await asyncio.to_thread(server.stop)
    await until(lambda: failures)
    with pytest.raises(NotReachable):
        await store.matching([user], NEW_MAIL)
    await asyncio.to_thread(server.start)
    is_back.set()
    await asyncio.gather(*at_work)

    await store.subscribe(Subscription(user, "app", "apn", "afterwards"))
    found = {each.token for each in (await store.matching([user], NEW_MAIL))[user]}
    await database.aclose()

    assert {type(error) for error in failures} <= {NotReachable, TryLater}
    assert {*stored, "afterwards"} - found == set()
