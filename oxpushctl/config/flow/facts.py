"""Settings as the decision flow names them: what each is, where it was set, and what to write instead."""

from __future__ import annotations

from oxpushctl.config import codes, table, writing
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity
from oxpushctl.config.flow.step import Fact, Line
from oxpushctl.config.property import Property
from oxpushctl.config.text import SET, masked

_OTHER_CONTEXTS = "OXP112"  # some contexts have another value, which is not evaluated
_ELIDED = "…"


def fact(configuration: Configuration, row: Property[object]) -> Fact:
    """Return what a property is on this node, and what about that is not certain."""
    settings = configuration.settings
    told = [found for found in configuration.findings if (match := table.find(found.key)) and match.row is row]
    is_wrong = any(found.severity is Severity.ERROR and codes.is_syntax(found.code) for found in told)
    notes = ["what is set has an error, see oxpushctl config check"] if is_wrong else []
    if row.is_cascaded:
        others = [found for found in told if found.code == _OTHER_CONTEXTS]
        notes += [f"{found.file}:{found.line} {found.message}" for found in others]
    return Fact(row.key, _written(row, settings[row]), settings.origin(row), "; ".join(notes))


def line(configuration: Configuration, row: Property[object], value: str | None = None) -> Line:
    """Return a line to write; without a value an example of one, never a secret."""
    place = configuration.settings.origin(row) or row.file
    return Line(row.key, value or row.example or _ELIDED, str(place))


def _written(row: Property[object], value: object) -> str | None:
    if value is None or value == row.default == ():
        return None
    return SET if row.is_secret else masked(writing.value(row, value))
