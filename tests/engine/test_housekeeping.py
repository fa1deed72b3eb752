from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from oxpushctl.engine.housekeeping import Housekeeping
from oxpushctl.errors import NotReachable
from oxpushctl.model import PushUser, Subscription
from tests.engine.parts import PlainStore
from tests.waiting import until

_OVER = Subscription(PushUser(1, 3), "app", "apn", "aa11")
_NEVER_S = 3600.0


class _Store(PlainStore):
    """Hands out what is expired in parts, after ``failures``."""

    def __init__(self, *parts: Sequence[Subscription], failures: Sequence[Exception] = ()) -> None:
        super().__init__(failures=failures)
        self.asked = 0
        self.parts = list(parts)

    async def sweep(self) -> Sequence[Subscription]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return self.parts.pop(0) if self.parts else ()


class _Passwords:
    """Counts how often it is to forget; the first times may fail."""

    def __init__(self, *failures: Exception) -> None:
        self.asked = 0
        self._failures = list(failures)

    async def forget(self) -> None:
        self.asked += 1
        if self._failures:
            raise self._failures.pop(0)


@asynccontextmanager
async def _kept(
    store: _Store, passwords: _Passwords, *, look_s: float = _NEVER_S, sweep_s: float = _NEVER_S
) -> AsyncIterator[Housekeeping]:
    housekeeping = Housekeeping(store, passwords.forget, look_s=look_s, sweep_s=sweep_s)
    task = asyncio.create_task(housekeeping.run())
    yield housekeeping
    task.cancel()
    await asyncio.wait([task])


async def test_sweeping_until_nothing_is_left() -> None:
    """All parts go at once, not one an interval."""
    store, passwords = _Store([_OVER], [_OVER]), _Passwords()
    async with _kept(store, passwords):
        await until(lambda: passwords.asked > 0)
    assert (store.parts, store.asked) == ([], 3)


async def test_database_away() -> None:
    """What failed is done at the next time."""
    store, passwords = _Store([_OVER], failures=[NotReachable("away")]), _Passwords(NotReachable("away"))
    async with _kept(store, passwords, look_s=0.001, sweep_s=0.001):
        await until(lambda: not store.parts and passwords.asked > 1)
    assert store.failures == []


async def test_told_of_a_change() -> None:
    """A command that changed something does not wait for the interval to end."""
    passwords = _Passwords()
    async with _kept(_Store(), passwords) as housekeeping:
        await until(lambda: passwords.asked == 1)
        housekeeping.look()
        await until(lambda: passwords.asked == 2)
    assert passwords.asked == 2


async def test_nobody_tells() -> None:
    """What others changed is noticed all the same."""
    passwords = _Passwords()
    async with _kept(_Store(), passwords, look_s=0.001):
        await until(lambda: passwords.asked > 2)
    assert passwords.asked > 2
