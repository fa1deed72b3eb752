"""Write text for man(7): paragraphs and lists that groff and mandoc set without a complaint.

A word between backticks is set in bold; everything else stands on the page as it was written.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

_WIDTH = 78
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\.\.\.) +")
_BOLD = re.compile(r"`([^`]+)`")
NO_BREAK = "\N{NO-BREAK SPACE}"
_MAY_BREAK = "\N{ZERO WIDTH SPACE}"
# What is longer does not fit a line of narrow terminals, and may be broken after a mark: keys, paths, URLs.
_LONG_WORD = re.compile(r"\S{41,}")
_MARK = re.compile(r"(?<=[./:=|,])(?=\w)")
# groff makes typographic characters of these, which nobody can paste into a terminal or a file.
_SPECIAL = str.maketrans(
    {
        "\\": r"\e",
        "-": r"\-",
        "'": r"\(aq",
        "`": r"\(ga",
        "^": r"\(ha",
        "~": r"\(ti",
        '"': r"\(dq",
        "\t": " ",
        NO_BREAK: r"\~",
        _MAY_BREAK: r"\:",
    }
)


def header(name: str, section: int, version: str) -> list[str]:
    """Begin a page: no date, that would make a page stale every day; words are neither hyphenated nor stretched."""
    return [
        r".\" Written by `make docs`: edit what it is written from.",
        f'.TH {name.upper()} {section} "" "oxpushctl {version}" "oxpushctl"',
        ".nh",
        ".ad l",
    ]


def section(title: str) -> list[str]:
    """Begin a section."""
    return [f".SH {_quoted(title.upper())}"]


def subsection(title: str) -> list[str]:
    """Begin a part of a section."""
    return [f".SS {_quoted(title)}"]


def paragraph(text: str) -> list[str]:
    """Set a paragraph."""
    return [".PP", *prose(text)]


def paragraphs(text: str) -> list[str]:
    """Set texts that empty lines part; those that are indented as they are."""
    lines: list[str] = []
    for part in text.strip("\n").split("\n\n"):
        lines += verbatim(textwrap.dedent(part).splitlines()) if part.startswith(" ") else paragraph(part)
    return lines


def entry(tag: str, *texts: str) -> list[str]:
    """Set an entry of a list: what it is about, then paragraphs that tell of it."""
    first, *more = texts
    lines = [".TP", _line(inline(tag)), *prose(first)]
    for text in more:
        lines += [".IP", *prose(text)]
    return lines


def aligned(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Set a list of short names, each with one line or a few, without gaps."""
    entries = [line for name, text in rows for line in (".TP 12", _line(inline(name)), *prose(text))]
    return [".PP", ".PD 0", *entries, ".PD"]


def verbatim(lines: Iterable[str], indent: int = 2) -> list[str]:
    """Set lines as they are."""
    return [".PP", f".RS {indent}", ".nf", *(_line(escape(line)) for line in lines), ".fi", ".RE"]


def page(parts: Iterable[Iterable[str]]) -> str:
    """Join the lines of all parts; after a heading a paragraph needs no beginning."""
    lines = [line for part in parts for line in part]
    kept = (line for before, line in zip(["", *lines], lines, strict=False) if not _is_idle(before, line))
    return "\n".join(kept) + "\n"


def prose(text: str) -> list[str]:
    """Return running text, each sentence on a line of its own, so that the gap after it is always the same."""
    sentences = _SENTENCE_END.split(" ".join(re.split(r"[ \n]+", text.strip())))
    return [_line(line) for sentence in sentences for line in _wrapped(sentence)]


def inline(text: str) -> str:
    """Return text with its backticks as bold."""
    pieces = map(_breakable, _BOLD.split(text))
    return "".join(rf"\fB{escape(piece)}\fR" if at % 2 else escape(piece) for at, piece in enumerate(pieces))


def escape(text: str) -> str:
    """Return text so that roff sets each character as it is, ASCII only."""
    special = text.translate(_SPECIAL)
    return "".join(c if c.isascii() else rf"\[u{ord(c):04X}]" for c in special)


def _breakable(text: str) -> str:
    return _LONG_WORD.sub(lambda word: _MARK.sub(_MAY_BREAK, word[0]), text)


def _is_idle(before: str, line: str) -> bool:
    return line == ".PP" and before.startswith((".SH", ".SS"))


def _wrapped(sentence: str) -> Iterator[str]:
    # Bold text may hold blanks and must not be torn from its backticks, so it is wrapped as it will be set.
    yield from textwrap.wrap(inline(sentence), _WIDTH, break_long_words=False, break_on_hyphens=False)


def _line(text: str) -> str:
    """Keep roff from taking a line that begins with a dot for a request."""
    return rf"\&{text}" if text.startswith((".", r"\fB.")) else text


def _quoted(text: str) -> str:
    return f'"{escape(text)}"'
