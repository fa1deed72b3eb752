"""A directory of a few users, and their passwords at the mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from oxpushctl.config.property import Property
from oxpushctl.config.settings import Settings
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory

ANTON, BERTA, GUENTER = PushUser(1, 3), PushUser(1, 4), PushUser(1, 5)
ENTRIES = (
    DirectoryEntry(ANTON, "anton", "anton@example.com"),
    DirectoryEntry(BERTA, "b4", "berta@example.com"),
    DirectoryEntry(GUENTER, "günter"),
)
# What the mail server takes: logins, mail addresses, and the names before their @.
PASSWORDS = {
    "anton": "anton's",
    "anton@example.com": "anton's",
    "b4": "berta's",
    "berta": "berta's",
    "berta@example.com": "berta's",
    "günter": "schlüssel 🔑 %{",
}
MASTER = ("push", "the master's")


@asynccontextmanager
async def people(folder: Path, *entries: DirectoryEntry) -> AsyncIterator[SqlUserDirectory]:
    """Keep some users, by default those above, in a database of their own."""
    database = Database.open(f"sqlite:///{folder}/people.db")
    try:
        directory = SqlUserDirectory(database)
        for entry in entries or ENTRIES:
            await directory.add(entry)
        yield directory
    finally:
        await database.aclose()


def settings(values: Mapping[Property[Any], object]) -> Settings:
    return Settings({row.key: value for row, value in values.items()})
