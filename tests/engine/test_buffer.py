"""Debounce of identical notifications."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.engine.buffer import Buffer, Decision
from oxpushctl.engine.new_mail import notification_of
from oxpushctl.model import Notification
from tests.engine.parts import BERTA, mail


def notification(uid: int = 1, subject: str = "Lunch?") -> Notification:
    return notification_of(mail(uid=uid, subject=subject), 3600.0)


@pytest.fixture
def buffer() -> Buffer:
    return Buffer(1.0, 10.0)


def test_first_leaves_at_once(buffer: Buffer) -> None:
    """Nothing waits for a window: the first of a run is sent in the moment it is heard."""
    assert buffer.offer(notification(), 0.0) is Decision.SEND


def test_repeat_with_uid_is_swallowed_for_good(buffer: Buffer) -> None:
    """The same mail told twice is one push, and none at the window's end."""
    buffer.offer(notification(), 0.0)
    assert (buffer.offer(notification(), 0.5), buffer.leaving(1.6)) == (Decision.SWALLOW, [])


def test_repeat_after_the_window_is_sent(buffer: Buffer) -> None:
    """A window ends; what comes later is news again."""
    buffer.offer(notification(), 0.0)
    buffer.leaving(1.0)
    assert buffer.offer(notification(), 1.1) is Decision.SEND


def test_repeat_after_an_unswept_window_is_sent(buffer: Buffer) -> None:
    """A window that has ended ends also when nobody has looked at it yet."""
    buffer.offer(notification(), 0.0)
    assert buffer.offer(notification(), 1.1) is Decision.SEND


def test_repeats_extend_the_window_up_to_the_limit(buffer: Buffer) -> None:
    """Repeats every half second are swallowed for the longest delay, then one is sent."""
    decisions = [buffer.offer(notification(), tick / 2) for tick in range(22)]
    assert [tick / 2 for tick, decision in enumerate(decisions) if decision is Decision.SEND] == [0.0, 10.0]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(notification(uid=2), id="other mail"),
        pytest.param(notification(subject="Dinner?"), id="other subject"),
        pytest.param(replace(notification(), user=BERTA), id="other user"),
        pytest.param(replace(notification(), topic="ox:other"), id="other topic"),
    ],
)
def test_anything_different_is_not_a_repeat(buffer: Buffer, other: Notification) -> None:
    """User, topic and all message data count."""
    buffer.offer(notification(), 0.0)
    assert buffer.offer(other, 0.1) is Decision.SEND


def test_repeats_without_uid_leave_once_more(buffer: Buffer) -> None:
    """Mails that only look alike are told by one more push at the end of their window, not by one each."""
    decisions = [buffer.offer(notification(uid=0), now) for now in (0.0, 0.2, 0.4)]
    assert decisions == [Decision.SEND, Decision.HOLD, Decision.SWALLOW]
    assert buffer.leaving(1.3) == []
    assert [left.data for left in buffer.leaving(1.5)] == [notification(uid=0).data]


def test_one_more_opens_a_window_of_its_own(buffer: Buffer) -> None:
    """A flood of look-alikes is one push a window, not two."""
    buffer.offer(notification(uid=0), 0.0)
    buffer.offer(notification(uid=0), 0.5)
    buffer.leaving(1.5)
    assert buffer.offer(notification(uid=0), 1.6) is Decision.HOLD


def test_release_gives_what_is_held(buffer: Buffer) -> None:
    """An orderly stop loses nothing that waits for its window to end, and goes on swallowing repeats."""
    buffer.offer(notification(uid=0), 0.0)
    buffer.offer(notification(uid=0), 0.1)
    assert (len(buffer.release()), buffer.leaving(1.2)) == (1, [])


def test_shorter_delay_ends_what_is_held(buffer: Buffer) -> None:
    """A reload that shortens the delay while a window holds something: it leaves, once."""
    buffer.set_delays(10.0, 0.0)
    buffer.offer(notification(uid=0), 0.0)
    buffer.offer(notification(uid=0), 1.0)
    buffer.set_delays(1.0, 10.0)
    buffer.offer(notification(uid=0), 2.0)
    assert [len(buffer.leaving(now)) for now in (10.0, 11.0, 12.0, 13.0)] == [0, 1, 0, 0]


def test_no_delay_swallows_nothing() -> None:
    """delayDuration=0 turns the debounce off."""
    buffer = Buffer(0.0, 0.0)
    assert [buffer.offer(notification(), 0.0) for _ in range(2)] == [Decision.SEND, Decision.SEND]


def test_delays_may_change_while_windows_are_open(buffer: Buffer) -> None:
    """A reload that turns the debounce off ends what is open in its time, and holds nothing back for ever."""
    buffer.offer(notification(uid=0), 0.0)
    buffer.offer(notification(uid=0), 0.5)
    buffer.offer(notification(uid=1), 0.5)
    buffer.set_delays(0.0, 0.0)
    assert (len(buffer.leaving(1.5)), len(buffer)) == (1, 0)


def test_longest_delay_below_the_delay_counts() -> None:
    """maxDelayDuration is a limit, whatever delayDuration says."""
    buffer = Buffer(10.0, 2.0)
    buffer.offer(notification(uid=0), 0.0)
    buffer.offer(notification(uid=0), 1.0)
    assert len(buffer.leaving(2.0)) == 1


@given(st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0, 4.0])), max_size=60))
def test_windows_end_and_nothing_without_uid_is_lost(steps: list[tuple[float, int, float]]) -> None:
    """Whatever the rhythm and the reloads: each look-alike was sent or followed by one, and memory is empty."""
    buffer = Buffer(1.0, 3.0)
    now, last_heard, last_sent = 0.0, -1.0, -1.0
    for pause, uid, delay in steps:
        now += pause
        buffer.set_delays(delay, 3.0)
        if any("id" not in left.data for left in buffer.leaving(now)):
            last_sent = now
        decision = buffer.offer(notification(uid=uid), now)
        if uid == 0:
            last_heard = now
            last_sent = now if decision is Decision.SEND else last_sent
    while (end := buffer.next_end()) is not None:
        if any("id" not in left.data for left in buffer.leaving(end)):
            last_sent = end
    assert last_sent >= last_heard
    assert len(buffer) == 0
