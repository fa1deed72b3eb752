"""An installation that keeps passwords in its SQLite database, and what is in there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.cli.command import Command

PASSPHRASE = "pass crypt 123"
_ENABLED = "com.openexchange.push.credstorage"


def keeping(folder: Path, *, passphrase: str = PASSPHRASE, rdb: str = "true", **settings: str) -> Command:
    """Make it; ``settings`` are further properties, their dots written as underscores."""
    command = Command(folder)
    configure(command, passphrase=passphrase, rdb=rdb, **settings)
    return command


def configure(command: Command, *, passphrase: str = PASSPHRASE, rdb: str = "true", **settings: str) -> None:
    """Write its configuration, over what there was."""
    wanted = {f"{_ENABLED}.enabled": "true", f"{_ENABLED}.rdb": rdb, f"{_ENABLED}.passcrypt": passphrase}
    wanted |= {key.replace("_", "."): value for key, value in settings.items()}
    (command.etc / "mail-push.properties").write_text("".join(f"{key}={value}\n" for key, value in wanted.items()))


def keep(command: Command, user: int, login: str, password: str, *more: str) -> None:
    """Have a password kept of a user of context 1."""
    ended = command("credentials", "set", "-c", "1", "-u", str(user), "--login", login, *more, stdin=f"{password}\n")
    assert ended.code == 0, ended.stderr


def listed(command: Command, *arguments: str) -> list[dict[str, object]]:
    """Return the rows of ``credentials list``."""
    ended = command("credentials", "list", "-f", "json", *arguments)
    assert ended.code == 0, ended.stderr
    rows: list[dict[str, object]] = json.loads(ended.stdout)
    return rows


def insert(command: Command, rows: Iterable[tuple[int, str, str]]) -> None:
    """Write rows of context 1 as the middleware does: user, login and encrypted password."""
    assert command("database", "create").code == 0
    with closing(sqlite3.connect(command.state / "oxpushctl.db")) as database, database:
        database.executemany("INSERT INTO credentials (cid, user, login, password) VALUES (1, ?, ?, ?)", rows)


def values(command: Command) -> dict[int, str]:
    """Return the encrypted passwords by user, as they are in the database."""
    with closing(sqlite3.connect(command.state / "oxpushctl.db")) as database:
        return dict(database.execute("SELECT user, password FROM credentials ORDER BY cid, user"))
