"""One database: the few threads that wait for it, its transactions, and its errors in our words.

SQLAlchemy's blocking calls run in a bounded pool of threads, one connection each. A store hands in a function of a
connection; it runs in one transaction, as a whole or not at all::

    await database.write(lambda connection: connection.execute(…))
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self, TypeVar

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.exc import DBAPIError, IntegrityError

from oxpushctl.errors import NotPermitted, NotReachable
from oxpushctl.stores import schema
from oxpushctl.stores.sql import tables, troubles, upgrade
from oxpushctl.stores.sql.connecting import BUSY_TIMEOUT_S, CONNECTIONS, Opened, opened

T = TypeVar("T")
E = TypeVar("E")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.2
# A row that is there already was written by somebody else a moment ago, or we are mistaken and shall be again.
_MOST_CLASHES = 10


class Database:
    """A database of SQLAlchemy's, reached from asyncio; no I/O before the first use.

    All ways to use it raise ``NotReachable``, ``TryLater`` (locked, or changed by another at the same time),
    ``NotPermitted`` (the file, the login) or ``ConfigurationError`` (no such database, tables of a newer release or
    too old ones). A cancelled caller no longer waits, but a transaction that has begun is finished. A server that
    was away is connected to again at the next use.
    """

    def __init__(self, opened: Opened) -> None:
        self._name = opened.name
        self._file = opened.file
        self._reader = opened.engine
        # A transaction that will write says so from its start, so that what it read stays true until it commits.
        options = {"begin": "BEGIN IMMEDIATE"} if opened.file else {"isolation_level": "SERIALIZABLE"}
        self._writer = opened.engine.execution_options(**options)
        self._executor = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="database")
        self._preparing = threading.Lock()
        self._is_prepared = False
        self._present: set[str] = set()

    @classmethod
    def open(cls, url: str, *, is_patient: bool = False) -> Self:
        """Take a SQLAlchemy URL; raise ``ConfigurationError`` when it cannot be used or its driver is missing.

        ``is_patient``: wait for every answer without limit, as the change of a large table needs.
        """
        return cls(opened(url, is_patient=is_patient))

    @property
    def dialect(self) -> Dialect:
        """What SQL has to look like here."""
        return self._reader.dialect

    async def prepare(self) -> Sequence[str]:
        """Create the tables that are missing and return their names; writing does so by itself."""
        return await self._in_thread(self._prepare)

    async def pending(self) -> Sequence[str]:
        """Return what ``upgrade`` would add or widen; nothing where there are no tables."""

        def look(connection: Connection) -> Sequence[str]:
            return [step.words for step in upgrade.steps(connection)]

        return await self.read(look, of=schema.subscription, empty=())

    async def upgrade(self, advance: Callable[[str], None] = lambda _words: None) -> Sequence[str]:
        """Widen the tables of an older middleware as its own update tasks do; return what was added or widened.

        ``advance`` is called, in a thread, with the name of each of these before it begins.
        """

        def widen() -> Sequence[str]:
            self._prepare()
            return upgrade.run(self._reader, advance)

        return await self._in_thread(widen)

    async def read(self, work: Callable[[Connection], T], *, of: Table, empty: E) -> T | E:
        """Run a reading function; where the table ``of`` was not made yet, return ``empty`` and make nothing."""

        def transaction() -> T | E:
            if of.name not in self._present and not self._looks_present(of):
                return empty
            with self._reader.connect() as connection:
                return work(connection)

        return await self._in_thread(transaction)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a writing function and commit; an exception of its own undoes everything.

        It runs again, from its start, when another transaction came between.
        """

        def attempt() -> T:
            with self._writer.begin() as connection:
                return work(connection)

        def transaction() -> T:
            self._prepare()
            return _persistently(attempt)

        return await self._in_thread(transaction)

    async def aclose(self) -> None:
        """Wait for what has begun, then close every connection."""

        def close() -> None:
            self._executor.shutdown()
            self._reader.dispose()

        await asyncio.to_thread(close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def mapped() -> T:
            with self._errors_mapped():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._executor, mapped)

    def _looks_present(self, table: Table) -> bool:
        if not self._is_file_there():
            return False
        with self._reader.connect() as connection:
            present = tables.present(connection)
            if schema.schema_version.name in present:
                tables.refuse_newer(connection, self._name)
        if table.name in present:
            self._present.add(table.name)
        return table.name in present

    def _is_file_there(self) -> bool:
        try:
            return self._file is None or self._file.exists()
        except PermissionError as error:
            raise NotPermitted(f"database {self._file}: permission denied for this system user") from error

    def _prepare(self) -> Sequence[str]:
        with self._preparing:
            if self._is_prepared:
                return ()
            self._make_file()
            made = _persistently(lambda: tables.create_missing(self._reader, self._name))
            self._present.update(schema.metadata.tables)
            self._is_prepared = True
            return made

    def _make_file(self) -> None:
        """Make SQLite's file and folder where missing, readable for their owner alone: tokens are secrets."""
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Only touched, not opened, if it is there: closing a file would end SQLite's locks on it.
            self._file.touch(mode=0o600)
        except PermissionError as error:
            raise NotPermitted(f"database {self._file}: permission denied for this system user") from error
        except OSError as error:
            raise NotReachable(f"database {self._file}: {error.strerror}") from error

    @contextmanager
    def _errors_mapped(self) -> Iterator[None]:
        try:
            with self._driver_errors_wrapped():
                yield
        except DBAPIError as error:
            if troubles.is_missing(error):
                # Somebody took tables away, so what we know of them is no longer true.
                self._is_prepared = False
                self._present.clear()
            if (trouble := troubles.mapped(error, self._name)) is None:
                raise
            raise trouble from error

    @contextmanager
    def _driver_errors_wrapped(self) -> Iterator[None]:
        """Dress a driver's own error as SQLAlchemy does, which forgets it where it sets an isolation level."""
        base = self.dialect.loaded_dbapi.Error
        try:
            yield
        except base as error:
            raise DBAPIError.instance(None, None, error, base, dialect=self.dialect) from error


def _persistently(attempt: Callable[[], T]) -> T:
    """Try until no other transaction comes between, for a limited time; those who met wait for different times."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    pause_s, clashes = _FIRST_PAUSE_S, 0
    while True:
        try:
            return attempt()
        except DBAPIError as error:
            clashes += isinstance(error, IntegrityError)
            if not troubles.is_conflict(error) or clashes > _MOST_CLASHES or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0, pause_s))  # noqa: S311  # keeps two apart, guards nothing
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
