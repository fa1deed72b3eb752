"""Making the tables that are missing, once, however many processes begin at the same time.

MySQL commits at every change of a table: what an interrupted process left out, the next one makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, func, insert, inspect, select

from oxpushctl.errors import ConfigurationError, TryLater
from oxpushctl.stores import schema
from oxpushctl.stores.sql.connecting import KEY

_LOCK_TIMEOUT_S = 60
_ADVISORY_LOCK = 0x6F787075  # "oxpu": PostgreSQL's locks have numbers for names


def create_missing(engine: Engine, name: str) -> Sequence[str]:
    """Make the tables that are missing and return their names; refuse a database of a newer release."""
    with changes_of(engine, is_writing=False).connect() as connection:
        if not _missing(connection) and refuse_newer(connection, name) is not None:
            return ()
    with changing(engine) as connection:
        missing = _missing(connection)
        # The version first: where it is newer, nothing may be made at all.
        if schema.schema_version.name not in missing:
            refuse_newer(connection, name)
        schema.metadata.create_all(connection, tables=[schema.metadata.tables[each] for each in missing])
        if refuse_newer(connection, name) is None:
            connection.execute(insert(schema.schema_version).values(version=schema.VERSION))
        return missing


def refuse_newer(connection: Connection, name: str) -> int | None:
    """Return the version of our own tables, ``None`` if not yet written; raise for one that we do not know."""
    version: int | None = connection.scalar(select(func.max(schema.schema_version.c.version)))
    if version is not None and version > schema.VERSION:
        raise ConfigurationError(
            f"{KEY}: {name}: its tables have version {version}, this release knows {schema.VERSION}: "
            "use the newer release"
        )
    return version


def changes_of(engine: Engine, *, is_writing: bool = True) -> Engine:
    """Return the engine as changes of tables want it: every statement sees what others have finished by then."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(begin="BEGIN IMMEDIATE") if is_writing else engine
    return engine.execution_options(isolation_level="READ COMMITTED")


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """Give a transaction in which no other process of ours changes tables; it commits at its end."""
    with changes_of(engine).begin() as connection:
        match connection.dialect.name:
            case "mysql" | "mariadb":
                # By its session, since its transactions end with every change; a dead session's lock is free.
                lock = func.concat("oxpushctl.", func.md5(func.database()))
                if connection.scalar(select(func.get_lock(lock, _LOCK_TIMEOUT_S))) != 1:
                    raise TryLater("another process is changing the tables of this database")
                try:
                    yield connection
                finally:
                    if not connection.invalidated:
                        connection.execute(select(func.release_lock(lock)))
            case "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
                yield connection
            case _:
                yield connection


def _missing(connection: Connection) -> Sequence[str]:
    """Return the names of our tables that are not there, in the order in which they can be made."""
    present = set(inspect(connection).get_table_names())
    return [table.name for table in schema.metadata.sorted_tables if table.name not in present]
