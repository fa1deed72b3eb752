"""A ``*.properties`` file as entries with line and column: Java's format, in Latin-1 or UTF-8.

::

    # a comment                      lines end with LF, CR LF or CR
    key = some \\                     an odd number of backslashes at its end continues a line …
          text                       … without the blanks that the next one begins with: "some text"
    other\\ key:\\u00e4               the first blank, = or : that is not escaped ends the key

``java.util.Properties.load`` is what the middleware reads with, so its source is the specification. Lines are told
apart here, since javaproperties takes time in the square of a continued line's length, and reads a line that is
nothing but a continuation otherwise than Java; it decodes the escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import javaproperties

from oxpushctl.config.entry import Entry
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.settings import Origin

_BLANKS = " \t\f"
_TRIMMED = "".join(map(chr, range(0x21)))  # what String.trim() of Java cuts off, as the middleware does with values
_NEWLINE = re.compile(rb"\r\n?|\n")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE = re.compile(r"([^\r\n]*+)(?:\r\n?|\n)?")
_SETTING = re.compile(r"\S[=:]")
# The quantifiers give nothing back: a key may be as long as the file.
_ENTRY = re.compile(r"((?:[^\\=: \t\f]++|\\.)*+)[ \t\f]*+(?:[=:][ \t\f]*+)?(.*)", re.DOTALL)


def parse(data: bytes, file: str, is_wanted: Callable[[str], bool] | None = None) -> tuple[list[Entry], list[Finding]]:
    """Return the entries in the order of the file; an entry with a malformed escape becomes a finding.

    Entries whose key ``is_wanted`` does not take are left out.
    """
    text, findings = _decode(data, file)
    entries: list[Entry] = []
    for logical, line, column, has_swallowed in _logical_lines(text):
        match = _ENTRY.fullmatch(logical)
        assert match is not None  # noqa: S101  # no line ends with half an escape: that continues it
        key = ""
        try:
            key = _unescape(match[1])
            value = _unescape(match[2])
            if is_wanted is None or is_wanted(key):
                entries.append(Entry(key, value.strip(_TRIMMED), Origin(file, line, column), has_swallowed))
        except javaproperties.InvalidUEscapeError:
            message = "a \\u is not followed by four hexadecimal digits"
            hint = "write a backslash as \\\\"
            malformed = Finding(Severity.ERROR, Reach.ENGINE, "OXP002", message, hint, key=key)
            findings.append(malformed.at(Origin(file, line, column)))
    return entries, findings


def _logical_lines(text: str) -> Iterator[tuple[str, int, int, bool]]:
    """Yield what holds an entry, continued lines joined, and the line and column where it begins.

    The last of the four tells whether it has swallowed a setting. Comments and blank lines are none.
    """
    # One at a time: a list of all lines would take many times the file's size.
    lines = ((number, match[1]) for number, match in enumerate(_LINE.finditer(text), 1))
    for number, line in lines:
        content = line.lstrip(_BLANKS)
        # A continuation that nothing precedes does not count: the next line may as well be a comment.
        if not content or content[0] in "#!" or content == "\\":
            continue
        column = len(line) - len(content) + 1
        parts = []
        has_swallowed = False
        while _is_continued(content):
            parts.append(content[:-1])
            content = next(lines, (0, ""))[1].lstrip(_BLANKS)
            has_swallowed = has_swallowed or _SETTING.search(content) is not None
        yield "".join((*parts, content)) if parts else content, number, column, has_swallowed


def _is_continued(line: str) -> bool:
    return line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescape(text: str) -> str:
    unescaped: str = javaproperties.unescape(text) if "\\" in text else text
    return unescaped


def _decode(data: bytes, file: str) -> tuple[str, list[Finding]]:
    """Read as UTF-8 what is UTF-8, and all else as Latin-1, as Java does."""
    told: list[Finding] = []
    if (nul := data.find(b"\0")) >= 0:
        message = "holds NUL characters: it is not a text, or one in UTF-16"
        hint = "save it as ISO-8859-1 or UTF-8"
        told.append(_told(Severity.WARNING, "OXP008", message, hint, file, _line_of(nul, data)))
    beyond_ascii = _BEYOND_ASCII.search(data)
    if beyond_ascii is None:
        return data.decode("ascii"), told
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1"), told
    if data.startswith(_BYTE_ORDER_MARK):
        message = "begins with a byte order mark and is read as UTF-8"
        hint = "save it without: the middleware takes the mark for a part of the first key"
        told.append(_told(Severity.WARNING, "OXP003", message, hint, file, 1))
    else:
        hint = "the middleware reads ISO-8859-1: write other characters as \\uXXXX"
        line = _line_of(beyond_ascii.start(), data)
        told.append(_told(Severity.INFO, "OXP003", "is UTF-8 and read as such", hint, file, line))
    return text, told


def _line_of(position: int, data: bytes) -> int:
    return sum(1 for _ in _NEWLINE.finditer(data, 0, position)) + 1


def _told(severity: Severity, code: str, message: str, hint: str, file: str, line: int) -> Finding:
    return Finding(severity, Reach.ENGINE, code, message, hint, file=file, line=line)
