from __future__ import annotations

import asyncio
from collections.abc import Mapping

from oxpushctl.engine.successes import REPEAT_S, Successes
from oxpushctl.errors import NotReachable
from tests.engine.parts import HandClock, PlainStore, ScriptedTransport, mail, phone
from tests.engine.running import Engine
from tests.waiting import until


async def test_delivered_push_is_noted() -> None:
    """After a push was delivered, the store learns when its device was reached."""
    store = PlainStore(phone())
    engine = Engine(store, ScriptedTransport("apn"))
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    await engine.successes.write()
    assert list(store.reached) == [phone().id]


async def test_device_reached_often() -> None:
    """A device is written once in six hours, whatever it gets."""
    clock, store = HandClock(1000.0), PlainStore()
    successes = Successes(store, clock)
    for time in (1000.0, 1001.0, 1000.0 + REPEAT_S - 1):
        clock.time = time
        successes.note(b"phone")
        await successes.write()
    assert store.reached == {b"phone": 1_000_000}


async def test_store_away() -> None:
    """What could not be written is written at the next time."""
    clock, store = HandClock(1000.0), PlainStore(failures=[NotReachable("away")])
    successes = Successes(store, clock)
    successes.note(b"phone")
    await successes.write()
    await successes.write()
    assert store.reached == {b"phone": 1_000_000}


async def test_stopped_while_it_is_written() -> None:
    """What was on its way when the engine stops is written at the end."""
    store = PlainStore()
    successes = Successes(_Slow(store), HandClock(1000.0))
    successes.note(b"phone")
    writing = asyncio.create_task(successes.write())
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await successes.write()
    assert store.reached == {b"phone": 1_000_000}


class _Slow(PlainStore):
    """Takes the first write for ever."""

    def __init__(self, behind: PlainStore) -> None:
        super().__init__()
        self._behind = behind
        self._is_first = True

    async def delivered(self, at_ms: Mapping[bytes, int]) -> None:
        if self._is_first:
            self._is_first = False
            await asyncio.Event().wait()
        await self._behind.delivered(at_ms)
