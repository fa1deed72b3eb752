"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from oxpushctl.cli.completion import complete_clients
from oxpushctl.config.property import DURATION

F = TypeVar("F", bound=Callable[..., Any])

_FORMATS = ("table", "json", "jsonl", "csv")
ID = click.IntRange(1, 2**32 - 1)


def context_option(*, is_required: bool = False) -> Callable[[F], F]:
    """``-c``: the context's number."""
    return click.option("-c", "--context", type=ID, required=is_required, metavar="CONTEXT", help="Context id.")


def user_id_option() -> Callable[[F], F]:
    """``-u`` where the directory itself is changed: the user's number."""
    return click.option("-u", "--user", type=ID, required=True, metavar="USER", help="User id.")


def user_option(*, is_required: bool = False) -> Callable[[F], F]:
    """``-u``: the user's number or one of its logins, as text."""
    words = "User id; or a login or alias of the directory, then -c may be left out."
    return click.option("-u", "--user", required=is_required, metavar="USER", help=words)


def client_option(*, is_required: bool = False) -> Callable[[F], F]:
    """``-i``: the client id of an app."""
    words = "Client id of the app."
    return click.option(
        "-i", "--client", required=is_required, metavar="CLIENT", help=words, shell_complete=complete_clients
    )


def format_option() -> Callable[[F], F]:
    """``-f``: the form in which rows are printed."""
    words = "A table on a terminal is tab-separated text when piped."
    return click.option(
        "-f", "--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True, help=words
    )


def report_format_option() -> Callable[[F], F]:
    """``-f`` of what is no list of rows."""
    words = "Text is for people, JSON for programs: oxpushctl(1) describes it."
    return click.option(
        "-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help=words
    )


def moment_option(name: str, words: str) -> Callable[[F], F]:
    """Take a point in time to come, as epoch milliseconds: a date, a date with a time, or a duration from now."""
    return click.option(name, callback=_to_come, metavar="DATE|30d", help=words)


def _to_come(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = _moment(text)
    except (ValueError, OverflowError):
        wanted = "a date (2030-12-31 or 2030-12-31T18:00:00Z) nor a duration (30d)"
        raise click.BadParameter(f"{text!r} is neither {wanted}.") from None
    if moment <= datetime.now(UTC):
        raise click.BadParameter(f"{text!r} is over.")
    return int(moment.timestamp() * 1000)


def _moment(text: str) -> datetime:
    """Read a time; without a zone it is local."""
    try:
        seconds = DURATION.parse(text)
    except ValueError:
        return datetime.fromisoformat(text).astimezone(UTC)
    return datetime.now(UTC) + timedelta(seconds=seconds)
