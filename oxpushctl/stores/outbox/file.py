"""The outbox on disk: a SQLite file in WAL mode, where a commit is on the disk when it returns.

::

    event    n, at, body               accepted, and not done for all of its devices
    settled  event, subscription       a device of such an event that needs nothing more from it
    entry    n, expires_at, body       a message that is kept back
    heard    n, at, body               which mails were accepted in the last half minute

Everything of this module blocks, and belongs to one thread at a time. Another process that opens the file is refused.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from oxpushctl.errors import ConfigurationError, NotKept, NotReachable

# Of the layout of the tables; those of an older layout are widened, those of a newer one only ever have more.
LAYOUT = 1

_CACHE_KIB = 16 * 1024
# Pages in the WAL before they are written back: some 8 MB.
_CHECKPOINT_PAGES = 2000
# One statement takes at most so many rows: between two steps of SQLite the interpreter goes from thread to thread,
# which costs far more than a row.
_ROWS = 256
_LARGE_BYTES = 64 * 1024 * 1024
_SIDECARS = ("-wal", "-shm", "-journal")

_Row = TypeVar("_Row")

_TABLES = """
CREATE TABLE IF NOT EXISTS event (n INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS settled (
    event INTEGER NOT NULL, subscription BLOB NOT NULL, PRIMARY KEY (event, subscription)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY, expires_at REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS heard (n INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL);
"""


class Damaged(Exception):
    """The file is no database, or one whose pages do not fit together."""


@dataclass(slots=True)
class Batch:
    """What one commit changes: new rows first, then those that go.

    ``ended_settled`` are the ended events of which some devices were settled before the others.
    """

    events: list[tuple[int, float, bytes]] = field(default_factory=list)
    settled: list[tuple[int, bytes]] = field(default_factory=list)
    entries: dict[int, tuple[float, bytes]] = field(default_factory=dict)
    heard: tuple[int, float, bytes] | None = None
    forget_heard_before: float = 0.0
    ended_events: list[int] = field(default_factory=list)
    ended_settled: list[int] = field(default_factory=list)
    ended_entries: list[int] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.events or self.settled or self.entries or self.ended_events or self.ended_entries)


class OutboxFile:
    """The open file. Every error of the disk is ``NotKept``; the transaction that it met has not happened."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> OutboxFile:
        """Open or make the file with mode 0600.

        Raise ``Damaged``; ``NotReachable`` where another process has it open; ``ConfigurationError`` where it cannot be
        opened at all.
        """
        connection: sqlite3.Connection | None = None
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR))
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.5)
            _prepare(connection)
        except OSError as error:
            raise ConfigurationError(f"{path}: the outbox cannot be opened: {error.strerror or error}") from error
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise _opening_error(path, error) from error
        return cls(path, connection)

    def commit(self, batch: Batch) -> None:
        """Write everything of a batch, or nothing; it is on the disk when this returns."""
        connection = self._connection
        try:
            connection.execute("BEGIN")
            try:
                self._write(batch)
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
        except sqlite3.Error as error:
            raise NotKept(f"{self._path}: {_reason(error)}") from error

    def entry_bodies(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Return the rows of some messages."""
        found: dict[int, bytes] = {}
        for chunk in _chunks(numbers):
            found.update(self._rows(_among("SELECT n, body FROM entry WHERE n IN", chunk), chunk))
        return found

    def entry_numbers(self) -> list[int]:
        """Return the numbers of all messages, the oldest first."""
        return [number for (number,) in self._rows("SELECT n FROM entry ORDER BY n")]

    def event_bodies(self, after: int, most: int) -> list[tuple[int, bytes]]:
        """Return rows of events behind a number, at most that many."""
        return self._rows("SELECT n, body FROM event WHERE n > ? ORDER BY n LIMIT ?", (after, most))

    def settled(self, numbers: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return which devices of some events need nothing more from them."""
        found: list[tuple[int, bytes]] = []
        for chunk in _chunks(numbers):
            found += self._rows(_among("SELECT event, subscription FROM settled WHERE event IN", chunk), chunk)
        return found

    def heard_bodies(self) -> list[bytes]:
        """Return the rows of what was heard last."""
        return [body for (body,) in self._rows("SELECT body FROM heard ORDER BY n")]

    def highest_number(self) -> int:
        """Return the highest number of any row, 0 without any."""
        highest: int = self._rows(
            "SELECT coalesce(max(n), 0) FROM (SELECT max(n) AS n FROM event UNION ALL SELECT max(n) FROM entry "
            "UNION ALL SELECT max(n) FROM heard)"
        )[0][0]
        return highest

    def event_count(self) -> int:
        """Return how many events there are."""
        count: int = self._rows("SELECT count(*) FROM event")[0][0]
        return count

    def remove_old(self, events_before: float, entries_before: float) -> int:
        """Remove events from before a time, and messages that expired before one (epoch seconds); return how many."""
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            count = connection.execute("DELETE FROM event WHERE at <= ?", (events_before,)).rowcount
            count += connection.execute("DELETE FROM entry WHERE expires_at <= ?", (entries_before,)).rowcount
            connection.execute("DELETE FROM settled WHERE event NOT IN (SELECT n FROM event)")
        return count

    def close(self) -> None:
        """Close the file; after a long trouble it is given back to the disk."""
        try:
            is_empty = not self.event_count() and not self.entry_numbers()
            if is_empty and self._path.stat().st_size > _LARGE_BYTES:
                self._connection.execute("VACUUM")
        except (NotKept, sqlite3.Error, OSError):
            pass  # a file that is too large is no reason not to stop
        finally:
            self._connection.close()

    def _write(self, batch: Batch) -> None:
        if batch.events:
            self._insert("INSERT INTO event VALUES", batch.events, 3)
        if batch.settled:
            self._insert("INSERT OR IGNORE INTO settled VALUES", batch.settled, 2)
        if batch.entries:
            rows = [(number, expires_at, body) for number, (expires_at, body) in batch.entries.items()]
            self._insert("INSERT OR REPLACE INTO entry VALUES", rows, 3)
        if batch.heard is not None:
            self._connection.execute("INSERT INTO heard VALUES (?, ?, ?)", batch.heard)
        if batch.forget_heard_before:
            self._connection.execute("DELETE FROM heard WHERE at < ?", (batch.forget_heard_before,))
        for chunk in _chunks(batch.ended_events):
            self._connection.execute(_among("DELETE FROM event WHERE n IN", chunk), chunk)
        for chunk in _chunks(batch.ended_settled):
            self._connection.execute(_among("DELETE FROM settled WHERE event IN", chunk), chunk)
        for chunk in _chunks(batch.ended_entries):
            self._connection.execute(_among("DELETE FROM entry WHERE n IN", chunk), chunk)

    def _insert(self, statement: str, rows: Sequence[tuple[Any, ...]], width: int) -> None:
        one = f"({_marks(width)})"
        for chunk in _chunks(rows):
            values = [value for row in chunk for value in row]
            self._connection.execute(f"{statement} {','.join([one] * len(chunk))}", values)

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise NotKept(f"{self._path}: {_reason(error)}") from error


def set_aside(path: Path, when: str) -> Path:
    """Move a file that cannot be used out of the way, with what SQLite keeps beside it; return where it is now."""
    aside = path.with_name(f"{path.name}.damaged-{when}")
    try:
        path.rename(aside)
        for suffix in _SIDECARS:
            sidecar = path.with_name(path.name + suffix)
            if sidecar.exists():
                sidecar.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the outbox is damaged, and cannot be set aside: {error.strerror or error}"
        ) from error
    return aside


def readable(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what can still be read of a damaged file: the table and the body of each row."""
    try:
        connection = sqlite3.connect(path)
    except sqlite3.Error:
        return
    try:
        for table, query in (("event", "SELECT body FROM event"), ("entry", "SELECT body FROM entry")):
            with contextlib.suppress(sqlite3.Error):
                for (body,) in connection.execute(query):
                    if isinstance(body, bytes):
                        yield table, body
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    connection.executescript(_TABLES)
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if layout < LAYOUT:
        connection.execute(f"PRAGMA user_version = {LAYOUT}")


def _opening_error(path: Path, error: sqlite3.Error) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return NotReachable(f"{path}: the outbox is in use by another engine: each node has its own")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or not code:
        return Damaged(_reason(error))
    return ConfigurationError(f"{path}: the outbox cannot be opened: {_reason(error)}")


def _reason(error: sqlite3.Error) -> str:
    return str(error) or type(error).__name__


def _chunks(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """Cut rows into parts whose sizes are powers of two, so that few different statements are ever compiled."""
    start = 0
    while left := len(rows) - start:
        size = min(_ROWS, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start += size


def _among(statement: str, values: Sequence[object]) -> str:
    return f"{statement} ({_marks(len(values))})"


def _marks(count: int) -> str:
    return ",".join("?" * count)
