"""The outbox on a disk: what is there after the process was killed, and what is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oxpushctl.config.state import made
from oxpushctl.errors import NotKept, NotReachable
from oxpushctl.model import Address, Entry, MailEvent
from tests.engine.parts import ANTON
from tests.stores.outbox.boxes import CLOCK, MAX_AGE_S, fresh, killed, message, outbox_in, written


async def recovered_in(folder: Path) -> list[MailEvent]:
    async with outbox_in(folder) as outbox:
        found: list[MailEvent] = []
        while events := await outbox.recovered(10):
            found += events
        return found


async def due_in(folder: Path) -> list[Entry]:
    async with outbox_in(folder) as outbox:
        return list(await outbox.due(CLOCK.now() + MAX_AGE_S, 100))


async def test_accepted_event_survives_a_kill(tmp_path: Path) -> None:
    """What put has returned for is handed out by the next process, with everything that was known of it."""
    event = MailEvent(
        ANTON, "Entwürfe", 17, 5, Address("Ännchen", "a@example.com"), "Grüße 😀", "s", None, "t", CLOCK.now()
    )
    async with outbox_in(made(tmp_path / "a")) as outbox:
        await outbox.put(event)
        left = killed(tmp_path / "a", tmp_path / "b")
    assert await recovered_in(left) == [event]


async def test_many_at_once_survive_a_kill(tmp_path: Path) -> None:
    """Events that came together are one commit: each of them is there, once, in the order in which they came."""
    events = [fresh(uid) for uid in range(1, 701)]
    async with outbox_in(made(tmp_path / "a")) as outbox:
        await asyncio.gather(*(outbox.put(event) for event in events))
        left = killed(tmp_path / "a", tmp_path / "b")
    assert await recovered_in(left) == events


async def test_delivered_event_does_not_come_back(tmp_path: Path) -> None:
    """What was sent to all devices is gone with the next commit."""
    async with outbox_in(made(tmp_path / "a")) as outbox:
        event = fresh()
        await outbox.put(event)
        for entry in outbox.matched(event.id, [message(event, "t1"), message(event, "t2")]):
            outbox.done(entry)
        await written(outbox)
        left = killed(tmp_path / "a", tmp_path / "b")
    assert [each.uid for each in await recovered_in(left)] == [999]


async def test_device_that_was_reached_is_not_pushed_again(tmp_path: Path) -> None:
    """After a crash an event with two devices is sent to the one that was not done."""
    event = fresh()
    async with outbox_in(made(tmp_path / "a")) as outbox:
        await outbox.put(event)
        outbox.done(outbox.matched(event.id, [message(event, "t1"), message(event, "t2")])[0])
        await written(outbox)
        left = killed(tmp_path / "a", tmp_path / "b")
    async with outbox_in(left) as outbox:
        await outbox.recovered(1)
        still = outbox.matched(event.id, [message(event, "t1"), message(event, "t2")])
    assert [entry.subscription.token for entry in still] == ["t2"]


async def test_kept_back_message_survives_a_kill(tmp_path: Path) -> None:
    """A retry is on the disk with its attempts; the event that it came from is not handed out any more."""
    event = fresh()
    async with outbox_in(made(tmp_path / "a")) as outbox:
        await outbox.put(event)
        (entry,) = outbox.matched(event.id, [message(event)])
        entry.attempts = 3
        outbox.later(entry, CLOCK.now() + 600)
        await written(outbox)
        left = killed(tmp_path / "a", tmp_path / "b")
    found = [(each.notification, each.subscription, each.attempts) for each in await due_in(left)]
    assert found == [(entry.notification, entry.subscription, 3)]


async def test_kept_back_message_is_read_from_the_disk(tmp_path: Path) -> None:
    """What waits costs no memory: it is another object when it falls due, and its end is written as well."""
    event = fresh()
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(event)
        (entry,) = outbox.matched(event.id, [message(event)])
        outbox.later(entry, 5.0)
        await written(outbox)
        (again,) = await outbox.due(5.0, 10)
        outbox.done(again)
        assert (again is entry, again.notification, outbox.depth) == (False, entry.notification, 0)
    assert await due_in(tmp_path) == []


async def test_message_that_falls_due_at_once(tmp_path: Path) -> None:
    """A retry that is due before its row is on the disk is handed out all the same, and once."""
    event = fresh()
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(event)
        (entry,) = outbox.matched(event.id, [message(event)])
        outbox.later(entry, 5.0)
        assert (await outbox.due(5.0, 10), await outbox.due(5.0, 10)) == ([entry], ())


async def test_messages_of_an_event_that_is_not_kept(tmp_path: Path) -> None:
    """An event that was refused is tried, but nothing of it is kept back."""
    async with outbox_in(tmp_path) as outbox:
        entry = message(fresh())
        found = outbox.matched("unknown", [entry])
        assert (found, outbox.later(entry, 5.0), outbox.depth) == ([entry], False, 0)


async def test_events_that_are_too_old_are_dropped(tmp_path: Path) -> None:
    """What nobody wants to hear of any more is not sent after a long stop."""
    old, young = fresh(1), fresh(2)
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(MailEvent(ANTON, "INBOX", 17, 1, None, "", "", None, "t", old.at - MAX_AGE_S))
        await outbox.put(young)
    assert await recovered_in(tmp_path) == [young]


async def test_orderly_stop_leaves_nothing_of_what_was_done(tmp_path: Path) -> None:
    """Closing writes what was done a moment ago."""
    event = fresh()
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(event)
        outbox.done(outbox.matched(event.id, [message(event)])[0])
    assert await recovered_in(tmp_path) == []


async def test_depth_of_an_earlier_run(tmp_path: Path) -> None:
    """What is left counts from the start, before anybody has asked for it."""
    first, second = fresh(1), fresh(2)
    async with outbox_in(tmp_path) as outbox:
        await outbox.put(first)
        await outbox.put(second)
        outbox.later(outbox.matched(second.id, [message(second)])[0], CLOCK.now())
    async with outbox_in(tmp_path) as outbox:
        assert outbox.depth == 2


async def test_what_was_heard_last_is_known_after_a_kill(tmp_path: Path) -> None:
    """Mails that were pushed just before the end are named, so that catching up leaves them alone; nothing else is."""
    async with outbox_in(made(tmp_path / "a")) as outbox:
        await written(outbox, uid=41)
        await written(outbox, uid=42)
        left = killed(tmp_path / "a", tmp_path / "b")
    async with outbox_in(left) as outbox:
        heard = await outbox.heard_last()
    assert [(each.uid, each.uidvalidity, each.user, each.subject, each.sender) for each in heard] == [
        (41, 17, ANTON, "", None),
        (42, 17, ANTON, "", None),
    ]


async def test_full_outbox_refuses(tmp_path: Path) -> None:
    """At its bound it says so instead of growing."""
    async with outbox_in(tmp_path, capacity=1) as outbox:
        await outbox.put(fresh(1))
        with pytest.raises(NotKept, match="full"):
            await outbox.put(fresh(2))
        assert (outbox.is_full, outbox.depth) == (True, 1)


async def test_second_engine_is_refused(tmp_path: Path) -> None:
    """Two engines never share an outbox."""
    async with outbox_in(tmp_path):
        with pytest.raises(NotReachable, match="in use by another engine"):
            async with outbox_in(tmp_path):
                pass
