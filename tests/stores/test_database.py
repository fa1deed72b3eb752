from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text

from oxpushctl.errors import ConfigurationError, NotReachable, TryLater
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database


def _add_user(connection: Connection) -> None:
    connection.execute(insert(schema.user).values(cid=1, user=3, mail=""))


def _write(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)


def _read(file: Path) -> str:
    return file.read_text()


def _count(connection: Connection) -> object:
    return connection.scalar(text("SELECT count(*) FROM oxpush_user"))


async def test_read_before_anything_was_written(database: Database, file: Path) -> None:
    """Who only looks leaves no trace: neither file nor folder is made."""
    assert await database.read(_count, of=schema.user, empty="nothing") == "nothing"
    assert not file.parent.exists()


async def test_read_of_a_file_without_tables(database: Database, file: Path) -> None:
    """An empty database has nothing to read, and reading makes no tables in it."""
    _write(file, "")

    assert await database.read(_count, of=schema.user, empty="nothing") == "nothing"
    assert sqlite3.connect(file).execute("SELECT name FROM sqlite_master").fetchall() == []


async def test_first_write(database: Database, file: Path) -> None:
    """The first write makes the tables in a file and folder that only their owner can read."""
    await database.write(_add_user)

    assert await database.read(_count, of=schema.user, empty=0) == 1
    assert [oct(path.stat().st_mode & 0o777) for path in (file.parent, file)] == ["0o700", "0o600"]
    beside = {path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert beside == {0o600}


async def test_failing_work(database: Database) -> None:
    """A function that fails half-way has changed nothing."""

    def fail(connection: Connection) -> None:
        _add_user(connection)
        raise LookupError("half-way")

    with pytest.raises(LookupError, match="half-way"):
        await database.write(fail)

    assert await database.read(_count, of=schema.user, empty=0) == 0


async def test_tables_of_a_newer_release(database: Database, file: Path) -> None:
    """Tables that a newer release made are left alone."""
    await database.prepare()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE oxpush_schema SET version = 99")
    connection.close()
    later = Database.open(f"sqlite:///{file}")

    with pytest.raises(ConfigurationError, match="version 99, this release knows 1"):
        await later.write(_add_user)

    await later.aclose()


async def test_tables_of_the_middleware(database: Database, file: Path) -> None:
    """Tables that are there keep their rows; only missing ones are made."""
    file.parent.mkdir()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE oxpush_user (cid INTEGER, user INTEGER, mail TEXT, extra TEXT)")
        connection.execute("INSERT INTO oxpush_user VALUES (1, 2, '', 'kept')")
    connection.close()

    await database.write(_add_user)

    assert await database.read(_count, of=schema.user, empty=0) == 2


async def test_locked(database: Database, file: Path) -> None:
    """A database that another program holds on to is worth another try, and the message says which."""
    await database.prepare()

    def hold_and_write(connection: Connection) -> None:
        # The same lock that any other program would hold, without waiting for it.
        other = sqlite3.connect(file, timeout=0, isolation_level=None)
        try:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            connection.exec_driver_sql("ROLLBACK")
            other.execute("BEGIN IMMEDIATE")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            other.close()

    with pytest.raises(TryLater, match=r"oxpushctl\.db: database is locked"):
        await database.write(hold_and_write)


async def test_not_a_database(database: Database, file: Path) -> None:
    """A file of another kind is refused by name and not overwritten."""
    properties = "com.openexchange.pns.delayDuration=1000\n" * 100
    _write(file, properties)

    with pytest.raises(NotReachable, match="file is not a database"):
        await database.write(_add_user)

    assert _read(file) == properties


async def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A path below a file leads nowhere: the message names it."""
    (tmp_path / "file").touch()
    database = Database.open(f"sqlite:///{tmp_path}/file/oxpushctl.db")

    with pytest.raises(NotReachable, match=r"file/oxpushctl\.db: "):
        await database.write(_add_user)

    await database.aclose()


@pytest.mark.parametrize(
    "url",
    ["mysql://u:geheim@127.0.0.1:x/db", "no url geheim", "", "nosuch://u:geheim@127.0.0.1/db?password=geheim"],
)
def test_bad_url(url: str) -> None:
    """A URL that cannot be used is named by its key, its password never shown."""
    with pytest.raises(ConfigurationError, match=r"^oxpushctl\.database\.url: ") as caught:
        Database.open(url)

    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_database_without_a_plain_file(url: str) -> None:
    """A database that would forget every device is refused."""
    with pytest.raises(ConfigurationError, match="name the path of a file"):
        Database.open(url)


def test_missing_driver() -> None:
    """Without the driver of a database the message says what to install."""
    with pytest.raises(ConfigurationError, match=r"the driver oracledb is missing \(install the Python package"):
        Database.open("oracle+oracledb://u:geheim@127.0.0.1/db")


async def test_cancelled_caller(database: Database) -> None:
    """A transaction that has begun is finished, even when its caller no longer waits."""
    has_begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(connection: Connection) -> None:
        loop.call_soon_threadsafe(has_begun.set)
        _add_user(connection)

    caller = asyncio.create_task(database.write(work))
    await has_begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    # Writers wait for each other, so this one comes after it.
    await database.write(lambda connection: None)

    assert await database.read(_count, of=schema.user, empty=0) == 1


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


def test_first_use_by_many_processes(file: Path) -> None:
    """Processes that meet at an empty database all find their tables, and every row is kept."""
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _FIRST_USE, f"sqlite:///{file}", str(first)],
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

    connection = sqlite3.connect(file)
    assert connection.execute("SELECT count(*) FROM oxpush_user").fetchone() == (80,)
    connection.close()
