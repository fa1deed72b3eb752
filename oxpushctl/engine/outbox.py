"""The outbox in this process's memory: nothing accepted is forgotten while the process lives."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from oxpushctl.errors import NotKept
from oxpushctl.model import Entry, MailEvent

# About 150 MB when every event waits for an absent provider; beyond that the mail server is told that we are full.
CAPACITY = 100_000


class MemoryOutbox:
    """Holds events and messages in dictionaries, bounded by their number; keeps the promises of ``Outbox``."""

    is_durable = False

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: dict[str, MailEvent] = {}
        self._entries: dict[Entry, None] = {}
        self._kept_back: list[tuple[float, int, Entry]] = []
        self._count = 0

    @property
    def depth(self) -> int:
        """How many events and messages are not done."""
        return len(self._events) + len(self._entries)

    @property
    def is_full(self) -> bool:
        """Whether the next event will be refused."""
        return self.depth >= self._capacity

    async def put(self, event: MailEvent) -> None:
        """Keep an event; raise ``NotKept`` when the outbox is full."""
        if self.is_full:
            raise NotKept(f"the outbox is full: {self.depth} events and messages wait to be sent")
        self._events[event.id] = event

    def matched(self, event_id: str, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Replace an event by its messages and return them; those of an event that is not kept are not kept either."""
        if self._events.pop(event_id, None) is not None:
            for entry in entries:
                self._entries[entry] = None
        return entries

    def done(self, entry: Entry) -> None:
        """Forget a message."""
        self._entries.pop(entry, None)

    def later(self, entry: Entry, at: float) -> bool:
        """Keep a message back until a time in epoch seconds; return false for one that is not held here."""
        if entry not in self._entries:
            return False
        self._count += 1
        heapq.heappush(self._kept_back, (at, self._count, entry))
        return True

    async def due(self, now: float, most: int) -> Sequence[Entry]:
        """Hand out messages whose time has come, the longest due first."""
        ready: list[Entry] = []
        while len(ready) < most and self._kept_back and self._kept_back[0][0] <= now:
            ready.append(heapq.heappop(self._kept_back)[2])
        return ready

    def next_due(self) -> float | None:
        """Return when the next message falls due."""
        return self._kept_back[0][0] if self._kept_back else None

    async def recovered(self, _most: int) -> Sequence[MailEvent]:
        """Return nothing: an earlier run has left nothing."""
        return ()

    async def heard_last(self) -> Sequence[MailEvent]:
        """Return nothing: an earlier run has told nothing."""
        return ()

    def left(self) -> Iterator[MailEvent | Entry]:
        """Walk over everything that is not done."""
        yield from self._events.values()
        yield from self._entries
