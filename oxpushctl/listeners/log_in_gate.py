"""The gate that every log-in at a mail server goes through: how many at a time, how many a second, and when none.

Others know us at the mail server by our address alone: who guesses passwords through us, or what we try with passwords
that are no good any more, may shut everybody out there (Dovecot's penalty, fail2ban). So many refusals make a pause.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oxpushctl import log
from oxpushctl.config.own import LOGIN_RATE
from oxpushctl.errors import NotPermitted
from oxpushctl.interfaces import Clock
from oxpushctl.listeners.imap_troubles import ServerBusy
from oxpushctl.listeners.judgements import WINDOW_S, Judgements

AT_A_TIME = 20
MOST_WAITING = 1000
# So many refusals in a minute, and no fewer than log-ins that went well.
REFUSALS = 30
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 300.0
# Refusals, each of another name, that make another pause while log-ins are on trial in the minute after one.
REFUSALS_ON_TRIAL = 3
# After a rest, a tenth of a second's log-ins may come at once.
_BURST_S = 0.1

_log = log.get(__name__)


class LogInsHeldBack(ServerBusy):
    """Nobody is logged in now, whoever it is: our own decision, after so many refusals or with so many waiting."""


class LogInGate:
    """Lets log-ins at one mail server through, in the order in which they come.

    ``rate_per_s`` 0 sets no limit. ``server`` is its name in messages::

        async with gate.admitted("anton"):
            ...  # log in; ``NotPermitted`` that leaves the block is the server's refusal, any other error no judgement
    """

    def __init__(
        self,
        clock: Clock,
        rate_per_s: int,
        server: str,
        *,
        at_a_time: int = AT_A_TIME,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.clock = clock
        self.server = server
        self.rate_per_s = rate_per_s
        self._interval_s = 1 / rate_per_s if rate_per_s else 0.0
        self._next_at = -math.inf
        self._places = asyncio.Semaphore(at_a_time)
        self._turn = asyncio.Lock()
        self._trial = asyncio.Lock()
        self._present = 0
        self._most_waiting = most_waiting
        self._most_present = at_a_time + most_waiting
        self._judgements = Judgements(clock)
        self._paused_until = -math.inf
        self._pause_s = 0.0
        self._trial_until = -math.inf
        self._refused_on_trial: set[int] = set()

    @asynccontextmanager
    async def admitted(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn of a log-in under a name; it is under way until the block is left.

        Raise ``LogInsHeldBack`` without a wait while log-ins are paused, or when too many wait.
        """
        self._refuse_if_paused()
        if self._present >= self._most_present:
            reason = f"more than {self._most_waiting} log-ins at {self.server} wait for their turn"
            raise LogInsHeldBack(reason, f"it answers too slowly, or {LOGIN_RATE.key} is too low")
        self._present += 1
        try:
            async with self._places, self._on_trial_alone():
                await self.take_turn()
                async with self._judged(name):
                    yield
        finally:
            self._present -= 1

    @property
    def _is_on_trial(self) -> bool:
        return self.clock.monotonic() < self._trial_until

    @asynccontextmanager
    async def _on_trial_alone(self) -> AsyncIterator[None]:
        """Let one after the other through after a pause, until one goes well."""
        is_alone = self._is_on_trial and await self._trial.acquire()
        if is_alone and not self._is_on_trial:  # another one went well meanwhile
            self._trial.release()
            is_alone = False
        try:
            yield
        finally:
            if is_alone:
                self._trial.release()

    async def take_turn(self) -> None:
        """Wait until a log-in more is no more than the rate; whoever comes later waits behind.

        Raise ``LogInsHeldBack`` while log-ins are paused.
        """
        async with self._turn:
            self._refuse_if_paused()
            now = self.clock.monotonic()
            self._next_at = max(self._next_at, now - _BURST_S)
            if self._next_at > now:
                await self.clock.sleep(self._next_at - now)
                self._refuse_if_paused()
            self._next_at += self._interval_s

    @asynccontextmanager
    async def _judged(self, name: str) -> AsyncIterator[None]:
        try:
            yield
        except NotPermitted:
            self._note_refusal(name)
            raise
        self._note_success(name)

    def _note_success(self, name: str) -> None:
        if self.is_paused:
            return  # it was under way when the pause began
        self._judgements.note(name, is_refusal=False)
        if self._is_on_trial:
            self._trial_until = -math.inf
            _log.info("log-ins go on", server=self.server)

    def _note_refusal(self, name: str) -> None:
        if self.is_paused:
            return
        if self._is_on_trial:
            self._refused_on_trial.add(hash(name.casefold()))
            if len(self._refused_on_trial) >= REFUSALS_ON_TRIAL:
                self._pause(len(self._refused_on_trial))
            return
        self._judgements.note(name, is_refusal=True)
        refused, accepted = self._judgements.counted()
        if refused >= REFUSALS and refused >= accepted:
            self._pause(refused)

    def _pause(self, refused: int) -> None:
        """Pause, twice as long as the last time if that has hardly ended."""
        now = self.clock.monotonic()
        is_right_after = now < self._paused_until + WINDOW_S
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if is_right_after else FIRST_PAUSE_S
        self._paused_until = now + self._pause_s
        self._trial_until = self._paused_until + WINDOW_S
        self._refused_on_trial.clear()
        self._judgements.forget()
        _log.warning("log-ins paused: many were refused", server=self.server, refused=refused, seconds=self._pause_s)

    @property
    def is_paused(self) -> bool:
        """Whether nobody is let through, after so many refusals."""
        return self.clock.monotonic() < self._paused_until

    @property
    def paused_s(self) -> float:
        """For how many seconds more that is."""
        return max(0.0, self._paused_until - self.clock.monotonic())

    def _refuse_if_paused(self) -> None:
        if self.is_paused:
            reason = f"log-ins at {self.server} are paused for {math.ceil(self.paused_s)} s: many were refused"
            raise LogInsHeldBack(reason, "the mail server's log says whose, and why")
