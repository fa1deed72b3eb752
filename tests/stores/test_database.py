"""What every kind of database does alike: its tables are made once, transactions kept whole, mistakes named."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, insert, text

from oxpushctl.errors import ConfigurationError
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from tests.stores.conftest import Sql


def add_user(connection: Connection) -> None:
    connection.execute(insert(schema.user).values(cid=1, user=3, mail=""))


def count(connection: Connection) -> object:
    return connection.scalar(text("SELECT count(*) FROM oxpush_user"))


async def test_read_before_anything_was_written(database: Database) -> None:
    """In an empty database there is nothing to read, and reading makes no tables in it."""
    assert await database.read(count, of=schema.user, empty="nothing") == "nothing"
    assert await database.prepare() == [table.name for table in schema.metadata.sorted_tables]


async def test_first_write(database: Database) -> None:
    """The first write makes the tables, and leaves none to make."""
    await database.write(add_user)

    assert await database.read(count, of=schema.user, empty=0) == 1
    assert await database.prepare() == ()


async def test_later_process(database: Database, open_database: Callable[[], Database]) -> None:
    """Who comes later finds the tables, and makes none."""
    await database.write(add_user)

    assert await open_database().prepare() == ()


async def test_creation_that_was_interrupted(
    database: Database, open_database: Callable[[], Database], sql: Sql
) -> None:
    """What an interrupted process left out is made by the next: a table, the version."""
    await database.prepare()
    sql("DROP TABLE oxpush_user_name", "DELETE FROM oxpush_schema")

    assert await open_database().prepare() == ["oxpush_user_name"]
    assert sql("SELECT version FROM oxpush_schema") == [(schema.VERSION,)]


async def test_failing_work(database: Database) -> None:
    """A function that fails half-way has changed nothing."""

    def fail(connection: Connection) -> None:
        add_user(connection)
        raise LookupError("half-way")

    with pytest.raises(LookupError, match="half-way"):
        await database.write(fail)

    assert await database.read(count, of=schema.user, empty=0) == 0


async def test_tables_of_a_newer_release(database: Database, open_database: Callable[[], Database], sql: Sql) -> None:
    """Tables that a newer release made are left alone, and not read: who knows what they mean."""
    await database.prepare()
    sql("UPDATE oxpush_schema SET version = 99", "DROP TABLE oxpush_user_name")
    later = open_database()

    with pytest.raises(ConfigurationError, match=f"version 99, this release knows {schema.VERSION}"):
        await later.write(add_user)
    with pytest.raises(ConfigurationError, match=f"version 99, this release knows {schema.VERSION}"):
        await later.read(count, of=schema.user, empty=0)
    assert sql("SELECT version FROM oxpush_schema") == [(99,)]


async def test_tables_that_are_there(database: Database, sql: Sql) -> None:
    """Tables that are there keep their rows and columns; only missing ones are made, and the version told."""
    sql(
        "CREATE TABLE oxpush_schema (version INTEGER, extra VARCHAR(9))", "INSERT INTO oxpush_schema VALUES (1, 'kept')"
    )

    made = await database.prepare()

    assert made == [table.name for table in schema.metadata.sorted_tables if table is not schema.schema_version]
    assert sql("SELECT * FROM oxpush_schema") == [(schema.VERSION, "kept")]


async def test_tables_that_somebody_dropped(database: Database, sql: Sql) -> None:
    """Who reads is told what to do, and the next write makes them again."""
    await database.write(add_user)
    sql("DROP TABLE oxpush_user_name", "DROP TABLE oxpush_user")

    with pytest.raises(ConfigurationError, match="oxpushctl database create makes missing tables"):
        await database.read(count, of=schema.user, empty=0)

    await database.write(add_user)
    assert await database.read(count, of=schema.user, empty=0) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])  # for MariaDB see test_middleware_tables
async def test_tables_that_came_from_elsewhere(database: Database, sql: Sql) -> None:
    """Where a table is narrower than ours, an upgrade adds what it lacks."""
    await database.prepare()
    sql("ALTER TABLE pns_subscription DROP COLUMN meta", 'DROP INDEX "tokenIndex"')
    lacks = ["column meta of pns_subscription", "index tokenIndex of pns_subscription"]

    assert await database.pending() == lacks
    assert await database.upgrade() == lacks
    assert await database.pending() == []


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_primary_key_without_the_client(database: Database, sql: Sql) -> None:
    """A primary key that takes two clients of a user for one is widened."""
    await database.prepare()
    narrow = 'DROP CONSTRAINT pns_subscription_pkey, ADD CONSTRAINT narrow PRIMARY KEY (cid, "user", token)'
    sql(f"ALTER TABLE pns_subscription {narrow}")

    assert await database.upgrade() == ["primary key of pns_subscription (cid, user, token, client)"]
    assert await database.pending() == []


async def test_cancelled_caller(database: Database, sql: Sql) -> None:
    """A transaction that has begun is finished, even when its caller no longer waits."""
    has_begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def work(connection: Connection) -> None:
        loop.call_soon_threadsafe(has_begun.set)
        add_user(connection)

    caller = asyncio.create_task(database.write(work))
    await has_begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await database.aclose()  # which waits for it

    assert sql("SELECT cid FROM oxpush_user") == [(1,)]


@pytest.mark.parametrize(
    "url",
    ["mysql://u:geheim@127.0.0.1:x/db", "no url geheim", "", "nosuch://u:geheim@127.0.0.1/db?password=geheim"],
)
def test_bad_url(url: str) -> None:
    """A URL that cannot be used is named by its key, its password never shown."""
    with pytest.raises(ConfigurationError, match=r"^oxpushctl\.database\.url: ") as caught:
        Database.open(url)

    assert "geheim" not in str(caught.value)


def test_missing_driver() -> None:
    """Without the driver of a database the message says what to install."""
    with pytest.raises(ConfigurationError, match=r"the driver oracledb is missing \(install the Python package"):
        Database.open("oracle+oracledb://u:geheim@127.0.0.1/db")


_FIRST_USE = textwrap.dedent("""
    import asyncio, sys
    from sqlalchemy import insert
    from oxpushctl.stores import schema
    from oxpushctl.stores.sql.database import Database

    async def main(url, first):
        database = Database.open(url)
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(first, first + 20):
            row = insert(schema.user).values(cid=1, user=number, mail="")
            await database.write(lambda connection: connection.execute(row))
        await database.aclose()

    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
""")


def test_first_use_by_many_processes(url: str, sql: Sql) -> None:
    """Processes that meet at an empty database all find their tables, and every row is kept."""
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _FIRST_USE, url, str(first)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for first in (100, 200, 300, 400)
        ]
        assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 4
        for process in processes:
            if process.stdin:
                process.stdin.close()

        assert [process.wait() for process in processes] == [0, 0, 0, 0]

    assert sql("SELECT count(*) FROM oxpush_user") == [(80,)]
