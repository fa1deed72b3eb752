"""Rows on stdout, talk on stderr: tables and colour on a terminal only, plain text for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click

Cell = str | int | Sequence[str] | None
Row = Mapping[str, Cell]


def say(text: str) -> None:
    """Tell a person what was done, on stderr."""
    click.echo(text, err=True)


def print_rows(columns: Sequence[str], rows: Sequence[Row], form: str, *, if_none: str) -> None:
    """Print rows of these columns as ``table`` (tab-separated when piped), ``json``, ``jsonl`` or ``csv``.

    Without rows a table is empty, and ``if_none`` says so on stderr.
    """
    match form:
        case "json":
            click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        case "jsonl":
            for row in rows:
                click.echo(json.dumps(row, ensure_ascii=False))
        case "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_text(row[column]) for column in columns] for row in rows)
            sys.stdout.flush()  # here it can still be told that nobody reads
        case _ if not rows:
            say(if_none)
        case _ if sys.stdout.isatty():
            _draw(columns, rows)
        case _:
            click.echo("\t".join(columns))
            for row in rows:
                click.echo("\t".join(_printable(row[column]) for column in columns))


def utc(epoch_ms: int | None) -> str | None:
    """Write a time for people and programs alike: ``2030-12-31T18:00:00Z``; ``None`` stays ``None``."""
    if epoch_ms is None:
        return None
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def progress(words: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr when that is a terminal; yield what advances it towards ``total``, ``None`` if unknown."""
    if not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console  # noqa: PLC0415  # loaded only when something is drawn
    from rich.progress import Progress  # noqa: PLC0415  # same

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=total)
        yield lambda steps: bar.advance(task, steps)


def _draw(columns: Sequence[str], rows: Sequence[Row]) -> None:
    from rich import box  # noqa: PLC0415  # loaded only when something is drawn
    from rich.console import Console  # noqa: PLC0415  # same
    from rich.table import Table  # noqa: PLC0415  # same
    from rich.text import Text  # noqa: PLC0415  # same

    table = Table(box=box.SIMPLE)
    for column in columns:
        # Folded, not cut: a token must be there as a whole.
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable(row[column])) for column in columns))
    Console().print(table)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return str(cell) if isinstance(cell, str | int) else ",".join(cell)


def _printable(cell: Cell) -> str:
    """Write a cell so that it stays one cell of one line and cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in _text(cell))
