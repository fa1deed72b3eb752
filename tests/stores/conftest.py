"""Real databases of every kind, a fresh one for every test, and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, text

from oxpushctl.stores.sql.connecting import opened
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.peers.mariadb import MariaDb
from tests.peers.postgresql import PostgreSql
from tests.peers.redis import Redis

KINDS = ("sqlite", "mariadb", "postgresql")
Sql = Callable[..., Sequence[tuple[Any, ...]]]


@dataclass
class Now:
    """The time as a store sees it, in epoch milliseconds."""

    ms: int = 1_700_000_000_000

    def __call__(self) -> float:
        return self.ms / 1000


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    with MariaDb() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    with PostgreSql() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def redis(redis_server: Redis) -> Redis:
    """A Redis that knows nothing."""
    redis_server.execute("FLUSHALL")
    return redis_server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database that a test runs on: on each in turn."""
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/state/oxpushctl.db"
    else:
        server: MariaDb | PostgreSql = request.getfixturevalue(kind)
        with server.fresh() as url:
            yield url


@pytest.fixture
def sql(url: str) -> Iterator[Sql]:
    """Run statements as another program would, each on its own, and return the rows of the last one."""
    reached = opened(url)
    engine = reached.engine

    def execute(*statements: str | Executable) -> Sequence[tuple[Any, ...]]:
        rows: Sequence[tuple[Any, ...]] = ()
        if reached.file:
            reached.file.parent.mkdir(exist_ok=True)
        for statement in statements:
            with engine.begin() as connection:
                result = connection.execute(text(statement) if isinstance(statement, str) else statement)
                rows = [tuple(row) for row in result] if result.returns_rows else ()
        return rows

    yield execute
    engine.dispose()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where SQLite's file will be."""
    return tmp_path / "state" / "oxpushctl.db"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database.open(url)
    yield database
    await database.aclose()


@pytest.fixture
async def open_database(url: str) -> AsyncIterator[Callable[[], Database]]:
    """Open the same database again, as another process would."""
    opened: list[Database] = []

    def open_again() -> Database:
        opened.append(Database.open(url))
        return opened[-1]

    yield open_again
    for database in opened:
        await database.aclose()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def store(database: Database, now: Now) -> SqlSubscriptionStore:
    return SqlSubscriptionStore(database, now=now)


@pytest.fixture
def directory(database: Database) -> SqlUserDirectory:
    return SqlUserDirectory(database)


@pytest.fixture
def running() -> Iterator[ExitStack]:
    """What a test started ends with it."""
    with ExitStack() as stack:
        yield stack
