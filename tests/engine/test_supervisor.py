"""For whom listeners run: registrations, sessions, and every change of them."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.engine.supervisor import LOOK_S
from oxpushctl.errors import NotReachable
from oxpushctl.model import Health, PushUser, Registration
from tests.engine.parts import ANTON, APP, BERTA, mail
from tests.engine.supervised import Registered, Remembered, Scripted, Stage, settled, staged
from tests.waiting import until

OK = Health.OK
CAESAR = PushUser(2, 1)


async def test_registered_users() -> None:
    """Who is registered for an allowed client is listened for, once, whatever else it is registered for."""
    registered = Registered(BERTA, ANTON)
    registered.put(ANTON, "another")
    registered.put(CAESAR, "another")
    async with staged(registered, imap := Scripted("imapidle")) as stage:
        assert await stage.shown() == [("3@1", True, "imapidle", OK), ("4@1", True, "imapidle", OK)]
        assert (imap.starts, imap.kinds) == ([ANTON, BERTA], {ANTON: True, BERTA: True})


async def test_users_of_sessions() -> None:
    """Who has a socket open is listened for as long as that is so."""
    async with staged(Registered(), imap := Scripted("imapidle")) as stage:
        stage.sessions = {ANTON}
        await stage.looked(ANTON)
        opened = await stage.shown()
        stage.sessions = set()
        await stage.looked(ANTON)
        assert opened == [("3@1", False, "imapidle", OK)]
        assert (await stage.shown(), imap.running, stage.forgotten) == ([], set(), [])


async def test_permanent_wins() -> None:
    """Who subscribes and has a session is listened for permanently, and without a restart; so it is the other way."""
    async with staged(Registered(), imap := Scripted("imapidle")) as stage:
        stage.sessions = {ANTON}
        await stage.looked(ANTON)
        stage.registered.put(ANTON)
        await stage.looked(ANTON)
        permanent, kind = await stage.shown(), imap.kinds[ANTON]
        stage.registered.take(ANTON)
        await stage.looked(ANTON)
        assert (permanent, kind) == ([("3@1", True, "imapidle", OK)], True)
        assert await stage.shown() == [("3@1", False, "imapidle", OK)]
        assert (imap.kinds, imap.stops, stage.forgotten) == ({ANTON: False}, [], [ANTON])


async def test_session_of_a_registered_user() -> None:
    """Sockets of a user that is listened for permanently change nothing."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        for sessions in ({ANTON}, set[PushUser]()):
            stage.sessions = sessions
            await stage.looked(ANTON)
        assert await stage.shown() == [("3@1", True, "imapidle", OK)]
        assert (imap.starts, imap.stops) == ([ANTON], [])


async def test_subscribing_and_unsubscribing() -> None:
    """Who is told of is looked at within a second; when the last registration goes, its password is forgotten last."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        pages = stage.registered.pages
        stage.registered.put(BERTA)
        stage.registered.take(ANTON)
        imap.gate.clear()
        await stage.looked(ANTON, BERTA)
        asked, forgotten_early = (imap.starts, imap.stops), list(stage.forgotten)
        imap.gate.set()
        await settled()
        assert asked == ([ANTON, BERTA], [ANTON])
        assert (forgotten_early, stage.forgotten) == ([], [ANTON])
        assert await stage.shown() == [("4@1", True, "imapidle", OK)]
        assert stage.registered.pages == pages


async def test_nobody_tells() -> None:
    """What others wrote into the database is noticed all the same, half a minute later."""
    async with staged(Registered(ANTON), Scripted("imapidle")) as stage:
        stage.registered.put(BERTA)
        stage.registered.take(ANTON)
        stage.sessions = {CAESAR}
        await stage.clock.turn(LOOK_S - 1)
        before = await stage.shown()
        await stage.clock.turn(2)
        assert before == [("3@1", True, "imapidle", OK)]
        assert await stage.shown() == [("4@1", True, "imapidle", OK), ("1@2", False, "imapidle", OK)]


async def test_told_that_something_has_changed() -> None:
    """A command that does not say whom it is about has everything looked at."""
    async with staged(Registered(ANTON), Scripted("imapidle")) as stage:
        stage.registered.put(BERTA)
        await stage.looked()
        assert await stage.shown() == [("3@1", True, "imapidle", OK), ("4@1", True, "imapidle", OK)]


async def test_told_again_and_again() -> None:
    """Reading everything takes no more than a third of the time, whoever says how often that something has changed."""
    async with staged(Registered(ANTON), Scripted("imapidle")) as stage:
        stage.registered.gate.clear()
        await stage.looked()
        await stage.clock.turn(9.5)
        stage.registered.gate.set()
        await settled()
        pages = stage.registered.pages
        stage.registered.put(BERTA)
        for _ in range(19):
            stage.supervisor.look()
            await stage.clock.turn(1)
        too_soon = stage.registered.pages - pages
        await stage.clock.turn(1.5)
        assert too_soon == 0
        assert [user for user, *_ in await stage.shown()] == ["3@1", "4@1"]


async def test_told_of_somebody_between_two_pages() -> None:
    """Who is told of does not wait until half a million registrations are read."""
    counts = []

    class Meanwhile(Registered):
        stage: Stage | None = None

        async def page(self, after: Registration | None, most: int) -> Sequence[Registration]:
            if self.stage is not None:
                counts.append(sum(self.stage.supervisor.counts().values()))
                if len(counts) == 2:
                    self.put(PushUser(9, 9))
                    self.stage.supervisor.look_at([PushUser(9, 9)])
            return await super().page(after, most)

    registered = Meanwhile()
    async with staged(registered, Scripted("imapidle")) as stage:
        registered.stage = stage
        registered.rows = [Registration(PushUser(1, number), APP) for number in range(1, 3001)]
        await stage.looked()
        await until(lambda: len(counts) == 5)
    assert counts == [0, 1000, 2001, 3001, 3001]


async def test_told_of_somebody_while_all_are_read() -> None:
    """What was read last is the truth: who comes or goes while all are being read is not taken for what it was."""
    users = [PushUser(1, number) for number in range(1, 3001)]
    async with staged(Registered(*users), imap := Scripted("imapidle")) as stage:
        await until(lambda: len(imap.running) == len(users))
        stage.supervisor.look()
        stage.registered.gate.clear()
        await stage.clock.turn(0.5)
        stage.registered.take(users[2])
        stage.registered.put(PushUser(0, 5))
        stage.supervisor.look_at([users[2], PushUser(0, 5)])
        stage.registered.gate.set()
        await until(lambda: PushUser(0, 5) in imap.running and users[2] not in imap.running)
        await stage.clock.turn(1)
        assert imap.starts.count(PushUser(0, 5)) == 1
        assert (imap.stops, len(imap.running)) == ([users[2]], 3000)


async def test_client_that_is_not_allowed_any_more() -> None:
    """With a reload the users of another set of clients are listened for."""
    async with staged(Registered(ANTON), Scripted("imapidle")) as stage:
        stage.registered.put(BERTA, "another")
        stage.allowed_client = "another"
        stage.supervisor.reload()
        await stage.clock.turn(0.5)
        assert await stage.shown() == [("4@1", True, "imapidle", OK)]


async def test_permanent_listeners_forbidden() -> None:
    """Where no permanent listeners may run, sessions are all that counts, and nothing is taken from other nodes."""
    remembered = {"imapidle": Remembered(BERTA)}
    async with staged(Registered(), imap := Scripted("imapidle"), remembered=remembered) as stage:
        stage.is_permanent_allowed = False
        imap.stops.clear()
        stage.registered.put(ANTON)
        stage.sessions = {CAESAR}
        await stage.looked(ANTON, CAESAR)
        stage.supervisor.reload()
        await stage.clock.turn(0.5)
        assert await stage.shown() == [("1@2", False, "imapidle", OK)]
        assert imap.stops == []


async def test_database_away() -> None:
    """While it cannot be read for whom to listen, those who are listened for stay; then all is made up for."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        stage.registered.failures = [NotReachable("away"), KeyError("bug"), NotReachable("away")]
        stage.registered.put(BERTA)
        stage.registered.take(ANTON)
        await stage.looked(BERTA)
        during = await stage.shown()
        await stage.clock.turn(10)
        assert during == [("3@1", True, "imapidle", OK)]
        assert await stage.shown() == [("4@1", True, "imapidle", OK)]
        assert imap.running == {BERTA}


async def test_subscribed_while_the_database_is_away() -> None:
    """Who was told of is asked for every second or so, however seldom everything is read."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        stage.registered.failures = [NotReachable("away")] * 6
        stage.registered.put(BERTA)
        await stage.looked(BERTA)
        await stage.clock.turn(12)
        assert imap.running == {ANTON, BERTA}


async def test_database_away_at_the_start() -> None:
    """An engine that starts before its database listens as soon as that is there."""
    async with staged(Registered(ANTON, failures=[NotReachable("away")] * 3), Scripted("imapidle")) as stage:
        await stage.clock.turn(30)
        assert await stage.shown() == [("3@1", True, "imapidle", OK)]


async def test_what_is_told_of_a_listener() -> None:
    """A listener says since when it runs, when it was seen to work, and when it heard something."""
    async with staged(Registered(ANTON), imap := Scripted("imapidle")) as stage:
        began = stage.clock.now()
        stage.clock.time += 10
        assert imap.watch is not None
        imap.watch.proven(ANTON)
        proven = (await stage.seen())[0]
        stage.clock.time += 10
        stage.supervisor.heard(mail(ANTON))
        stage.supervisor.heard(mail(BERTA))
        imap.watch.proven(BERTA)
        heard = (await stage.seen())[0]
        assert (proven.node, proven.since, proven.proven_at, proven.last_event) == ("here", began, began + 10, None)
        assert (heard.since, heard.proven_at, heard.last_event) == (began, began + 20, began + 20)


async def test_some_of_the_listeners() -> None:
    """Those of a context, of a user, or of users with a number in all contexts; counted by how they fare."""
    users = [PushUser(context, user) for context in (2, 1) for user in (7, 3)]
    imap = Scripted("imapidle")
    imap.problems[PushUser(2, 7)] = NotReachable("away")
    async with staged(Registered(*users), imap) as stage:
        found = [
            [str(each.user) for each in await stage.seen(context, user)]
            for context, user in ((None, None), (2, None), (1, 7), (None, 3), (9, None), (9, 9))
        ]
        assert found == [["3@1", "7@1", "3@2", "7@2"], ["3@2", "7@2"], ["7@1"], ["3@1", "3@2"], [], []]
        assert stage.supervisor.counts() == {("imapidle", True, OK): 3, ("imapidle", True, Health.FAILED): 1}
