"""Mails that came while nobody listened, at a real Dovecot: over doveadm, and by log-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oxpushctl.config.listening import DOVEADM_PROXY_DELIMITER
from oxpushctl.config.own import CATCHUP_ENABLED, CATCHUP_MAX, PUSH_MAX_AGE
from oxpushctl.config.properties import LOGIN_SOURCE
from oxpushctl.model import Address, DirectoryEntry, Mark, PushUser
from tests.listeners.boxes import message, owner
from tests.listeners.catching import Place, numbers, place_at
from tests.listeners.doveadm_scripted import KEY
from tests.peers.dovecot import PASSWORD, Dovecot
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


async def test_first_sight(place: Place) -> None:
    """At the first sight of a mailbox its mark is set, and nothing that is in it is told."""
    place.deliver("before")
    assert await place.caught_up() == 0
    assert place.sink.events == []
    assert place.marks.of[place.user].uidnext == 2


async def test_missed(place: Place, way: str) -> None:
    """What came meanwhile is told once, in the order in which it came, with the words that a push has."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("one", "two")
    assert await place.caught_up() == 2
    assert await place.caught_up() == 0
    assert [(event.uid, event.subject) for event in place.sink.events] == [(2, "one"), (3, "two")]
    event = place.sink.events[0]
    assert (event.user, event.folder, event.heard_by) == (place.user, "INBOX", "catch-up")
    assert (event.sender, event.snippet) == (Address("Anna", "anna@example.com"), "at noon")
    assert (event.uidvalidity, event.unseen) == (place.marks.of[place.user].uidvalidity, 3)
    assert place.marks.of[place.user].uidnext == 4
    assert place.at.gate.names == ([place.name] * 3 if way == "log-ins" else [])


async def test_uids_anew(place: Place) -> None:
    """Where uids have begun anew the mark is set anew, and nothing is told."""
    place.deliver("before")
    place.marks.of[place.user] = Mark(7, 1)
    assert await place.caught_up() == 0
    assert place.marks.of[place.user].uidvalidity != 7
    assert place.marks.of[place.user].uidnext == 2


async def test_read_meanwhile(place: Place) -> None:
    """What has been read is not told, nor what is old: an archive that was put there."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("read", "new")
    with owner(place.dovecot, place.name) as imap:
        imap.store("2", "+FLAGS", "\\Seen")
        imap.append("INBOX", "", '"01-Jan-2020 00:00:00 +0000"', message("archived").as_bytes())
    assert await place.caught_up() == 1
    assert place.sink.subjects == ["new"]
    assert place.marks.of[place.user].uidnext == 5
    with owner(place.dovecot, place.name) as imap:
        assert imap.search(None, "UNSEEN") == ("OK", [b"1 3 4"])


async def test_old_mails_merged(place: Place) -> None:
    """Of what came long ago only the newest is told."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("one", "two", "three")
    place.clock.time += 3600
    assert await place.caught_up() == 1
    assert place.sink.subjects == ["three"]


async def test_too_old(place: Place) -> None:
    """What came longer ago than a push is worth delivering is not told."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("one")
    place.clock.time += 3600
    assert await place.caught_up({PUSH_MAX_AGE: 1800.0}) == 0


@pytest.mark.parametrize(("most", "subjects"), [(0, []), (2, ["three", "four"])])
async def test_most(place: Place, most: int, subjects: list[str]) -> None:
    """Of many the newest are told, and the mark is beyond all of them."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("one", "two", "three", "four")
    await place.caught_up({CATCHUP_MAX: most})
    assert place.sink.subjects == subjects
    assert place.marks.of[place.user].uidnext == 6


async def test_switched_off(place: Place) -> None:
    """Switched off, nothing is asked and no mark moves."""
    place.deliver("before")
    assert await place.caught_up({CATCHUP_ENABLED: False}) == 0
    assert place.marks.of == {}
    assert place.at.gate.names == []


async def test_heard_meanwhile(place: Place) -> None:
    """What somebody heard in the meantime is not told again, and hides nothing that is older."""
    place.deliver("before")
    await place.caught_up()
    place.deliver("missed", "heard")
    place.marks.heard[place.user] = Mark(place.marks.of[place.user].uidvalidity, 4, (3,))
    assert await place.caught_up() == 1
    assert place.sink.subjects == ["missed"]


async def test_noted_gaps(place: Place) -> None:
    """Gaps that are noted are closed one after the other, each once, until it is over."""
    place.deliver("before")
    await place.caught_up()
    async with place.catching_up() as catching_up, asyncio.TaskGroup() as group:
        running = group.create_task(catching_up.run())
        for subject in ("one", "two"):
            place.deliver(subject)
            catching_up.note_gap(place.user)
            catching_up.note_gap(place.user)
            await until(lambda subject=subject: subject in place.sink.subjects)  # type: ignore[misc]  # a lambda with a default
        running.cancel()
    assert place.sink.subjects == ["one", "two"]


async def test_many_users(place: Place, way: str) -> None:
    """Many users are compared together; those whose mailbox is not known or not opened keep nobody from it."""
    good = [await place.add(f"user{next(numbers)}@example.com") for _ in range(12)]
    names = [(await place.at.directory.entry(user) or DirectoryEntry(user, "")).login for user in good]
    unknown = PushUser(1, 999_999)
    strange = await place.add("günter", "not the password")
    everybody = [unknown, *good[:6], strange, *good[6:]]
    place.dovecot.deliver(names, message("before"))
    async with place.catching_up() as catching_up:
        assert await catching_up.catch_up(everybody) == 0
        place.dovecot.deliver(names[::2], message("after"))
        assert await catching_up.catch_up(everybody) == 6
    assert sorted(event.user for event in place.sink.events) == sorted(good[::2])
    assert place.marks.of.keys() == set(good)


@pytest.mark.parametrize("way", ["doveadm"], indirect=False)
async def test_unknown_to_doveadm(place: Place, way: str) -> None:
    """Whom doveadm does not know under that name is looked into by a log-in."""
    user = await place.add(f"günter{next(numbers)}")
    login = f"g{user.user}@example.com"
    await place.at.keep(user, login, PASSWORD)
    place.dovecot.deliver([login], message("before"))
    async with place.catching_up() as catching_up:
        await catching_up.catch_up([user])
    assert place.at.gate.names == [login]
    assert place.marks.of[user].uidnext == 2


@pytest.mark.parametrize("way", ["doveadm"], indirect=False)
async def test_proxy_delimiter(place: Place, way: str) -> None:
    """Doveadm is asked for the name before the delimiter of a proxy."""
    user = await place.add(f"{place.name}#mail3", "")
    place.deliver("before")
    async with place.catching_up({DOVEADM_PROXY_DELIMITER: "#"}) as catching_up:
        await catching_up.catch_up([user])
    assert place.marks.of[user].uidnext == 2
    assert place.at.gate.names == []


@pytest.mark.parametrize("way", ["doveadm"], indirect=False)
async def test_same_name(place: Place, way: str) -> None:
    """Of two users with one name at the mail server neither hears of the other's mails."""
    local = place.name.partition("@")[0]
    namesake = await place.add(f"{local}@example.org", "")
    place.dovecot.deliver([local], message("whose?"))
    async with place.catching_up({LOGIN_SOURCE: "name"}) as catching_up:
        await catching_up.catch_up([namesake])
        await catching_up.catch_up([place.user])
    assert place.marks.of == {}
