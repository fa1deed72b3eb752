"""Which listeners something is to be done about: those at once in a fair order, the others when they are due.

At once: first those of whom somebody is waiting for the effect, then those that have failed least often, so that a
mail server in trouble holds up only its own; among these in the order of context and user.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from oxpushctl.engine.listener_record import ListenerRecord

_BITS = 32
_MASK = 2**_BITS - 1
_MOST_FAILURES = 2**16 - 1


class Agenda:
    """Holds users rather than records: what becomes of a record, nothing has to be searched for here.

    ``find`` gives the record of a context and user, ``on_ready`` is called whenever there is one more to take.
    """

    def __init__(self, find: Callable[[int, int], ListenerRecord | None], on_ready: Callable[[], None]) -> None:
        self._find = find
        self._on_ready = on_ready
        # One number each, urgency, failures, context and user side by side: half a million of them at a start.
        self._ready: list[int] = []
        self._waiting: list[tuple[float, int, int]] = []

    def add(self, record: ListenerRecord, *, is_urgent: bool = False) -> None:
        """Have something done about a listener at once, or once more when somebody is at it."""
        record.due = None
        if record.is_busy:
            record.is_changed = True
            record.is_urgent |= is_urgent
        elif not record.is_queued or (is_urgent and not record.is_urgent):
            record.is_queued, record.is_urgent = True, is_urgent
            rank = (0 if is_urgent else _MOST_FAILURES + 1) + min(record.failures, _MOST_FAILURES)
            user = record.user
            heapq.heappush(self._ready, (rank << 2 * _BITS) | (user.context << _BITS) | user.user)
            self._on_ready()

    def add_later(self, record: ListenerRecord, due: float) -> None:
        """Have something done about a listener at a time, in seconds that never jump."""
        record.due = due
        heapq.heappush(self._waiting, (due, record.user.context, record.user.user))

    def take(self) -> ListenerRecord | None:
        """Return the first one about which something is to be done; ``None`` when there is none."""
        while self._ready:
            key = heapq.heappop(self._ready)
            record = self._find(key >> _BITS & _MASK, key & _MASK)
            if record is not None and record.is_queued:
                record.is_queued = record.is_urgent = False
                return record
        return None

    def tick(self, now: float, most: int) -> bool:
        """Take over some of those that have fallen due; tell whether there may be more."""
        for _ in range(most):
            if not self._waiting or self._waiting[0][0] > now:
                return False
            due, context, user = heapq.heappop(self._waiting)
            record = self._find(context, user)
            if record is not None and record.due == due:
                self.add(record)
        return True
