"""Listeners for which there is no reason any more: stopped, then forgotten, whatever comes between."""

from __future__ import annotations

import asyncio

import pytest

from oxpushctl.engine.backoff import REFUSED_S
from oxpushctl.errors import NotPermitted, NotReachable, OverLimit
from oxpushctl.model import Health
from tests.engine.parts import ANTON, BERTA
from tests.engine.supervised import Registered, Scripted, settled, staged

OK = Health.OK
AWAY = NotReachable("away")


async def test_stop_that_fails() -> None:
    """What cannot be taken back now is taken back later; until then nothing is forgotten."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        imap.stop_problems[ANTON] = [AWAY, KeyError("bug"), AWAY]
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        shown, forgotten_early = await stage.shown(), list(stage.forgotten)
        await stage.clock.turn(30, stride=1)
        assert (shown, forgotten_early) == ([], [])
        assert (imap.stops, stage.forgotten) == ([ANTON] * 4, [ANTON])
        assert stage.supervisor.counts() == {}


async def test_stop_that_is_refused() -> None:
    """A mailbox that cannot be opened any more is asked seldom."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        imap.stop_problems[ANTON] = [NotPermitted("refused")] * 2
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        await stage.clock.turn(REFUSED_S, stride=5)
        at_first = len(imap.stops)
        await stage.clock.turn(REFUSED_S * 4, stride=5)
        assert (at_first, len(imap.stops), stage.forgotten) == (1, 3, [ANTON])


async def test_forgetting_that_fails() -> None:
    """What could not be forgotten is forgotten later, and nothing is stopped twice."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        stage.forget_failures = [AWAY, KeyError("bug")]
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        await stage.clock.turn(30, stride=1)
        assert (imap.stops, stage.forgotten) == ([ANTON], [ANTON])


@pytest.mark.parametrize("is_failing", [True, False])
async def test_back_again_while_it_is_stopped(is_failing: bool) -> None:
    """Who subscribes again while its listener is being stopped is listened for, whether or not that worked."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        imap.stop_problems[ANTON] = [AWAY] if is_failing else []
        imap.gate.clear()
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        stage.registered.put(ANTON)
        await stage.looked(ANTON)
        imap.gate.set()
        await stage.clock.turn(5)
        assert await stage.shown() == [("3@1", True, "imapidle", OK)]
        assert (imap.running, imap.stops, stage.forgotten) == ({ANTON}, [ANTON], [])


async def test_back_again_before_the_next_attempt() -> None:
    """Who subscribes again while a stop waits to be repeated is started, and not stopped after that."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        imap.stop_problems[ANTON] = [AWAY]
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        stage.registered.put(ANTON)
        await stage.looked(ANTON)
        await stage.clock.turn(10)
        assert (imap.starts, imap.stops, stage.forgotten) == ([ANTON, ANTON], [ANTON], [])
        assert await stage.shown() == [("3@1", True, "imapidle", OK)]


async def test_gone_while_it_starts() -> None:
    """Who unsubscribes while its listener is being started is stopped again."""
    imap = Scripted("imapidle")
    imap.gate.clear()
    async with staged(Registered(ANTON), imap) as stage:
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        stops_early = list(imap.stops)
        imap.gate.set()
        await stage.clock.turn(1)
        assert (stops_early, imap.stops) == ([], [ANTON])
        assert (imap.starts, imap.running, stage.forgotten) == ([ANTON], set(), [ANTON])
        assert await stage.shown() == []


@pytest.mark.parametrize("problem", [AWAY, NotPermitted("refused"), OverLimit("full")])
async def test_gone_before_it_ever_ran(problem: Exception) -> None:
    """A start that failed may have left something behind: it is stopped as well, and not tried again."""
    imap = Scripted("imapidle")
    imap.problems[ANTON] = problem
    async with staged(Registered(ANTON), imap) as stage:
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        starts = len(imap.starts)
        await stage.clock.turn(3600, stride=10)
        assert (len(imap.starts), imap.stops, stage.forgotten) == (starts, [ANTON], [ANTON])


async def test_last_reason_goes() -> None:
    """Who has a session stays when its registration goes; without both it is stopped."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        stage.sessions = {ANTON}
        await stage.looked(ANTON)
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        first = list(imap.stops)
        stage.sessions = set()
        await stage.looked(ANTON)
        assert (first, imap.stops, stage.forgotten) == ([], [ANTON], [ANTON])


async def test_session_ends_before_all_is_forgotten() -> None:
    """What could not be forgotten while a session was there is forgotten after its end."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        stage.sessions = {ANTON}
        await stage.looked(ANTON)
        stage.forget_failures = [AWAY]
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        stage.sessions = set()
        await stage.looked(ANTON)
        assert (imap.stops, stage.forgotten) == ([ANTON], [ANTON])


async def test_session_where_none_may_serve_it() -> None:
    """When the registration goes, a session moves on to the implementation that serves sessions."""
    dovecot, imap = Scripted("dovecot", session=False), Scripted("imapidle")
    async with staged(Registered(ANTON), dovecot, imap) as stage:
        stage.sessions = {ANTON}
        await stage.looked(ANTON)
        before = await stage.shown()
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        assert before == [("3@1", True, "dovecot", OK)]
        assert await stage.shown() == [("3@1", False, "imapidle", OK)]
        assert (dovecot.stops, stage.forgotten) == ([ANTON], [ANTON])


async def test_lost_while_it_is_stopped() -> None:
    """What is told of a listener that nobody wants any more starts nothing."""
    async with staged(Registered(ANTON, BERTA), imap := Scripted("imapidle")) as stage:
        imap.gate.clear()
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        imap.lose(AWAY, ANTON)
        imap.gate.set()
        await stage.clock.turn(10)
        imap.lose(AWAY, ANTON)
        await stage.clock.turn(10)
        assert imap.starts == [ANTON, BERTA]


async def test_end_of_the_engine() -> None:
    """When the engine stops, nothing is stopped at the mail server, and nothing is begun any more."""
    imap, notify = Scripted("imapidle"), Scripted("mailnotify", permanent=False, session=False)
    async with staged(Registered(ANTON, BERTA), imap, notify) as stage:
        imap.gate.clear()
        imap.lose(AWAY, ANTON)
        await stage.clock.turn(2)
    starts = list(imap.starts)
    imap.lose(AWAY, BERTA)
    stage.supervisor.look_at([ANTON])
    notify.on[True] = True
    stage.supervisor.reload()
    imap.gate.set()
    await settled()
    assert (imap.starts, imap.stops, imap.running, notify.runs) == (starts, [], set(), 0)


async def test_many_changes_at_once() -> None:
    """However registrations and sessions come and go, each user ends as it should, with no two steps at a time."""
    imap = Scripted("imapidle")
    async with staged(Registered(), imap) as stage:
        for round_ in range(40):
            for user in (ANTON, BERTA):
                if round_ * (3 if user is ANTON else 5) % 7 < 3:
                    stage.registered.put(user)
                elif user in {row.user for row in stage.registered.rows}:
                    stage.registered.take(user)
            stage.sessions = {ANTON} if round_ % 3 else {BERTA}
            (imap.gate.clear if round_ % 4 == 1 else imap.gate.set)()
            stage.supervisor.look_at([ANTON, BERTA])
            for _ in range(round_ % 5):
                await asyncio.sleep(0)
        stage.registered.rows.clear()
        stage.registered.put(BERTA)
        stage.sessions = set()
        imap.gate.set()
        await stage.looked(ANTON, BERTA)
        await stage.clock.turn(10)
        assert await stage.shown() == [("4@1", True, "imapidle", OK)]
        assert (imap.running, imap.most_at_once) == ({BERTA}, 2)
