"""One setting as somebody wrote it, before it is known what it means."""

from __future__ import annotations

from dataclasses import dataclass, field

from oxpushctl.config.settings import Origin


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and the text that was given for it, and where."""

    key: str
    text: str = field(repr=False)
    origin: Origin
