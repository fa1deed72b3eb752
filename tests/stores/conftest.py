"""A real SQLite file for every test, and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory


@dataclass
class Now:
    """The time as a store sees it, in epoch milliseconds."""

    ms: int = 1_700_000_000_000

    def __call__(self) -> float:
        return self.ms / 1000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "oxpushctl.db"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    database = Database.open(f"sqlite:///{file}")
    yield database
    await database.aclose()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def store(database: Database, now: Now) -> SqlSubscriptionStore:
    return SqlSubscriptionStore(database, now)


@pytest.fixture
def directory(database: Database) -> SqlUserDirectory:
    return SqlUserDirectory(database)
