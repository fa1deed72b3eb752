"""One log line where many alike could be written: whoever sends nonsense does not decide how long the log gets."""

from __future__ import annotations

from collections.abc import Callable

EVERY_S = 60.0


class Seldom:
    """Says when something that happened again is due to be told: the first time, then once a minute."""

    def __init__(self, monotonic: Callable[[], float], every_s: float = EVERY_S) -> None:
        self._monotonic = monotonic
        self._every_s = every_s
        self._next = float("-inf")
        self._untold = 0

    def due(self) -> int:
        """Count one more; return how many are untold if they are due to be told now, else 0."""
        self._untold += 1
        now = self._monotonic()
        if now < self._next:
            return 0
        self._next = now + self._every_s
        count, self._untold = self._untold, 0
        return count
