"""Events that are heard once, whoever tells of them, however often, and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oxpushctl.engine.watermarks import Heard
from oxpushctl.errors import NotKept, NotReachable, OxpushctlError
from oxpushctl.model import MailEvent, Mark, PushUser
from tests.engine.marked import Marks, Taken, hearing
from tests.engine.parts import ANTON, BERTA, HandClock, mail
from tests.waiting import until


async def test_repeat() -> None:
    """The same mail is handed on once, whoever heard it; those without a uid always."""
    sink = Taken()
    async with hearing(sink, Marks()) as heard:
        for event in (mail(uid=5), replace(mail(uid=5), heard_by="imapidle"), mail(uid=6), mail(uid=0), mail(uid=0)):
            await heard.accept(event)
    assert (sink.uids, heard.repeats) == ([5, 6, 0, 0], 1)


async def test_same_uid_elsewhere() -> None:
    """Another user, another folder and another uidvalidity are other mails; the inbox has its name in any case."""
    sink = Taken()
    async with hearing(sink, Marks()) as heard:
        for event in (
            mail(uid=5),
            replace(mail(uid=5), folder="inbox"),
            mail(BERTA, uid=5),
            *[replace(mail(uid=5), folder="INBOX/Lists")] * 2,
            replace(mail(uid=5), uidvalidity=18),
            *[replace(mail(uid=5), uidvalidity=0)] * 2,
        ):
            await heard.accept(event)
    assert (len(sink.events), heard.repeats) == (6, 2)


async def test_after_a_restart() -> None:
    """What was heard before a restart is known: it is written at the end, or a second after it was heard."""
    marks, sink = Marks(), Taken()
    async with hearing(Taken(), marks) as heard:
        await heard.accept(mail(uid=5))
        await heard.accept(replace(mail(uid=5), folder="INBOX/Lists"))
        await heard.write()
        written = dict(marks.kept)
        await heard.accept(mail(uid=6))
    async with hearing(sink, marks) as heard:
        for uid in (5, 6, 7):
            await heard.accept(mail(uid=uid))
    assert written == {ANTON: Mark(17, 6, (5,))}
    assert sink.uids == [7]


async def test_after_a_kill() -> None:
    """What the outbox says was heard just before a crash is known, though no mark of it was written."""
    marks, sink = Marks({ANTON: Mark(17, 4)}), Taken()
    async with hearing(sink, marks) as heard:
        heard.recall([mail(uid=5), mail(uid=0), mail(BERTA, uid=9)])
        for event in (mail(uid=4), mail(uid=5), mail(uid=6), mail(BERTA, uid=9)):
            await heard.accept(event)
    assert sink.uids == [4, 6]
    assert marks.kept == {ANTON: Mark(17, 7, (5, 4, 6)), BERTA: Mark(17, 10, (9,))}


async def test_many_that_are_not_known_yet() -> None:
    """While one query is on its way the others wait for one of their own, together."""
    marks, users = Marks(), [PushUser(1, number) for number in range(1, 51)]
    marks.kept = dict.fromkeys(users, Mark(17, 6, (5,)))
    marks.gate.clear()
    sink = Taken()
    async with hearing(sink, marks) as heard, asyncio.TaskGroup() as group:
        group.create_task(heard.accept(mail(users[0], uid=6)))
        await until(lambda: marks.reads)
        for user in users * 2:
            group.create_task(heard.accept(mail(user, uid=5)))
            group.create_task(heard.accept(mail(user, uid=6)))
        await asyncio.sleep(0)
        marks.gate.set()
    assert sorted(event.user for event in sink.events) == users
    assert marks.reads == [users[:1], users[1:]]


@pytest.mark.parametrize("is_hanging", [True, False])
async def test_store_away(is_hanging: bool) -> None:
    """An event passes that cannot be looked up, in time or at all; its repeats do not, and nothing known is lost."""
    marks, sink = Marks({ANTON: Mark(17, 5, (4,))}), Taken()
    async with hearing(sink, marks, patience_s=0.01) as heard:
        if is_hanging:
            marks.gate.clear()
        else:
            marks.failures = [NotReachable("away")] * 3
        for uid in (9, 9, 4):
            await heard.accept(mail(uid=uid))
        marks.gate.set()
        mark = await heard.mark(ANTON)
    assert sink.uids == [9, 4]
    assert mark == marks.kept[ANTON] == Mark(17, 5, (9, 4))


async def test_bug_in_the_store() -> None:
    """Not even a bug costs a push."""
    sink = Taken()
    async with hearing(sink, Marks(failures=[KeyError("bug")])) as heard:
        await heard.accept(mail(uid=5))
    assert sink.uids == [5]


async def test_repeat_while_it_is_handed_on() -> None:
    """A repeat that comes meanwhile waits, and goes no further when the first was taken."""
    sink = Taken()
    sink.gate.clear()
    async with hearing(sink, Marks()) as heard:
        both = [asyncio.create_task(heard.accept(mail(uid=5))) for _ in range(2)]
        await until(lambda: sink.begun)
        done_early = any(task.done() for task in both)
        sink.gate.set()
        await asyncio.gather(*both)
    assert (done_early, sink.begun, heard.repeats) == (False, 1, 1)


async def test_repeat_of_what_was_lost_meanwhile() -> None:
    """Where the first one fails, the repeat that waited for it is handed on."""
    sink = Taken(NotReachable("bug"))
    sink.gate.clear()
    async with hearing(sink, Marks()) as heard:
        both = [asyncio.create_task(heard.accept(mail(uid=5))) for _ in range(3)]
        await until(lambda: sink.begun)
        sink.gate.set()
        results = await asyncio.gather(*both, return_exceptions=True)
    assert [type(result) for result in results] == [NotReachable, type(None), type(None)]
    assert (sink.uids, heard.repeats) == ([5], 1)


@pytest.mark.parametrize(("failure", "is_heard"), [(NotKept("full"), True), (NotReachable("directory"), False)])
async def test_sink_that_fails(failure: OxpushctlError, is_heard: bool) -> None:
    """What could not be kept is tried all the same, so that its repeat is one; what failed otherwise was not heard."""
    sink = Taken(failure)
    async with hearing(sink, Marks()) as heard:
        with pytest.raises(type(failure)):
            await heard.accept(mail(uid=5))
        await heard.accept(mail(uid=5))
    assert sink.uids == ([] if is_heard else [5])


async def test_cancelled_while_it_is_handed_on() -> None:
    """A mail whose acceptance was cut off is new the next time."""
    sink = Taken()
    sink.gate.clear()
    async with hearing(sink, Marks()) as heard:
        first = asyncio.create_task(heard.accept(mail(uid=5)))
        await until(lambda: sink.begun)
        first.cancel()
        await asyncio.wait([first])
        sink.gate.set()
        await heard.accept(mail(uid=5))
    assert sink.uids == [5]


async def test_mark_and_advance() -> None:
    """A mark is what the store knows, moved by who has looked; before the first sight there is none."""
    marks = Marks({ANTON: Mark(17, 5, (4,))})
    async with hearing(Taken(), marks) as heard:
        read = [await heard.mark(ANTON), await heard.mark(BERTA)]
        heard.advance(ANTON, 17, 9)
        heard.advance(BERTA, 3, 1)
        heard.advance(BERTA, 0, 7)
        advanced = [await heard.mark(ANTON), await heard.mark(BERTA)]
    assert read == [Mark(17, 5, (4,)), None]
    assert advanced == [Mark(17, 9, (4,)), Mark(3, 1)]
    assert marks.kept == {ANTON: Mark(17, 9, (4,)), BERTA: Mark(3, 1)}


async def test_advance_before_anything_was_read() -> None:
    """Who moves a mark without having asked for it loses nothing that the store knows."""
    marks, sink = Marks({ANTON: Mark(17, 5, (4, 9))}), Taken()
    async with hearing(sink, marks) as heard:
        heard.advance(ANTON, 17, 7)
        await heard.accept(mail(uid=9))
    assert (sink.uids, marks.kept[ANTON]) == ([], Mark(17, 7, (4, 9)))


async def test_mark_that_cannot_be_read() -> None:
    """Who asks for a mark is told that it cannot be read now, and gets it the next time."""
    async with hearing(Taken(), Marks({ANTON: Mark(17, 5)}, failures=[NotReachable("away")])) as heard:
        with pytest.raises(NotReachable, match="away"):
            await heard.mark(ANTON)
        assert await heard.mark(ANTON) == Mark(17, 5)


async def test_store_that_cannot_be_written() -> None:
    """What could not be written is written at the next time, also what was heard meanwhile."""
    marks = Marks()
    async with hearing(Taken(), marks) as heard:
        for user in (ANTON, BERTA):
            await heard.accept(mail(user, uid=5))
        marks.failures = [NotReachable("away")] * 2
        await heard.write()
        await heard.accept(mail(ANTON, uid=6))
        await heard.write()
        nothing = dict(marks.kept)
        await heard.write()
        assert (nothing, marks.kept) == ({}, {ANTON: Mark(17, 7, (5, 6)), BERTA: Mark(17, 6, (5,))})


async def test_many_that_cannot_be_written() -> None:
    """However many wait, none of them is left out."""
    marks, users = Marks(), [PushUser(1, number) for number in range(1, 1301)]
    async with hearing(Taken(), marks, most_known=2000) as heard:
        for user in users:
            await heard.accept(mail(user, uid=5))
        marks.failures = [NotReachable("away")]
        for _ in range(2):
            await heard.write()
        assert sorted(marks.kept) == users


async def test_written_before_it_was_read() -> None:
    """What was heard while the store was away does not hide what had been missed before."""
    marks = Marks({ANTON: Mark(17, 5, (4,))}, failures=[NotReachable("away")])
    async with hearing(Taken(), marks) as heard:
        await heard.accept(mail(uid=9))
    assert marks.kept == {ANTON: Mark(17, 5, (4, 9))}


async def test_stopped_while_it_is_written() -> None:
    """What was on its way when the engine stops is written at the end."""
    marks = Marks()
    async with hearing(Taken(), marks) as heard:
        await heard.accept(mail(uid=5))
        marks.gate.clear()
        writing = asyncio.create_task(heard.write())
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        marks.gate.set()
    assert marks.kept == {ANTON: Mark(17, 6, (5,))}


async def test_stopped_while_it_is_read() -> None:
    """Who waits for a store that hangs is told that the engine stops."""
    marks = Marks()
    marks.gate.clear()
    async with hearing(Taken(), marks) as heard:
        asking = asyncio.create_task(heard.mark(ANTON))
        await until(lambda: marks.reads)
        await heard.aclose()
        with pytest.raises(NotReachable, match="stopping"):
            await asking


async def test_more_users_than_are_kept() -> None:
    """Those that were not heard of for longest are forgotten once they are written, and read again when needed."""
    marks, sink = Marks(), Taken()
    users = [PushUser(1, number) for number in range(1, 31)]
    async with hearing(sink, marks, most_known=10) as heard:
        for user in users:
            await heard.accept(mail(user, uid=5))
            await heard.write()
        reads = len(marks.reads)
        for user in (*users[-10:], *users[:3]):
            await heard.accept(mail(user, uid=5))
        assert (reads, len(marks.reads)) == (30, 33)
    assert [event.user for event in sink.events] == users


async def test_user_that_is_heard_of_often() -> None:
    """Who was heard of a moment ago is not the one to be forgotten."""
    marks = Marks()
    async with hearing(Taken(), marks, most_known=2) as heard:
        for number, uid in ((1, 5), (2, 5), (1, 6), (3, 5), (1, 7)):
            await heard.accept(mail(PushUser(1, number), uid=uid))
            await heard.write()
    assert marks.reads == [[PushUser(1, 1)], [PushUser(1, 2)], [PushUser(1, 3)]]


async def test_more_users_than_are_kept_at_once() -> None:
    """What is not written yet is not forgotten for the sake of room, unless there is no end of it."""
    marks, sink = Marks(), Taken()
    users = [PushUser(1, number) for number in range(1, 101)]
    async with hearing(sink, marks, most_known=20) as heard:
        for user in users[:22]:
            await heard.accept(mail(user, uid=5))
        await heard.write()
        written = list(marks.kept)
        for user in users[22:]:
            await heard.accept(mail(user, uid=5))
    assert written == users[:22]
    assert sorted(marks.kept)[22:] == users[-22:]


async def test_user_that_leaves() -> None:
    """Of a user that has left nothing is written any more."""
    marks = Marks()
    async with hearing(Taken(), marks) as heard:
        for user in (ANTON, BERTA):
            await heard.accept(mail(user, uid=5))
        heard.forget(ANTON)
    assert list(marks.kept) == [BERTA]


async def test_who_is_told() -> None:
    """Whoever wants to know hears of each event that is handed on, with or without a uid."""
    told: list[MailEvent] = []
    async with hearing(Taken(), Marks()) as heard:
        heard.heard = told.append
        for uid in (5, 5, 0):
            await heard.accept(mail(uid=uid))
    assert [event.uid for event in told] == [5, 0]


async def test_written_by_itself() -> None:
    """Nobody has to say that it is time to write."""
    marks = Marks()
    heard = Heard(Taken(), marks, HandClock())
    running = asyncio.create_task(heard.run())
    await heard.accept(mail(uid=5))
    await until(lambda: marks.kept)
    running.cancel()
    await asyncio.wait([running])
    assert marks.kept == {ANTON: Mark(17, 6, (5,))}
