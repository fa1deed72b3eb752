"""One database: its engine, the few threads that wait for it, and its errors in our words.

SQLAlchemy's blocking calls run in a bounded pool of threads, one connection each. A store hands in a function of a
connection; it runs in one transaction, as a whole or not at all::

    await database.write(lambda connection: connection.execute(…))
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)

from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError, TryLater
from oxpushctl.stores import schema

T = TypeVar("T")
E = TypeVar("E")

_KEY = "oxpushctl.database.url"
_THREADS = 4
_BUSY_TIMEOUT_S = 10
# The drivers that our extras install, taken for a URL that names none.
_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql+psycopg"}
_EXTRAS = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}
_BUSY_WORDS = ("locked", "deadlock", "lock wait timeout", "could not serialize")


class Database:
    """A database of SQLAlchemy's, reached from asyncio; no I/O before the first use.

    Both ways to use it raise ``NotReachable``, ``TryLater`` (locked, or changed by another at the same time),
    ``NotPermitted`` (the file) or ``ConfigurationError`` (made by a newer release). A cancelled caller no longer
    waits, but a transaction that has begun is finished.
    """

    def __init__(self, engine: Engine, name: str, file: Path | None) -> None:
        self._name = name
        self._file = file
        self._reader = engine
        # A transaction that will write says so from its start, so that what it read stays true until it commits.
        options = {"begin": "BEGIN IMMEDIATE"} if file else {"isolation_level": "SERIALIZABLE"}
        self._writer = engine.execution_options(**options)
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="database")
        self._preparing = threading.Lock()
        self._is_prepared = False
        self._present: set[str] = set()

    @classmethod
    def open(cls, url: str) -> Self:
        """Take a SQLAlchemy URL; raise ``ConfigurationError`` when it cannot be used or its driver is missing."""
        parsed = _parse(url)
        kind = parsed.get_backend_name()
        # The query of a URL may hold secrets as well (a password, a key's passphrase).
        name = parsed.set(query={}).render_as_string(hide_password=True)
        file = _sqlite_file(parsed.database, name) if kind == "sqlite" else None
        try:
            engine = create_engine(
                parsed,
                pool_size=_THREADS,
                max_overflow=0,
                pool_pre_ping=file is None,
                hide_parameters=True,  # tokens would else stand in the texts of errors
                connect_args={"timeout": _BUSY_TIMEOUT_S} if file else {},
            )
        except NoSuchModuleError as error:
            raise ConfigurationError(f"{_KEY}: {name}: no such kind of database (sqlite, mysql, postgresql)") from error
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get(kind)
            remedy = f"pip install 'oxpushctl[{extra}]'" if extra else f"install the Python package {error.name}"
            raise ConfigurationError(f"{_KEY}: {name}: the driver {error.name} is missing ({remedy})") from error
        if file:
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, name, file)

    @property
    def dialect(self) -> Dialect:
        """What SQL has to look like here."""
        return self._reader.dialect

    async def prepare(self) -> None:
        """Create the tables that are missing; writing does so by itself."""
        await self._in_thread(self._prepare)

    async def read(self, work: Callable[[Connection], T], *, of: Table, empty: E) -> T | E:
        """Run a reading function; where the table ``of`` was not made yet, return ``empty`` and make nothing."""

        def transaction() -> T | E:
            if of.name not in self._present and not self._looks_present(of):
                return empty
            with self._reader.connect() as connection:
                return work(connection)

        return await self._in_thread(transaction)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run a writing function and commit; an exception of its own undoes everything."""

        def transaction() -> T:
            self._prepare()
            with self._writer.begin() as connection:
                return work(connection)

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
        if self._file and not self._file.exists():
            return False
        with self._reader.connect() as connection:
            is_present = inspect(connection).has_table(table.name)
        if is_present:
            self._present.add(table.name)
        return is_present

    def _prepare(self) -> None:
        with self._preparing:
            if self._is_prepared:
                return
            self._make_file()
            with self._writer.begin() as connection:
                schema.metadata.create_all(connection)
                version = connection.scalar(select(schema.schema_version.c.version))
                if version is None:
                    connection.execute(insert(schema.schema_version).values(version=schema.VERSION))
                elif version > schema.VERSION:
                    raise ConfigurationError(
                        f"{_KEY}: {self._name}: its tables have version {version}, "
                        f"this release knows {schema.VERSION}: use the newer release"
                    )
            self._present.update(schema.metadata.tables)
            self._is_prepared = True

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
            yield
        except IntegrityError as error:
            raise TryLater(f"database {self._name}: another process changed the same row at the same time") from error
        except (OperationalError, InterfaceError) as error:
            raise self._trouble(error) from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise  # ProgrammingError and the like: a bug of ours
            raise self._trouble(error) from error

    def _trouble(self, error: DatabaseError | InterfaceError) -> OxpushctlError:
        reason = str(error.orig)
        kind = TryLater if any(word in reason.lower() for word in _BUSY_WORDS) else NotReachable
        return kind(f"database {self._name}: {reason}")


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without "from": the library's text may quote the URL, password included.
        raise ConfigurationError(
            f"{_KEY}: not the URL of a database (as sqlite:////var/lib/oxpushctl/oxpushctl.db, "
            "mysql://user@host/database, postgresql://user@host/database)"
        ) from None
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def _sqlite_file(database: str | None, name: str) -> Path:
    # A database in memory would forget every device, and each thread would have its own.
    if not database or database == ":memory:" or database.startswith("file:"):
        raise ConfigurationError(f"{_KEY}: {name}: name the path of a file (sqlite:////var/lib/oxpushctl/oxpushctl.db)")
    return Path(database)


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin too late and too weakly: ours are begun in _begin_sqlite.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    _write_ahead(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch a file to write-ahead logging, which it remembers: readers and the writer no longer wait for each other.

    SQLite does not wait for the lock that the switch takes (two that did would wait for each other): we do.
    """
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
