"""One bounded queue per transport and client."""

from __future__ import annotations

import asyncio

from oxpushctl.engine.lane import Lane
from oxpushctl.engine.new_mail import notification_of
from oxpushctl.model import Entry
from tests.engine.parts import mail, phone
from tests.waiting import until


def entry() -> Entry:
    return Entry(notification_of(mail(), 60.0), phone())


async def test_what_is_offered_behind_the_last_is_worked_on() -> None:
    """A worker that has just ended counts no more: nothing waits for a next mail."""
    done: list[Entry] = []

    async def attempt(entry: Entry) -> None:
        done.append(entry)

    lane = Lane(attempt, in_flight=1)
    for _ in range(5):
        lane.offer(entry())
        await asyncio.sleep(0)
    await until(lambda: len(done) == 5)
    assert lane.is_idle


async def test_no_more_at_a_time_than_allowed() -> None:
    """The bound on what is in flight holds, and the rest waits its turn in order."""
    gate, begun = asyncio.Event(), list[Entry]()

    async def attempt(entry: Entry) -> None:
        begun.append(entry)
        await gate.wait()

    lane, entries = Lane(attempt, in_flight=2), [entry() for _ in range(4)]
    for each in entries:
        lane.offer(each)
    await until(lambda: len(begun) == 2)
    gate.set()
    await until(lambda: lane.is_idle)
    assert begun == entries


async def test_full_lane_says_so() -> None:
    """What does not fit is not taken, and not forgotten by whoever offers it."""
    lane = Lane(lambda _: asyncio.Event().wait(), queue_size=1, in_flight=1)  # type: ignore[arg-type, return-value]  # never returns
    assert [lane.offer(entry()), lane.offer(entry())] == [True, False]
    await lane.aclose()
