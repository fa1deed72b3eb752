"""``--watch``: looking again and again, at the engine, until it is interrupted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from oxpushctl.cli.output import Row, drawn, plain, say
from oxpushctl.errors import NotReachable, TryLater

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable
    from rich.table import Table

T = TypeVar("T")

INTERVAL_S = 2.0
# Lines of a table that are no rows: its heading, its rules, what stands below it, and the line of the cursor.
_AROUND_ROWS = 7


async def watch(look: Callable[[], Awaitable[T]], show: Callable[[T], None]) -> NoReturn:
    """Show what is seen, and again every two seconds.

    The first look may fail; later ones may find no engine for a while, which is said once.
    """
    show(await look())
    is_away = False
    while True:
        await asyncio.sleep(INTERVAL_S)
        try:
            seen = await look()
        except (NotReachable, TryLater) as problem:
            if not is_away:
                say(f"oxpushctl: {problem}")
            is_away = True
        else:
            if is_away:
                say("The engine answers again.")
            is_away = False
            show(seen)


@contextmanager
def screen() -> Iterator[Callable[[ConsoleRenderable], None]]:
    """Yield what draws something in the place of what was drawn before, on a terminal."""
    from rich.console import Console  # noqa: PLC0415  # loaded only when something is drawn
    from rich.live import Live  # noqa: PLC0415  # same

    with Live(console=Console(), auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda picture: live.update(picture, refresh=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows that were seen, and how many more there are than these."""

    rows: Sequence[Row]
    more: int = 0


async def watch_rows(
    table_columns: Sequence[str],
    plain_columns: Sequence[str],
    look: Callable[[int | None], Awaitable[Seen]],
    *,
    if_none: str,
) -> NoReturn:
    """Show rows: a table that is drawn anew on a terminal; in a pipe what comes and goes, as plain lines.

    ``look`` is told how many rows are wanted at most.
    """
    if not sys.stdout.isatty():
        changes = _Changes(plain_columns)
        await watch(lambda: look(None), changes.show)
    from rich.console import Console, Group  # noqa: PLC0415  # loaded only when something is drawn
    from rich.text import Text  # noqa: PLC0415  # same

    size = Console()

    def picture(seen: Seen) -> ConsoleRenderable:
        if not seen.rows:
            return Text(if_none)
        table = _narrowed(table_columns, seen.rows, size.width)
        return Group(table, Text(f"{seen.more} more")) if seen.more else table

    with screen() as draw:
        await watch(lambda: look(max(size.height - _AROUND_ROWS, 1)), lambda seen: draw(picture(seen)))


def _narrowed(columns: Sequence[str], rows: Sequence[Row], width: int) -> Table:
    """Lay rows out as a line each, without the last columns if need be: cells below each other take too many lines."""
    for end in range(len(columns), 0, -1):
        table = drawn(columns[:end], rows, width)
        if table.show_header:
            break
    return table


class _Changes:
    """Prints what came since the last look behind a ``+``, and what went behind a ``-``."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._before: dict[str, None] = {}  # in order

    def show(self, seen: Seen) -> None:
        """Compare with what was seen before."""
        lines = dict.fromkeys(plain(self._columns, row) for row in seen.rows)
        for line in self._before:
            if line not in lines:
                click.echo(f"- {line}")
        for line in lines:
            if line not in self._before:
                click.echo(f"+ {line}")
        self._before = lines
