"""What becomes of listeners that cannot be started, or are lost: when they are tried again, and what is said."""

from __future__ import annotations

import logging

import pytest

from oxpushctl.engine.backoff import FIRST_S, REFUSED_S, TROUBLE_LONGEST_S
from oxpushctl.engine.supervisor import AT_ONCE
from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError, TryLater, UnknownEntry
from oxpushctl.model import Health, PushUser
from tests.engine.parts import ANTON, BERTA
from tests.engine.supervised import Registered, Scripted, staged
from tests.waiting import until

OK = Health.OK
AWAY = NotReachable("away")


def _lines(caplog: pytest.LogCaptureFixture, event: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == event]


@pytest.mark.parametrize("problem", [AWAY, TryLater("busy"), KeyError("bug")])
async def test_trouble(problem: Exception) -> None:
    """Trouble with the server, or a bug, is tried again: soon, then less and less often, and never not at all."""
    imap = Scripted("imapidle")
    imap.problems[ANTON] = problem
    async with staged(Registered(ANTON, BERTA), imap) as stage:
        first = await stage.shown()
        await stage.clock.turn(10)
        soon = imap.starts.count(ANTON)
        await stage.clock.turn(3600, stride=5)
        hour = imap.starts.count(ANTON)
        del imap.problems[ANTON]
        await stage.clock.turn(TROUBLE_LONGEST_S, stride=5)
        assert first == [("3@1", True, "imapidle", Health.FAILED), ("4@1", True, "imapidle", OK)]
        assert 3 <= soon <= 6
        assert 3600 / TROUBLE_LONGEST_S <= hour <= 2 * 3600 / TROUBLE_LONGEST_S + 10
        assert [health for *_, health in await stage.shown()] == [OK, OK]


@pytest.mark.parametrize("problem", [NotPermitted("refused"), UnknownEntry("no password"), ConfigurationError("none")])
async def test_mailbox_that_cannot_be_opened(problem: OxpushctlError, caplog: pytest.LogCaptureFixture) -> None:
    """Who is refused is tried a handful of times a day, is told once, and is no candidate for another implementation.

    Nothing is removed: neither what was registered nor what was stored.
    """
    imap, notify = Scripted("imapidle"), Scripted("mailnotify")
    imap.problems[ANTON] = problem
    async with staged(Registered(ANTON), imap, notify) as stage:
        (seen,) = await stage.seen()
        await stage.clock.turn(REFUSED_S, stride=5)
        at_first = len(imap.starts)
        await stage.clock.turn(6 * 3600, stride=20)
        assert (seen.health, seen.reason) == (Health.AUTH_FAILED, str(problem))
        assert (at_first, len(imap.starts)) == (1, 5)
        assert (notify.starts, imap.stops, stage.forgotten) == ([], [], [])
        assert len(_lines(caplog, "listener waits: nothing at hand opens the mailbox")) == 1
        assert (await stage.seen())[0].since == seen.since


async def test_another_password() -> None:
    """Who was refused is tried at once when something is said to have changed, of this user or of anybody."""
    imap = Scripted("imapidle")
    imap.problems = dict.fromkeys((ANTON, BERTA), NotPermitted("refused"))
    async with staged(Registered(ANTON, BERTA), imap) as stage:
        await stage.looked(BERTA)
        one = list(imap.starts)
        del imap.problems[ANTON]
        await stage.looked()
        assert one == [ANTON, BERTA, BERTA]
        assert imap.starts == [*one, ANTON, BERTA]
        assert [health for *_, health in await stage.shown()] == [OK, Health.AUTH_FAILED]


async def test_another_password_while_the_database_is_away() -> None:
    """That something has changed is not forgotten where it cannot be looked at now."""
    imap = Scripted("imapidle")
    imap.problems[ANTON] = NotPermitted("refused")
    async with staged(Registered(ANTON), imap) as stage:
        stage.registered.failures = [AWAY]
        imap.problems.clear()
        await stage.looked()
        await stage.clock.turn(5)
        assert await stage.shown() == [("3@1", True, "imapidle", OK)]


async def test_sockets_while_the_server_is_in_trouble() -> None:
    """A user whose sockets come and go has its registered listener tried no more often for that."""
    imap = Scripted("imapidle")
    imap.problems[ANTON] = AWAY
    async with staged(Registered(ANTON), imap) as stage:
        await stage.clock.turn(3600, stride=5)
        starts = len(imap.starts)
        for number in range(20):
            stage.sessions = set() if number % 2 else {ANTON}
            await stage.looked(ANTON)
        assert len(imap.starts) <= starts + 1


async def test_refused_while_the_server_is_in_trouble() -> None:
    """Each kind of failure has a pause of its own: trouble is not counted as refusals."""
    imap = Scripted("imapidle")
    imap.problems[ANTON] = AWAY
    async with staged(Registered(ANTON), imap) as stage:
        await stage.clock.turn(3600, stride=5)
        imap.problems[ANTON] = NotPermitted("refused")
        await stage.clock.turn(TROUBLE_LONGEST_S, stride=5)
        starts = len(imap.starts)
        await stage.clock.turn(REFUSED_S * 1.25, stride=5)
        assert len(imap.starts) == starts + 1


async def test_lost() -> None:
    """A listener that is lost is up again within a second or so; it runs on, since when it did."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        began = (await stage.seen())[0].since
        stage.clock.time += 3600
        imap.lose(AWAY, ANTON, BERTA)
        (lost,) = await stage.seen()
        await stage.clock.turn(FIRST_S)
        (again,) = await stage.seen()
        assert (lost.health, lost.reason, lost.since) == (Health.RECONNECTING, "away", began)
        assert (again.health, again.reason, again.since) == (OK, "", began)
        assert imap.starts == [ANTON, ANTON]


async def test_lost_again_and_again() -> None:
    """A listener that never stays up is not started every second for ever."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        starts = []
        for _ in range(2):
            for _ in range(300):
                if ANTON in imap.running:
                    imap.lose(AWAY, ANTON)
                await stage.clock.turn(1)
            starts.append(len(imap.starts))
        assert starts[0] < 20
        assert starts[1] - starts[0] <= 2 * 300 / TROUBLE_LONGEST_S


async def test_lost_while_it_starts() -> None:
    """A listener that is lost before its start is through is not taken for one that runs."""
    imap = Scripted("imapidle")
    imap.gate.clear()
    async with staged(Registered(ANTON), imap) as stage:
        imap.lose(AWAY, ANTON)
        imap.gate.set()
        await stage.clock.turn(10)
        assert (imap.starts, await stage.shown()) == ([ANTON, ANTON], [("3@1", True, "imapidle", OK)])


async def test_server_down(caplog: pytest.LogCaptureFixture) -> None:
    """When a server goes down with all its listeners, they come back in order, so many at once, in few words."""
    users = [PushUser(1, number) for number in range(1, 2001)]
    async with staged(Registered(*users), imap := Scripted("imapidle")) as stage:
        await until(lambda: len(imap.running) == len(users))
        stage.clock.time += 3600
        imap.starts.clear()
        imap.gate.clear()
        imap.problems = dict.fromkeys(users, AWAY)
        imap.lose(AWAY, *users)
        counts = dict(stage.supervisor.counts())
        await stage.clock.turn(2)
        waiting = list(imap.starts)
        imap.gate.set()
        await until(lambda: len(imap.starts) >= len(users))
        await stage.clock.turn(120, stride=1)
        imap.problems.clear()
        await stage.clock.turn(2 * TROUBLE_LONGEST_S, stride=1)
        assert counts == {("imapidle", True, Health.RECONNECTING): 2000}
        assert (waiting, imap.most_at_once) == (users[:AT_ONCE], AT_ONCE)
        assert imap.starts[:2000] == users
        assert dict(stage.supervisor.counts()) == {("imapidle", True, OK): 2000}
        assert 3 <= len(caplog.records) <= 20


async def test_those_who_fail_hold_up_nobody() -> None:
    """However many fail again and again, who is new comes before them."""
    users = [PushUser(1, number) for number in range(1, 201)]
    imap = Scripted("imapidle")
    imap.problems = dict.fromkeys(users[:100], AWAY)
    async with staged(Registered(*users[:100]), imap) as stage:
        await stage.clock.turn(60)
        imap.gate.clear()
        await stage.clock.turn(TROUBLE_LONGEST_S, stride=1)
        for user in users:
            stage.registered.put(user)
        await stage.looked()
        imap.starts.clear()
        imap.gate.set()
        await stage.clock.turn(1)
        assert imap.starts[:100] == users[100:]


async def test_start_that_hangs() -> None:
    """What an implementation does not do in time counts as trouble."""
    imap = Scripted("imapidle")
    imap.gate.clear()
    async with staged(Registered(ANTON), imap, limit_s=0.01) as stage:
        await until(lambda: (("imapidle", True, Health.FAILED), 1) in stage.supervisor.counts().items())
        (seen,) = await stage.seen()
        imap.gate.set()
        await stage.clock.turn(5)
        assert (seen.health, seen.reason) == (Health.FAILED, "not done in 0.01 s")
        assert await stage.shown() == [("3@1", True, "imapidle", OK)]
