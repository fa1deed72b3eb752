"""How many log-ins go to a mail server, in which order, and when none does."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterable

import pytest

from oxpushctl.errors import NotPermitted, NotReachable, TryLater
from oxpushctl.listeners.log_in_gate import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MOST_WAITING,
    REFUSALS,
    LogInGate,
    LogInsHeldBack,
)
from tests.engine.parts import HandClock
from tests.waiting import until

SERVER = "imap://mail.example.com:143"
MANY = [f"user{number}" for number in range(REFUSALS)]


def a_gate(clock: HandClock, rate_per_s: int = 0, at_a_time: int = 20) -> LogInGate:
    return LogInGate(clock, rate_per_s, SERVER, at_a_time=at_a_time)


async def log_in(gate: LogInGate, name: str = "anton") -> None:
    async with gate.admitted(name):
        pass


async def be_refused(gate: LogInGate, *names: str) -> None:
    for name in names:
        with pytest.raises(NotPermitted):
            async with gate.admitted(name):
                raise NotPermitted("no")


async def outcomes(gate: LogInGate, names: Iterable[str], clock: HandClock, every_s: float) -> int:
    """Return how many log-ins of a run, each refused, got through to the server."""
    through = 0
    for name in names:
        try:
            await be_refused(gate, name)
            through += 1
        except LogInsHeldBack:
            pass
        clock.time += every_s
    return through


async def paused(clock: HandClock, seconds: float = 0.0) -> LogInGate:
    """Return a gate that was just closed by refusals, and then moves the clock."""
    gate = a_gate(clock)
    await be_refused(gate, *MANY)
    clock.time += seconds
    return gate


class Held:
    """A log-in that lasts until it is let go."""

    def __init__(self, gate: LogInGate, name: str = "anton") -> None:
        self.is_in = asyncio.Event()
        self.go_on = asyncio.Event()
        self.task = asyncio.create_task(self._run(gate, name))

    async def _run(self, gate: LogInGate, name: str) -> None:
        async with gate.admitted(name):
            self.is_in.set()
            await self.go_on.wait()

    async def end(self) -> None:
        self.go_on.set()
        await self.task


@pytest.mark.parametrize(("rate", "seconds"), [(50, 1.9), (10, 9.9), (1, 99.0), (0, 0.0)])
async def test_rate(rate: int, seconds: float) -> None:
    """A hundred log-ins take their time, but for what may come at once after a rest; 0 sets no limit."""
    clock = HandClock()
    gate, began = a_gate(clock, rate), clock.time
    for _ in range(100):
        await log_in(gate)
    assert clock.time - began == pytest.approx(seconds, abs=0.1)


async def test_rest_saves_no_more_than_a_burst() -> None:
    """After an hour without log-ins no more of them come at once than after a second."""
    clock = HandClock()
    gate = a_gate(clock, 50)
    await log_in(gate)
    clock.time += 3600
    began, at_once = clock.time, 0
    while clock.time == began:
        await log_in(gate)
        at_once += 1
    assert 1 < at_once < 10


async def test_many_at_a_time() -> None:
    """No more are under way than there are places, and whoever waits comes in the order of asking."""
    gate = a_gate(HandClock(), at_a_time=2)
    held = [Held(gate, name) for name in "abcd"]
    await until(held[1].is_in.is_set)
    assert [each.is_in.is_set() for each in held] == [True, True, False, False]
    await held[1].end()
    await held[2].is_in.wait()
    assert not held[3].is_in.is_set()
    for each in held:
        await each.end()


async def test_cancelled_while_it_waits() -> None:
    """Who no longer waits takes nobody's place, before or after the door."""
    gate = a_gate(HandClock(), at_a_time=1)
    first, second, third = Held(gate), Held(gate), Held(gate)
    await first.is_in.wait()
    second.task.cancel()
    first.task.cancel()
    await asyncio.gather(first.task, second.task, return_exceptions=True)
    await third.is_in.wait()
    await third.end()
    await log_in(gate)


async def test_too_many_wait() -> None:
    """The queue has a bound, beyond which nobody is made to wait."""
    gate = a_gate(HandClock(), at_a_time=1)
    held = [Held(gate) for _ in range(1 + MOST_WAITING)]
    await held[0].is_in.wait()
    with pytest.raises(LogInsHeldBack, match="wait for their turn"):
        await log_in(gate)
    for each in held:
        each.task.cancel()
    await asyncio.gather(*(each.task for each in held), return_exceptions=True)
    await log_in(gate)


async def test_many_refusals(caplog: pytest.LogCaptureFixture) -> None:
    """Then nobody is logged in for a while: told at once, with the time that is left, and logged once."""
    caplog.set_level(logging.INFO)
    clock = HandClock()
    gate = await paused(clock, 10)
    with pytest.raises(TryLater, match=f"log-ins at {SERVER} are paused for 20 s: many were refused"):
        await log_in(gate)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_refusals_of_hours() -> None:
    """As many in a longer time are what a mail server of some size sees every day."""
    clock = HandClock()
    assert await outcomes(a_gate(clock), MANY * 3, clock, every_s=2.5) == 90


async def test_refusals_among_many_successes() -> None:
    """Where most are let in, so many wrong passwords are nothing to stop everybody for."""
    clock = HandClock()
    gate = a_gate(clock)
    for name in MANY:
        await log_in(gate, f"{name}-known")
        await log_in(gate, f"{name}-known-too")
        await be_refused(gate, name)
    await log_in(gate)


async def test_one_name_refused_again_and_again() -> None:
    """Who guesses at one login, whatever its case, stops nobody else."""
    clock = HandClock()
    gate = a_gate(clock)
    spellings = ["".join(letters) for letters in itertools.product("aA", "nN", "tT", "oO", "nN")]
    await be_refused(gate, *spellings * 3)
    await log_in(gate, "berta")


async def test_one_name_let_in_again_and_again() -> None:
    """Nor does who has a login of its own hide with it how many others are refused."""
    clock = HandClock()
    gate = a_gate(clock)
    for _ in range(100):
        await log_in(gate, "mallory")
    await be_refused(gate, *MANY)
    with pytest.raises(LogInsHeldBack):
        await log_in(gate)


async def test_server_that_cannot_be_asked() -> None:
    """A server that does not answer has refused nobody."""
    gate = a_gate(HandClock())
    for name in MANY * 2:
        with pytest.raises(NotReachable):
            async with gate.admitted(name):
                raise NotReachable("no answer")
    await log_in(gate)


async def test_pause_ends_with_a_success(caplog: pytest.LogCaptureFixture) -> None:
    """After the pause a log-in that goes well opens the gate, and refusals are counted from none."""
    caplog.set_level(logging.INFO, "oxpushctl")
    clock = HandClock()
    gate = await paused(clock, FIRST_PAUSE_S)
    await log_in(gate)
    assert caplog.records[-1].getMessage().startswith("log-ins go on")
    await be_refused(gate, *MANY[:-1])
    await log_in(gate)


async def test_one_at_a_time_after_a_pause() -> None:
    """Until one went well, the others wait for it; then they go on together."""
    clock = HandClock()
    gate = await paused(clock, FIRST_PAUSE_S)
    held = [Held(gate, name) for name in "abc"]
    await held[0].is_in.wait()
    assert [each.is_in.is_set() for each in held] == [True, False, False]
    await held[0].end()
    await held[1].is_in.wait()
    await held[2].is_in.wait()
    for each in held:
        await each.end()


async def test_refusals_right_after_a_pause() -> None:
    """Three log-ins that are refused, none let in: the pauses grow, to five minutes and no further."""
    clock = HandClock()
    gate = await paused(clock)
    lengths = []
    for _ in range(6):
        began = clock.time
        while await outcomes(gate, ["x"], clock, every_s=0) == 0:
            clock.time += 1
        lengths.append(clock.time - began)
        await be_refused(gate, "y", "z")
    assert lengths == [30.0, 60.0, 120.0, 240.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


async def test_one_name_refused_right_after_a_pause() -> None:
    """One login alone does not make the pause go on for everybody, however often it is tried."""
    clock = HandClock()
    gate = await paused(clock, FIRST_PAUSE_S)
    await be_refused(gate, *["anton", "Anton"] * 10)
    await log_in(gate, "berta")


async def test_quiet_after_a_pause() -> None:
    """A minute later a pause is forgotten: a few refusals make none, and the next one is as short as the first."""
    clock = HandClock()
    gate = await paused(clock, FIRST_PAUSE_S + 60)
    await be_refused(gate, *MANY[:-1])
    await be_refused(gate, MANY[-1])
    with pytest.raises(LogInsHeldBack, match="paused for 30 s"):
        await log_in(gate)


async def test_judgements_that_come_late() -> None:
    """What was under way when the pause began neither ends nor lengthens it."""
    clock = HandClock()
    gate = a_gate(clock)
    late = Held(gate, "late")
    await late.is_in.wait()
    await be_refused(gate, *MANY)
    await late.end()
    with pytest.raises(LogInsHeldBack, match="paused for 30 s"):
        await log_in(gate)
    clock.time += FIRST_PAUSE_S
    first, second = Held(gate), Held(gate)
    await first.is_in.wait()
    assert not second.is_in.is_set()
    await first.end()
    await second.end()


async def test_waiting_when_the_pause_begins() -> None:
    """Whoever is in the queue then is told as well, and no longer waits."""
    gate = a_gate(HandClock(), at_a_time=1)
    await be_refused(gate, *MANY[:-1])
    first, second = Held(gate), Held(gate)
    await first.is_in.wait()
    first.task.cancel()
    refused = asyncio.create_task(be_refused(gate, MANY[-1]))
    # In the queue behind the second, which is let in before.
    third = Held(gate)
    await second.is_in.wait()
    await second.end()
    await refused
    with pytest.raises(LogInsHeldBack):
        await third.task
