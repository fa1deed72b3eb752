"""One setting as somebody wrote it, before it is known what it means."""

from __future__ import annotations

from dataclasses import dataclass, field

from oxpushctl.config.settings import Origin


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and the text that was given for it, and where.

    ``has_swallowed`` tells that a further line of it, after a backslash, looks like a setting of its own.
    """

    key: str
    text: str = field(repr=False)
    origin: Origin
    has_swallowed: bool = False
