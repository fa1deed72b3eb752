"""Debounce of identical notifications: the first leaves at once, repeats within the window are swallowed.

::

    offered   A . A . . A               B(no uid) . B . B
    sent      A                         B . . . . . . . . . . B
              |-delay-|                 |-delay-| extended by each repeat, never beyond max delay

Two notifications are identical when user, topic and all message data are equal, as with the middleware. Repeats that
carry no uid may be different mails that merely look alike, so one more leaves when their window ends.
"""

from __future__ import annotations

import enum
import heapq
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from oxpushctl.model import Notification


class Decision(enum.Enum):
    """What becomes of a notification that was offered."""

    SEND = "send"
    SWALLOW = "swallow"
    HOLD = "hold"


@dataclass(slots=True)
class _Window:
    until: float
    limit: float
    held: Notification | None = None


def _identity(notification: Notification) -> Hashable:
    user = notification.user
    # Numbers and texts alone: their tuple is hashed without a call into Python.
    return user.context, user.user, notification.topic, tuple(notification.data.items())


class Buffer:
    """The open windows; times are the caller's monotonic seconds, a ``max_delay_s`` of 0 sets no limit."""

    def __init__(self, delay_s: float, max_delay_s: float) -> None:
        self._windows: dict[Hashable, _Window] = {}
        # Nearly all windows end with nothing held: those are only forgotten, some time after their end, in the order
        # in which they were opened. What holds something ends on time.
        self._to_forget: deque[tuple[float, Hashable]] = deque()
        self._ends: list[tuple[float, int, Hashable]] = []
        self._count = 0
        self.set_delays(delay_s, max_delay_s)

    def set_delays(self, delay_s: float, max_delay_s: float) -> None:
        """Take other delays for the windows to come."""
        self._max_delay_s = max_delay_s or float("inf")
        self._delay_s = min(delay_s, self._max_delay_s)

    def __len__(self) -> int:
        return len(self._windows)

    def offer(self, notification: Notification, now: float) -> Decision:
        """Decide on a notification: send it, forget it as a repeat, or keep it here until ``leaving`` returns it."""
        if self._delay_s <= 0:
            return Decision.SEND
        identity = _identity(notification)
        window = self._windows.get(identity)
        if window is None:
            self._windows[identity] = _Window(now + self._delay_s, now + self._max_delay_s)
            self._to_forget.append((now + self._delay_s, identity))
            return Decision.SEND
        if window.until <= now and window.held is None:
            self._reopen(window, now)
            return Decision.SEND
        window.until = max(window.until, min(now + self._delay_s, window.limit))  # a reload may shorten the delay
        if window.held is None and "id" not in notification.data:
            window.held = notification
            self._push(window.until, identity)
            return Decision.HOLD
        return Decision.SWALLOW

    def next_end(self) -> float | None:
        """Return the time at which ``leaving`` is to be called next: a held window's end, or time to forget."""
        times = [queue[0][0] for queue in (self._ends, self._to_forget) if queue]
        return min(times) if times else None

    def leaving(self, now: float) -> list[Notification]:
        """Close the windows that have ended and return what they held back; each opens a window of its own."""
        left: list[Notification] = []
        while self._ends and self._ends[0][0] <= now:
            _, _, identity = heapq.heappop(self._ends)
            window = self._windows[identity]
            if window.until > now:
                self._push(window.until, identity)
            elif window.held is not None:
                left.append(window.held)
                self._reopen(window, now)
        self._forget(now)
        return left

    def release(self) -> list[Notification]:
        """Return at once what is held back; the windows stay open."""
        held: list[Notification] = []
        for _, _, identity in self._ends:
            window = self._windows[identity]
            if window.held is not None:
                held.append(window.held)
                window.held = None
        self._ends.clear()
        return held

    def _forget(self, now: float) -> None:
        while self._to_forget and self._to_forget[0][0] <= now:
            _, identity = self._to_forget.popleft()
            window = self._windows[identity]
            if window.held is None and window.until <= now:
                del self._windows[identity]
            else:
                self._to_forget.append((window.until, identity))

    def _reopen(self, window: _Window, now: float) -> None:
        window.until, window.limit, window.held = now + self._delay_s, now + self._max_delay_s, None

    def _push(self, end: float, identity: Hashable) -> None:
        self._count += 1
        heapq.heappush(self._ends, (end, self._count, identity))
