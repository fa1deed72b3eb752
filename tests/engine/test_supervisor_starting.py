"""With which implementation a user is listened for, in what order they are started, and what is adopted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oxpushctl.engine.backoff import OFFER_S, OVER_LIMIT_S
from oxpushctl.engine.supervisor import AT_ONCE
from oxpushctl.errors import NotPermitted, NotReachable, OverLimit, Unsupported
from oxpushctl.model import Health, PushUser, RegisteredMailbox
from tests.engine.parts import ANTON, BERTA
from tests.engine.supervised import Registered, Remembered, Scripted, settled, staged
from tests.waiting import until

OK = Health.OK
CAESAR = PushUser(2, 1)


async def test_order_and_number_of_starts() -> None:
    """Users are started in the order of context and user, at most so many at the same time."""
    users = [PushUser(context, user) for context in range(1, 11) for user in range(1, 11)]
    imap = Scripted("imapidle")
    imap.gate.clear()
    registered = Registered(*reversed(users))
    async with staged(registered, imap):
        at_first = list(imap.starts)
        imap.gate.set()
        await until(lambda: len(imap.running) == len(users))
    assert at_first == users[:AT_ONCE]
    assert (imap.starts, imap.most_at_once) == (users, AT_ONCE)


async def test_who_has_just_subscribed() -> None:
    """Who is told of does not wait for half a million others to be started."""
    imap = Scripted("imapidle")
    imap.gate.clear()
    async with staged(Registered(*(PushUser(1, number) for number in range(1, 101))), imap) as stage:
        stage.registered.put(CAESAR)
        await stage.looked(CAESAR)
        imap.gate.set()
        await until(lambda: CAESAR in imap.running)
        assert imap.starts.index(CAESAR) == AT_ONCE


async def test_first_that_supports_the_mailbox() -> None:
    """The first implementation that is enabled for this kind of listener, and supports the mailbox, serves."""
    dovecot, imap, notify = Scripted("dovecot"), Scripted("imapidle", permanent=False), Scripted("mailnotify")
    dovecot.problems = dict.fromkeys((BERTA, CAESAR), Unsupported("no METADATA"))
    async with staged(Registered(ANTON, BERTA), dovecot, imap, notify) as stage:
        stage.sessions = {CAESAR}
        await stage.looked(CAESAR)
        assert await stage.shown() == [
            ("3@1", True, "dovecot", OK),
            ("4@1", True, "mailnotify", OK),
            ("1@2", False, "imapidle", OK),
        ]


async def test_nobody_supports_the_mailbox() -> None:
    """Where none can serve, that is said with the reason, and asked again after a day or a reload."""
    dovecot = Scripted("dovecot", session=False)
    dovecot.problems[ANTON] = Unsupported("no METADATA")
    async with staged(Registered(ANTON), dovecot) as stage:
        stage.sessions = {BERTA}
        await stage.looked(BERTA)
        reasons = [(each.health, each.implementation, each.reason) for each in await stage.seen()]
        dovecot.problems.clear()
        await stage.clock.turn(60, stride=1)
        asked_within_a_minute = list(dovecot.starts)
        stage.clock.time += OFFER_S * 1.25
        await stage.clock.turn(1)
        after_a_day = await stage.shown()
        dovecot.on[False] = True
        stage.supervisor.reload()
        await stage.clock.turn(0.5)
        assert reasons == [
            (Health.UNSUPPORTED, "", "no METADATA"),
            (
                Health.UNSUPPORTED,
                "",
                "nothing is configured that serves session-bound listeners (see `oxpushctl config flow`)",
            ),
        ]
        assert asked_within_a_minute == [ANTON]
        assert after_a_day == [("3@1", True, "dovecot", OK), ("4@1", False, "", Health.UNSUPPORTED)]
        assert await stage.shown() == [("3@1", True, "dovecot", OK), ("4@1", False, "dovecot", OK)]


@pytest.mark.parametrize("problem", [None, Unsupported("no METADATA"), NotReachable("away"), KeyError("bug")])
async def test_offered_after_a_day(problem: Exception | None) -> None:
    """The preferred implementation is asked again after a day; the other one serves until it does."""
    dovecot, imap = Scripted("dovecot"), Scripted("imapidle")
    dovecot.problems[ANTON] = Unsupported("no METADATA")
    async with staged(Registered(ANTON), dovecot, imap) as stage:
        await stage.clock.turn(60, stride=1)
        starts = len(dovecot.starts)
        dovecot.problems = {} if problem is None else {ANTON: problem}
        stage.clock.time += OFFER_S * 1.25
        await stage.clock.turn(60, stride=1)
        asked_again = len(dovecot.starts)
        shown, running = await stage.shown(), set(imap.running)
        dovecot.problems = {}
        stage.clock.time += OFFER_S * 1.25
        await stage.clock.turn(60, stride=1)
        assert (starts, asked_again) == (1, 2)
        assert (shown, running) == (
            ([("3@1", True, "imapidle", OK)], {ANTON}) if problem else ([("3@1", True, "dovecot", OK)], set())
        )
        assert await stage.shown() == [("3@1", True, "dovecot", OK)]
        assert imap.stops == [ANTON]


async def test_adopted() -> None:
    """Who is heard for from an earlier run is not started again."""
    dovecot, imap = Scripted("dovecot"), Scripted("imapidle")
    dovecot.adopted = {ANTON, CAESAR}
    async with staged(Registered(ANTON, BERTA), dovecot, imap) as stage:
        assert await stage.shown() == [("3@1", True, "dovecot", OK), ("4@1", True, "dovecot", OK)]
        assert dovecot.starts == [BERTA]
        dovecot.lose(NotReachable("away"), ANTON)
        await stage.clock.turn(2)
        assert dovecot.starts == [BERTA, ANTON]


async def test_adopting_fails() -> None:
    """Where it cannot be told who is heard for, nobody is started until it can; a bug does not count for that."""
    dovecot, imap = Scripted("dovecot"), Scripted("imapidle")
    dovecot.adopted = {ANTON}
    dovecot.adopt_failures = [NotReachable("away")]
    imap.adopt_failures = [KeyError("bug")]
    registered = Registered(ANTON, BERTA)
    async with staged(Registered(), dovecot, imap) as stage:
        stage.registered.rows = registered.rows
        await stage.looked()
        nobody = list(dovecot.starts)
        await stage.clock.turn(5)
        assert (nobody, dovecot.starts) == ([], [BERTA])
        assert dovecot.running == {ANTON, BERTA}


async def test_implementation_switched_off() -> None:
    """Who was served by one that is switched off is served by the next, and stopped there; and back again."""
    dovecot, imap = Scripted("dovecot"), Scripted("imapidle")
    async with staged(Registered(ANTON, BERTA), dovecot, imap) as stage:
        imap.problems[BERTA] = NotReachable("away")
        dovecot.on[True] = False
        stage.supervisor.reload()
        await stage.clock.turn(0.5)
        moved = await stage.shown()
        dovecot.on[True] = True
        stage.supervisor.reload()
        await stage.clock.turn(0.5)
        assert moved == [("3@1", True, "imapidle", OK), ("4@1", True, "imapidle", Health.RECONNECTING)]
        assert dovecot.stops == [ANTON, BERTA]
        assert await stage.shown() == [("3@1", True, "dovecot", OK), ("4@1", True, "dovecot", OK)]
        assert (imap.running, dovecot.running) == (set(), {ANTON, BERTA})


async def test_switched_on_later() -> None:
    """An implementation runs as soon as it is enabled for any listeners, and goes on then."""
    dovecot, imap = Scripted("dovecot", permanent=False, session=False), Scripted("imapidle", session=False)
    async with staged(Registered(ANTON), dovecot, imap) as stage:
        at_first = (dovecot.runs, imap.runs)
        dovecot.on[False] = True
        for _ in range(2):
            stage.supervisor.reload()
            await stage.clock.turn(0.5)
        dovecot.on[False] = imap.on[True] = False
        stage.supervisor.reload()
        await stage.clock.turn(0.5)
        assert (at_first, dovecot.runs, imap.runs) == ((0, 1), 1, 1)


async def test_implementation_that_ends() -> None:
    """One whose work ends, by trouble or by a bug, goes on a moment later; its listeners are not started again."""
    imap = Scripted("imapidle")
    imap.run_failures = [NotReachable("port taken"), KeyError("bug")]
    async with staged(Registered(ANTON), imap) as stage:
        await stage.clock.turn(10)
        assert (imap.runs, imap.starts) == (3, [ANTON])


async def test_no_room() -> None:
    """Who finds no room is tried when another of that implementation stops, else a minute later, then less often."""
    imap = Scripted("imapidle")
    imap.problems = {BERTA: OverLimit("800 sessions"), CAESAR: OverLimit("800 sessions")}
    async with staged(Registered(ANTON, BERTA, CAESAR), imap) as stage:
        full = await stage.shown()
        del imap.problems[BERTA]
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        with_room = await stage.shown()
        tries = []
        for _ in range(4):
            await stage.clock.turn(OVER_LIMIT_S * 1.25, stride=1)
            tries.append(imap.starts.count(CAESAR))
        assert [health for *_, health in full] == [OK, Health.OVER_LIMIT, Health.OVER_LIMIT]
        assert [health for *_, health in with_room] == [OK, Health.OVER_LIMIT]
        assert tries == [2, 2, 3, 3]


async def test_registered_elsewhere_from_an_earlier_run() -> None:
    """Who was registered and is not to be any more is taken back there, and then what was stored is forgotten."""
    dovecot, imap = Scripted("dovecot"), Scripted("imapidle")
    dovecot.adopted = {ANTON, BERTA}
    dovecot.problems[CAESAR] = NotPermitted("refused")
    remembered = {"dovecot": Remembered(ANTON, BERTA, CAESAR)}
    async with staged(Registered(ANTON, CAESAR), dovecot, imap, remembered=remembered) as stage:
        await settled()
        assert (dovecot.stops, imap.stops, stage.forgotten) == ([BERTA], [], [BERTA])
        assert [user for user, *_ in await stage.shown()] == ["3@1", "1@2"]


async def test_registered_elsewhere_where_it_is_switched_off() -> None:
    """An implementation that was switched off while nothing ran takes back what it had."""
    dovecot, imap = Scripted("dovecot", permanent=False, session=False), Scripted("imapidle")
    remembered = {"dovecot": Remembered(ANTON, BERTA)}
    async with staged(Registered(ANTON, BERTA), dovecot, imap, remembered=remembered) as stage:
        await stage.clock.turn(1)
        assert (dovecot.stops, imap.running, stage.forgotten) == ([ANTON, BERTA], {ANTON, BERTA}, [])


async def test_registered_elsewhere_a_moment_ago() -> None:
    """Who was registered by somebody else since the last look is not taken back, but looked at next."""
    registered = Registered(ANTON)

    class Late(Remembered):
        async def page(self, after: PushUser | None, most: int) -> Sequence[RegisteredMailbox]:
            registered.put(BERTA)
            return await super().page(after, most)

    dovecot = Scripted("dovecot")
    async with staged(registered, dovecot, remembered={"dovecot": Late(BERTA)}) as stage:
        await stage.looked()
        assert (dovecot.stops, dovecot.running, stage.forgotten) == ([], {ANTON, BERTA}, [])
