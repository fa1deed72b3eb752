"""When registrations are looked at: each once a day, at an even pace, whatever happened before.

::

    a day has 48 rounds, and each round asks of all that is remembered:

    which have not the value or mailbox of today?   ten a second ────────────────────────► verify
    which fall due in this round?                   the longest overdue, a 44th of all ──► verify, evenly

A mailbox that was restored from a backup has lost its registration, and nobody is told. After a long stop all are
overdue: they are spread over a day like any others. Of whom nothing could be learnt gives way to the others.
"""

from __future__ import annotations

import asyncio
import heapq
import zlib
from collections.abc import Awaitable, Callable, Collection, Sequence, Set
from dataclasses import dataclass, field

from oxpushctl import log
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock
from oxpushctl.listeners.dovecot_registry import Registry
from oxpushctl.model import PushUser, RegisteredMailbox

DAY_S = 86_400.0
ROUNDS = 48
# A little more than all of them in a day, so that what was held up is made good.
_SLACK = 1.1
# Two who were registered together do not stay together: verified again after 95 to 105 % of a day.
_JITTER = 0.1
# Whose mailbox could not be asked comes again after this part of a day.
_AGAIN = 0.25
_PAGE = 1000
# After another value of all of them, so many a second.
_SOON_PER_S = 10
# Whoever says how often that something has changed: all that is remembered is read for a twentieth of the time.
_REST = 19

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of a batch: the users of whose mailboxes nothing was learnt, and why of the last of them."""

    unknown: Sequence[PushUser] = ()
    reason: str = ""
    is_worth_going_on: bool = True


@dataclass(order=True, slots=True)
class _Due:
    """A mailbox that falls due; the smallest of them is the last to do so."""

    seconds_before: float
    mailbox: RegisteredMailbox = field(compare=False)


Verify = Callable[[Sequence[RegisteredMailbox]], Awaitable[Verified]]
OfToday = Callable[[Sequence[RegisteredMailbox]], Awaitable[Collection[PushUser]]]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a round has to do: registrations that are not those of today, and those that fall due."""

    others: Sequence[RegisteredMailbox]
    due: Sequence[RegisteredMailbox]


class Rounds:
    """Goes round what is registered, many mailboxes at a time where that is the way.

    ``running`` are the users whose mailboxes are to be verified. ``of_today`` returns the users of those rows that
    have the value and the mailbox of today. ``day_s`` is the time in which each has its turn.
    """

    def __init__(
        self, registry: Registry, clock: Clock, running: Set[PushUser], of_today: OfToday, *, day_s: float = DAY_S
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._running = running
        self._of_today = of_today
        self._day_s = day_s
        self._round_s = day_s / ROUNDS
        self._begin_anew = asyncio.Event()
        self._next_anew = float("-inf")
        # When it was tried in vain, in epoch seconds.
        self._tried: dict[PushUser, float] = {}

    def begin_anew(self) -> None:
        """Begin a round soon: what is to be written, or where, may be another."""
        self._begin_anew.set()

    async def run(self, verify: Verify) -> None:
        """Go round until cancelled."""
        while True:
            began = self._clock.monotonic()
            self._begin_anew.clear()
            try:
                await self._round(verify)
            except OxpushctlError as error:
                _log.warning("registrations at Dovecot are not verified now", reason=str(error))
            await self._pause(began + self._round_s - self._clock.monotonic())
            if (rest_s := self._next_anew - self._clock.monotonic()) > 0:
                await self._clock.sleep(rest_s)

    async def _round(self, verify: Verify) -> None:
        began = self._clock.monotonic()
        chosen = await self._chosen()
        now = self._clock.monotonic()
        self._next_anew = now + _REST * (now - began)
        await self._work_off(chosen.others, verify, 1 / _SOON_PER_S)
        await self._work_off(chosen.due, verify, self._round_s / max(1, len(chosen.due)))

    async def _work_off(self, mailboxes: Sequence[RegisteredMailbox], verify: Verify, pace_s: float) -> None:
        """Work batch by batch, with pauses, as long as there is any use in it and no round is to begin anew."""
        count, reason = 0, ""
        at_once = self._registry.at_once
        for start in range(0, len(mailboxes), at_once):
            if self._begin_anew.is_set():
                break
            batch = mailboxes[start : start + at_once]
            done = await verify(batch)
            self._note(batch, done)
            count, reason = count + len(done.unknown), done.reason or reason
            if not done.is_worth_going_on:
                break
            await self._pause(pace_s * len(batch))
        if count:
            _log.warning("registrations at Dovecot could not be looked at now", count=count, reason=reason)

    def _note(self, batch: Sequence[RegisteredMailbox], done: Verified) -> None:
        for mailbox in batch:
            self._tried.pop(mailbox.user, None)
        self._tried |= dict.fromkeys(done.unknown, self._clock.now())

    async def _chosen(self) -> _Chosen:
        until = self._clock.now() + self._round_s
        most = max(1, round(len(self._running) / ROUNDS * _SLACK))
        most_soon = int(self._round_s * _SOON_PER_S) + self._registry.at_once
        self._tried = {user: at for user, at in self._tried.items() if user in self._running}
        not_remembered = set(self._running)
        others: list[RegisteredMailbox] = []
        due: list[_Due] = []  # a heap: the last to fall due gives way to others
        after: PushUser | None = None
        while page := await self._registry.mailboxes.page(after, _PAGE):
            after = page[-1].user
            ours = [mailbox for mailbox in page if mailbox.user in self._running]
            not_remembered.difference_update(mailbox.user for mailbox in ours)
            of_today = await self._of_today(ours) if ours else ()
            for mailbox in ours:
                if mailbox.user not in of_today:
                    others.append(mailbox)
                elif (at := self._due_at(mailbox)) < until:
                    _push(due, _Due(-at, mailbox), most)
        # Who is not remembered any more was cleared by somebody, and the mailbox perhaps too.
        others += [RegisteredMailbox(user, "", "", 0) for user in sorted(not_remembered & self._running)]
        others.sort(key=lambda mailbox: self._tried.get(mailbox.user, 0.0))
        return _Chosen(others[:most_soon], [each.mailbox for each in sorted(due, reverse=True)])

    def _due_at(self, mailbox: RegisteredMailbox) -> float:
        share = zlib.crc32(f"{mailbox.user} {mailbox.verified_ms}".encode()) / 2**32 - 0.5
        at = mailbox.verified_ms / 1000 + self._day_s * (1 + _JITTER * share)
        tried = self._tried.get(mailbox.user)
        return at if tried is None else max(at, tried + self._day_s * _AGAIN)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but no longer than until a round is to begin anew."""
        if seconds <= 0 or self._begin_anew.is_set():
            await asyncio.sleep(0)
            return
        tasks = [asyncio.create_task(self._clock.sleep(seconds)), asyncio.create_task(self._waited())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _waited(self) -> None:
        await self._begin_anew.wait()


def _push(heap: list[_Due], due: _Due, most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, due)
    else:
        heapq.heappushpop(heap, due)
