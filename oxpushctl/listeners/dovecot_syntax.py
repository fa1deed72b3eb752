"""Dovecot's configuration syntax, of 2.3 and 2.4 alike: text to statements, included files in their places.

::

    # 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf     what doveconf -n begins with
    key = value                                            "quoted", </file, $variable
    key = a long \\
      value
    block name {
      key = value
    }
    !include conf.d/*.conf                                 relative to this file; !include_try forgives

Source: Dovecot's src/config/config-parser.c, and doc.dovecot.org, "Config Syntax".
"""

from __future__ import annotations

import enum
import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from oxpushctl.config.files import read_file
from oxpushctl.config.settings import Origin
from oxpushctl.errors import BadData, MissingFile

# What doveconf writes instead of a secret, unless it is told -P; its # would begin a comment.
HIDDEN = "hidden-by-doveconf"
_HIDDEN_AS_WRITTEN = "#hidden_use-P_to_show#"

_MOST_FILES = 1000
_DEEPEST = 50
_WHITE = " \t"
_SETTING = re.compile(r"([^ \t=]*)[ \t]*=[ \t]*(.*)", re.DOTALL)
_BLOCK = re.compile(r'([^ \t"]+)(?:[ \t]+(?:"((?:[^"\\]|\\.)*)"|([^ \t"{][^ \t]*)))?[ \t]+\{')
_GROUP = re.compile(r"(group)[ \t]+(@[^ \t]+[ \t]+[^ \t]+)[ \t]+\{")  # 2.4
_INLINE_FILE = re.compile(r"<<([A-Za-z_]+)")  # 2.4
_BRACES = re.compile(r"\{([^{}]*)\}")


class BadDovecotConfig(BadData):
    """A configuration that Dovecot itself would refuse; ``origin`` is the place."""

    def __init__(self, message: str, origin: Origin) -> None:
        super().__init__(message)
        self.origin = origin


class UnreadableInclude(BadDovecotConfig):
    """A part of the configuration that is there, but not for us to read."""


class Kind(enum.Enum):
    """What a statement does."""

    SETTING = enum.auto()
    BEGIN = enum.auto()
    END = enum.auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """One line that says something: ``key = value``, the begin of a block (``key value {``), or its end."""

    kind: Kind
    origin: Origin
    key: str = ""
    value: str = field(default="", repr=False)


def statements(text: str, file: str) -> Iterator[Statement]:
    """Yield the statements of a text, and of the files that it includes; ``file`` is its name or path.

    Raises ``BadDovecotConfig``, with the place.
    """
    return _Reader().statements(text, (file,))


class _Reader:
    """One reading: counts the files, so that no loop of includes lasts."""

    def __init__(self) -> None:
        self._files = 0

    def statements(self, text: str, trail: tuple[str, ...]) -> Iterator[Statement]:
        """Yield the statements of the last file of a trail of includes."""
        lines = enumerate(text.split("\n"), 1)
        for line, origin in _logical_lines(lines, trail[-1]):
            word, _, rest = line.replace("\t", " ").partition(" ")
            if word in ("!include", "!include_try"):
                yield from self._included(rest.strip(), trail, origin, is_try=word == "!include_try")
            else:
                yield _statement(line, origin, lines)

    def _included(self, pattern: str, trail: tuple[str, ...], origin: Origin, *, is_try: bool) -> Iterator[Statement]:
        choices = list(islice(_choices(pattern), _MOST_FILES + 1))
        if len(choices) > _MOST_FILES:
            raise BadDovecotConfig("!include: there is no end of files in its braces", origin)
        paths = _matching(Path(trail[-1]).parent, dict.fromkeys(choices))
        if not paths and not is_try and not glob.has_magic(pattern):
            raise BadDovecotConfig(f"!include: there is no file {pattern}", origin)
        for path in paths:
            if path.is_dir():  # Dovecot reads nothing from it, and says nothing
                continue
            self._files += 1
            if str(path) in trail or len(trail) > _DEEPEST or self._files > _MOST_FILES:
                raise BadDovecotConfig(f"!include: {path} includes itself, or there is no end of files", origin)
            try:
                text = decoded(read_file(path), str(path))
            except MissingFile as error:
                raise UnreadableInclude(f"{path} {error}", origin) from error
            yield from self.statements(text, (*trail, str(path)))


def decoded(data: bytes, file: str) -> str:
    """Return the text of a file; what is none is told rather than parsed."""
    if b"\0" in data:
        raise BadDovecotConfig("this file is no text", Origin(file))
    return data.decode("utf-8", errors="replace").replace("\r\n", "\n")


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Return what patterns of the shell name, sorted for each of them."""
    # The folder has its name from the file system: what looks like a pattern in it is none.
    within = Path(glob.escape(str(folder)))
    return [Path(found) for each in patterns for found in sorted(glob.glob(str(within / each)))]  # noqa: PTH207 -- Path.glob refuses absolute patterns


def _choices(pattern: str) -> Iterator[str]:
    """Yield what a pattern's braces stand for, the last changing fastest; those within others come first."""
    patterns = [pattern]
    while patterns:
        first = patterns.pop()
        braces = _BRACES.search(first)
        if braces is None:
            yield first
            continue
        more = [first[: braces.start()] + choice + first[braces.end() :] for choice in braces[1].split(",")]
        patterns += reversed(more)


def _logical_lines(lines: Iterable[tuple[int, str]], file: str) -> Iterator[tuple[str, Origin]]:
    """Yield lines without comments, continued ones joined; an empty one ends what was continued, and drops it."""
    begun: list[str] = []
    first = 0
    for number, written in lines:
        line = written.strip(_WHITE + "\r")
        # A warning of doveconf's, where somebody kept both of its outputs in one file.
        if not line or line.startswith(("#", "doveconf: Warning: ")):
            begun = []
            continue
        line = _without_comment(line.replace(_HIDDEN_AS_WRITTEN, HIDDEN)).rstrip(_WHITE)
        first = first if begun else number
        if line.endswith("\\"):
            begun.append(line[:-1].rstrip(_WHITE))
            continue
        yield " ".join([*begun, line]).lstrip(_WHITE), Origin(file, first)
        begun = []


def _without_comment(line: str) -> str:
    """Cut off a comment: a # outside of quotes."""
    position = 0
    while position < len(line):
        character = line[position]
        if character == "#":
            return line[:position]
        if character in "\"'":
            position = _end_of_quote(line, position)
        position += 1
    return line


def _end_of_quote(line: str, position: int) -> int:
    quote = line[position]
    position += 1
    while position < len(line) and line[position] != quote:
        position += 2 if line[position] == "\\" else 1
    return position


def _statement(line: str, origin: Origin, lines: Iterator[tuple[int, str]]) -> Statement:
    if match := _SETTING.fullmatch(line):
        if not match[1]:
            raise BadDovecotConfig("there is no name before the =", origin)
        if inline := _INLINE_FILE.fullmatch(match[2]):
            return Statement(Kind.SETTING, origin, match[1], _inline_file(lines, inline[1], origin))
        return Statement(Kind.SETTING, origin, match[1], _unquoted(match[2]))
    if line == "}":
        return Statement(Kind.END, origin)
    if match := _GROUP.fullmatch(line):
        return Statement(Kind.BEGIN, origin, match[1], " ".join(match[2].split()))
    if match := _BLOCK.fullmatch(line):
        return Statement(Kind.BEGIN, origin, match[1], _unescaped(match[2]) if match[2] is not None else match[3] or "")
    if _BLOCK.match(line):
        raise BadDovecotConfig("there is more on the line after the {", origin)
    raise BadDovecotConfig(
        "this line is neither a setting (key = value) nor a block (name {, and } on a line of its own)", origin
    )


def _inline_file(lines: Iterator[tuple[int, str]], end: str, origin: Origin) -> str:
    """Return the lines up to the one that says ``end``."""
    content: list[str] = []
    for _, line in lines:
        if line.strip() == end:
            return "\n".join(content)
        content.append(line)
    raise BadDovecotConfig(f"there is no line {end} that ends the value", origin)


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return _unescaped(value[1:-1]) if is_quoted else value


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
