"""Write findings and explanations: a line for a person, an object for a program, a page for a key or code."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TypedDict

from oxpushctl.config import codes, table
from oxpushctl.config.catalogue.code import Code
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.property import DURATION, Effect, Property

_WIDTH = 100
_UNITS_S = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


class FindingObject(TypedDict):
    """A finding as JSON; ``line`` and ``column`` count from 1."""

    severity: str
    scope: str
    code: str
    file: str
    line: int | None
    column: int | None
    key: str
    message: str
    hint: str


class Report(TypedDict):
    """All findings as JSON."""

    findings: list[FindingObject]
    errors: int
    warnings: int


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by file and line; those about no file come last."""
    return sorted(findings, key=lambda found: (not found.file, found.file, found.line or 0, found.column or 0))


def line(found: Finding) -> str:
    """Write ``FILE:LINE:COL: severity CODE KEY: message (hint)``, without what is not known."""
    place = ":".join(str(part) for part in (found.file, found.line, found.column) if part)
    about = " ".join(part for part in (found.severity.value, found.code, found.key) if part)
    text = f"{place}: {about}: {found.message}" if place else f"{about}: {found.message}"
    return _printable(f"{text} ({found.hint})" if found.hint else text)


def report(findings: Sequence[Finding]) -> Report:
    """Write findings for a program."""
    return {
        "findings": [_object(found) for found in findings],
        "errors": count(findings, Severity.ERROR),
        "warnings": count(findings, Severity.WARNING),
    }


def count(findings: Iterable[Finding], severity: Severity) -> int:
    """Return how many findings have a severity."""
    return sum(found.severity is severity for found in findings)


def explain(name: str) -> str | None:
    """Return the page about a key, as it may be written in a file, or about a code; ``None`` when there is none."""
    if code := codes.CATALOGUE.get(name.upper()):
        return _code_page(code)
    match = table.find(name)
    return None if match is None else _key_page(match.row)


def _object(found: Finding) -> FindingObject:
    return {
        "severity": found.severity.value,
        "scope": found.reach.value,
        "code": found.code,
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "key": found.key,
        "message": found.message,
        "hint": found.hint,
    }


def _printable(text: str) -> str:
    """Write control characters and lone surrogates as escapes: files hold anything, a terminal obeys it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _code_page(code: Code) -> str:
    return f"{code.code}: {code.title}\n\n{textwrap.fill(code.text, _WIDTH)}"


def _key_page(row: Property[object]) -> str:
    facts = {
        "kind": row.kind.wanted,
        "default": row.default_text or _written(row),
        "file": row.file,
        "also": ", ".join(row.aliases),
        "since": row.since,
        "qualifiers": "".join(f".<{qualifier}>" for qualifier in row.qualifiers),
        "secret": "never shown; KEY.file=/path takes it from a file" if row.is_secret else "",
        "changes": "on reload" if row.is_reloadable else "after a restart",
        "heeded by": "" if row.effect is Effect.ENGINE else row.effect.value,
    }
    lines = (f"  {name:<12}{fact}" for name, fact in facts.items() if fact)
    return "\n".join((row.key, "", textwrap.fill(row.doc, _WIDTH), "", *lines))


def _written(row: Property[object]) -> str:
    """Write a default as it would stand in a file."""
    default = row.default
    if default is None or default == ():
        return "not set"
    if isinstance(default, bool):
        return str(default).lower()
    if row.kind is DURATION and isinstance(default, float):
        return next(f"{default / size:g}{unit}" for unit, size in _UNITS_S if default % size == 0)
    return ", ".join(default) if isinstance(default, tuple) else str(default)
