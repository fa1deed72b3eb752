"""Write values as a file has them: what ``reading`` takes in, the other way round."""

from __future__ import annotations

import re
from pathlib import Path

import javaproperties

from oxpushctl.config.property import DURATION, PATTERNS, Property

_UNITS_S = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
# What javaproperties escapes everywhere, as Java does when it writes, although a value needs none of it.
_NEEDLESS = re.compile(r"\\([:=!# ])")


def assignment(key: str, text: str) -> str:
    """Return the line of a ``*.properties`` file, in ASCII, that sets a key to a text."""
    return f"{javaproperties.escape(key)}={_NEEDLESS.sub(lambda escape: escape[1], javaproperties.escape(text))}"


def value(row: Property[object], parsed: object) -> str:
    """Write a row's value; its kind reads the same from it."""
    if parsed is None:
        return ""
    if isinstance(parsed, bool):
        return str(parsed).lower()
    if row.kind is DURATION and isinstance(parsed, int | float):
        return duration(parsed)
    if row.kind is PATTERNS and isinstance(parsed, tuple):
        return ", ".join(f'"{pattern}"' for pattern in parsed)
    return ", ".join(map(str, parsed)) if isinstance(parsed, tuple) else str(parsed)


def duration(seconds: float) -> str:
    """Write a duration in the largest unit that fits: ``4h``, ``90s``, ``500ms``."""
    if seconds == 0:
        return "0s"
    units = (f"{seconds / size:.0f}{unit}" for unit, size in _UNITS_S if seconds % size == 0)
    return next(units, f"{seconds * 1000:.0f}ms")


def default(row: Property[object], state: Path | None = None) -> str:
    """Write a row's default, empty if it has none; one in the state folder needs to know that."""
    if "STATE" in row.default_text:
        return row.default_text if state is None else row.default_text.replace("STATE", str(state))
    return value(row, row.default)


def default_in_words(row: Property[object]) -> str:
    """Say what a row is when it is unset."""
    return row.default_text or default(row) or "not set"
