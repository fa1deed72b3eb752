"""A message that waited goes to nobody but the user that it was written for."""

from __future__ import annotations

import pytest

from oxpushctl.engine.new_mail import notification_of
from oxpushctl.engine.standing import FRESH_S
from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError
from oxpushctl.model import Entry, Outcome, Verdict
from tests.engine.parts import ANTON, BERTA, PlainStore, ScriptedTransport, mail, phone
from tests.engine.running import Engine
from tests.waiting import until

_AWAY = Outcome(Verdict.UNREACHABLE, retry_after_s=60.0)


async def test_token_moved_while_the_provider_was_away() -> None:
    """A phone that is handed on meanwhile does not show the former user's mail."""
    apns, store = ScriptedTransport("apn", [_AWAY]), PlainStore(phone(ANTON, token="t1"))
    engine = Engine(store, apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(ANTON, at=engine.clock.now()))
        await until(lambda: engine.outbox.next_due() is not None)
        store.subscriptions[:] = [phone(BERTA, token="t1b")]
        engine.clock.offset += 3600.0 - 1.0
        await dispatcher.accept(mail(BERTA, at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert [message.subscription.user for message in apns.sent] == [ANTON, BERTA]


async def test_device_gone_while_its_message_waited_in_the_lane() -> None:
    """What stood in a queue behind a slow provider is looked at again before it is sent."""
    apns = ScriptedTransport("apn")
    engine = Engine(PlainStore(), apns)
    entry = Entry(notification_of(mail(at=engine.clock.now()), 60.0), phone(), seen_at=engine.clock.monotonic())
    engine.clock.offset, engine.clock.set_back = FRESH_S, 3600.0  # whatever the wall says
    await engine.delivery.attempt(entry)
    assert apns.sent == []


@pytest.mark.parametrize("failure", [NotReachable, NotPermitted, ConfigurationError])
async def test_database_away_when_a_message_has_waited(failure: type[OxpushctlError]) -> None:
    """Whatever ails the database, what was accepted is kept back and not given up."""
    engine = Engine(PlainStore(phone(), failures=[failure("the database does not answer")]), ScriptedTransport("apn"))
    event = mail(at=engine.clock.now())
    entry = Entry(notification_of(event, 60.0), phone())
    await engine.outbox.put(event)
    engine.outbox.matched(event.id, [entry])
    await engine.delivery.attempt(entry)
    assert (engine.outbox.depth, engine.outbox.next_due() is not None) == (1, True)


async def test_database_away_when_a_retry_falls_due() -> None:
    """The retry waits for the database, and is not lost."""
    away = Outcome(Verdict.UNREACHABLE, retry_after_s=10.0)
    apns, store = ScriptedTransport("apn", [away]), PlainStore(phone())
    engine = Engine(store, apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: engine.outbox.next_due() is not None)
        store.failures.append(NotReachable("the database does not answer"))
        engine.clock.offset += 20.0
        await dispatcher.accept(mail(uid=2, at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert len(apns.sent) == 3
