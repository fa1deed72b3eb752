"""Everybody registered at Dovecot, or cleared, at an operator's word."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from oxpushctl.errors import NotPermitted, NotReachable, OxpushctlError, TryLater, UnknownEntry, Unsupported
from oxpushctl.listeners.dovecot_registrar import Intend, Mailbox, Registered
from oxpushctl.listeners.dovecot_registry import Registry
from oxpushctl.listeners.dovecot_sync import AT_A_TIME, MOST_FAILED, Result, Sync, Synced
from oxpushctl.listeners.dovecot_value import Values
from oxpushctl.model import PushUser, RegisteredMailbox, Registration
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from tests.engine.parts import HandClock
from tests.listeners.people import ANTON, BERTA, GUENTER, PASSWORDS
from tests.listeners.registering import (
    DOVEADM_KEY,
    KEY,
    Board,
    Ground,
    Memory,
    ground,
    over_doveadm,
    signed,
)
from tests.peers.dovecot import Dovecot, LogIns

ANOTHERS = "user=999@1/AAAAAAAAAAAAAAAAAAAAAA"
VALUES = Values("signed", KEY)
LOGINS = {ANTON: "anton", BERTA: "b4", GUENTER: "günter"}


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS), doveadm_key=DOVEADM_KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "dovecot" in request.fixturenames:
        for login in LOGINS.values():
            request.getfixturevalue("dovecot").unregister(login, PASSWORDS[login])


def standing(dovecot: Dovecot) -> dict[PushUser, str | None]:
    return {user: dovecot.registration(login, PASSWORDS[login]) for user, login in LOGINS.items()}


async def results(synced: AsyncGenerator[Synced, None]) -> dict[PushUser, tuple[Result, str]]:
    async with aclosing(synced) as each_as_it_comes:
        found = [each async for each in each_as_it_comes]
    assert len({each.user for each in found}) == len(found)
    return {each.user: (each.result, each.reason) for each in found}


class Registrations:
    """Who is registered, in a list."""

    def __init__(self, *registrations: Registration) -> None:
        self._all = sorted(registrations)

    async def page(self, after: Registration | None, most: int) -> Sequence[Registration]:
        return [each for each in self._all if after is None or each > after][:most]


def registered(*users: PushUser) -> Registrations:
    return Registrations(*(Registration(user, client) for user in users for client in ("app", "suite")))


@pytest.mark.parametrize("is_over_doveadm", [False, True], ids=["IMAP", "doveadm"])
async def test_register_and_remove(tmp_path: Path, dovecot: Dovecot, is_over_doveadm: bool) -> None:
    """Each registered user is told of, once, first as what would be done; then it is done, and undone."""
    more = over_doveadm(dovecot) if is_over_doveadm else {}
    async with ground(tmp_path, dovecot, more) as place:
        for user, login in LOGINS.items():
            await place.opener.keep(user, login, PASSWORDS[login])
        dovecot.register("b4", signed(BERTA), PASSWORDS["b4"])
        dovecot.register("günter", ANOTHERS, PASSWORDS["günter"])
        sync = Sync(await _store(place, *LOGINS), place.registry)
        counted = await sync.count()
        would = await results(sync.register(is_dry=True))
        untouched = standing(dovecot), await place.remembered()
        done = await results(sync.register())
        again = await results(sync.register())
        there = standing(dovecot)
        remembered = [(row.user, row.name) for row in await place.remembered()]
        would_go = await results(sync.remove(is_dry=True))
        still = standing(dovecot)
        gone = await results(sync.remove())
        left = standing(dovecot), await place.remembered()

    assert counted == 3
    replaced = "in the place of another value"
    assert would == {
        ANTON: (Result.WOULD_REGISTER, ""),
        BERTA: (Result.ALREADY, ""),
        GUENTER: (Result.WOULD_REGISTER, replaced),
    }
    assert untouched == ({ANTON: None, BERTA: signed(BERTA), GUENTER: ANOTHERS}, [])
    assert done == {
        ANTON: (Result.REGISTERED, ""),
        BERTA: (Result.ALREADY, ""),
        GUENTER: (Result.REGISTERED, replaced),
    }
    assert set(again.values()) == {(Result.ALREADY, "")}
    assert there == still == {user: signed(user) for user in LOGINS}
    assert remembered == list(LOGINS.items())
    assert set(would_go.values()) == {(Result.WOULD_REMOVE, "")}
    assert set(gone.values()) == {(Result.REMOVED, "")}
    assert left == (dict.fromkeys(LOGINS), [])


async def test_what_is_not_done(tmp_path: Path) -> None:
    """Who is refused, unsupported or not reached is told with the reason, and nothing is remembered of them."""
    board, memory = Board(), Memory()
    board.errors = {
        ANTON: NotPermitted("wrong password"),
        BERTA: UnknownEntry("no password"),
        GUENTER: Unsupported("no METADATA"),
        PushUser(2, 1): NotReachable("away"),
    }
    sync = Sync(registered(*board.errors), Registry(board, memory, VALUES, HandClock()))
    for synced in (sync.register(), sync.register(is_dry=True), sync.remove()):
        assert await results(synced) == {
            ANTON: (Result.REFUSED, "wrong password"),
            BERTA: (Result.REFUSED, "no password"),
            GUENTER: (Result.UNSUPPORTED, "no METADATA"),
            PushUser(2, 1): (Result.FAILED, "away"),
        }
    assert memory.rows == {}


async def test_remove_of_the_remembered_and_the_registered() -> None:
    """Both are cleared, each once; where nothing is, or another's value, that is said and the row goes as well."""
    board, memory = Board(), Memory()
    alone = [PushUser(1, 1), PushUser(2, 5)]
    both = [PushUser(1, 2), PushUser(2, 1)]
    for user in [*alone, *both]:
        memory.rows[user] = RegisteredMailbox(user, "x", VALUES.about(user), 1)
        board.standing[user] = signed(user)
    del board.standing[alone[0]]
    sync = Sync(registered(*both, PushUser(2, 3), PushUser(3, 1)), Registry(board, memory, VALUES, HandClock()))
    counted = await sync.count(is_removing=True)
    gone = await results(sync.remove())

    assert counted == 6
    assert gone == {
        PushUser(1, 1): (Result.ALREADY, "nothing was there"),
        PushUser(1, 2): (Result.REMOVED, ""),
        PushUser(2, 1): (Result.REMOVED, ""),
        PushUser(2, 3): (Result.ALREADY, "nothing was there"),
        PushUser(2, 5): (Result.REMOVED, ""),
        PushUser(3, 1): (Result.ALREADY, "nothing was there"),
    }
    assert (board.standing, memory.rows) == ({}, {})


async def test_one_context() -> None:
    """Only users of that context are gone through, remembered or registered."""
    board, memory = Board(), Memory()
    users = [PushUser(context, user) for context in (1, 2, 3) for user in (1, 2)]
    for user in users[::2]:
        memory.rows[user] = RegisteredMailbox(user, "x", VALUES.about(user), 1)
    sync = Sync(registered(*users), Registry(board, memory, VALUES, HandClock()))
    counted = [await sync.count(context=2), await sync.count(context=2, is_removing=True), await sync.count(context=9)]
    added = await results(sync.register(context=2))
    removed = await results(sync.remove(context=2))

    assert counted == [2, 2, 0]
    assert set(added) == set(removed) == {PushUser(2, 1), PushUser(2, 2)}


async def test_server_that_is_away() -> None:
    """After a few in a row the rest is not made to wait for it."""
    users = [PushUser(1, number) for number in range(1, 101)]
    board = Board()
    board.errors = dict.fromkeys(users, NotReachable("away"))
    found = await results(Sync(registered(*users), Registry(board, Memory(), VALUES, HandClock())).register())

    asked = [user for user, told in found.items() if told == (Result.FAILED, "away")]
    assert MOST_FAILED <= len(asked) <= MOST_FAILED + AT_A_TIME
    assert len(found) == 100
    assert {told[1][:16] for user, told in found.items() if user not in asked} == {"not tried, after"}


@pytest.mark.parametrize("at_once", [1, 500])
async def test_mailboxes_that_fail(at_once: int) -> None:
    """However many mailboxes in a row are in trouble, at a server that answers all others are tried."""
    users = [PushUser(1, number) for number in range(1, 101)]
    board = Board(at_once)
    board.errors = dict.fromkeys(users[:40], TryLater("its index is broken"))
    found = await results(Sync(registered(*users), Registry(board, Memory(), VALUES, HandClock())).register())

    assert Counter(found.values()) == {(Result.FAILED, "its index is broken"): 40, (Result.REGISTERED, ""): 60}


class Crowded(Board):
    """Answers when a full number is asked about at a time, and notes the most that ever was."""

    def __init__(self, at_once: int, places: int) -> None:
        super().__init__(at_once)
        self.most = 0
        self._now = 0
        self._places = places
        self._full = asyncio.Event()

    async def verify_or_set(
        self, mailboxes: Sequence[Mailbox], values: Values, intend: Intend | None
    ) -> Sequence[Registered | OxpushctlError]:
        self._now += 1
        self.most = max(self.most, self._now)
        if self._now == self._places:
            self._full.set()
        await self._full.wait()
        self._now -= 1
        return await super().verify_or_set(mailboxes, values, intend)


@pytest.mark.parametrize(("at_once", "places", "sizes"), [(1, 8, {1: 2300}), (500, 2, {500: 4, 300: 1})])
async def test_many(at_once: int, places: int, sizes: dict[int, int]) -> None:
    """So many are under way at a time and no more, in batches where they are no more trouble than one."""
    users = [PushUser(1, number) for number in range(1, 2301)]
    board = Crowded(at_once, places)
    found = await results(Sync(registered(*users), Registry(board, Memory(), VALUES, HandClock())).register())

    assert (board.most, len(found)) == (places, 2300)
    assert Counter(len(asked) for asked in board.asked) == sizes


async def test_reader_that_stops() -> None:
    """Who reads no further ends what is under way, and none begins any more."""
    users = [PushUser(1, number) for number in range(1, 101)]
    board = Board()
    async with aclosing(
        Sync(registered(*users), Registry(board, Memory(), VALUES, HandClock())).register()
    ) as each_as_it_comes:
        async for _ in each_as_it_comes:
            break

    assert len(board.standing) <= AT_A_TIME


async def test_database_that_is_away() -> None:
    """That is no trouble of the mail server's: it ends the whole."""
    memory = Memory()
    memory.failures.append(NotReachable("the database is away"))
    sync = Sync(registered(ANTON), Registry(Board(), memory, VALUES, HandClock()))
    with pytest.raises(NotReachable, match="the database is away"):
        await results(sync.remove())


async def _store(place: Ground, *users: PushUser) -> SqlRegistrationStore:
    """Register users for two clients each, in a database."""
    store = SqlRegistrationStore(place.database)
    for user in users:
        for client in ("app", "suite"):
            await store.add(Registration(user, client))
    return store
