"""Widening the tables of an older middleware, step by step, as its own update tasks do.

Each step is one statement, which the database does as a whole or not at all, and none takes anything away. Which are
left is seen in the tables themselves: whatever interrupted an upgrade, the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex

from oxpushctl.errors import BadData
from oxpushctl.stores import schema
from oxpushctl.stores.sql import layout
from oxpushctl.stores.sql.tables import changing, present

_TABLE = schema.subscription
_CREDENTIAL = schema.credential
_KEY_COLUMNS = [column.name for column in _TABLE.primary_key]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a table: what it is called, and its statement."""

    words: str
    statement: str


def steps(connection: Connection) -> Sequence[Step]:
    """Return what is left to do."""
    left = list(_steps(layout.look(connection), connection.dialect))
    if _CREDENTIAL.name in present(connection):
        left += _credential_steps(layout.credential_layout(connection), connection.dialect)
    return left


def run(engine: Engine, advance: Callable[[str], None]) -> Sequence[str]:
    """Do all that is left and return it in words; ``advance`` hears of each step before it begins."""
    done = []
    with changing(engine) as connection:
        for step in steps(connection):
            advance(step.words)
            try:
                connection.exec_driver_sql(step.statement)
            except IntegrityError as error:
                raise BadData(
                    f"{step.words}: two rows would become one and the same, so nothing was changed; "
                    "oxpushctl subscriptions list shows devices of one user whose clients or tokens differ only in "
                    "case or accents: remove one of each"
                ) from error
            done.append(step.words)
    return done


def _steps(found: layout.Layout, dialect: Dialect) -> Iterator[Step]:
    name = _TABLE.name
    for is_there, column in ((found.has_expires, _TABLE.c.expires), (found.has_meta, _TABLE.c.meta)):
        if not is_there:
            words = f"column {column.name} of {name}"
            yield Step(words, f"ALTER TABLE {name} ADD COLUMN {column.name} {_type(column, dialect)} DEFAULT NULL")
    if not found.is_client_unicode:
        words = f"column client of {name} (for all of Unicode)"
        yield Step(words, _retyped(_TABLE.c.client, dialect))
    if not found.is_client_in_key and dialect.name != "sqlite":  # there the tables are always of our making
        key = ", ".join(map(dialect.identifier_preparer.quote, _KEY_COLUMNS))
        drop = f"DROP CONSTRAINT {found.key_name}" if dialect.name == "postgresql" else "DROP PRIMARY KEY"
        yield Step(
            f"primary key of {name} ({', '.join(_KEY_COLUMNS)})",
            f"ALTER TABLE {name} {drop}, ADD PRIMARY KEY ({key})",
        )
    if not found.has_token_index:
        (index,) = _TABLE.indexes
        yield Step(f"index {index.name} of {name}", str(CreateIndex(index).compile(dialect=dialect)))


def _credential_steps(found: layout.CredentialLayout, dialect: Dialect) -> Iterator[Step]:
    password, login = _CREDENTIAL.c.password, _CREDENTIAL.c.login
    if not found.is_password_wide:
        words = f"column {password.name} of {_CREDENTIAL.name} ({layout.PASSWORD_WIDTH} characters, for all of Unicode)"
        yield Step(words, _retyped(password, dialect))
    if not found.is_login_unicode:
        yield Step(f"column {login.name} of {_CREDENTIAL.name} (for all of Unicode)", _retyped(login, dialect))


def _retyped(column: Column[Any], dialect: Dialect) -> str:
    """Return the statement that gives a column today's type; its rows keep their values."""
    table, kind = dialect.identifier_preparer.quote(column.table.name), _type(column, dialect)
    if dialect.name == "postgresql":
        return f"ALTER TABLE {table} ALTER COLUMN {column.name} TYPE {kind}"
    return f"ALTER TABLE {table} MODIFY COLUMN {column.name} {kind} NOT NULL"


def _type(column: Column[Any], dialect: Dialect) -> str:
    return column.type.compile(dialect=dialect)
