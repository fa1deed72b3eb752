"""What is done about one listener: started, moved to another implementation, stopped.

::

    wanted, not up   the first implementation that is enabled and supports the mailbox ─► ok
                     trouble ─► failed, or reconnecting if it ran    refused ─► auth-failed
                     no room ─► over-limit                           none supports it ─► unsupported
    wanted, up       another kind or another implementation is due: the next one hears before the last one stops
    not wanted       stop whoever may hear ─► forget what subscribing stored ─► gone
    elsewhere        leave it to another node, with what is registered and stored ─► gone

A step ends with the listener in one of these, and on the agenda for the next attempt where there is to be one. No two
steps of one user ever overlap.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from oxpushctl import log
from oxpushctl.engine import backoff
from oxpushctl.engine.agenda import Agenda
from oxpushctl.engine.listener_record import NOBODY, ListenerRecord, numbers
from oxpushctl.engine.listener_roll import ListenerRoll
from oxpushctl.engine.tally import Tally
from oxpushctl.errors import NotReachable, OverLimit, OxpushctlError, TryLater, Unsupported
from oxpushctl.interfaces import Clock, Implementation
from oxpushctl.model import Health, PushUser

# Only what hangs takes longer; a log-in may have to wait for its turn.
LIMIT_S = 180.0
# Who was running for this long has done with earlier failures.
STEADY_S = 60.0
# Users whose mailbox cannot be opened are named, so many a minute.
_MOST_NAMED = 10

_log = log.get(__name__)


class ListenerSteps:
    """Takes the steps; ``forget`` removes what subscribing stored of a user, ``chance`` is uniform in [0, 1).

    Nothing that is asked of an implementation may take longer than ``limit_s``.
    """

    def __init__(
        self,
        implementations: Sequence[Implementation],
        roll: ListenerRoll,
        agenda: Agenda,
        clock: Clock,
        tally: Tally,
        forget: Callable[[PushUser], Awaitable[None]],
        *,
        limit_s: float = LIMIT_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._implementations = implementations
        self._roll = roll
        self._agenda = agenda
        self._clock = clock
        self._tally = tally
        self._forget = forget
        self._limit_s = limit_s
        self._chance = chance
        # Who waits for room at each implementation, the longest waiting first.
        self._without_room: list[dict[PushUser, None]] = [{} for _ in implementations]

    async def step(self, record: ListenerRecord) -> None:
        """Do what is to be done about a listener now."""
        if not record.is_wanted:
            await self._end(record)
            return
        if record.is_up:
            await self._review(record)
        else:
            await self._begin(record)
        await self._stop_others(record)
        if record.owes_forgetting:
            await self._forget_stored(record)

    def candidates(self, record: ListenerRecord) -> list[int]:
        """Return the implementations that are enabled and may support a mailbox, the preferred first."""
        return [
            number
            for number, implementation in enumerate(self._implementations)
            if implementation.is_on(is_permanent=record.is_registered) and not record.unsupported >> number & 1
        ]

    def is_served_rightly(self, record: ListenerRecord) -> bool:
        """Tell whether a listener that is up is with the implementation that it should be with."""
        return self.candidates(record)[:1] == [record.implementation]

    def has_adopted(self, record: ListenerRecord, number: int) -> None:
        """Note that an implementation hears for a user from an earlier run."""
        record.touched |= 1 << number
        with self._roll.changing(record):
            record.implementation, record.started_permanent = number, record.is_registered
            record.health, record.since, record.reason = Health.OK, self._clock.now(), ""
        record.up_at = self._clock.monotonic()

    def lose(self, record: ListenerRecord, error: OxpushctlError) -> None:
        """Note that a listener that was up hears nothing more, and have it started again."""
        with self._roll.changing(record):
            record.health, record.reason = Health.RECONNECTING, str(error)
        now = self._clock.monotonic()
        if now - record.up_at >= STEADY_S:
            record.failures, pause_s = 0, backoff.lost_s(self._chance())
        else:
            record.failures += 1
            pause_s = backoff.trouble_s(record.failures, self._chance())
        self._agenda.add_later(record, now + pause_s)
        name = self._implementations[record.implementation].name
        self._tally.warn("listeners lost", implementation=name, reason=str(error))

    async def _begin(self, record: ListenerRecord) -> None:
        """Start a listener where it can be."""
        reason = f"nothing is configured that serves {_kind(record)} listeners (see `oxpushctl config flow`)"
        candidates = self.candidates(record)
        for number in candidates:
            problem = await self._start(record, number)
            if isinstance(problem, Unsupported):
                self._is_not_supported(record, number)
                reason = str(problem)
            elif problem is not None:
                self._fail(record, number, problem)
                return
            else:
                self._is_up(record, number)
                return
        with self._roll.changing(record):
            record.implementation = NOBODY
            self._take_health(record, Health.UNSUPPORTED, reason)
        record.offer_at = self._clock.monotonic() + backoff.offer_s(self._chance())
        if candidates:  # what is configured was told at the start
            self._tally.warn("users that no implementation can listen for", reason=reason)

    async def _review(self, record: ListenerRecord) -> None:
        """See whether a listener that is up is what it should be."""
        candidates = self.candidates(record)
        if record.implementation not in candidates:
            with self._roll.changing(record):
                record.health = Health.RECONNECTING
            await self._begin(record)
            return
        for number in candidates[: candidates.index(record.implementation)]:
            if await self._start(record, number) is None:
                self._is_up(record, number)
                return
            # Whatever kept it from serving: the present one serves well, there is no hurry.
            self._is_not_supported(record, number)
        if record.started_permanent != record.is_registered:
            problem = await self._start(record, record.implementation)
            if problem is None:
                record.started_permanent = record.is_registered
            elif record.is_up:
                self.lose(record, problem)

    async def _end(self, record: ListenerRecord) -> None:
        """Stop a listener for which there is no reason any more, forget what was stored for it, and drop it."""
        record.implementation, record.health, record.reason = NOBODY, Health.STARTING, ""
        for waiting in self._without_room:
            waiting.pop(record.user, None)
        problem = await self._stop_others(record)
        if problem is None and record.owes_forgetting:
            problem = await self._forget_stored(record)
        if problem is not None:
            return
        if record.is_wanted:  # again, meanwhile
            record.since, record.failures = self._clock.now(), 0
            self._agenda.add(record, is_urgent=True)
        else:
            self._roll.remove(record)

    async def _stop_others(self, record: ListenerRecord) -> OxpushctlError | None:
        """Stop whoever may hear for a user beside the one that should; what cannot be done now is done later."""
        should = 0 if record.implementation == NOBODY else 1 << record.implementation
        for number in numbers(record.touched & ~should):
            implementation = self._implementations[number]
            if record.is_elsewhere:
                implementation.leave(record.user)
                problem = None
            else:
                problem = await self._in_time(implementation.stop(record.user), record, "listener not stopped")
            if problem is not None:
                self._later(record, problem)
                self._tally.warn("listeners not stopped", implementation=implementation.name, reason=str(problem))
                return problem
            record.touched &= ~(1 << number)
            self._tell_of_room(number)
        return None

    async def _forget_stored(self, record: ListenerRecord) -> OxpushctlError | None:
        problem = await self._in_time(self._forget(record.user), record, "what was stored not forgotten")
        if problem is None:
            record.owes_forgetting = False
        else:
            self._later(record, problem)
            self._tally.warn("what subscribing stored could not be removed yet", reason=str(problem))
        return problem

    async def _start(self, record: ListenerRecord, number: int) -> OxpushctlError | None:
        """Have an implementation start a listener; return what went wrong."""
        record.touched |= 1 << number
        record.is_lost = False
        starting = self._implementations[number].start(record.user, is_permanent=record.is_registered)
        problem = await self._in_time(starting, record, "listener not started")
        if isinstance(problem, Unsupported):
            record.touched &= ~(1 << number)
        return problem

    async def _in_time(self, work: Awaitable[None], record: ListenerRecord, event: str) -> OxpushctlError | None:
        """Wait for what an implementation does; a bug in it is trouble like any other."""
        try:
            async with asyncio.timeout(self._limit_s):
                await work
        except OxpushctlError as error:
            return error
        except TimeoutError:
            return TryLater(f"not done in {self._limit_s:g} s")
        except Exception as error:  # noqa: BLE001  # one user's listener must not take down all the others
            # Its text may hold what it was working with, a password too.
            self._tally.error(f"{event}: bug", _MOST_NAMED, user=str(record.user), reason=type(error).__name__)
            return TryLater(f"bug: {type(error).__name__}")
        return None

    def _is_up(self, record: ListenerRecord, number: int) -> None:
        now = self._clock.now()
        with self._roll.changing(record):
            if record.health is not Health.RECONNECTING and not record.is_up:
                record.since = now
            record.implementation, record.started_permanent = number, record.is_registered
            record.health, record.reason = Health.OK, ""
        record.proven_at, record.up_at, record.due = now, self._clock.monotonic(), None
        if record.is_lost:
            self.lose(record, TryLater("lost while it started"))

    def _is_not_supported(self, record: ListenerRecord, number: int) -> None:
        record.unsupported |= 1 << number
        record.offer_at = self._clock.monotonic() + backoff.offer_s(self._chance())

    def _fail(self, record: ListenerRecord, number: int, problem: OxpushctlError) -> None:
        """Note that a listener was not started, and when it is tried again."""
        was = record.health
        is_trouble = isinstance(problem, NotReachable | TryLater)
        if isinstance(problem, OverLimit):
            health = Health.OVER_LIMIT
            self._without_room[number][record.user] = None
        elif is_trouble:
            health = Health.RECONNECTING if was in (Health.OK, Health.RECONNECTING) else Health.FAILED
        else:
            health = Health.AUTH_FAILED
        with self._roll.changing(record):
            record.implementation = number
            self._take_health(record, health, str(problem))
        if (was in _OF_ONE_KIND or health in _OF_ONE_KIND) and was is not health:
            record.failures = 0
        self._later(record, problem)
        self._tell_failure(record, problem, is_new=was is not health)

    def _later(self, record: ListenerRecord, problem: OxpushctlError) -> None:
        record.failures += 1
        if isinstance(problem, OverLimit):
            pause = backoff.over_limit_s
        elif isinstance(problem, NotReachable | TryLater):
            pause = backoff.trouble_s
        else:
            pause = backoff.refused_s
        self._agenda.add_later(record, self._clock.monotonic() + pause(record.failures, self._chance()))

    def _take_health(self, record: ListenerRecord, health: Health, reason: str) -> None:
        if record.health is not health:
            record.since = self._clock.now()
        record.health, record.reason = health, reason

    def _tell_of_room(self, number: int) -> None:
        """Have the next one tried that waits for room at an implementation."""
        waiting = self._without_room[number]
        while waiting:
            user = next(iter(waiting))
            del waiting[user]
            record = self._roll.of(user)
            if record is not None and record.health is Health.OVER_LIMIT and record.implementation == number:
                self._agenda.add(record)
                return

    def _tell_failure(self, record: ListenerRecord, problem: OxpushctlError, *, is_new: bool) -> None:
        name = self._implementations[record.implementation].name
        match record.health:
            case Health.AUTH_FAILED if is_new:
                event, user = "listener waits: nothing at hand opens the mailbox", str(record.user)
                self._tally.warn(event, _MOST_NAMED, user=user, implementation=name, reason=str(problem))
            case Health.AUTH_FAILED:
                _log.debug("mailbox still cannot be opened", user=str(record.user), reason=str(problem))
            case Health.OVER_LIMIT:
                self._tally.warn("listeners wait for room", implementation=name, reason=str(problem))
            case _:
                self._tally.warn("listeners not started", implementation=name, reason=str(problem))


# The others are trouble of one kind.
_OF_ONE_KIND = frozenset({Health.AUTH_FAILED, Health.OVER_LIMIT})


def _kind(record: ListenerRecord) -> str:
    return "permanent" if record.is_registered else "session-bound"
