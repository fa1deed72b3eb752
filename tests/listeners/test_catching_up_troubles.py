"""What keeps us from catching up at a real Dovecot: servers that are away, databases, bugs. Nothing is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oxpushctl.errors import ConfigurationError, NotReachable
from oxpushctl.listeners.catching_up import AT_ONCE
from oxpushctl.model import DirectoryEntry, PushUser
from tests.listeners.boxes import message
from tests.listeners.catching import Place, numbers, place_at
from tests.listeners.doveadm_scripted import KEY
from tests.listeners.openers import opener
from tests.peers.dovecot import PASSWORD, Dovecot
from tests.peers.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(doveadm_key=KEY) as running:
        yield running


@pytest.fixture(params=["doveadm", "log-ins"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def place(tmp_path: Path, dovecot: Dovecot, way: str) -> AsyncIterator[Place]:
    async with place_at(tmp_path, dovecot, way) as made:
        yield made


async def test_refused_by_outbox(place: Place) -> None:
    """What could not be kept is told again after a rest; the mark stays until then."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("one")
    place.sink.refusals = 2
    assert await place.caught_up() == 1
    assert place.sink.subjects == ["one"]
    assert len(place.clock.rests) == 2


@pytest.mark.parametrize(
    "trouble",
    [NotReachable("it does not answer"), ConfigurationError("it refuses the login"), LookupError("a bug")],
    ids=["away", "refuses us", "bug"],
)
@pytest.mark.parametrize("way", ["doveadm"], indirect=False)
async def test_database_away(place: Place, way: str, trouble: Exception) -> None:
    """Where the marks cannot be read, for whatever reason, the gap stays, and is closed later."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("one")
    place.marks.troubles, place.marks.trouble = 2, trouble
    assert await place.caught_up() == 1
    assert place.sink.subjects == ["one"]


async def test_bug_over_one(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong over one user stops nobody else, and tells no words of a mail."""
    names = [f"user{next(numbers)}@example.com", place.name]
    unlucky = await place.add(names[0])
    users = [unlucky, place.user]
    place.dovecot.deliver(names, message("before"))
    place.sink.unlucky = unlucky
    async with place.catching_up() as catching_up:
        await catching_up.catch_up(users)
        place.dovecot.deliver(names, message("secret"))
        assert await catching_up.catch_up(users) == 1
    assert [event.user for event in place.sink.events] == [place.user]
    assert "bug" in caplog.text
    assert "secret" not in caplog.text


async def test_more_than_a_portion(place: Place) -> None:
    """However many gaps there are, each is closed."""
    strangers = [PushUser(2, number) for number in range(1, 2 * AT_ONCE)]
    place.deliver("before")
    await place.caught_up()
    place.deliver("one")
    async with place.catching_up() as catching_up:
        assert await catching_up.catch_up([*strangers, place.user]) == 1


@pytest.mark.parametrize("way", ["doveadm"], indirect=False)
async def test_doveadm_away(place: Place, way: str) -> None:
    """Doveadm that does not answer is waited for a little; then log-ins do its work."""
    place.deliver("before")
    await place.caught_up()
    await place.at.keep(place.user, place.name, PASSWORD)
    place.deliver("one")
    place.doveadm_url = f"http://127.0.0.1:{free_port()}/doveadm/v1"
    assert await place.caught_up() == 1
    assert place.at.gate.names == [place.name]
    assert len(place.clock.rests) == 3


async def test_server_away(tmp_path: Path) -> None:
    """A mail server that is away is asked by two at most before each rest, until it answers: then nothing is lost."""
    number = next(numbers)
    name, user = f"user{number}@example.com", PushUser(1, number)
    with Dovecot() as dovecot:
        async with opener(tmp_path, dovecot.imap_port, entries=[DirectoryEntry(user, name, name)]) as at:
            await at.keep(user, name, PASSWORD)
            others = [PushUser(1, 10_000 + each) for each in range(5)]
            place = Place(dovecot, user, name, at, None)
            for other in others:
                await at.directory.add(DirectoryEntry(other, f"other{other.user}"))
                await at.keep(other, f"other{other.user}", PASSWORD)
            place.deliver("before")
            await place.caught_up()
            place.deliver("one")
            dovecot.halt()
            at.gate.names.clear()
            async with place.catching_up() as catching_up, asyncio.TaskGroup() as group:
                caught = group.create_task(catching_up.catch_up([*others, user]))
                await until(lambda: len(place.clock.rests) >= 5)
                tried, rests = len(at.gate.names), len(place.clock.rests)
                await asyncio.to_thread(dovecot.resume)
            assert caught.result() == 1
            assert tried <= 2 * (rests + 1)
            assert place.sink.subjects == ["one"]
            assert place.marks.of.keys() == {user, *others}


async def test_doveadm_away_for_long(tmp_path: Path) -> None:
    """Where nothing but doveadm opens mailboxes it is waited for as long as a push is worth it, and nothing is lost."""
    number = next(numbers)
    name, user = f"user{number}@example.com", PushUser(1, number)
    with Dovecot(doveadm_key=KEY) as dovecot:
        async with opener(tmp_path, dovecot.imap_port, entries=[DirectoryEntry(user, name, name)]) as at:
            place = Place(dovecot, user, name, at, dovecot.doveadm_url)
            place.deliver("before")
            await place.caught_up()
            place.deliver("one")
            dovecot.halt()
            async with place.catching_up() as catching_up, asyncio.TaskGroup() as group:
                caught = group.create_task(catching_up.catch_up([user]))
                await until(lambda: caught.done() or len(place.clock.rests) >= 8)
                await asyncio.to_thread(dovecot.resume)
            assert caught.result() == 1
            assert at.gate.names == []


async def test_gap_too_old(tmp_path: Path) -> None:
    """A gap whose mails nobody would be told of any more is given up, not asked for for ever."""
    user = PushUser(1, next(numbers))
    async with opener(tmp_path, free_port(), entries=[DirectoryEntry(user, "anton")]) as at:
        await at.keep(user, "anton", PASSWORD)
        place = Place(Dovecot(), user, "anton", at, None)

        async def sleep(seconds: float) -> None:
            place.clock.time += 100 * seconds
            await asyncio.sleep(0)

        place.clock.sleep = sleep  # type: ignore[method-assign]  # time passes
        assert await place.caught_up() == 0
    assert place.marks.of == {}
