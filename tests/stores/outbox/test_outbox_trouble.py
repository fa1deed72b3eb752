"""A disk that is full, a file that is damaged, a key that is another one."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from oxpushctl.errors import ConfigurationError, NotKept
from oxpushctl.stores.outbox.outbox import DurableOutbox
from tests.stores.outbox.boxes import fresh, message, outbox_in, written
from tests.waiting import until


def let_grow(outbox: DurableOutbox, pages: int) -> None:
    """Bound the file, as a disk does: SQLite then says that it is full."""
    outbox._file._connection.execute(f"PRAGMA max_page_count = {pages}")  # a disk of that size


def fields_of(record: logging.LogRecord) -> str:
    """Return what a record tells besides its event."""
    return str(vars(record)["fields"])


async def fill(outbox: DurableOutbox) -> int:
    """Put events until one is refused; return how many were kept."""
    for uid in range(1, 1000):
        try:
            await outbox.put(fresh(uid, subject="x" * 2000))
        except NotKept:
            return uid - 1
    raise AssertionError("never full")


async def test_full_disk_refuses_and_heals(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Events are refused while the disk is full, what was kept before is still sent, and it heals by itself."""
    caplog.set_level(logging.INFO)
    async with outbox_in(tmp_path) as outbox:
        let_grow(outbox, 30)
        kept = await fill(outbox)
        assert (outbox.is_full, outbox.depth) == (True, kept)
        let_grow(outbox, 100_000)
        await until(lambda: not outbox.is_full)
        await outbox.put(fresh(2000))
        assert outbox.depth == kept + 1
    told = [record for record in caplog.records if record.message.startswith("outbox: can")]
    assert [record.message for record in told] == [
        "outbox: cannot be written, events are refused and tried without it",
        "outbox: can be written again",
    ]
    assert "full" in fields_of(told[0])


async def test_what_is_done_while_the_disk_is_full(tmp_path: Path) -> None:
    """It is written as soon as there is room: it is not sent a second time."""
    async with outbox_in(tmp_path) as outbox:
        event = fresh(5000)
        await outbox.put(event)
        let_grow(outbox, 30)
        kept = await fill(outbox)
        outbox.done(outbox.matched(event.id, [message(event)])[0])
        let_grow(outbox, 100_000)
        await until(lambda: not outbox.is_full)
    async with outbox_in(tmp_path) as outbox:
        found = [each.uid for each in await outbox.recovered(1000)]
    assert found == list(range(1, kept + 1))


async def test_damaged_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is no database any more is kept under another name, and said so; the engine starts."""
    (tmp_path / "outbox.db").write_bytes(b"not a database, " * 100)
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(fresh())
    (aside,) = tmp_path.glob("outbox.db.damaged-*")
    (told,) = [fields_of(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert aside.read_bytes().startswith(b"not a database")
    assert str(aside) in told


async def test_rest_of_a_damaged_file_is_sent(tmp_path: Path) -> None:
    """What can be read of a file whose pages do not fit together any more is taken over."""
    async with outbox_in(tmp_path) as outbox:
        for uid in range(1, 200):
            await outbox.put(fresh(uid, subject="x" * 500))
    path = tmp_path / "outbox.db"
    content = bytearray(path.read_bytes())
    pages = len(content) // 4096
    content[(pages - 3) * 4096 : (pages - 2) * 4096] = os.urandom(4096)
    path.write_bytes(content)
    async with outbox_in(tmp_path) as outbox:
        found = [each.uid for each in await outbox.recovered(1000)]
        assert (100 < len(found) < 199, found) == (True, sorted(found))
    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) == 1


async def test_lost_key_sets_the_file_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without its key nothing of an outbox can be read: it is not taken for an empty one."""
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(fresh())
    (tmp_path / "outbox.db.key").unlink()
    async with outbox_in(tmp_path) as outbox:
        assert outbox.depth == 0
    (told,) = [fields_of(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert "key is another one" in told
    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) == 1


async def test_key_that_others_can_read(tmp_path: Path) -> None:
    """Nothing starts with a key that is no secret any more."""
    async with outbox_in(tmp_path):
        pass
    (tmp_path / "outbox.db.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"outbox\.db\.key: others can read the key"):
        async with outbox_in(tmp_path):
            pass


async def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """The outbox, its key and what SQLite keeps beside it have mode 0600."""
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(fresh())
        assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
            "outbox.db": "0o600",
            "outbox.db-wal": "0o600",
            "outbox.db.key": "0o600",
        }


async def test_nothing_of_a_mail_is_in_the_file(tmp_path: Path) -> None:
    """Who has the file without the key learns neither subject nor sender nor token."""
    async with outbox_in(tmp_path) as outbox:
        event = fresh(subject="a very secret subject")
        await outbox.put(event)
        outbox.later(outbox.matched(event.id, [message(event, token="a-very-secret-token")])[0], 5.0)
        await written(outbox)
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [word in content for word in (b"very secret", b"very-secret", b"anna@example.com", b"INBOX")] == [False] * 4


async def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Where there is no room for an outbox nothing starts, and it is said which file."""
    with pytest.raises(ConfigurationError, match="missing/outbox"):
        async with outbox_in(tmp_path / "missing"):
            pass


async def test_damage_is_noticed_while_running(tmp_path: Path) -> None:
    """A commit that meets damage refuses its events and not the process."""
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(fresh(1))
        connection: sqlite3.Connection = outbox._file._connection  # as a damaged page would
        connection.execute("DROP TABLE event")
        with pytest.raises(NotKept, match="no such table"):
            await outbox.put(fresh(2))
        await asyncio.sleep(0)
        assert outbox.is_full
