"""The gate for log-ins under names that nobody here has: anybody can invent them, so they are few, and judged apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oxpushctl.errors import NotPermitted
from oxpushctl.listeners.imap_troubles import LogInRefused
from oxpushctl.listeners.log_in_gate import LogInGate, LogInsHeldBack

AT_A_TIME = 5
RATE_PER_S = 5
MOST_WAITING = 50
# Until it is known how long the server takes over a refusal: Dovecot's auth_failure_delay.
_REFUSAL_S = 2.0


class StrangersGate:
    """Lets strangers' log-ins through beside those of everybody else, whose gate is given.

    They keep its rate and take no more than half of it (one a second at least). They are paused when it is, and by
    their own refusals, which pause nobody else. Who is held back by these is refused as the mail server does it, and
    as late: by another answer one could tell which names are known.
    """

    def __init__(self, gate: LogInGate) -> None:
        half = max(1, gate.rate_per_s // 2)
        self._gate = gate
        self._clock = gate.clock
        self._own = LogInGate(
            gate.clock,
            min(RATE_PER_S, half) if gate.rate_per_s else RATE_PER_S,
            f"{gate.server} under names that nobody here has",
            at_a_time=AT_A_TIME,
            most_waiting=MOST_WAITING,
        )
        self._refusal_s = _REFUSAL_S

    @asynccontextmanager
    async def admitted(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn of a log-in, as at any gate; raise ``LogInRefused`` while strangers alone are paused."""
        try:
            async with self._own.admitted(name):
                await self._gate.take_turn()
                async with self._timed():
                    yield
        except LogInsHeldBack as problem:
            if self._gate.is_paused or not self._own.is_paused:
                raise
            await self._clock.sleep(self._refusal_s)
            raise LogInRefused(problem.reason, problem.hint) from problem

    @asynccontextmanager
    async def _timed(self) -> AsyncIterator[None]:
        """Note how long a refusal takes."""
        began = self._clock.monotonic()
        try:
            yield
        except NotPermitted:
            self._refusal_s = self._clock.monotonic() - began
            raise
