"""``oxpushctl users``: the directory of push users."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from oxpushctl.cli.completion import complete_files
from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import Row, print_rows, progress, say
from oxpushctl.cli.parameters import context_option, format_option, user_id_option
from oxpushctl.cli.stored import with_database
from oxpushctl.errors import BadData, MissingFile, UnknownEntry
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory

_COLUMNS = ("context", "user", "login", "mail", "alias")
_LINES_AT_ONCE = 500


@click.group()
def users() -> None:
    """The directory: which logins and aliases stand for which user."""


@users.command()
@context_option(is_required=True)
@user_id_option()
@click.option("--login", required=True, metavar="LOGIN", help="What the user logs in with at the mail server.")
@click.option("--mail", default="", metavar="ADDRESS", help="The user's mail address.")
@click.option("--alias", "aliases", multiple=True, metavar="NAME", help="A further name of the user; repeatable.")
@click.pass_obj
def add(invocation: Invocation, context: int, user: int, login: str, mail: str, aliases: tuple[str, ...]) -> None:
    """Add a user, or replace what is known of it."""
    entry = DirectoryEntry(PushUser(context, user), login, mail, aliases)
    with_database(invocation.configuration(), lambda database: SqlUserDirectory(database).add(entry))
    say(f"User {user} of context {context} stored with the login {login}.")


@users.command(name="list")
@format_option()
@click.pass_obj
def list_(invocation: Invocation, form: str) -> None:
    """Print all users."""
    entries = with_database(invocation.configuration(), lambda database: SqlUserDirectory(database).listing())
    rows: list[Row] = [
        {
            "context": each.user.context,
            "user": each.user.user,
            "login": each.login,
            "mail": each.mail,
            "alias": each.aliases,
        }
        for each in entries
    ]
    print_rows(_COLUMNS, rows, form, if_none="No users.")


@users.command()
@context_option(is_required=True)
@user_id_option()
@click.pass_obj
def remove(invocation: Invocation, context: int, user: int) -> None:
    """Remove a user from the directory; its devices stay subscribed."""
    gone = PushUser(context, user)
    if not with_database(invocation.configuration(), lambda database: SqlUserDirectory(database).remove(gone)):
        raise UnknownEntry(f"no user {user} of context {context} in the directory")
    say(f"User {user} of context {context} removed.")


@users.command(name="import")
@click.argument("file", metavar="FILE|-", shell_complete=complete_files)
@click.pass_obj
def import_(invocation: Invocation, file: str) -> None:
    """Add or replace users from JSON lines, as `users list -f jsonl` prints them.

    A line that cannot be used is named with its reason, and the others are stored all the same. A mail address
    ("mail") and further names ("alias", an array) may be left out:

    \b
    {"context":1,"user":3,"login":"anna"}
    {"context":1,"user":4,"login":"al","alias":["a"]}
    """
    with _opened(file) as lines, progress("users", _size(file)) as advance:
        reading = _Reading("standard input" if file == "-" else file, lines, advance)
        with_database(invocation.configuration(), reading.store)
    if reading.refused:
        raise BadData(f"{_count(reading.refused, 'line')} refused, {_count(reading.stored, 'user')} stored")
    say(f"{_count(reading.stored, 'user')} stored.")


class _Reading:
    """A file on its way into the directory, some hundred lines a transaction."""

    def __init__(self, name: str, lines: Iterable[bytes], advance: Callable[[int], None]) -> None:
        self._name = name
        self._lines = enumerate(lines, 1)
        self._advance = advance
        self.stored = 0
        self.refused = 0

    async def store(self, database: Database) -> None:
        directory = SqlUserDirectory(database)
        while batch := list(islice(self._lines, _LINES_AT_ONCE)):
            read = {number: _read(line.rstrip()) for number, line in batch if not line.isspace()}
            entries = {number: entry for number, entry in read.items() if isinstance(entry, DirectoryEntry)}
            refusals = await directory.add_all(list(entries.values()))
            for number, result in (read | dict(zip(entries, refusals, strict=True))).items():
                if result is None:
                    self.stored += 1
                else:
                    self.refused += 1
                    say(f"{self._name}:{number}: {result}")
            self._advance(sum(len(line) for _, line in batch))


def _read(line: bytes) -> DirectoryEntry | BadData:
    try:
        return _entry(line)
    except BadData as refusal:
        return refusal


def _entry(line: bytes) -> DirectoryEntry:
    """Read one line of an import; raise ``BadData`` that says what is wrong with it."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadData(f"not JSON: {error.msg} (character {error.pos + 1})") from error
    if not isinstance(row, dict):
        raise BadData("not a JSON object")
    if unknown := row.keys() - _COLUMNS - {"aliases"}:
        raise BadData(f"no such key: {', '.join(map(repr, sorted(unknown)))} (there are {', '.join(_COLUMNS)})")
    user = PushUser(_number(row, "context"), _number(row, "user"))
    aliases = row.get("alias", row.get("aliases", []))
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise BadData("alias is not a list of texts")
    return DirectoryEntry(user, _string(row, "login"), _string(row, "mail"), tuple(aliases))


def _number(row: Mapping[str, object], key: str) -> int:
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadData(f"{key} is not a number")
    return value


def _string(row: Mapping[str, object], key: str) -> str:
    value = row.get(key, "")
    if not isinstance(value, str):
        raise BadData(f"{key} is not a text")
    return value


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    try:
        return nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb")
    except OSError as error:
        raise MissingFile(f"{file}: {error.strerror}") from error


def _size(file: str) -> int | None:
    """Return the size of a file in bytes; that of a pipe is not known."""
    return None if file == "-" else Path(file).stat().st_size or None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
