"""What only SQLite has: a file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection

from oxpushctl.errors import ConfigurationError, NotReachable, TryLater
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from tests.stores.test_database import add_user, count


@pytest.fixture
def kind() -> str:
    return "sqlite"


def write(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)


def read(file: Path) -> str:
    return file.read_text()


async def test_read_before_anything_was_written(database: Database, file: Path) -> None:
    """Who only looks leaves no trace: neither file nor folder is made."""
    assert await database.read(count, of=schema.user, empty="nothing") == "nothing"
    assert not file.parent.exists()


async def test_read_of_an_empty_file(database: Database, file: Path) -> None:
    """An empty file has nothing to read, and reading makes no tables in it."""
    write(file, "")

    assert await database.read(count, of=schema.user, empty="nothing") == "nothing"
    assert sqlite3.connect(file).execute("SELECT name FROM sqlite_master").fetchall() == []


async def test_file_of_the_first_write(database: Database, file: Path) -> None:
    """File and folder can be read by their owner alone, and so can what SQLite keeps beside the file."""
    await database.write(add_user)

    assert [oct(path.stat().st_mode & 0o777) for path in (file.parent, file)] == ["0o700", "0o600"]
    beside = {path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert beside == {0o600}


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
    write(file, properties)

    with pytest.raises(NotReachable, match="file is not a database"):
        await database.write(add_user)

    assert read(file) == properties


async def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A path below a file leads nowhere: the message names it."""
    (tmp_path / "file").touch()
    database = Database.open(f"sqlite:///{tmp_path}/file/oxpushctl.db")

    with pytest.raises(NotReachable, match=r"file/oxpushctl\.db: "):
        await database.write(add_user)

    await database.aclose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_database_without_a_plain_file(url: str) -> None:
    """A database that would forget every device is refused."""
    with pytest.raises(ConfigurationError, match="name the path of a file"):
        Database.open(url)
