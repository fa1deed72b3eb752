from __future__ import annotations

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
