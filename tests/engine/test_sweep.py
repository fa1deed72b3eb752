from __future__ import annotations

import asyncio
from collections.abc import Sequence

from oxpushctl.engine.sweep import INTERVAL_S, sweep
from oxpushctl.errors import NotReachable
from oxpushctl.model import PushUser, Subscription
from tests.engine.parts import HandClock, PlainStore
from tests.waiting import until

_OVER = Subscription(PushUser(1, 3), "app", "apn", "aa11")


class _Store(PlainStore):
    """Hands out what is expired in parts, after ``failures``, and remembers when it was asked."""

    def __init__(self, clock: HandClock, *parts: Sequence[Subscription], failures: Sequence[Exception] = ()) -> None:
        super().__init__(failures=failures)
        self.asked: list[float] = []
        self._clock = clock
        self._parts = list(parts)

    async def sweep(self) -> Sequence[Subscription]:
        self.asked.append(self._clock.now())
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return self._parts.pop(0) if self._parts else ()


async def _asked(store: _Store, clock: HandClock, times: int) -> list[float]:
    task = asyncio.create_task(sweep(store, clock))
    await until(lambda: len(store.asked) >= times)
    task.cancel()
    return store.asked[:times]


async def test_sweeping_until_nothing_is_left() -> None:
    """All parts go at once, and the next look is an interval later."""
    clock = HandClock(0.0)
    store = _Store(clock, [_OVER], [_OVER])
    assert await _asked(store, clock, 4) == [0.0, 0.0, 0.0, INTERVAL_S]


async def test_database_away() -> None:
    """What failed is done at the next time."""
    clock = HandClock(0.0)
    store = _Store(clock, [_OVER], failures=[NotReachable("away")])
    assert await _asked(store, clock, 4) == [0.0, INTERVAL_S, INTERVAL_S, 2 * INTERVAL_S]
