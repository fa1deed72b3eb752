"""Imports of JSON lines: read in batches, a line that cannot be used named with its reason, the others stored."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import orjson

from oxpushctl.cli.output import counted, progress, say
from oxpushctl.errors import BadData, MissingFile
from oxpushctl.model import PushUser

_LINES_AT_ONCE = 500

T = TypeVar("T")
Members = Mapping[str, object]


class Importing(Generic[T]):
    """A file on its way into a store, some hundred lines at a time; ``read`` makes of a line's object what is stored.

    ``read`` raises ``BadData`` that says what is wrong with a line.
    """

    def __init__(
        self, name: str, lines: Iterable[bytes], advance: Callable[[int], None], read: Callable[[Members], T]
    ) -> None:
        self._name = name
        self._lines = enumerate(lines, 1)
        self._advance = advance
        self._read = read
        self._stored = 0
        self._refused = 0

    async def into(self, store: Callable[[Sequence[T]], Awaitable[Sequence[BadData | None]]]) -> None:
        """Store all lines; ``store`` returns for each of a batch why it was refused, or ``None``."""
        while batch := list(islice(self._lines, _LINES_AT_ONCE)):
            judged = {number: self._judged(line.rstrip()) for number, line in batch if not line.isspace()}
            usable = {number: item for number, item in judged.items() if not isinstance(item, BadData)}
            refusals = dict(zip(usable, await store(list(usable.values())), strict=True))
            for number, item in judged.items():
                refusal = item if isinstance(item, BadData) else refusals[number]
                if refusal is None:
                    self._stored += 1
                else:
                    self._refused += 1
                    say(f"{self._name}:{number}: {refusal}")
            self._advance(sum(len(line) for _, line in batch))

    def tell(self, noun: str, more: str = "") -> None:
        """Say how many lines were stored, and ``more`` about these; raise ``BadData`` when some were not."""
        stored = f"{counted(self._stored, noun)} stored{more}"
        if self._refused:
            raise BadData(f"{counted(self._refused, 'line')} refused, {stored}")
        say(f"{stored}.")

    def _judged(self, line: bytes) -> T | BadData:
        try:
            return self._read(_object(line))
        except BadData as refusal:
            return refusal


@contextmanager
def importing(file: str, words: str, read: Callable[[Members], T]) -> Iterator[Importing[T]]:
    """Open a file, ``-`` for standard input, and show how far it is read; raise ``MissingFile``."""
    with _opened(file) as lines, progress(words, _size(file)) as advance:
        yield Importing("standard input" if file == "-" else file, lines, advance, read)


def refuse_others(members: Members, known: Collection[str], *, told: Iterable[str] = ()) -> None:
    """Raise ``BadData`` for keys that are not known; ``told`` are those to name, if not all."""
    if unknown := members.keys() - set(known):
        names = ", ".join(map(repr, sorted(unknown)))
        raise BadData(f"no such key: {names} (there are {', '.join(tuple(told) or known)})")


def user_of(members: Members) -> PushUser:
    """Read context and user."""
    return PushUser(number(members, "context"), number(members, "user"))


def number(members: Members, key: str) -> int:
    """Read a number."""
    value = members.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadData(f"{key} is not a number")
    return value


def text(members: Members, key: str) -> str:
    """Read a text; what is missing is an empty one."""
    value = members.get(key, "")
    if not isinstance(value, str):
        raise BadData(f"{key} is not a text")
    return value


def _object(line: bytes) -> Members:
    try:
        members = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} (character {error.pos + 1})"
    else:
        if isinstance(members, dict):
            return members
        reason = "not a JSON object"
    raise BadData(reason)  # not from the decoder's error, which holds the line


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    try:
        return nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb")
    except OSError as error:
        raise MissingFile(f"{file}: {error.strerror}") from error


def _size(file: str) -> int | None:
    """Return the size of a file in bytes; that of a pipe is not known."""
    return None if file == "-" else Path(file).stat().st_size or None
