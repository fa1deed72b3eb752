"""Keeps one listener running for every user that is to have one, with whichever implementation serves it.

::

    registrations, sessions ─► reasons ─► roll: a record a user ─► agenda ─► at most 20 steps at a time
                                                ▲                                  │ start, stop
                               proven, lost, heard ◄──────────────────── implementations

Registrations are read again every half minute, and at once for users of whom somebody says that something has changed.
When it is cancelled nothing is stopped at the mail servers: the next run finds it there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence

from oxpushctl import log
from oxpushctl.engine import backoff
from oxpushctl.engine.agenda import Agenda
from oxpushctl.engine.listener_reasons import ListenerReasons
from oxpushctl.engine.listener_record import NOBODY
from oxpushctl.engine.listener_roll import SLICE, ListenerRoll
from oxpushctl.engine.listener_steps import LIMIT_S, ListenerSteps
from oxpushctl.engine.tally import Tally
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock, Implementation, RegisteredMailboxes, RegistrationStore
from oxpushctl.model import Health, MailEvent, PushListener, PushUser

LOOK_S = 30.0
# Reading half a million registrations takes seconds: it is not to take more of the time than this part of it, and
# of the time in which somebody says again and again that something has changed.
LOOK_SHARE, TOLD_SHARE = 20, 2
REMEMBERED_S = 24 * 3600.0
TICK_S = 0.25
LEAVE_TICK_S = 0.02
AT_ONCE = 20
# More users than these are not looked up one by one.
_MOST_ASKED = 10_000

_log = log.get(__name__)


class Supervisor:
    """Runs the listeners of a node until ``run`` is cancelled; the implementations come in the order of preference.

    ``session_users`` are those with a socket of an allowed client. ``is_permanent_allowed`` and ``is_client_allowed``
    say what the configuration allows now. ``forget`` removes what subscribing stored of a user, if it still has no
    registration. ``remembered`` has, by an implementation's name, what that registered elsewhere in an earlier run.
    ``is_ours`` tells whose listeners are this node's: those of the others run on other nodes.
    At most ``at_once`` users are started or stopped at the same time, each of them within ``limit_s``.
    """

    def __init__(
        self,
        registrations: RegistrationStore,
        implementations: Sequence[Implementation],
        session_users: Callable[[], Collection[PushUser]],
        clock: Clock,
        node: str,
        *,
        is_permanent_allowed: Callable[[], bool],
        is_client_allowed: Callable[[str], bool],
        forget: Callable[[PushUser], Awaitable[None]],
        remembered: Mapping[str, RegisteredMailboxes] | None = None,
        is_ours: Callable[[PushUser], bool] = lambda _user: True,
        at_once: int = AT_ONCE,
        limit_s: float = LIMIT_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._implementations = tuple(implementations)
        self._clock = clock
        self._node = node
        self._at_once = at_once
        self._chance = chance
        self._tally = Tally(_log, clock)
        self._roll = ListenerRoll()
        self._agenda = Agenda(self._roll.find, self._work_more)
        self._steps = ListenerSteps(
            self._implementations,
            self._roll,
            self._agenda,
            clock,
            self._tally,
            forget,
            limit_s=limit_s,
            chance=chance,
        )
        self._reasons = ListenerReasons(
            registrations,
            session_users,
            self._implementations,
            self._roll,
            self._agenda,
            self._steps,
            clock,
            is_permanent_allowed=is_permanent_allowed,
            is_client_allowed=is_client_allowed,
            remembered=remembered or {},
            is_ours=is_ours,
        )
        self._group: asyncio.TaskGroup | None = None
        self._workers = 0
        self._running: set[int] = set()
        self._wake = asyncio.Event()
        self._asked: dict[PushUser, None] = {}
        self._is_told = self._is_reloaded = False
        self._next_look = self._next_told_look = self._next_remembered = float("-inf")
        self.has_looked = False

    async def run(self) -> None:
        """Keep the listeners running."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._run_implementations()
            group.create_task(self._look_on())
            try:
                await self._tick()
            finally:
                self._group = None  # nothing more is begun

    def look(self) -> None:
        """Look at everything at once: something has changed, and nobody knows what."""
        self._is_told = True
        self._wake.set()

    def look_at(self, users: Iterable[PushUser]) -> None:
        """Look at some users at once: they (un)subscribed, opened or closed a socket, or have another password."""
        self._asked.update(dict.fromkeys(users))
        if len(self._asked) > _MOST_ASKED:
            self._asked.clear()
            self._is_told = True
        self._wake.set()

    async def leave_others(self, limit_s: float) -> bool:
        """Hear no more for users whose listeners are not this node's any more; tell whether that is so in time."""
        left = self._reasons.leave_others()
        deadline = self._clock.monotonic() + limit_s
        while left := [record for record in left if record.is_busy or (record.is_elsewhere and record.touched)]:
            if self._clock.monotonic() >= deadline:
                return False
            await self._clock.sleep(LEAVE_TICK_S)
        return True

    def reload(self) -> None:
        """See which implementations are enabled now, and what else the configuration allows."""
        self._is_reloaded = True
        self._next_remembered = float("-inf")
        self._run_implementations()
        self._wake.set()

    def proven(self, user: PushUser) -> None:
        """Hear that a listener was just seen to work."""
        record = self._roll.of(user)
        if record is not None and record.is_up:
            record.proven_at = self._clock.now()

    def lost(self, user: PushUser, error: OxpushctlError) -> None:
        """Hear that a listener hears nothing more, and why: it is started again in a while."""
        record = self._roll.of(user)
        if record is None or not record.is_wanted:
            return
        record.is_lost = True  # for who is just starting it
        if record.is_up:
            self._steps.lose(record, error)

    def heard(self, event: MailEvent) -> None:
        """Hear of a new mail."""
        record = self._roll.of(event.user)
        if record is not None:
            record.last_event = self._clock.now()
            if record.is_up:
                record.proven_at = record.last_event

    async def listeners(self, context: int | None = None, user: int | None = None) -> AsyncIterator[PushListener]:
        """Yield the listeners of this node, running or not, in the order of context and user."""
        for part in self._roll.slices(context, user):
            for record in part:
                if record.is_wanted:
                    yield record.shown(self._node, self._name(record.implementation))
            await asyncio.sleep(0)

    def counts(self) -> Mapping[tuple[str, bool, Health], int]:
        """Return how many listeners there are by implementation, whether permanent, and health."""
        return {
            (self._name(number), is_permanent, health): count
            for (number, is_permanent, health), count in self._roll.counts.items()
        }

    def _name(self, number: int) -> str:
        return "" if number == NOBODY else self._implementations[number].name

    async def _look_on(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._look()
                failures = 0
            except OxpushctlError as error:
                self._tally.warn("it could not be read for whom to listen", reason=str(error))
            except Exception as error:  # noqa: BLE001  # the listeners that run go on without it
                self._tally.error("it could not be read for whom to listen: bug", reason=type(error).__name__)
            else:
                continue
            failures += 1
            self._next_look = self._clock.monotonic() + backoff.trouble_s(failures, self._chance())
            # Nobody is asked in a tight loop, whoever says how often that something has changed.
            await self._clock.sleep(backoff.FIRST_S)

    async def _look(self) -> None:
        """Look at what is to be looked at now; what fails is looked at again."""
        await self._look_at_asked()
        began, is_told, is_reloaded = self._clock.monotonic(), self._is_told, self._is_reloaded
        if began < (self._next_told_look if is_told or is_reloaded else self._next_look):
            return
        self._is_told = self._is_reloaded = False
        try:
            await self._reasons.look_at_all(self._look_at_asked, is_told=is_told, is_reloaded=is_reloaded)
            now = self._clock.monotonic()
            if now >= self._next_remembered:
                await self._reasons.look_at_remembered(self._look_at_asked)
                self._next_remembered = now + REMEMBERED_S
        except BaseException:
            self._is_told |= is_told
            self._is_reloaded |= is_reloaded
            raise
        self.has_looked = True
        now = self._clock.monotonic()
        self._next_look = now + max(LOOK_S, LOOK_SHARE * (now - began))
        self._next_told_look = now + TOLD_SHARE * (now - began)

    async def _look_at_asked(self) -> None:
        while self._asked:
            users, self._asked = self._asked, {}
            try:
                await self._reasons.look_at(list(users))
            except BaseException:
                self._asked = users | self._asked
                raise

    async def _tick(self) -> None:
        """Have done what falls due."""
        while True:
            now = self._clock.monotonic()
            is_more_due = self._agenda.tick(now, SLICE)
            self._tally.flush()
            if self._asked or self._is_told or self._is_reloaded or now >= self._next_look:
                self._wake.set()
            await self._clock.sleep(0 if is_more_due else TICK_S)

    def _work_more(self) -> None:
        if self._group is not None and self._workers < self._at_once:
            self._workers += 1
            self._group.create_task(self._work())

    async def _work(self) -> None:
        """Take steps while there are any to take."""
        try:
            while (record := self._agenda.take()) is not None:
                record.is_busy = True
                try:
                    await self._steps.step(record)
                except Exception as error:  # noqa: BLE001  # the listeners of all others go on
                    self._tally.error("listener left as it is: bug", user=str(record.user), reason=type(error).__name__)
                    self._agenda.add_later(record, self._clock.monotonic() + backoff.TROUBLE_LONGEST_S)
                finally:
                    record.is_busy = False
                if record.is_changed:
                    is_urgent, record.is_changed, record.is_urgent = record.is_urgent, False, False
                    self._agenda.add(record, is_urgent=is_urgent)
                await asyncio.sleep(0)  # where all of them are done at once, others want their turn too
        finally:
            self._workers -= 1

    def _run_implementations(self) -> None:
        """Let those run that are enabled; one that is switched off goes on until the end, for what is to be stopped."""
        for number, implementation in enumerate(self._implementations):
            is_on = implementation.is_on(is_permanent=True) or implementation.is_on(is_permanent=False)
            if self._group is not None and is_on and number not in self._running:
                self._running.add(number)
                self._group.create_task(self._run_implementation(implementation))

    async def _run_implementation(self, implementation: Implementation) -> None:
        """Let one run, again and again should it end."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                await implementation.run(self)
                reason = "it ended"
            except OxpushctlError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001  # the other implementations go on
                reason = f"bug: {type(error).__name__}"
            failures = 1 if self._clock.monotonic() - began > backoff.TROUBLE_LONGEST_S else failures + 1
            self._tally.error("listening was interrupted", implementation=implementation.name, reason=reason)
            await self._clock.sleep(backoff.trouble_s(failures, self._chance()))
