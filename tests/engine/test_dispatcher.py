"""The straight path, with parts scripted at the engine's own interfaces."""

from __future__ import annotations

import pytest

from oxpushctl.engine.delivery import LATE_S
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.errors import NotKept, NotReachable
from oxpushctl.model import Outcome, Verdict
from tests.engine.parts import BERTA, PlainStore, ScriptedTransport, mail, phone
from tests.engine.running import Engine
from tests.waiting import until


async def test_event_reaches_every_device() -> None:
    """One event, one message for each subscribed device on its transport, and nothing stays behind."""
    apns, fcm = ScriptedTransport("apn"), ScriptedTransport("gcm")
    engine = Engine(PlainStore(phone(), phone(token="t2"), phone(transport="gcm", token="t3")), apns, fcm)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert sorted(message.subscription.token for message in apns.sent + fcm.sent) == ["t1", "t2", "t3"]


async def test_accept_does_not_wait_for_a_push() -> None:
    """The mail server gets its answer while the provider has not even begun to answer us."""
    apns = ScriptedTransport("apn")
    apns.gate.clear()
    engine = Engine(PlainStore(phone()), apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: apns.sent)
        assert engine.outbox.depth == 1
        apns.gate.set()


async def test_hanging_provider_delays_no_other() -> None:
    """While APNs holds everything, FCM's devices are served."""
    apns, fcm = ScriptedTransport("apn"), ScriptedTransport("gcm")
    apns.gate.clear()
    engine = Engine(PlainStore(phone(), phone(transport="gcm", token="t2")), apns, fcm)
    async with engine.running() as dispatcher:
        for uid in range(1, 51):
            await dispatcher.accept(mail(uid=uid, at=engine.clock.now()))
        await until(lambda: len(fcm.sent) == 50)
        apns.gate.set()


async def test_retry_of_one_device_repeats_no_other() -> None:
    """The device that failed is tried again, the one that was served is not."""
    apns = ScriptedTransport("apn", [Outcome(Verdict.UNREACHABLE, retry_after_s=0.01)])
    engine = Engine(PlainStore(phone(), phone(token="t2")), apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert sorted(message.subscription.token for message in apns.sent) == ["t1", "t1", "t2"]


async def test_retried_push_says_nothing_of_unread() -> None:
    """A number that was right at the first attempt may be wrong at the second."""
    apns = ScriptedTransport("apn", [Outcome(Verdict.UNREACHABLE, retry_after_s=0.01)])
    engine = Engine(PlainStore(phone()), apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert [b"unread" in message.payload for message in apns.sent] == [True, False]


async def test_late_push_says_nothing_of_unread() -> None:
    """An event that waited carries its words, not its count."""
    apns = ScriptedTransport("apn")
    engine = Engine(PlainStore(phone()), apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now() - LATE_S - 1))
        await until(lambda: not engine.outbox.depth)
    assert [b"unread" in message.payload for message in apns.sent] == [False]


async def test_expired_push_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Older than push.maxAge: dropped, and said."""
    apns = ScriptedTransport("apn")
    engine = Engine(PlainStore(phone()), apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now() - 3601))
        await until(lambda: not engine.outbox.depth)
    assert (apns.sent, "push too old" in caplog.text) == ([], True)


async def test_gone_token_is_removed() -> None:
    """A token that the provider knows to be dead takes its subscription along."""
    store = PlainStore(phone())
    engine = Engine(store, ScriptedTransport("apn", [Outcome(Verdict.TOKEN_GONE, reason="Unregistered")]))
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert store.subscriptions == []


async def test_doubtful_token_stays(caplog: pytest.LogCaptureFixture) -> None:
    """BadDeviceToken is also what every token gets from the wrong environment: nobody is unsubscribed for it."""
    store = PlainStore(phone())
    doubtful = Outcome(Verdict.TOKEN_GONE, reason="BadDeviceToken", is_doubtful=True)
    engine = Engine(store, ScriptedTransport("apn", [doubtful]))
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert (len(store.subscriptions), "BadDeviceToken" in str([r.__dict__ for r in caplog.records])) == (1, True)


async def test_rejected_push_keeps_the_subscription() -> None:
    """A wrong topic is our mistake, never the device's."""
    store = PlainStore(phone())
    engine = Engine(store, ScriptedTransport("apn", [Outcome(Verdict.REJECTED, reason="DeviceTokenNotForTopic")]))
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert len(store.subscriptions) == 1


async def test_switched_off_transport_is_not_used() -> None:
    """The enable properties decide per client, transport and topic."""
    apns = ScriptedTransport("apn")
    engine = Engine(PlainStore(phone()), apns, is_enabled=lambda *_: False)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert apns.sent == []


async def test_many_users_are_matched_at_once() -> None:
    """A burst of events costs few queries, not one each."""
    store = PlainStore(phone(), phone(user=BERTA, token="t2"))
    apns = ScriptedTransport("apn")
    engine = Engine(store, apns)
    for uid in range(1, 101):
        await engine.dispatcher.accept(mail(uid=uid, at=engine.clock.now()))
        await engine.dispatcher.accept(mail(user=BERTA, uid=uid, at=engine.clock.now()))
    async with engine.running():
        await until(lambda: len(apns.sent) == 200)
    assert len(store.queries) == 1


async def test_failing_store_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """While the database is away events wait; when it is back they are sent."""
    store = PlainStore(phone(), failures=[NotReachable("the database does not answer")])
    apns = ScriptedTransport("apn")
    engine = Engine(store, apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: apns.sent)
    assert (len(apns.sent), "subscriptions cannot be read" in caplog.text) == (1, True)


async def test_look_alikes_without_uid_end_in_one_more_push() -> None:
    """Three at once: the first leaves at once, one more for the two others."""
    apns = ScriptedTransport("apn")
    engine = Engine(PlainStore(phone()), apns)
    async with engine.running() as dispatcher:
        for _ in range(3):
            await dispatcher.accept(mail(uid=0, at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert len(apns.sent) == 2


async def test_full_outbox_still_tries() -> None:
    """What cannot be kept is refused to the mail server and pushed all the same."""
    apns = ScriptedTransport("apn")
    engine = Engine(PlainStore(phone()), apns, outbox=MemoryOutbox(capacity=0))
    async with engine.running() as dispatcher:
        with pytest.raises(NotKept):
            await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: apns.sent)


async def test_drain_sends_what_is_held_and_what_falls_due() -> None:
    """An orderly stop waits for windows and near retries, and then there is nothing left."""
    apns = ScriptedTransport("apn", [Outcome(Verdict.UNREACHABLE, retry_after_s=0.05)])
    engine = Engine(PlainStore(phone()), apns, delay_s=60.0)
    async with engine.running() as dispatcher:
        for _ in range(2):
            await dispatcher.accept(mail(uid=0, at=engine.clock.now()))
        await until(lambda: apns.sent)
        await dispatcher.drain(10.0)
    assert (engine.outbox.depth, len(apns.sent)) == (0, 3)


async def test_drain_waits_for_what_the_store_held_up() -> None:
    """Look-alikes that are still to be matched when the stop begins are not held back for a window."""
    apns = ScriptedTransport("apn")
    engine = Engine(PlainStore(phone(), failures=[NotReachable("away")]), apns, delay_s=60.0)
    async with engine.running() as dispatcher:
        for _ in range(3):
            await dispatcher.accept(mail(uid=0, at=engine.clock.now()))
        await dispatcher.drain(30.0)
    assert engine.outbox.depth == 0


async def test_drain_gives_up_on_what_falls_due_too_late() -> None:
    """A retry in an hour is left over at once, not waited for."""
    apns = ScriptedTransport("apn", [Outcome(Verdict.THROTTLED, retry_after_s=1800.0)])
    engine = Engine(PlainStore(phone()), apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(at=engine.clock.now()))
        await until(lambda: engine.outbox.next_due() is not None)
        await dispatcher.drain(10.0)
    assert engine.outbox.depth == 1


async def test_bug_in_one_message_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """A part that fails in a way nobody foresaw costs one push and leaves one line."""

    class Faulty(ScriptedTransport):
        async def send(self, message: object) -> Outcome:
            if not self.sent:
                self.sent.append(message)  # type: ignore[arg-type]  # what it is does not matter here
                raise ZeroDivisionError
            return await super().send(message)  # type: ignore[arg-type]  # same

    apns = Faulty("apn")
    engine = Engine(PlainStore(phone()), apns)
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(uid=1, at=engine.clock.now()))
        await dispatcher.accept(mail(uid=2, at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)
    assert (len(apns.sent), "push given up: bug" in caplog.text) == (2, True)
