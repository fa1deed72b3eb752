"""Lines of the drawn flow that keep to a width: words go on below, behind the tree's edge, and none is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from oxpushctl.config.text import printable


@dataclass(frozen=True, slots=True)
class Line:
    """A line to draw: ``first`` stands before its words, ``further`` before those that go on below.

    What belongs together, as a key or a value with blanks in it, is one of ``words``.
    """

    first: str
    further: str = ""
    words: tuple[str, ...] = ()

    def rewritten(self, rewrite: Callable[[str], str]) -> Line:
        """Return this line with each of its texts written in another way."""
        return Line(rewrite(self.first), rewrite(self.further), tuple(map(rewrite, self.words)))


def text(first: str, further: str, words: str) -> Line:
    """Return a line of prose."""
    return Line(first, further, tuple(words.split()))


def folded(lines: Iterable[Line], width: int) -> Iterator[str]:
    """Write lines out, each within ``width`` characters as far as its words are."""
    for line in lines:
        written, is_begun = line.first, False
        for word in map(printable, line.words):
            if is_begun and len(written) + 1 + len(word) > width:
                yield written
                written, is_begun = line.further, False
            written += f" {word}" if is_begun else word.lstrip()
            is_begun = True
        yield written
