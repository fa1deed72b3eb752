"""Making the tables that are missing, once, however many processes begin at the same time.

MySQL commits at every change of a table: what an interrupted process left out, the next one makes. Which of the tables
that we share with the middleware were there already is noted before any is made: they are the middleware's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, func, insert, inspect, select, update

from oxpushctl.errors import ConfigurationError, TryLater
from oxpushctl.stores import schema
from oxpushctl.stores.sql.connecting import KEY

_LOCK_TIMEOUT_S = 60
_ADVISORY_LOCK = 0x6F787075  # "oxpu": PostgreSQL's locks have numbers for names

# The middleware's tables, by the version of ours that makes them where they are missing.
_SHARED = {
    1: (schema.subscription, schema.topic_wildcard, schema.topic_exact),
    2: (schema.registration, schema.registered_context, schema.credential),
}
# Stands among the tables that were found once all of them are noted, MySQL having made the table by itself.
_ALL_NOTED = schema.found.name
# The middleware's list of its own update tasks: in each of its schemas.
_UPDATE_TASKS = "updateTask"


def create_missing(engine: Engine, name: str) -> Sequence[str]:
    """Make the tables that are missing and return their names; refuse a database of a newer release.

    What a version added to the one before is tables alone: making them brings a database to today's.
    """
    with changes_of(engine, is_writing=False).connect() as connection:
        if not _missing(connection) and refuse_newer(connection, name) == schema.VERSION:
            return ()
    with changing(engine) as connection:
        missing = _missing(connection)
        # The version first: where it is newer, nothing may be made at all.
        version = None if schema.schema_version.name in missing else refuse_newer(connection, name)
        _note_found(connection, version)
        schema.metadata.create_all(connection, tables=[schema.metadata.tables[each] for each in missing])
        if version is None:
            connection.execute(insert(schema.schema_version).values(version=schema.VERSION))
        else:
            is_it = schema.schema_version.c.version == version
            connection.execute(update(schema.schema_version).where(is_it).values(version=schema.VERSION))
        return missing


def present(connection: Connection) -> frozenset[str]:
    """Return the names of those tables, of the middleware's and ours, that are there."""
    # Where MySQL is set to it, it knows every name in lower case alone; to PostgreSQL that is another table.
    fold = str if connection.dialect.name == "postgresql" else str.lower
    there = {fold(name) for name in inspect(connection).get_table_names()}
    return frozenset(name for name in schema.metadata.tables if fold(name) in there)


def is_of_middleware(connection: Connection) -> bool:
    """Tell whether the middleware made tables here, so that the ids of users are its own to give."""
    noted = select(schema.found.c.name).where(schema.found.c.name != _ALL_NOTED).limit(1)
    return connection.scalar(noted) is not None or inspect(connection).has_table(_UPDATE_TASKS)


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
    there = present(connection)
    return [table.name for table in schema.metadata.sorted_tables if table.name not in there]


def _note_found(connection: Connection, version: int | None) -> None:
    """Note which of the middleware's tables are there before this version makes any, unless that was done before."""
    schema.found.create(connection, checkfirst=True)
    row = schema.found.c
    if connection.scalar(select(row.name).where(row.name == _ALL_NOTED)) is not None:
        return
    there = present(connection)
    shared = [table.name for since, tables in _SHARED.items() if since > (version or 0) for table in tables]
    noted = [*(name for name in shared if name in there), _ALL_NOTED]
    # One statement, which is done as a whole or not at all.
    connection.execute(insert(schema.found).values([{"name": name} for name in noted]))
