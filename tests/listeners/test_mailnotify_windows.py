"""Collecting what is heard of users for a while."""

from __future__ import annotations

import asyncio

from oxpushctl.listeners.mailnotify_windows import Windows
from tests.engine.parts import HandClock
from tests.listeners.people import ANTON, BERTA, GUENTER


async def test_more_within_the_window() -> None:
    """It ends when the first datagram says, however many follow, and then another one may begin."""
    clock = HandClock(0.0)
    windows = Windows(clock, 5.0)
    ends = []
    for at in (0.0, 3.0, 4.9):
        clock.time = at
        windows.note(ANTON)
    ends.append((await windows.next(), clock.time))
    windows.note(ANTON)
    ends.append((await windows.next(), clock.time))
    assert ends == [(ANTON, 5.0), (ANTON, 10.0)]


async def test_several_users() -> None:
    """Each has a window of its own; they end in the order of their begin."""
    clock = HandClock(0.0)
    windows = Windows(clock, 5.0)
    for at, user in ((0.0, BERTA), (1.0, ANTON), (1.0, GUENTER), (2.0, BERTA)):
        clock.time = at
        windows.note(user)
    ends = [(await windows.next(), clock.time) for _ in range(3)]
    assert ends == [(BERTA, 5.0), (ANTON, 6.0), (GUENTER, 6.0)]


async def test_begun_while_it_is_waited_for() -> None:
    """Who waits for the next end need not know that there is one."""
    windows = Windows(HandClock(0.0), 0.0)
    waiting = asyncio.create_task(windows.next())
    await asyncio.sleep(0)
    windows.note(ANTON)
    assert await waiting == ANTON


async def test_dropped() -> None:
    """A window that is dropped has no end."""
    windows = Windows(HandClock(0.0), 5.0)
    windows.note(ANTON)
    windows.note(BERTA)
    windows.drop(ANTON)
    windows.drop(GUENTER)
    assert (await windows.next(), windows.take_all()) == (BERTA, [])


async def test_before_their_time() -> None:
    """All that are open can be taken at once, each user's once."""
    windows = Windows(HandClock(0.0), 5.0)
    for user in (BERTA, ANTON, BERTA):
        windows.note(user)
    assert (windows.take_all(), windows.take_all()) == ([BERTA, ANTON], [])
