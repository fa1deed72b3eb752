"""Write findings: a line for a person, an object for a program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.text import printable, shortened

_LONGEST_KEY = 300  # characters; a file may be one key


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
    """All findings as JSON, and the decision flow where it was asked for."""

    findings: list[FindingObject]
    flow: Mapping[str, object] | None
    errors: int
    warnings: int


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by file and line; those about no file come last."""
    return sorted(findings, key=lambda found: (not found.file, found.file, found.line or 0, found.column or 0))


def line(found: Finding) -> str:
    """Write ``FILE:LINE:COL: severity CODE KEY: message (hint)``, without what is not known."""
    place = ":".join(str(part) for part in (found.file, found.line, found.column) if part)
    about = " ".join(part for part in (found.severity.value, found.code, shortened(found.key, _LONGEST_KEY)) if part)
    text = f"{place}: {about}: {found.message}" if place else f"{about}: {found.message}"
    return printable(f"{text} ({found.hint})" if found.hint else text)


def report(findings: Sequence[Finding], flow: Mapping[str, object] | None = None) -> Report:
    """Write findings for a program."""
    return {
        "findings": [_object(found) for found in findings],
        "flow": flow,
        "errors": count(findings, Severity.ERROR),
        "warnings": count(findings, Severity.WARNING),
    }


def count(findings: Iterable[Finding], severity: Severity) -> int:
    """Return how many findings have a severity."""
    return sum(found.severity is severity for found in findings)


def _object(found: Finding) -> FindingObject:
    return {
        "severity": found.severity.value,
        "scope": found.reach.value,
        "code": found.code,
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "key": shortened(found.key, _LONGEST_KEY),
        "message": found.message,
        "hint": found.hint,
    }
