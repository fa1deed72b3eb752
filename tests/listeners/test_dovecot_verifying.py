"""Registrations that are looked at once a day: when, and what is done about what is found."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.errors import NotPermitted, NotReachable, OxpushctlError, TryLater, UnknownEntry, Unsupported
from oxpushctl.listeners.dovecot import DovecotListeners
from oxpushctl.listeners.dovecot_registrar import Intend, Mailbox, Registered
from oxpushctl.listeners.dovecot_registry import Registry
from oxpushctl.listeners.dovecot_value import Values
from oxpushctl.listeners.dovecot_verifying import DAY_S, ROUNDS
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.model import DirectoryEntry, PushUser, RegisteredMailbox
from tests.engine.parts import HandClock
from tests.listeners.people import settings
from tests.listeners.registering import KEY, PASSPHRASE, Board, Memory, Watched, signed
from tests.waiting import until

NOW = 1_700_000_000.0
VALUES = Values("signed", KEY)


class Clock(HandClock):
    """Goes on by itself, but for once no further than a time."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.until = NOW
        self.has_come = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if self.time + seconds > self.until:
            self.has_come.set()
            await asyncio.Event().wait()
        await super().sleep(seconds)


class Timed(Board):
    """Notes when it was asked about whom; while it is held, answers wait, although what is to be written is."""

    def __init__(self, clock: Clock, at_once: int) -> None:
        super().__init__(at_once)
        self._clock = clock
        self.times: list[tuple[float, PushUser]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def verify_or_set(
        self, mailboxes: Sequence[Mailbox], values: Values, intend: Intend | None
    ) -> Sequence[Registered | OxpushctlError]:
        self.times += [(self._clock.now() - NOW, each.user) for each in mailboxes]
        answers = await super().verify_or_set(mailboxes, values, intend)
        await self.gate.wait()
        return answers


class SlowMemory(Memory):
    """Takes its time for each page, and counts them."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.page_s = 0.0
        self.on_page: Callable[[], None] = lambda: None
        self.pages = 0

    async def page(self, after: PushUser | None, most: int) -> Sequence[RegisteredMailbox]:
        self.pages += 1
        self._clock.time += self.page_s
        self.on_page()
        return await super().page(after, most)


class Directory:
    """Knows everybody by ``loginU@C``, but for those who have another login."""

    def __init__(self) -> None:
        self.others: dict[PushUser, str] = {}

    async def entries(self, users: Iterable[PushUser]) -> dict[PushUser, DirectoryEntry]:
        return {user: DirectoryEntry(user, self.others.get(user, f"login{user}")) for user in users}

    async def resolve_all(self, names: object) -> dict[str, PushUser]:
        return {}


@dataclass
class Place:
    """Listeners of some users, all of whom are remembered as verified some time ago."""

    board: Timed
    directory: Directory
    memory: SlowMemory
    clock: Clock
    listeners: DovecotListeners
    watched: Watched = field(default_factory=Watched)
    gaps: list[PushUser] = field(default_factory=list)

    async def runs(self, seconds: float, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Run for a time of the clock."""
        self.clock.until = self.clock.time + seconds
        running = asyncio.create_task(self.listeners.run(self.watched))
        meanwhile()
        await asyncio.wait([running, asyncio.create_task(self.clock.has_come.wait())], return_when="FIRST_COMPLETED")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.clock.has_come.clear()
        self.clock.time = self.clock.until
        assert running.cancelled(), running.exception()


async def place_of(count: int, *, age_s: float = 0.0, at_once: int = 1) -> Place:
    clock = Clock()
    board, memory = Timed(clock, at_once), SlowMemory(clock)
    users = [PushUser(1, number) for number in range(1, count + 1)]
    for user in users:
        board.standing[user] = signed(user)
        row = RegisteredMailbox(user, f"login{user}", VALUES.about(user), int((NOW - age_s) * 1000))
        memory.rows[user] = row
    configured = settings({REGISTRATION: "signed", PASSCRYPT: PASSPHRASE})
    registry = Registry(board, memory, VALUES, clock)
    directory = Directory()
    names = MailboxNames(directory, None, configured)
    gaps: list[PushUser] = []

    listeners = DovecotListeners(registry, names, configured, clock, on_gap=gaps.append)
    assert await listeners.adopt(users) == frozenset(users)
    gaps.clear()
    return Place(board, directory, memory, clock, listeners, gaps=gaps)


@pytest.mark.parametrize("at_once", [1, 500])
async def test_backlog(at_once: int) -> None:
    """After a long stop all are overdue: each has its turn within a day, and no half hour has more than its share."""
    place = await place_of(2000, age_s=30 * DAY_S, at_once=at_once)
    await place.runs(0.92 * DAY_S)  # soon after, the first of them fall due again

    assert Counter(user for _, user in place.board.times) == Counter(dict.fromkeys(place.memory.rows, 1))
    halves = Counter(int(time // (DAY_S / ROUNDS)) for time, _ in place.board.times)
    assert max(halves.values()) <= 2000 / ROUNDS * 1.1 + 1
    assert max(len(users) for users in place.board.asked) == (1 if at_once == 1 else 46)


async def test_even_pace() -> None:
    """Within a half hour there is the same time between any two."""
    place = await place_of(480, age_s=30 * DAY_S)
    await place.runs(DAY_S / ROUNDS - 1)

    times = [time for time, _ in place.board.times]
    assert len(times) == 11
    assert [round(after - before) for before, after in pairwise(times)] == [round(1800 / 11)] * 10


async def test_day_after_day() -> None:
    """Those that were registered together are verified once a day, and do not stay together."""
    place = await place_of(1000)
    await place.runs(5.3 * DAY_S)

    turns = Counter(user for _, user in place.board.times)
    assert set(turns.values()) <= {4, 5}
    first = min(time for time, _ in place.board.times)
    assert 0.9 * DAY_S < first < 1.1 * DAY_S


async def test_longest_overdue_first() -> None:
    """Who waits longest has the first turn, wherever it is in the order of users."""
    place = await place_of(100, age_s=2 * DAY_S)
    last = PushUser(1, 100)
    row = place.memory.rows[last]
    place.memory.rows[last] = RegisteredMailbox(last, row.name, row.about, row.verified_ms - int(DAY_S * 1000))
    await place.runs(1)

    assert [user for _, user in place.board.times] == [last]


async def test_only_those_who_run() -> None:
    """What is remembered of others is not looked at."""
    place = await place_of(10, age_s=2 * DAY_S)
    stranger = PushUser(9, 9)
    place.memory.rows[stranger] = RegisteredMailbox(stranger, "x", VALUES.about(stranger), 1)
    await place.listeners.stop(PushUser(1, 1))
    place.board.asked.clear()
    await place.runs(2 * DAY_S)

    assert {user for users in place.board.asked for user in users} == {PushUser(1, number) for number in range(2, 11)}


async def test_what_still_stands() -> None:
    """It is told as proven, and remembered as verified now."""
    place = await place_of(1, age_s=2 * DAY_S)
    await place.runs(1)

    assert (place.watched.proven_users, place.gaps) == ([PushUser(1, 1)], [])
    assert place.memory.rows[PushUser(1, 1)].verified_ms == NOW * 1000


@pytest.mark.parametrize("found", [None, "user=9@9"])
async def test_what_was_lost(found: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """It is written again and told, and mails were missed meanwhile."""
    place = await place_of(1, age_s=2 * DAY_S)
    user = PushUser(1, 1)
    place.board.standing.clear()
    if found is not None:
        place.board.standing[user] = found
    await place.runs(1)

    assert place.board.standing == {user: signed(user)}
    assert (place.watched.proven_users, place.gaps) == ([user], [user])
    assert "registration was lost and is restored" in caplog.text
    assert signed(user) not in " ".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("error", [NotPermitted("no"), UnknownEntry("who?"), Unsupported("what?")])
async def test_what_cannot_be_verified_any_more(error: OxpushctlError) -> None:
    """The listener is lost, and not looked at until it is started again; the registration is remembered."""
    place = await place_of(1, age_s=2 * DAY_S)
    user = PushUser(1, 1)
    place.board.errors[user] = error
    await place.runs(DAY_S)
    once = len(place.board.times)
    place.board.errors.clear()
    await place.listeners.start(user, is_permanent=True)

    assert (once, place.watched.lost_users) == (1, {user: error})
    assert place.watched.proven_users == []
    assert user in place.memory.rows


async def test_server_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is lost for it: after five the rest waits for the next round, and one line tells of them."""
    caplog.set_level(logging.WARNING)
    place = await place_of(1000, age_s=2 * DAY_S)
    away = dict.fromkeys(place.memory.rows, NotReachable("the mail server is away"))
    place.board.errors |= away
    await place.runs(DAY_S / ROUNDS - 1)
    asked = len(place.board.times)
    logged = [record.__dict__["fields"] for record in caplog.records]
    place.board.errors.clear()
    await place.runs(1.1 * DAY_S)

    assert asked == 5
    assert logged == [{"count": 5, "reason": "the mail server is away"}]
    assert place.watched.lost_users == {}
    assert set(place.watched.proven_users) == set(away)


@pytest.mark.parametrize("at_once", [1, 500])
@pytest.mark.parametrize("error", [TryLater("its index is broken"), NotReachable("it hangs")])
async def test_mailboxes_that_never_answer(error: OxpushctlError, at_once: int) -> None:
    """They keep nobody else from being verified, however many of them were due first; they are tried again, seldom."""
    place = await place_of(480, age_s=2 * DAY_S, at_once=at_once)
    broken = [PushUser(1, number) for number in range(1, 9)]
    place.board.errors |= dict.fromkeys(broken, error)
    for user in broken:
        row = place.memory.rows[user]
        place.memory.rows[user] = replace(row, verified_ms=row.verified_ms - int(DAY_S * 1000))
    await place.runs(1.2 * DAY_S)

    tries = Counter(user for _, user in place.board.times)
    assert set(place.watched.proven_users) == place.memory.rows.keys() - set(broken)
    assert all(1 <= tries[user] <= 5 for user in broken)
    assert place.watched.lost_users == {}


async def test_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and the next round goes well."""
    place = await place_of(1, age_s=2 * DAY_S)
    place.memory.failures.append(NotReachable("the database is away"))
    await place.runs(DAY_S)

    assert "registrations at Dovecot are not verified now" in caplog.text
    assert place.watched.proven_users


async def test_other_values_after_a_reload() -> None:
    """They are written soon, ten a second, and not all at once."""
    place = await place_of(100)
    plain = settings({REGISTRATION: "plain", PASSCRYPT: PASSPHRASE})
    await place.runs(60.0)
    before = len(place.board.times)
    await place.runs(60.0, meanwhile=lambda: place.listeners.reload(plain))

    assert before == 0
    assert set(place.board.standing.values()) == {f"user={user}" for user in place.memory.rows}
    times = [time for time, _ in place.board.times]
    assert len(times) == 100
    assert 9.5 < times[-1] - times[0] < 10.5


async def test_reload_during_a_round() -> None:
    """A round that has begun gives way to the new values."""
    place = await place_of(48, age_s=2 * DAY_S)
    plain = settings({REGISTRATION: "plain", PASSCRYPT: PASSPHRASE})
    place.clock.until = NOW + 10
    running = asyncio.create_task(place.listeners.run(place.watched))
    await until(lambda: place.board.times)
    place.listeners.reload(plain)
    await until(lambda: len(place.board.times) >= 49)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert set(place.board.standing.values()) == {f"user={user}" for user in place.memory.rows}


async def test_other_mailboxes() -> None:
    """Who has another one is looked at as soon as somebody says so, and others are not."""
    place = await place_of(100)
    renamed = PushUser(1, 50)
    await place.runs(60.0)
    place.directory.others[renamed] = "another"
    await place.runs(1.0, meanwhile=place.listeners.look)

    assert [user for _, user in place.board.times] == [renamed]


async def test_mailbox_under_another_name() -> None:
    """Where a mailbox is opened by another name than that of today, it is looked at once for that, not ever again."""
    place = await place_of(3)
    place.directory.others[PushUser(1, 2)] = "alias"
    for _ in range(3):
        await place.runs(60.0, meanwhile=place.listeners.look)

    assert [user for _, user in place.board.times] == [PushUser(1, 2)]


@pytest.mark.parametrize("trouble", [NotReachable("away"), None], ids=["server away", "another change"])
async def test_other_mailboxes_in_two_goes(trouble: OxpushctlError | None) -> None:
    """Whom a round did not come to, or could not ask, is looked at in the next."""
    place = await place_of(40)
    place.directory.others |= {user: f"other{user}" for user in place.memory.rows}
    if trouble is not None:
        place.board.errors |= dict.fromkeys(place.memory.rows, trouble)
    await place.runs(2.0, meanwhile=place.listeners.look)
    place.board.errors.clear()
    for _ in range(2):
        await place.runs(3.0, meanwhile=place.listeners.look)

    assert {user for _, user in place.board.times} == place.memory.rows.keys()


async def test_forgotten_by_somebody_else() -> None:
    """Who is listened for, and not remembered any more, is registered again: the mailbox was cleared."""
    place = await place_of(3)
    cleared = PushUser(1, 2)
    del place.memory.rows[cleared], place.board.standing[cleared]
    await place.runs(1.0)

    assert place.board.standing[cleared] == signed(cleared)
    assert ([user for _, user in place.board.times], place.gaps) == ([cleared], [cleared])


async def test_changes_without_end() -> None:
    """Whoever says how often that something has changed: rows are read for a small part of the time."""
    place = await place_of(1)
    place.memory.page_s = 1.0
    place.memory.on_page = place.listeners.look
    await place.runs(400.0)

    assert 9 <= place.memory.pages / 2 <= 11


async def test_reload_of_the_same() -> None:
    """Nothing is written where the values stay as they are."""
    place = await place_of(10)
    same = settings({REGISTRATION: "both", PASSCRYPT: "another"})
    place.listeners.reload(settings({REGISTRATION: "signed", PASSCRYPT: PASSPHRASE}))
    await place.runs(60.0, meanwhile=lambda: place.listeners.reload(same))

    assert place.board.times == []


async def test_stop_during_a_verification() -> None:
    """It waits for its end, and then nothing of the user is left, and nothing told."""
    place = await place_of(1, age_s=2 * DAY_S)
    place.board.standing.clear()
    place.board.gate.clear()
    running = asyncio.create_task(place.listeners.run(place.watched))
    await until(lambda: place.board.standing)
    stopping = asyncio.create_task(place.listeners.stop(PushUser(1, 1)))
    await asyncio.sleep(0)
    place.board.gate.set()
    await stopping
    await place.clock.has_come.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (place.board.standing, place.memory.rows) == ({}, {})
    assert (place.watched.proven_users, place.gaps) == ([], [])


async def test_stop_during_a_start() -> None:
    """It waits for its end as well, and takes back what that has registered."""
    place = await place_of(0)
    user = PushUser(1, 1)
    place.board.gate.clear()
    starting = asyncio.create_task(place.listeners.start(user, is_permanent=True))
    await until(lambda: place.board.standing)
    stopping = asyncio.create_task(place.listeners.stop(user))
    await asyncio.sleep(0)
    place.board.gate.set()
    await asyncio.gather(starting, stopping)

    assert (place.board.standing, place.memory.rows) == ({}, {})


async def test_start_that_is_cancelled() -> None:
    """What may have been written is remembered, not as heard, and a stop takes it back."""
    place = await place_of(0)
    user = PushUser(1, 1)
    place.board.gate.clear()
    starting = asyncio.create_task(place.listeners.start(user, is_permanent=True))
    await until(lambda: place.board.standing)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    remembered = place.memory.rows[user].verified_ms
    adopted = await place.listeners.adopt([user])
    await place.listeners.stop(user)

    assert (remembered, adopted) == (0, frozenset())
    assert (place.board.standing, place.memory.rows) == ({}, {})


async def test_start_of_what_was_lost() -> None:
    """A start that finds a registration gone which was remembered tells that mail was missed."""
    place = await place_of(1)
    user = PushUser(1, 1)
    place.board.errors[user] = NotPermitted("no")
    place.memory.rows[user] = RegisteredMailbox(user, "login1@1", VALUES.about(user), 1)
    await place.runs(1)
    place.board.errors.clear()
    place.board.standing.clear()
    await place.listeners.start(user, is_permanent=True)

    assert place.gaps == [user]
