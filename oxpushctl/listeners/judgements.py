"""How many log-ins a mail server refused lately, and how many it let in: no one name counts for many."""

from __future__ import annotations

from collections import Counter, deque

from oxpushctl.interfaces import Clock

WINDOW_S = 60.0
# Who tries one login again and again, whatever comes of it, is counted so often and decides nothing for the others.
MOST_OF_A_NAME = 3
_MOST_KEPT = 10_000


class Judgements:
    """The mail server's judgements of the last minute; names are told apart without case."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[tuple[float, tuple[int, bool]]] = deque()
        self._of_name: Counter[tuple[int, bool]] = Counter()
        self._refused = 0

    def note(self, name: str, *, is_refusal: bool) -> None:
        """Note one."""
        self._forget_old()
        judgement = (hash(name.casefold()), is_refusal)  # a name may be long
        if self._of_name[judgement] >= MOST_OF_A_NAME:
            return
        self._kept.append((self._clock.monotonic(), judgement))
        self._of_name[judgement] += 1
        self._refused += is_refusal
        if len(self._kept) > _MOST_KEPT:
            self._forget_oldest()

    def counted(self) -> tuple[int, int]:
        """Return how many were refused and how many let in."""
        self._forget_old()
        return self._refused, len(self._kept) - self._refused

    def forget(self) -> None:
        """Begin anew."""
        self._kept.clear()
        self._of_name.clear()
        self._refused = 0

    def _forget_old(self) -> None:
        since = self._clock.monotonic() - WINDOW_S
        while self._kept and self._kept[0][0] <= since:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, judgement = self._kept.popleft()
        self._of_name[judgement] -= 1
        if not self._of_name[judgement]:
            del self._of_name[judgement]
        self._refused -= judgement[1]
