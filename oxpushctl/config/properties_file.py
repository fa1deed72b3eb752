"""A ``*.properties`` file as entries with line and column: Java's format, in Latin-1 or UTF-8."""

from __future__ import annotations

import io
from typing import IO, cast

import javaproperties

from oxpushctl.config.entry import Entry
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.settings import Origin


class _Lines:
    """Hands out lines and counts them: javaproperties takes no more than the entry at hand needs."""

    def __init__(self, text: str) -> None:
        self._file = io.StringIO(text, newline="")
        self.count = 0

    def readline(self) -> str:
        line = self._file.readline()
        self.count += bool(line)
        return line


def parse(data: bytes, file: str) -> tuple[list[Entry], list[Finding]]:
    """Return the entries in the order of the file; an entry with a malformed escape becomes a finding."""
    text, findings = _decode(data, file)
    lines = _Lines(text)
    entries: list[Entry] = []
    is_at_end = False
    while not is_at_end:
        line = lines.count + 1
        try:
            for element in javaproperties.parse(cast("IO[str]", lines)):  # readline is all that it calls
                if isinstance(element, javaproperties.KeyValue):
                    column = len(element.source) - len(element.source.lstrip(" \t\f")) + 1
                    entries.append(Entry(element.key, element.value.strip(), Origin(file, line, column)))
                line = lines.count + 1
            is_at_end = True
        except javaproperties.InvalidUEscapeError:
            # The parser gives up here; a new one goes on with the next entry.
            findings.append(
                Finding(
                    Severity.ERROR,
                    Reach.ENGINE,
                    "OXP002",
                    "a \\u is not followed by four hexadecimal digits",
                    hint="write a backslash as \\\\",
                    file=file,
                    line=line,
                )
            )
    return entries, findings


def _decode(data: bytes, file: str) -> tuple[str, list[Finding]]:
    """Read as UTF-8 what is UTF-8, and all else as Latin-1, as Java does."""
    if data.isascii():
        return data.decode("ascii"), []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1"), []
    position = next(index for index, byte in enumerate(data) if byte >= 0x80)
    told = Finding(
        Severity.INFO,
        Reach.ENGINE,
        "OXP003",
        "is UTF-8 and read as such",
        hint="the middleware reads ISO-8859-1: write other characters as \\uXXXX",
        file=file,
        line=data.count(b"\n", 0, position) + 1,
    )
    return text, [told]
