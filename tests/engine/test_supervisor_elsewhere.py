"""Users whose listeners run on another node: nobody hears for them here, and nothing of theirs is taken back."""

from __future__ import annotations

import asyncio

from oxpushctl.model import Health
from tests.engine.parts import ANTON, BERTA
from tests.engine.supervised import Registered, Remembered, Scripted, settled, staged

OK = Health.OK


async def test_listeners_of_another_node() -> None:
    """Who belongs to another node is not started here, whatever the reason to listen."""
    async with staged(Registered(ANTON, BERTA), imap := Scripted("imapidle"), elsewhere=[BERTA]) as stage:
        stage.sessions.add(BERTA)
        await stage.looked()
        await stage.looked(BERTA)
        assert (await stage.shown(), imap.starts) == ([("3@1", True, "imapidle", OK)], [ANTON])


async def test_user_who_moves_to_another_node() -> None:
    """A listener that moves away is left, not stopped: what is registered and stored is the other node's now."""
    async with staged(Registered(ANTON, BERTA), imap := Scripted("imapidle")) as stage:
        stage.elsewhere.add(ANTON)
        leaving = asyncio.create_task(stage.supervisor.leave_others(10.0))
        await stage.clock.turn(1.0)
        assert (await leaving, await stage.shown()) == (True, [("4@1", True, "imapidle", OK)])
        assert (imap.running, imap.stops, stage.forgotten) == ({BERTA}, [], [])


async def test_user_who_moves_while_it_is_started() -> None:
    """It is not left before the start has come to its end: until then the mailbox may be opened here."""
    async with staged(Registered(), imap := Scripted("imapidle")) as stage:
        imap.gate.clear()
        stage.registered.put(ANTON)
        await stage.looked(ANTON)
        stage.elsewhere.add(ANTON)
        leaving = asyncio.create_task(stage.supervisor.leave_others(10.0))
        await stage.clock.turn(1.0)
        is_left_early = leaving.done()
        imap.gate.set()
        await stage.clock.turn(1.0)
        assert (is_left_early, await leaving, imap.running, imap.stops) == (False, True, set(), [])


async def test_start_that_does_not_end() -> None:
    """Who waits for it hears in time that it is not so."""
    async with staged(Registered(), imap := Scripted("imapidle")) as stage:
        imap.gate.clear()
        stage.registered.put(ANTON)
        await stage.looked(ANTON)
        stage.elsewhere.add(ANTON)
        leaving = asyncio.create_task(stage.supervisor.leave_others(5.0))
        await stage.clock.turn(6.0)
        assert await leaving is False


async def test_user_who_comes_back() -> None:
    """A listener that has moved away and comes back is started again."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        stage.elsewhere.add(ANTON)
        leaving = asyncio.create_task(stage.supervisor.leave_others(10.0))
        await stage.clock.turn(1.0)
        await leaving
        stage.elsewhere.clear()
        await stage.looked()
        assert (await stage.shown(), imap.starts) == ([("3@1", True, "imapidle", OK)], [ANTON, ANTON])


async def test_unsubscribed_after_moving_back() -> None:
    """Whose listener came back is stopped and forgotten like any other once there is no reason any more."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        stage.elsewhere.add(ANTON)
        leaving = asyncio.create_task(stage.supervisor.leave_others(10.0))
        await stage.clock.turn(1.0)
        await leaving
        stage.elsewhere.clear()
        await stage.looked()
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        assert (await stage.shown(), imap.stops, stage.forgotten) == ([], [ANTON], [ANTON])


async def test_what_was_registered_by_another_node() -> None:
    """What an earlier run left registered is taken back by the node whose users they are, and by no other."""
    remembered = {"dovecot": Remembered(ANTON, BERTA)}
    async with staged(Registered(), dovecot := Scripted("dovecot"), remembered=remembered, elsewhere=[BERTA]):
        await settled()
        assert dovecot.stops == [ANTON]
