"""Log lines about what happens to many at once: the first at once, the others a minute later as one with a count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from oxpushctl.interfaces import Clock
from oxpushctl.log import Field, Log

EVERY_S = 60.0


@dataclass(slots=True)
class _Kind:
    """What was told of one kind of event since ``began``, and what was not."""

    tell: Callable[..., None]
    began: float = float("-inf")
    told: int = 0
    untold: int = 0
    fields: dict[str, Field] = field(default_factory=dict)


class Tally:
    """Writes lines, at most ``most`` of each event a minute; ``flush`` has to be called now and then.

    Of those that are only counted the last one's fields are told.
    """

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}

    def warn(self, event: str, most: int = 1, **fields: Field) -> None:
        """Tell of something that an operator should look at, or count it."""
        self._note(self._log.warning, event, most, fields)

    def error(self, event: str, most: int = 1, **fields: Field) -> None:
        """Tell of something that an operator must act on, or count it."""
        self._note(self._log.error, event, most, fields)

    def flush(self) -> None:
        """Tell what was counted, of every event whose minute is over."""
        now = self._clock.monotonic()
        for event, kind in self._kinds.items():
            self._begin_minute(event, kind, now)

    def _note(self, tell: Callable[..., None], event: str, most: int, fields: dict[str, Field]) -> None:
        kind = self._kinds.setdefault(event, _Kind(tell))
        self._begin_minute(event, kind, self._clock.monotonic())
        if kind.told < most:
            kind.told += 1
            tell(event, **fields)
        else:
            kind.untold += 1
            kind.fields = fields

    def _begin_minute(self, event: str, kind: _Kind, now: float) -> None:
        if now - kind.began < EVERY_S:
            return
        kind.began, kind.told = now, 0
        if kind.untold:
            # That is one line of the new minute, and others of it are counted again.
            kind.tell(event, count=kind.untold, **kind.fields)
            kind.told, kind.untold = 1, 0
