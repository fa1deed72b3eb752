"""Rows on stdout, talk on stderr: tables and colour on a terminal only, plain text for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.table import Table

_FOLDED: Final = ("token", "mail", "alias", "reason")
_FOLDED_WIDTH: Final = 8  # narrower, such a column is no longer read
_LONGEST_TABLE: Final = 5000  # beyond, the width of a column is not worth the wait and the memory

Cell = str | int | Sequence[str] | None
Row = Mapping[str, Cell]


def say(text: str) -> None:
    """Tell a person what was done, on stderr."""
    click.echo(text, err=True)


def print_rows(columns: Sequence[str], rows: Iterable[Row], form: str, *, if_none: str) -> None:
    """Print rows of these columns as ``table`` (tab-separated when piped), ``json``, ``jsonl``, ``csv`` or ``plain``.

    Without rows a table is empty, and so are plain lines; ``if_none`` says so on stderr.
    """
    with printing(columns, form, if_none=if_none) as show:
        for row in rows:
            show(row)


@contextmanager
def printing(columns: Sequence[str], form: str, *, if_none: str = "") -> Iterator[Callable[[Row], None]]:
    """Yield what prints one row more; as ``print_rows`` does, but none is held unless a table is drawn of them.

    Of very many no table is drawn.
    """
    printer = _PRINTERS[form if form != "table" or sys.stdout.isatty() else "text"](columns)
    yield printer.show
    if not printer.has_shown and form in ("table", "plain"):
        if if_none:
            say(if_none)
        return
    printer.end()
    sys.stdout.flush()  # here it can still be told that nobody reads


class _Printer:
    """Prints JSON lines; the others differ in what stands around the rows."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self.has_shown = False

    def show(self, row: Row) -> None:
        """Print a row."""
        self.row(row, is_first=not self.has_shown)
        self.has_shown = True

    def row(self, row: Row, *, is_first: bool) -> None:
        click.echo(json_text(row))

    def end(self) -> None:
        """Print what is behind the last row, or stands for none."""


class _JsonPrinter(_Printer):
    def row(self, row: Row, *, is_first: bool) -> None:
        text = json_text(row, indent=2).replace("\n", "\n  ")
        click.echo(("[\n  " if is_first else ",\n  ") + text, nl=False)

    def end(self) -> None:
        click.echo("\n]" if self.has_shown else "[]")


class _CsvPrinter(_Printer):
    def row(self, row: Row, *, is_first: bool) -> None:
        if is_first:
            self._write(self._columns)
        text = printable if sys.stdout.isatty() else _text
        self._write([text(row[column]) for column in self._columns])

    def end(self) -> None:
        if not self.has_shown:
            self._write(self._columns)

    @staticmethod
    def _write(cells: Sequence[str]) -> None:
        csv.writer(sys.stdout, lineterminator="\n").writerow(cells)


class _TextPrinter(_Printer):
    def row(self, row: Row, *, is_first: bool) -> None:
        if is_first:
            click.echo("\t".join(self._columns))
        click.echo("\t".join(printable(row[column]) for column in self._columns))


class _PlainPrinter(_Printer):
    def row(self, row: Row, *, is_first: bool) -> None:
        click.echo(plain(self._columns, row))


class _TablePrinter(_Printer):
    """Draws a table at the end; what is too long for that is printed at once, as in a pipe."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__(columns)
        self._rows: list[Row] = []
        self._text: _TextPrinter | None = None

    def row(self, row: Row, *, is_first: bool) -> None:
        if self._text is not None:
            self._text.show(row)
            return
        self._rows.append(row)
        if len(self._rows) > _LONGEST_TABLE:
            say(f"More than {_LONGEST_TABLE} rows: no table is drawn of them.")
            self._text = _TextPrinter(self._columns)
            for each in self._rows:
                self._text.show(each)
            self._rows.clear()

    def end(self) -> None:
        if self._text is None:
            _draw(self._columns, self._rows)


_PRINTERS: Final[Mapping[str, type[_Printer]]] = {
    "json": _JsonPrinter,
    "jsonl": _Printer,
    "csv": _CsvPrinter,
    "plain": _PlainPrinter,
    "text": _TextPrinter,
    "table": _TablePrinter,
}


def plain(columns: Sequence[str], row: Row) -> str:
    """Write a row as a line: ``user=249, context=1, permanent=true``; what is empty is left out."""
    return ", ".join(f"{column}={text}" for column in columns if (text := printable(row[column])))


def json_text(value: object, *, indent: int | None = None) -> str:
    """Write a value as JSON, which steers no terminal either: what does not show is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    lines = text.split("\n")
    if all(map(str.isprintable, lines)):
        return text
    return "\n".join("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line) for line in lines)


def counted(number: int, noun: str) -> str:
    """Write how many there are: ``1 line``, ``2 lines``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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

    # What else is printed meanwhile goes above the bar, unless it goes into a file or a pipe.
    is_screen = sys.stdout.isatty()
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=is_screen) as bar:
        task = bar.add_task(words, total=total)
        yield lambda steps: bar.advance(task, steps)


def _draw(columns: Sequence[str], rows: Sequence[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415  # loaded only when something is drawn

    console = Console()
    console.print(drawn(columns, rows, console.width))


def drawn(columns: Sequence[str], rows: Sequence[Row], width: int) -> Table:
    """Lay rows out as a table for a terminal of ``width``, or where that is too narrow, a line a cell.

    Only long columns are folded, and none is cut: a token must be there as a whole.
    """
    from rich import box  # noqa: PLC0415  # loaded only when something is drawn
    from rich.cells import cell_len  # noqa: PLC0415  # same
    from rich.table import Table  # noqa: PLC0415  # same
    from rich.text import Text  # noqa: PLC0415  # same

    cells = [[_lines(row[column]) for column in columns] for row in rows]
    needed = 1  # the left edge; each column has two blanks at its right
    for column, below in zip(columns, zip(*cells, strict=True), strict=True):
        widest = max(cell_len(line) for text in (column, *below) for line in text.split("\n"))
        needed += 2 + (min(widest, _FOLDED_WIDTH) if column in _FOLDED else widest)

    if needed <= width:
        table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
        for column in columns:
            table.add_column(column, no_wrap=column not in _FOLDED, overflow="fold", min_width=len(column))
        for texts in cells:
            table.add_row(*map(Text, texts))
        return table
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for texts in cells:
        for column, text in zip(columns, texts, strict=True):
            table.add_row(column, Text(text))
        table.add_section()
    return table


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell) if isinstance(cell, str | int) else ",".join(cell)


def _lines(cell: Cell) -> str:
    """Write a cell for a terminal: several texts below each other."""
    return printable(cell) if cell is None or isinstance(cell, str | int) else "\n".join(map(printable, cell))


def printable(cell: Cell) -> str:
    """Write a cell so that it stays one cell of one line and cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in _text(cell))
