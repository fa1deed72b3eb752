"""Datagrams about mailboxes of a real Dovecot, which are asked for what is new."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Awaitable, Callable, Iterator
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest

from oxpushctl.config.listening import NOTIFY_DELAY
from oxpushctl.engine.clock import SystemClock
from oxpushctl.listeners.mailnotify_asking import AT_A_TIME, MOST_WAITING, Asking
from oxpushctl.model import Address, DirectoryEntry, Mark
from tests.engine.parts import HandClock
from tests.listeners.datagrams import datagram, send
from tests.listeners.notified import Notified, notified, people_named
from tests.listeners.scripted import SILENCE, scripted
from tests.peers.dovecot import HOST, PASSWORD, Dovecot, LogIns
from tests.peers.ports import free_port
from tests.waiting import until

_WRONG = "not the password"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns()) as running:
        yield running


@pytest.fixture
def anton(request: pytest.FixtureRequest) -> DirectoryEntry:
    """A user with a mailbox of its own in each test."""
    (entry,) = people_named(request.node.name.lower().replace("[", "-").rstrip("]"))
    return entry


async def _deliver(dovecot: Dovecot, entry: DirectoryEntry, *subjects: str) -> None:
    for subject in subjects:
        message = EmailMessage()
        message["From"] = "Anna Süß <anna@example.com>"
        message["Subject"] = subject
        message.set_content("at noon")
        answers = await asyncio.to_thread(dovecot.deliver, [entry.login], message)
        assert answers[entry.login].startswith("250"), answers


async def _see_all(dovecot: Dovecot, entry: DirectoryEntry) -> None:
    """Read everything, as a person would."""

    def see() -> None:
        with imaplib.IMAP4(HOST, dovecot.imap_port, timeout=30) as imap:
            imap.login(entry.login, PASSWORD)
            imap.select("INBOX")
            imap.store("1:*", "+FLAGS", "(\\Seen)")

    await asyncio.to_thread(see)


async def _append_old(dovecot: Dovecot, entry: DirectoryEntry) -> None:
    """Put an old mail into the inbox."""

    def append() -> None:
        with imaplib.IMAP4(HOST, dovecot.imap_port, timeout=30) as imap:
            imap.login(entry.login, PASSWORD)
            imap.append("INBOX", "", '"01-Feb-2020 12:00:00 +0000"', b"Subject: Old\r\n\r\nhello\r\n")

    await asyncio.to_thread(append)


async def _tell_and_wait(running: Notified, entry: DirectoryEntry, uidnext: int) -> None:
    """Send a datagram about a user, and return when its mailbox is marked up to there."""
    send(datagram(entry.login), port=running.port)
    await until(lambda: _uidnext(running, entry) == uidnext)


def _uidnext(running: Notified, entry: DirectoryEntry) -> int | None:
    mark = running.marks.marks.get(entry.user)
    return None if mark is None else mark.uidnext


async def test_first_mail(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """The event has what the mail says, and the mail stays unseen."""
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        await _deliver(dovecot, anton, "Mittagessen am Mühlbach?")
        await _tell_and_wait(running, anton, 2)
        await _deliver(dovecot, anton, "Or tea?")
        await _tell_and_wait(running, anton, 3)
    first, second = running.sink.events
    assert (first.sender, first.uid, first.unseen) == (Address("Anna Süß", "anna@example.com"), 1, 1)
    assert (first.subject, first.heard_by, first.folder) == ("Mittagessen am Mühlbach?", "mailnotify", "INBOX")
    assert (second.subject, second.uid, second.unseen) == ("Or tea?", 2, 2)
    assert first.uidvalidity == second.uidvalidity > 0


async def test_first_sight_of_a_mailbox(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """Of what is in it only the newest is what was heard just now."""
    await _deliver(dovecot, anton, "one", "two", "three")
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        await _tell_and_wait(running, anton, 4)
    assert running.sink.told == [(anton.user, 3, "three")]


async def test_empty_at_first_sight(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """Whatever came is gone: nobody is told, and the next mail is."""
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        await _tell_and_wait(running, anton, 1)
        await _deliver(dovecot, anton, "one")
        await _tell_and_wait(running, anton, 2)
    assert running.sink.told == [(anton.user, 1, "one")]


async def test_nothing_recent_at_first_sight(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """There was something: it is told without words."""
    await _append_old(dovecot, anton)
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        await _tell_and_wait(running, anton, 2)
    assert running.sink.told == [(anton.user, 0, "")]


async def test_other_uidvalidity(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """The mailbox is another one, and seen for the first time."""
    await _deliver(dovecot, anton, "one", "two")
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        running.marks.marks[anton.user] = Mark(1, 1)
        await _tell_and_wait(running, anton, 3)
    assert running.sink.told == [(anton.user, 2, "two")]


async def test_several_new_mails(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """Each becomes an event, in the order in which they came, however few datagrams there were."""
    await _deliver(dovecot, anton, "before")
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        await _tell_and_wait(running, anton, 2)
        await _deliver(dovecot, anton, "one", "two", "three")
        await _tell_and_wait(running, anton, 5)
    assert [subject for _, _, subject in running.sink.told] == ["before", "one", "two", "three"]


async def test_nothing_new(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """What was seen before it was asked for, what is old, and a datagram about nothing make no push."""
    await _deliver(dovecot, anton, "before")
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        await _tell_and_wait(running, anton, 2)
        await _deliver(dovecot, anton, "seen")
        await _see_all(dovecot, anton)
        await _tell_and_wait(running, anton, 3)
        await _append_old(dovecot, anton)
        await _tell_and_wait(running, anton, 4)
        running.marks.marks[anton.user] = Mark(running.sink.events[0].uidvalidity, 4, recent=(1,))
        send(datagram(anton.login), port=running.port)
        await until(lambda: running.marks.marks[anton.user].recent == ())  # marked anew
    assert [subject for _, _, subject in running.sink.told] == ["before"]


async def test_wrong_password(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """New mail is told without words, and the server not asked again each time."""
    passwords = {anton.login: _WRONG}
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port, passwords=passwords) as running:
        for count in (1, 2, 3):
            send(datagram(anton.login), port=running.port)
            await running.met(heard=count)
            await running.sink.took(count)
    failures = [line for line in dovecot.log().splitlines() if "auth failed" in line and f"<{anton.login}>" in line]
    assert (running.sink.told, len(failures)) == ([(anton.user, 0, "")] * 3, 1)


async def test_hope_for_an_answer(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """A mailbox that nothing opened is not worth another try for a while, nor until something may have changed."""
    passwords = {anton.login: _WRONG}
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port, passwords=passwords) as running:
        clock = HandClock()
        asking = Asking(running.openings, running.marks, running.settings, clock)
        worth_it = []
        changes: list[Callable[[], Awaitable[None] | None]] = [
            lambda: None,
            asking.forget,
            partial(asking.forget, anton.user),
            partial(clock.sleep, 3600),
        ]
        for change in changes:
            assert await asking.news(anton.user, is_permanent=True) is None
            worth_it.append(asking.is_worth_it(anton.user))
            if (pending := change()) is not None:
                await pending
            worth_it.append(asking.is_worth_it(anton.user))
    assert worth_it == [False, False, False, True, False, True, False, True]


async def test_budget(anton: DirectoryEntry, tmp_path: Path) -> None:
    """Few are asked at a time, and where many wait there is no room for more."""
    async with (
        scripted(answers={"AUTHENTICATE": SILENCE}) as (imap_port, heard),
        notified(tmp_path, people_named(*"abcdefgh"), {}, imap_port=imap_port) as running,
    ):
        asking = Asking(running.openings, running.marks, running.settings, HandClock())
        users = [*running.sessions.logins] * MOST_WAITING
        asked = [
            asyncio.create_task(asking.news(user, is_permanent=True)) for user in users[: AT_A_TIME + MOST_WAITING]
        ]
        await until(lambda: sum("AUTHENTICATE" in line for line in heard) >= AT_A_TIME)
        worth_it = [asking.is_worth_it(anton.user)]
        for each in asked:
            each.cancel()
        await asyncio.wait(asked)
        worth_it.append(asking.is_worth_it(anton.user))
    assert (sum("AUTHENTICATE" in line for line in heard), worth_it) == (AT_A_TIME, [False, True])


async def test_another_password(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """Told of a change, the mailbox is asked again."""
    passwords = {anton.login: _WRONG}
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port, passwords=passwords) as running:
        await _deliver(dovecot, anton, "Lunch?")
        send(datagram(anton.login), port=running.port)
        await running.sink.took(1)
        running.sessions.passwords = {anton.login: PASSWORD}
        running.listeners.look()
        await _tell_and_wait(running, anton, 2)
    assert running.sink.told == [(anton.user, 0, ""), (anton.user, 1, "Lunch?")]


async def test_server_is_away(anton: DirectoryEntry, tmp_path: Path) -> None:
    """New mail is told without words."""
    async with notified(tmp_path, [anton], {}, imap_port=free_port()) as running:
        send(datagram(anton.login), port=running.port)
        await running.sink.took(1)
    assert running.sink.told == [(anton.user, 0, "")]


async def test_more_while_it_is_asked(dovecot: Dovecot, anton: DirectoryEntry, tmp_path: Path) -> None:
    """It is asked once more afterwards, and not twice at a time."""
    async with notified(tmp_path, [anton], {}, imap_port=dovecot.imap_port) as running:
        running.sink.gate.clear()
        await _deliver(dovecot, anton, "one")
        send(datagram(anton.login), port=running.port)
        await until(lambda: running.sink.waiting)
        await _deliver(dovecot, anton, "two")
        for count in (2, 3):
            send(datagram(anton.login), port=running.port)
            await running.met(heard=count)
        assert running.sink.waiting == 1
        running.sink.gate.set()
        await until(lambda: _uidnext(running, anton) == 3)
    assert running.sink.told == [(anton.user, 1, "one"), (anton.user, 2, "two")]


async def test_shutdown_while_it_is_asked(anton: DirectoryEntry, tmp_path: Path) -> None:
    """What the mailbox has not answered by then is told without words."""
    async with (
        scripted(answers={"AUTHENTICATE": SILENCE}) as (imap_port, heard),
        notified(tmp_path, [anton], {}, imap_port=imap_port) as running,
    ):
        send(datagram(anton.login), port=running.port)
        await until(lambda: any("AUTHENTICATE" in line for line in heard))
        await running.stop()
    assert running.sink.told == [(anton.user, 0, "")]


async def test_server_that_hangs(tmp_path: Path) -> None:
    """Few log-ins are under way, a bounded number waits, and who finds no room is told of without words at once."""
    users = people_named(*(f"user{number}" for number in range(1, AT_A_TIME + MOST_WAITING + 11)))
    async with (
        scripted(answers={"AUTHENTICATE": SILENCE}) as (imap_port, heard),
        notified(tmp_path, users, {NOTIFY_DELAY: 1}, imap_port=imap_port) as running,
    ):
        send(*(datagram(user.login) for user in users), port=running.port)
        await running.sink.took(10)
        await until(lambda: sum("AUTHENTICATE" in line for line in heard) == AT_A_TIME)
        before = [user for user, _, _ in running.sink.told]
        await running.stop()
    assert sum("AUTHENTICATE" in line for line in heard) == AT_A_TIME
    assert before == [user.user for user in users[-10:]]
    assert sorted(running.sink.told) == [(user.user, 0, "") for user in users]


async def test_no_answer_in_time(anton: DirectoryEntry, tmp_path: Path) -> None:
    """A mailbox that cannot be asked within a deadline is left, and others are not asked for a while."""
    async with (
        scripted(answers={"AUTHENTICATE": SILENCE}) as (imap_port, _heard),
        notified(tmp_path, [anton], {}, imap_port=imap_port) as running,
    ):
        asking = Asking(running.openings, running.marks, running.settings, SystemClock(), ask_s=0.05)
        worth_it = [asking.is_worth_it(anton.user)]
        news = await asking.news(anton.user, is_permanent=True)
        worth_it.append(asking.is_worth_it(anton.user))
    assert (news, worth_it) == (None, [True, False])
