"""The outbox in memory."""

from __future__ import annotations

import pytest

from oxpushctl.engine.new_mail import notification_of
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.errors import NotKept
from oxpushctl.model import Entry
from tests.engine.parts import mail, phone


def entry(token: str = "t1") -> Entry:
    return Entry(notification_of(mail(), 60.0), phone(token=token))


async def test_event_is_open_until_matched() -> None:
    """What was accepted is there until it has become messages."""
    outbox = MemoryOutbox()
    event = mail()
    await outbox.put(event)
    assert list(outbox.left()) == [event]


async def test_one_entry_per_message() -> None:
    """After matching each device stands for itself: one done leaves the other open."""
    outbox = MemoryOutbox()
    event, first, second = mail(), entry("t1"), entry("t2")
    await outbox.put(event)
    outbox.matched(event.id, [first, second])
    outbox.done(first)
    assert list(outbox.left()) == [second]


async def test_event_nobody_wants_is_done() -> None:
    """No subscription, no message, nothing kept."""
    outbox = MemoryOutbox()
    event = mail()
    await outbox.put(event)
    outbox.matched(event.id, [])
    assert outbox.depth == 0


async def test_kept_back_entry_falls_due_once() -> None:
    """A retry is handed out at its time, and by then only once."""
    outbox = MemoryOutbox()
    event, kept = mail(), entry()
    await outbox.put(event)
    outbox.matched(event.id, [kept])
    outbox.later(kept, 10.0)
    found = [await outbox.due(9.9, 5), outbox.next_due(), await outbox.due(10.0, 5), await outbox.due(11.0, 5)]
    assert found == [[], 10.0, [kept], []]


async def test_full_outbox_refuses() -> None:
    """A full outbox says so instead of growing; what it has is not touched."""
    outbox = MemoryOutbox(capacity=1)
    await outbox.put(mail())
    with pytest.raises(NotKept, match="full"):
        await outbox.put(mail())
    assert outbox.depth == 1


async def test_messages_of_a_refused_event_take_no_room() -> None:
    """An event that could not be kept is tried, but neither it nor its retries fill the outbox."""
    outbox = MemoryOutbox()
    unkept = entry()
    outbox.matched("unknown", [unkept])
    assert (outbox.later(unkept, 5.0), outbox.depth) == (False, 0)
