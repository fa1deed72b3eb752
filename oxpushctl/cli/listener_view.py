"""Listeners as ``oxpushctl listpushusers`` shows them: a line each, in columns, counted, or watched."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import NoReturn

from oxpushctl.cli.output import Row, printing, say
from oxpushctl.cli.watching import Seen, watch_rows
from oxpushctl.model import Health
from oxpushctl.web.kept_json import Object, to_flag, to_number, to_text, to_word

_LINE = ("user", "context", "permanent")
_COLUMNS = ("context", "user", "permanent", "node", "implementation", "health", "since", "last_event")
_COUNTED = ("implementation", "permanent", "health", "count")


@dataclass(frozen=True, slots=True)
class Wish:
    """How listeners are to be shown: ``are_all`` are those that do not run, too, ``is_summary`` their numbers."""

    form: str
    are_all: bool
    is_summary: bool


class ListenerView:
    """Shows what an engine tells; ``ask`` makes it tell anew."""

    def __init__(self, wish: Wish, ask: Callable[[], AsyncGenerator[Object, None]]) -> None:
        self._wish = wish
        self._ask = ask
        self._idle = 0

    async def print(self) -> None:
        """Print it once."""
        plain, table = self._columns
        columns = plain if self._wish.form == "plain" else table
        async with aclosing(self._rows()) as rows:
            with printing(columns, self._wish.form, if_none=self._if_none) as show:
                async for row in rows:
                    show({column: row[column] for column in columns})
        if self._idle:
            more = "1 more does" if self._idle == 1 else f"{self._idle} more do"
            say(f"{more} not run: oxpushctl listpushusers --all -f table")

    async def watch(self) -> NoReturn:
        """Show it again and again."""
        plain, table = self._columns
        await watch_rows(table, plain, self._look, if_none=self._if_none)

    async def _look(self, most: int | None) -> Seen:
        rows: list[Row] = []
        more = 0
        async with aclosing(self._rows()) as seen:
            async for row in seen:
                if most is None or len(rows) < most:
                    rows.append(row)
                else:
                    more += 1
        return Seen(rows, more)

    @property
    def _columns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The columns of plain lines, and those of all other forms."""
        if self._wish.is_summary:
            return _COUNTED, _COUNTED
        if self._wish.are_all:
            return (*_LINE, "health", "reason"), (*_COLUMNS, "reason")
        return _LINE, _COLUMNS

    @property
    def _if_none(self) -> str:
        return "No push users." if self._wish.is_summary or self._wish.are_all else "No running push users."

    async def _rows(self) -> AsyncGenerator[Row, None]:
        """Yield what is to be shown, and count the rest."""
        self._idle = 0
        async with aclosing(self._ask()) as listeners:
            if self._wish.is_summary:
                for row in await _counted(listeners):
                    yield row
                return
            async for listener in listeners:
                if self._wish.are_all or _health(listener).is_running:
                    yield _row(listener)
                else:
                    self._idle += 1


async def _counted(listeners: AsyncIterator[Object]) -> list[Row]:
    counts: Counter[tuple[str, bool, str]] = Counter()
    async for each in listeners:
        counts[to_text(each, "implementation"), to_flag(each, "permanent"), _health(each).value] += 1
    return [dict(zip(_COUNTED, (*kind, number), strict=True)) for kind, number in sorted(counts.items())]


def _row(listener: Object) -> Mapping[str, str | int | None]:
    return {
        "context": to_number(listener, "context"),
        "user": to_number(listener, "user"),
        "permanent": to_flag(listener, "permanent"),
        "node": to_text(listener, "node"),
        "implementation": to_text(listener, "implementation"),
        "health": _health(listener).value,
        "since": to_text(listener, "since"),
        "last_event": _text_or_none(listener, "last_event"),
        "reason": to_text(listener, "reason"),
    }


def _health(listener: Object) -> Health:
    return to_word(listener, "health", Health)


def _text_or_none(listener: Object, name: str) -> str | None:
    return None if listener.get(name) is None else to_text(listener, name)
