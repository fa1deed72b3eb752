"""``oxpushctl database``: the tables that devices and users are kept in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TypeVar

import click

from oxpushctl.cli.options import Invocation
from oxpushctl.cli.output import progress, say
from oxpushctl.cli.stored import refuse_errors
from oxpushctl.stores.sql.database import Database

T = TypeVar("T")


@click.group()
def database() -> None:
    """The tables: make those that are missing, widen those of an older middleware."""


@database.command()
@click.pass_obj
def create(invocation: Invocation) -> None:
    """Make the tables that are missing; those that are there stay as they are.

    Any command that writes does so by itself. This one is for a login that may make tables, where the engine's may not.
    """

    async def make(database: Database) -> tuple[Sequence[str], Sequence[str]]:
        return await database.prepare(), await database.pending()

    made, pending = _with_patience(invocation, make)
    say(
        _told({"Tables made": made, "`oxpushctl database upgrade` would add or widen": pending}, "All tables are there")
    )


@database.command()
@click.pass_obj
def upgrade(invocation: Invocation) -> None:
    """Widen the tables of an older middleware as its own update tasks do, and make those that are missing.

    Columns, a wider primary key and an index are added; no row and no column goes. What was interrupted goes on when it
    is run again, and a running engine notices within half a minute. A large table takes its time, in which
    subscriptions may have to wait: choose a quiet hour.
    """

    async def widen(database: Database) -> tuple[Sequence[str], Sequence[str]]:
        made = await database.prepare()
        with progress("changes", len(await database.pending())) as advance:
            return made, await database.upgrade(lambda _name: advance(1))

    made, widened = _with_patience(invocation, widen)
    say(_told({"Tables made": made, "added or widened": widened}, "All tables are there, and as wide as today's"))


def _with_patience(invocation: Invocation, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run a command's work on the configured database, however long an answer takes."""
    configuration = invocation.configuration()
    refuse_errors(configuration)

    async def run() -> T:
        async with aclosing(Database.open(configuration.database_url, is_patient=True)) as database:
            return await work(database)

    return asyncio.run(run())


def _told(lists: Mapping[str, Sequence[str]], otherwise: str) -> str:
    """Put lists of names into one sentence; empty ones are left out, and ``otherwise`` stands for them all."""
    told = "; ".join(f"{words}: {', '.join(names)}" for words, names in lists.items() if names)
    return f"{told[0].upper()}{told[1:]}." if told else f"{otherwise}."
