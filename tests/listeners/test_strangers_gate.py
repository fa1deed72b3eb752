"""Log-ins under names that nobody here has: how many, and that they keep nobody else out."""

from __future__ import annotations

import asyncio

import pytest

from oxpushctl.errors import NotPermitted
from oxpushctl.listeners.log_in_gate import FIRST_PAUSE_S, REFUSALS, LogInGate, LogInsHeldBack
from oxpushctl.listeners.strangers_gate import AT_A_TIME, MOST_WAITING, StrangersGate
from tests.engine.parts import HandClock
from tests.waiting import until

_SERVER = "imap://mail.example.com:143"
_MANY = [f"invented{number}" for number in range(REFUSALS)]


class _Gates:
    """A gate and that of the strangers beside it."""

    def __init__(self, rate_per_s: int = 50) -> None:
        self.clock = HandClock()
        self.all = LogInGate(self.clock, rate_per_s, _SERVER)
        self.strangers = StrangersGate(self.all)

    async def log_in(self, name: str = "anton", *, is_stranger: bool = False) -> None:
        async with (self.strangers if is_stranger else self.all).admitted(name):
            pass

    async def be_refused(self, *names: str, is_stranger: bool = True, after_s: float = 0.0) -> None:
        for name in names:
            with pytest.raises(NotPermitted):
                async with (self.strangers if is_stranger else self.all).admitted(name):
                    self.clock.time += after_s
                    raise NotPermitted("no")


@pytest.mark.parametrize(("rate", "per_s"), [(50, 5), (8, 4), (1, 1), (0, 5)])
async def test_rate(rate: int, per_s: int) -> None:
    """Strangers come no faster than a few a second, and take no more than half of what all may."""
    gates = _Gates(rate)
    began = gates.clock.time
    for _ in range(50):
        await gates.log_in("stranger", is_stranger=True)
    assert gates.clock.time - began == pytest.approx(50 / per_s, abs=1.2)


async def test_strangers_count_for_all() -> None:
    """What strangers take is not there for the others: the rate is that of the mail server."""
    gates = _Gates(10)
    began = gates.clock.time
    for _ in range(20):
        await gates.log_in("stranger", is_stranger=True)
        await gates.log_in()
    assert gates.clock.time - began >= 40 / 10 - 0.2


async def test_invented_names_pause_strangers_alone() -> None:
    """However many names somebody invents, who is known here is logged in; strangers are not, until the pause ends."""
    gates = _Gates()
    for number in range(4):
        await gates.be_refused(*(f"{name}-{number}" for name in _MANY))
    await gates.log_in()
    asked = False
    with pytest.raises(NotPermitted, match="under names that nobody here has are paused"):
        async with gates.strangers.admitted("carla"):
            asked = True
    assert not asked
    gates.clock.time += 600
    await gates.log_in("carla", is_stranger=True)


async def test_held_back_as_late_as_refused() -> None:
    """Who is held back cannot be told from who is refused, by the answer or by the time that it takes."""
    gates = _Gates()
    await gates.be_refused(*_MANY, after_s=1.5)
    began = gates.clock.time
    await gates.be_refused("known or not")
    assert gates.clock.time - began == pytest.approx(1.5)


async def test_refusals_of_users_are_not_strangers() -> None:
    """A few refusals of each kind pause nobody: each is judged by its own."""
    gates = _Gates()
    await gates.be_refused(*_MANY[:-1])
    await gates.be_refused(*_MANY[:-1], is_stranger=False)
    await gates.log_in()
    await gates.log_in("carla", is_stranger=True)


async def test_pause_of_all_is_one_of_strangers() -> None:
    """While nobody may be tried at the mail server strangers may not either, and are told what all are told."""
    gates = _Gates()
    await gates.be_refused(*_MANY, is_stranger=False)
    for is_stranger in (False, True):
        with pytest.raises(LogInsHeldBack, match=rf"log-ins at {_SERVER} are paused"):
            await gates.log_in(is_stranger=is_stranger)
    gates.clock.time += FIRST_PAUSE_S
    await gates.log_in()
    await gates.log_in("carla", is_stranger=True)


async def test_both_are_paused() -> None:
    """Then strangers are told what all are told, as nobody is refused."""
    gates = _Gates()
    await gates.be_refused(*_MANY)
    await gates.be_refused(*_MANY, is_stranger=False)
    with pytest.raises(LogInsHeldBack):
        await gates.log_in("carla", is_stranger=True)


async def test_strangers_that_take_their_time() -> None:
    """Log-ins of strangers that hang leave places for the others; of strangers only so many are made to wait."""
    gates = _Gates()
    go_on, present = asyncio.Event(), 0

    async def hang() -> None:
        nonlocal present
        async with gates.strangers.admitted("stranger"):
            present += 1
            await go_on.wait()

    held = [asyncio.create_task(hang()) for _ in range(AT_A_TIME + MOST_WAITING)]
    await until(lambda: present == AT_A_TIME)
    with pytest.raises(LogInsHeldBack, match=f"more than {MOST_WAITING} log-ins"):
        await gates.log_in("one more", is_stranger=True)
    for _ in range(30):
        await gates.log_in()
    assert present == AT_A_TIME
    go_on.set()
    await asyncio.gather(*held)
    assert present == AT_A_TIME + MOST_WAITING
