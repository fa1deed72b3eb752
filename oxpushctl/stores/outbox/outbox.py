"""The outbox that survives ``kill -9``: what was accepted is on this node's disk, until it is sent.

::

    loop      put ─► batch ─┐              ┌─► put returns        done, later ─► the next batch
    thread                  └─► commit ────┘                                      (with the next put, or 10 ms later)

One thread writes, and all that was asked for while it wrote is its next commit: a disk that is slow makes larger
commits, not a longer queue. An event stays until nothing is to be sent for it any more; of one with several devices,
those that are done are noted. A message that is kept back is only on the disk: a provider that is away for hours costs
no memory for what waits, but its number and its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from oxpushctl import log
from oxpushctl.errors import BadData, NotKept
from oxpushctl.interfaces import Clock
from oxpushctl.model import Entry, MailEvent
from oxpushctl.stores.outbox import records
from oxpushctl.stores.outbox.file import Batch, OutboxFile
from oxpushctl.stores.outbox.records import Sealer
from oxpushctl.stores.outbox.worker import Worker

# Some 1 KB each on the disk, and 150 bytes of memory.
CAPACITY = 1_000_000
# More than these wait for the disk only when it hangs.
MOST_WAITING = 50_000
# What was done may be written this much later: it is sent once more if the process is killed just then.
LINGER_S = 0.01
# A disk that failed is tried again after this time.
AGAIN_S = 1.0
# Marks of mailboxes are written every second: by then nobody needs to know any more what was heard.
HEARD_S = 30.0

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Put:
    """An event that is being written; ``written`` is done when it is on the disk."""

    event: MailEvent
    written: asyncio.Future[None]


class DurableOutbox:
    """Keeps the promises of ``Outbox`` on a disk; ``opening`` makes one.

    While the disk cannot be written, ``is_full`` is true and ``put`` raises ``NotKept``; it is tried again every
    second.
    """

    is_durable = True

    def __init__(self, file: OutboxFile, sealer: Sealer, clock: Clock, capacity: int = CAPACITY) -> None:
        self._file = file
        self._sealer = sealer
        self._clock = clock
        self._capacity = capacity
        self._thread = Worker("outbox")
        self._batch = Batch()
        self._waiting: list[_Put] = []
        self._is_committing = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_broken = False
        self._forget_heard_at = 0.0
        self._unmatched: dict[str, int] = {}
        self._left: dict[int, int] = {}
        self._with_settled: set[int] = set()
        self._places: dict[Entry, tuple[int, int]] = {}
        # Those whose rows are not written yet are still here.
        self._unwritten: dict[int, Entry] = {}
        self._settled_before: dict[int, frozenset[bytes]] = {}
        self._recovered_to = 0
        self._to_recover = file.event_count()
        numbers = file.entry_numbers()
        now = clock.now()
        self._kept_back: list[tuple[float, int]] = [(now, number) for number in numbers]
        self._numbers_to = max(file.highest_number(), int(time.time() * 1000) * 1000)
        self._depth = self._to_recover + len(numbers)

    @property
    def depth(self) -> int:
        """How many events and messages are not done."""
        return self._depth

    @property
    def is_full(self) -> bool:
        """Whether the next event will be refused."""
        return self._is_broken or self._depth >= self._capacity or len(self._waiting) >= MOST_WAITING

    async def put(self, event: MailEvent) -> None:
        """Return when an event is on the disk; raise ``NotKept`` when it cannot be."""
        if self._is_broken:
            raise NotKept("the outbox cannot be written")
        if self.is_full:
            raise NotKept(f"the outbox is full: {self._depth} events and messages wait to be sent")
        number = self._next_number()
        body = self._sealer.seal(records.EVENT, records.event_record(event))
        written = asyncio.get_running_loop().create_future()
        self._batch.events.append((number, event.at, body))
        self._waiting.append(_Put(event, written))
        self._depth += 1
        self._unmatched[event.id] = number
        self._commit_soon()
        await written

    def matched(self, event_id: str, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Replace an event by its messages, and return those that are still to be sent.

        Those of an event that is not kept are all to be sent, and not kept either.
        """
        number = self._unmatched.pop(event_id, None)
        if number is None:
            return entries
        settled = self._settled_before.pop(number, None)
        if settled:
            self._with_settled.add(number)
            entries = [entry for entry in entries if entry.subscription.id not in settled]
        self._depth += len(entries) - 1
        if not entries:
            self._end_event(number)
            return entries
        self._left[number] = len(entries)
        for entry in entries:
            self._places[entry] = (number, 0)
        return entries

    def done(self, entry: Entry) -> None:
        """Forget a message."""
        place = self._places.pop(entry, None)
        if place is None:
            return
        self._depth -= 1
        event, number = place
        if number:
            self._unwritten.pop(number, None)
            self._batch.ended_entries.append(number)
            self._commit_later()
        else:
            self._settle(event, entry)

    def later(self, entry: Entry, at: float) -> bool:
        """Keep a message back until a time in epoch seconds; return false for one that is not held here."""
        place = self._places.pop(entry, None)
        if place is None:
            return False
        event, number = place
        if not number:
            number = self._next_number()
            self._settle(event, entry)
        row = self._sealer.seal(records.ENTRY, records.entry_record(entry))
        self._batch.entries[number] = (entry.notification.expires_at, row)
        self._unwritten[number] = entry
        heapq.heappush(self._kept_back, (at, number))
        self._commit_later()
        return True

    async def due(self, now: float, most: int) -> Sequence[Entry]:
        """Hand out messages whose time has come, the longest due first; those that cannot be read now come later."""
        numbers: list[int] = []
        while len(numbers) < most and self._kept_back and self._kept_back[0][0] <= now:
            numbers.append(heapq.heappop(self._kept_back)[1])
        if not numbers:
            return ()
        asked = [number for number in numbers if number not in self._unwritten]
        try:
            bodies = await self._thread.run(functools.partial(self._file.entry_bodies, asked)) if asked else {}
        except BaseException as error:
            for number in numbers:
                heapq.heappush(self._kept_back, (now + AGAIN_S, number))
            if not isinstance(error, NotKept):
                raise
            self._note_broken(error)
            return ()
        return [entry for number in numbers if (entry := self._entry(number, bodies.get(number))) is not None]

    def next_due(self) -> float | None:
        """Return when the next message falls due."""
        return self._kept_back[0][0] if self._kept_back else None

    async def recovered(self, most: int) -> Sequence[MailEvent]:
        """Hand out events that an earlier run left, each once; empty when there are no more of them."""
        while self._to_recover > 0:
            rows = await self._thread.run(functools.partial(self._file.event_bodies, self._recovered_to, most))
            # What this run accepted has higher numbers.
            rows = rows[: self._to_recover]
            if not rows:
                break
            self._recovered_to = rows[-1][0]
            self._to_recover -= len(rows)
            settled = await self._thread.run(functools.partial(self._file.settled, [number for number, _ in rows]))
            events = [event for number, body in rows if (event := self._event(number, body)) is not None]
            for number, subscription in settled:
                self._settled_before[number] = self._settled_before.get(number, frozenset()) | {subscription}
            if events:
                return events
        return ()

    async def heard_last(self) -> Sequence[MailEvent]:
        """Return the mails that an earlier run accepted in its last half minute, sent or not; only what names them."""
        found: list[MailEvent] = []
        for body in await self._thread.run(self._file.heard_bodies):
            with contextlib.suppress(BadData):
                found += [records.read_event(record) for record in self._sealer.open(records.HEARD, body)]
        return found

    def left(self) -> Iterator[Entry]:
        """Walk over the messages that are in memory and not done."""
        yield from self._places

    async def aclose(self) -> None:
        """Write what is not written, and close the file."""
        while not self._is_broken and (self._is_committing or not self._batch.is_empty):
            if not self._is_committing:
                self._commit()
            await self._thread.run(_nothing)
        if self._timer is not None:
            self._timer.cancel()
        await self._thread.run(self._file.close)
        self._thread.end()

    def _settle(self, event: int, entry: Entry) -> None:
        """Note that one device of an event needs nothing more from it."""
        left = self._left[event] - 1
        if left:
            self._left[event] = left
            self._batch.settled.append((event, entry.subscription.id))
            self._with_settled.add(event)
            self._commit_later()
        else:
            del self._left[event]
            self._end_event(event)

    def _end_event(self, number: int) -> None:
        self._batch.ended_events.append(number)
        if number in self._with_settled:
            self._with_settled.discard(number)
            self._batch.ended_settled.append(number)
        self._commit_later()

    def _event(self, number: int, body: bytes) -> MailEvent | None:
        try:
            event = records.read_event(self._sealer.open(records.EVENT, body))
        except BadData as problem:
            self._depth -= 1
            _tell_unread("event", problem)
            return None
        self._unmatched[event.id] = number
        return event

    def _entry(self, number: int, body: bytes | None) -> Entry | None:
        entry = self._unwritten.get(number)
        if entry is None:
            try:
                if body is None:
                    raise BadData("its row is gone")
                entry = records.read_entry(self._sealer.open(records.ENTRY, body))
            except BadData as problem:
                self._depth -= 1
                _tell_unread("message", problem)
                return None
        self._places[entry] = (0, number)
        return entry

    def _next_number(self) -> int:
        self._numbers_to += 1
        return self._numbers_to

    def _commit_soon(self) -> None:
        """Commit at the end of this turn of the loop, with all that comes in it."""
        if self._is_committing:
            return
        self._is_committing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asyncio.get_running_loop().call_soon(self._commit)

    def _commit_later(self) -> None:
        if self._timer is None and not self._is_committing:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._commit)

    def _commit(self) -> None:
        """Hand the batch to the thread."""
        self._is_committing = True
        self._timer = None
        batch, self._batch = self._batch, Batch()
        waiting, self._waiting = self._waiting, []
        if waiting or self._is_broken:  # a disk that was full has to take something before it is believed
            now = self._clock.now()
            mails = [_named(put.event) for put in waiting]
            batch.heard = (self._next_number(), now, self._sealer.seal(records.HEARD, mails))
            if now >= self._forget_heard_at:
                batch.forget_heard_before = now - HEARD_S
                self._forget_heard_at = now + 1.0
        self._thread.submit(
            functools.partial(self._file.commit, batch), functools.partial(self._committed, batch, waiting)
        )

    def _committed(
        self,
        batch: Batch,
        waiting: Sequence[_Put],
        _: None,
        error: Exception | None,
    ) -> None:
        """Tell those who wait, and go on with what has come meanwhile."""
        self._is_committing = False
        if error is None:
            self._note_working()
            for number in batch.entries:
                if number not in self._batch.entries:
                    self._unwritten.pop(number, None)
            for put in waiting:
                if not put.written.done():
                    put.written.set_result(None)
        else:
            self._take_back(batch, waiting, error)
        if self._is_broken:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(AGAIN_S, self._commit)
        elif self._waiting:
            self._commit()
        elif not self._batch.is_empty:
            self._commit_later()

    def _take_back(
        self,
        batch: Batch,
        waiting: Sequence[_Put],
        error: Exception,
    ) -> None:
        """Refuse the events of a commit that failed; the rest of it is written with the next one."""
        for put in waiting:
            if self._unmatched.pop(put.event.id, None) is not None:
                self._depth -= 1
            if not put.written.done():
                put.written.set_exception(NotKept(str(error)))
        following, self._batch = self._batch, batch
        batch.events, batch.heard = following.events, None
        batch.settled += following.settled
        batch.entries = {**batch.entries, **following.entries}
        batch.ended_events += following.ended_events
        batch.ended_settled += following.ended_settled
        batch.ended_entries += following.ended_entries
        self._note_broken(error)

    def _note_broken(self, error: Exception) -> None:
        if not self._is_broken:
            self._is_broken = True
            _log.error(
                "outbox: cannot be written, events are refused and tried without it",
                reason=str(error),
                todo="make room on the disk, or look at its health; it is tried again every second",
            )

    def _note_working(self) -> None:
        if self._is_broken:
            self._is_broken = False
            _log.info("outbox: can be written again")


def _named(event: MailEvent) -> Mapping[str, object]:
    """Return what names the mail of an event, and nothing of what is in it."""
    return records.event_record(replace(event, sender=None, subject="", snippet=""))


def _tell_unread(what: str, problem: BadData) -> None:
    if isinstance(problem, records.NewerRecord):
        _log.warning(f"outbox: {what} left alone", reason=str(problem))
    else:
        _log.error(f"outbox: {what} cannot be read, and is not sent", reason=str(problem))


def _nothing() -> None:
    """Be done when all before it is done."""
