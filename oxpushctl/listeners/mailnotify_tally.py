"""What became of the datagrams: counted each, and told in the log once a minute at most of each kind.

Whoever sends nonsense does not decide how long the log gets.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Callable

from oxpushctl import log

_EVERY_S = 60.0
_LONGEST_FIELD = 80

_log = log.get(__name__)


class Fate(enum.StrEnum):
    """What may become of a datagram."""

    HEARD = "heard"
    GARBAGE = "garbage"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    OTHER = "other"
    OVERFLOW = "overflow"


# What an operator should look at. The others are everyday matters: another node may hear for an unknown user.
_WARNINGS = {
    Fate.GARBAGE: "datagrams that are no notifications of Cyrus' notifyd were dropped",
    Fate.FOREIGN: "datagrams were dropped that come from elsewhere than oxpushctl.mailnotify.sources",
    Fate.AMBIGUOUS: "datagrams were dropped whose user name several users have",
    Fate.OVERFLOW: "the kernel dropped datagrams: they came faster than they are read, see net.core.rmem_max",
}
_DEBUG = {
    Fate.UNKNOWN: "datagrams were dropped for users that are not listened for here",
    Fate.OTHER: "datagrams were dropped that are about another folder than the inbox",
}


class Tally:
    """Counts datagrams; ``counts`` has how many met each fate, by its word, since the start."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._monotonic = monotonic
        self._next: dict[Fate, float] = {}
        self._untold: Counter[Fate] = Counter()

    def note(self, fate: Fate, count: int = 1, **fields: str) -> None:
        """Count datagrams, and tell of them and those before if that is due; ``fields`` are about the last one."""
        self.counts[fate.value] += count
        tell, event = _log.warning, _WARNINGS.get(fate)
        if event is None:
            tell, event = _log.debug, _DEBUG.get(fate)
        if event is None:
            return
        self._untold[fate] += count
        now = self._monotonic()
        if now < self._next.get(fate, -math.inf):
            return
        self._next[fate] = now + _EVERY_S
        tell(event, count=self._untold.pop(fate), **{key: value[:_LONGEST_FIELD] for key, value in fields.items()})
