"""Datagrams over real sockets, and whom they are taken to be about; nobody's mailbox can be asked here."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest

from oxpushctl.config.listening import (
    NOTIFY_DELAY,
    NOTIFY_DELIMITER,
    NOTIFY_ENABLED,
    NOTIFY_FULL_ADDRESS,
    NOTIFY_HOST,
    NOTIFY_MULTICAST,
    NOTIFY_OX_LOGIN,
    NOTIFY_PORT,
)
from oxpushctl.config.own import NOTIFY_SOURCES
from oxpushctl.errors import NotKept, NotReachable, UnknownEntry
from oxpushctl.interfaces import Implementation
from oxpushctl.model import DirectoryEntry, MailEvent, PushUser
from tests.listeners.datagrams import GROUP, GROUP_V6, datagram, send, send_to_group
from tests.listeners.notified import Notified, Values, notified, people_named
from tests.listeners.people import ANTON, BERTA, settings
from tests.waiting import until

_ENTRIES = (
    DirectoryEntry(ANTON, "a3", "anton@example.com", ("meier@example.com",)),
    DirectoryEntry(BERTA, "b4", "berta@example.com", ("Info@example.com",)),
)
_NEVER = 3_600_000


def _again(running: Notified, values: Values) -> None:
    ours = {NOTIFY_ENABLED: True, NOTIFY_HOST: "127.0.0.1", NOTIFY_PORT: running.port, NOTIFY_DELAY: 0}
    running.listeners.reload(settings({**ours, **values}))


async def test_new_mail(tmp_path: Path) -> None:
    """A datagram becomes one event, without words where the mailbox cannot be asked, and proves the listener."""
    async with notified(tmp_path, _ENTRIES, {}) as running:
        listeners: Implementation = running.listeners
        send(datagram("anton"), port=running.port)
        await until(lambda: running.sink.events)
        (event,) = running.sink.events
    expected = MailEvent(ANTON, "INBOX", 0, 0, None, "", "", None, "mailnotify", event.at, event.id)
    assert (listeners.name, event, running.noted.proven_users) == ("mailnotify", expected, [ANTON])


@pytest.mark.parametrize(
    ("values", "received", "users"),
    [
        pytest.param({}, ["anton", "MEIER", "info"], [ANTON, ANTON, BERTA], id="the part before the @"),
        pytest.param({}, ["Anton@example.com"], [ANTON], id="the whole address"),
        pytest.param({}, ["anton@elsewhere.example", "a3", "anto", "anton2"], [], id="other names"),
        pytest.param({NOTIFY_OX_LOGIN: True}, ["A3", "b4", "berta"], [ANTON, BERTA, BERTA], id="logins as well"),
        pytest.param({NOTIFY_FULL_ADDRESS: True}, ["anton", "a3", "anton@example.com"], [ANTON], id="whole addresses"),
        pytest.param({NOTIFY_DELIMITER: "#"}, ["berta#7#8", "#berta"], [BERTA], id="cut at the delimiter"),
        pytest.param({NOTIFY_DELIMITER: "@"}, ["berta@elsewhere.example"], [BERTA], id="the domain is cut off"),
    ],
)
async def test_names(tmp_path: Path, values: Values, received: Sequence[str], users: Sequence[PushUser]) -> None:
    """Who is meant is decided by the directory and the properties; the others are counted."""
    async with notified(tmp_path, _ENTRIES, values) as running:
        send(*(datagram(name) for name in received), port=running.port)
        unknown = len(received) - len(users)
        await running.met(**{"heard": len(users)} if users else {}, **{"unknown": unknown} if unknown else {})
    assert running.noted.proven_users == users


async def test_dropped(tmp_path: Path) -> None:
    """What is no news about somebody's inbox makes no event, and stops nothing."""
    others = [b"", b"\0" * 69, b"hello", datagram("anton", "INBOX.Sent"), datagram("anton", "user.berta")]
    async with notified(tmp_path, _ENTRIES, {}) as running:
        send(*others, datagram("anton", "user.anton"), port=running.port)
        await running.met(garbage=3, other=2, heard=1)
        await until(lambda: running.sink.events)
    assert [event.user for event in running.sink.events] == [ANTON]


@pytest.mark.parametrize(
    ("host", "source", "target", "fate"),
    [
        ("127.0.0.1", "127.0.0.1/32", "127.0.0.1", "heard"),
        ("127.0.0.1", "10.0.0.0/8", "127.0.0.1", "foreign"),
        ("::1", "127.0.0.0/8", "::1", "foreign"),
        ("::1", "::/0", "::1", "heard"),
        pytest.param("::", "127.0.0.0/8", "127.0.0.1", "heard", id="IPv4 at a socket of IPv6"),
        pytest.param("::", "::ffff:0:0/96", "127.0.0.1", "foreign", id="IPv4 is none of IPv6"),
    ],
)
async def test_sources(tmp_path: Path, host: str, source: str, target: str, fate: str) -> None:
    """Only who is named as a source is believed."""
    values = {NOTIFY_HOST: host, NOTIFY_SOURCES: (ip_network(source),)}
    async with notified(tmp_path, _ENTRIES, values) as running:
        send(datagram("anton"), port=running.port, host=target)
        await running.met(**{fate: 1})


@pytest.mark.parametrize("group", [GROUP, GROUP_V6])
async def test_multicast(tmp_path: Path, group: str) -> None:
    """A group is joined and heard."""
    everywhere = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    values = {NOTIFY_HOST: group, NOTIFY_MULTICAST: True, NOTIFY_SOURCES: everywhere}
    async with notified(tmp_path, _ENTRIES, values) as running:
        send_to_group(datagram("berta"), port=running.port, group=group)
        await until(lambda: running.sink.events)
    assert [event.user for event in running.sink.events] == [BERTA]


async def test_name_of_two_users(tmp_path: Path) -> None:
    """Neither is pushed to, until one of them is not listened for any more."""
    other = replace(_ENTRIES[1], mail="anton@example.org")
    async with notified(tmp_path, (_ENTRIES[0], other), {}) as running:
        send(datagram("anton"), port=running.port)
        await running.met(ambiguous=1)
        send(datagram("anton@example.org"), port=running.port)  # a whole address is only one's
        await running.met(ambiguous=1, heard=1)
        await running.listeners.stop(ANTON)
        send(datagram("anton"), port=running.port)
        await running.met(ambiguous=1, heard=2)
    assert running.noted.proven_users == [BERTA, BERTA]


async def test_many_within_the_window(tmp_path: Path) -> None:
    """They become one push a user."""
    async with notified(tmp_path, _ENTRIES, {NOTIFY_DELAY: 50}) as running:
        send(*[datagram("anton"), datagram("berta")] * 25, port=running.port)
        await running.met(heard=50)
        await until(lambda: len(running.sink.events) >= 2)
    assert [event.user for event in running.sink.events] == [ANTON, BERTA]


async def test_flood(tmp_path: Path) -> None:
    """Each of many datagrams meets its fate, whatever is in it; users are pushed to once, at the end."""
    chance = random.Random(23420)
    nonsense = [chance.randbytes(chance.randrange(200)).replace(b"\0", b"") for _ in range(50)]
    async with notified(tmp_path, _ENTRIES, {NOTIFY_DELAY: _NEVER}) as running:
        for _ in range(100):
            send(*nonsense, *[datagram("anton")] * 50, port=running.port)
            await until(lambda: running.listeners.counts.total() % 100 == 0)
        await running.met(garbage=5000, heard=5000)
    assert [event.user for event in running.sink.events] == [ANTON]


async def test_stop(tmp_path: Path) -> None:
    """A user that is stopped is not pushed to any more, what was heard before included; the others are."""
    async with notified(tmp_path, _ENTRIES, {NOTIFY_DELAY: _NEVER}) as running:
        send(datagram("anton"), datagram("berta"), port=running.port)
        await running.met(heard=2)
        await running.listeners.stop(ANTON)
        await running.listeners.stop(ANTON)
        send(datagram("anton"), port=running.port)
        await running.met(heard=2, unknown=1)
        await running.listeners.start(ANTON, is_permanent=True)
    assert [event.user for event in running.sink.events] == [BERTA]


async def test_shutdown(tmp_path: Path) -> None:
    """What was heard and is still collected goes out at once, and what has just arrived as well."""
    async with notified(tmp_path, _ENTRIES, {NOTIFY_DELAY: _NEVER}) as running:
        send(datagram("anton"), port=running.port)
        await running.met(heard=1)
        before = list(running.sink.events)
        send(datagram("berta"), port=running.port)
        await running.stop()
        after = [event.user for event in running.sink.events]
    assert (before, after) == ([], [ANTON, BERTA])


async def test_shutdown_when_nobody_takes_events(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It ends all the same, and how many were lost is told."""
    async with notified(tmp_path, _ENTRIES, {}) as running:
        running.sink.gate.clear()
        send(datagram("anton"), datagram("berta"), port=running.port)
        await until(lambda: running.sink.waiting)
        await running.stop()
    assert [record.__dict__["fields"] for record in caplog.records if "in time" in record.message] == [{"users": 2}]


async def test_event_that_is_not_kept(tmp_path: Path) -> None:
    """Whatever becomes of one event, the next ones are heard."""
    async with notified(tmp_path, _ENTRIES, {}) as running:
        running.sink.failures = [NotKept("disk full"), NotReachable("away")]
        for failures in (list(running.sink.failures[1:]), []):
            send(datagram("anton"), port=running.port)
            await until(partial(_are_left, running, failures))
        send(datagram("anton"), port=running.port)
        await until(lambda: running.sink.events)
    assert [event.user for event in running.sink.events] == [ANTON]


async def test_taken_port(tmp_path: Path) -> None:
    """Users are lost and cannot be started, until the port is free: then all is well without a restart."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        async with notified(tmp_path, _ENTRIES, {NOTIFY_PORT: port}) as running:
            assert {user: type(error) for user, error in running.noted.lost_users.items()} == {
                ANTON: NotReachable,
                BERTA: NotReachable,
            }
            with pytest.raises(NotReachable, match=f"UDP port {port} of 127.0.0.1 is taken"):
                await running.listeners.start(ANTON, is_permanent=True)
            other.close()
            _again(running, {NOTIFY_PORT: port})
            await until(lambda: running.listeners.is_hearing)
            await running.listeners.start(ANTON, is_permanent=True)
            send(datagram("anton"), datagram("berta"), port=port)
            await running.met(heard=1, unknown=1)


async def test_switched_off_and_on(tmp_path: Path) -> None:
    """Off, the port is free for others; on again, users are heard as before."""
    async with notified(tmp_path, _ENTRIES, {}) as running:
        _again(running, {NOTIFY_ENABLED: False})
        is_on = [running.listeners.is_on(is_permanent=True)]
        await until(lambda: not running.listeners.is_hearing)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", running.port))
        _again(running, {})
        is_on.append(running.listeners.is_on(is_permanent=False))
        await until(lambda: running.listeners.is_hearing)
        send(datagram("anton"), port=running.port)
        await running.met(heard=1)
    assert is_on == [False, True]


@pytest.mark.parametrize("is_told", [True, False])
async def test_directory_changes(tmp_path: Path, is_told: bool) -> None:
    """New names count, soon or when told of the change, and those that are gone do not."""
    async with notified(tmp_path, _ENTRIES, {}, look_s=3600.0 if is_told else 0.01) as running:
        await running.directory.add(replace(_ENTRIES[0], aliases=("chef@example.com",)))
        if is_told:
            running.listeners.look()
        await _until_known(running, "chef")
        before = running.listeners.counts.copy()
        send(datagram("meier"), datagram("anton"), port=running.port)
        await running.met(heard=before["heard"] + 1, unknown=before["unknown"] + 1)


async def test_removed_from_the_directory(tmp_path: Path) -> None:
    """Such a user is lost, and not heard of any more."""
    async with notified(tmp_path, _ENTRIES, {}) as running:
        await running.directory.remove(ANTON)
        running.listeners.look()
        await until(lambda: running.noted.lost_users)
        send(datagram("anton"), datagram("berta"), port=running.port)
        await running.met(heard=1, unknown=1)
    assert {user: str(error) for user, error in running.noted.lost_users.items()} == {
        ANTON: "the directory has no 3@1, and so no name for datagrams: "
        "add it with `oxpushctl users add -c 1 -u 3 --login … --mail …`"
    }


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({}, r"the directory has no 3@1, .*users add -c 1 -u 3 --login … --mail …"),
        ({"anton": ""}, r"no address of 3@1, .*users add -c 1 -u 3 --login anton --mail …`, or set .*use_ox_login"),
    ],
)
async def test_user_without_names(tmp_path: Path, entries: Mapping[str, str], reason: str) -> None:
    """Nothing can be heard for it, and what to do is said."""
    known = [DirectoryEntry(ANTON, login, mail) for login, mail in entries.items()]
    async with notified(tmp_path, people_named("berta"), {}) as running:
        for entry in known:
            await running.directory.add(entry)
        with pytest.raises(UnknownEntry, match=reason):
            await running.listeners.start(ANTON, is_permanent=False)


def _are_left(running: Notified, failures: Sequence[Exception]) -> bool:
    return running.sink.failures == failures


async def _until_known(running: Notified, name: str) -> None:
    """Send datagrams until one is heard, and return when none is on its way."""
    sent = 0

    def is_heard() -> bool:
        nonlocal sent
        if not running.noted.proven_users:
            send(datagram(name), port=running.port)
            sent += 1
            return False
        return running.listeners.counts.total() == sent

    await until(is_heard)
