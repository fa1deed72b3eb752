"""From a URL to SQLAlchemy's engine: which driver, how long to wait, and what every connection is told first.

::

    SQLite       one writer at a time, declared from its start; write-ahead logging
    MySQL        strict: a value that does not fit is refused, never cut; utf8mb4 whatever the URL says
    PostgreSQL   no parallel workers; a dead server is noticed
    both         a lock is not waited for without end
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from oxpushctl.errors import ConfigurationError

KEY = "oxpushctl.database.url"
CONNECTIONS = 4
BUSY_TIMEOUT_S = 10

_CONNECT_TIMEOUT_S = 10
_ANSWER_TIMEOUT_S = 30
# How long a change of a table waits until those that use it have finished their transactions.
_TABLE_LOCK_TIMEOUT_S = 60

# The drivers that our extras install, taken for a URL that names none.
_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql+psycopg"}
_EXTRAS = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}

_MYSQL_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    f"innodb_lock_wait_timeout = {BUSY_TIMEOUT_S}, lock_wait_timeout = {_TABLE_LOCK_TIMEOUT_S}"
)
# To start parallel workers takes longer than all that a match has to read.
_POSTGRESQL_SESSION = (
    f"SET lock_timeout = '{BUSY_TIMEOUT_S}s'; SET client_encoding = 'UTF8'; SET max_parallel_workers_per_gather = 0"
)
_SESSIONS = {"mysql": _MYSQL_SESSION, "mariadb": _MYSQL_SESSION, "postgresql": _POSTGRESQL_SESSION}


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine that has not connected yet; ``name`` is its URL without secrets, ``file`` SQLite's."""

    engine: Engine
    name: str
    file: Path | None


def opened(url: str, *, is_patient: bool = False) -> Opened:
    """Take a SQLAlchemy URL; raise ``ConfigurationError`` when it cannot be used or its driver is missing."""
    parsed = _parse(url)
    kind = parsed.get_backend_name()
    # The query of a URL may hold secrets as well (a password, a key's passphrase).
    name = parsed.set(query={}).render_as_string(hide_password=True)
    file = _sqlite_file(parsed.database, name) if kind == "sqlite" else None
    # A connection that breaks is told by whoever used it; its pool would add a traceback for everybody.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if kind in _SESSIONS else {}
    try:
        engine = create_engine(
            parsed,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=file is None,
            hide_parameters=True,  # tokens would else stand in the texts of errors
            connect_args=_connect_args(parsed, is_patient=is_patient),
            **options,
        )
    except NoSuchModuleError as error:
        raise ConfigurationError(f"{KEY}: {name}: no such kind of database (sqlite, mysql, postgresql)") from error
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(kind)
        remedy = f"pip install 'oxpushctl[{extra}]'" if extra else f"install the Python package {error.name}"
        raise ConfigurationError(f"{KEY}: {name}: the driver {error.name} is missing ({remedy})") from error
    if file:
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif kind in _SESSIONS:
        # Before SQLAlchemy asks how names are to be quoted, which depends on it.
        event.listen(engine, "connect", _telling(_SESSIONS[kind]), insert=True)
    return Opened(engine, name, file)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without "from": the library's text may quote the URL, password included.
        raise ConfigurationError(
            f"{KEY}: not the URL of a database (as sqlite:////var/lib/oxpushctl/oxpushctl.db, "
            "mysql://user@host/database, postgresql://user@host/database)"
        ) from None
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def _connect_args(url: URL, *, is_patient: bool) -> Mapping[str, str | int]:
    """Return what the driver is told; what the URL says of a time wins."""
    match url.get_driver_name():
        case "pysqlite":
            return {"timeout": BUSY_TIMEOUT_S}
        case "pymysql" | "mysqldb":
            limits = {"connect_timeout": _CONNECT_TIMEOUT_S}
            if not is_patient:  # a server that froze would else hold its thread for good
                limits |= {"read_timeout": _ANSWER_TIMEOUT_S, "write_timeout": _ANSWER_TIMEOUT_S}
            return {"charset": "utf8mb4", **_without(limits, url)}
        case "psycopg" | "psycopg2":
            noticing = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}
            unanswered = {"tcp_user_timeout": _ANSWER_TIMEOUT_S * 1000}
            return _without({"connect_timeout": _CONNECT_TIMEOUT_S, **noticing, **unanswered}, url)
        case _:
            return {}


def _without(limits: Mapping[str, int], url: URL) -> dict[str, int]:
    return {name: value for name, value in limits.items() if name not in url.query}


def _telling(statement: str) -> Callable[[DBAPIConnection, object], None]:
    def tell(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()

    return tell


def _sqlite_file(database: str | None, name: str) -> Path:
    # A database in memory would forget every device, and each thread would have its own.
    if not database or database == ":memory:" or database.startswith("file:"):
        raise ConfigurationError(f"{KEY}: {name}: name the path of a file (sqlite:////var/lib/oxpushctl/oxpushctl.db)")
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
    deadline = time.monotonic() + BUSY_TIMEOUT_S
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
