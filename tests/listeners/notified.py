"""Listeners for datagrams that run, with everything around them that is not theirs: a directory, sessions, marks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oxpushctl.config.listening import NOTIFY_DELAY, NOTIFY_ENABLED, NOTIFY_HOST, NOTIFY_PORT
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.config.property import MAIL_SERVER, Property
from oxpushctl.config.settings import Settings
from oxpushctl.engine.clock import SystemClock
from oxpushctl.errors import OxpushctlError
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.listeners.mailnotify import MailNotifyListeners
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import Credential, DirectoryEntry, MailEvent, Mark, PushUser
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.listeners.people import people, settings
from tests.peers.dovecot import PASSWORD
from tests.peers.ports import free_port
from tests.waiting import until

Values = Mapping[Property[Any], object]


class Sessions:
    """Whoever has a password here is logged in."""

    def __init__(self, passwords: Mapping[str, str], entries: Sequence[DirectoryEntry]) -> None:
        self.passwords = dict(passwords)
        self.logins = {entry.user: entry.login for entry in entries}

    def credentials(self, user: PushUser) -> Sequence[Credential]:
        login = self.logins.get(user, "")
        return [Credential(user, login, self.passwords[login])] if login in self.passwords else []


class Sink:
    """Takes events, all while ``gate`` is open; ``failures`` are raised first, one an event."""

    def __init__(self) -> None:
        self.events: list[MailEvent] = []
        self.waiting = 0
        self.failures: list[OxpushctlError] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def accept(self, event: MailEvent) -> None:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if self.failures:
            raise self.failures.pop(0)
        self.events.append(event)

    async def took(self, count: int) -> None:
        """Return when so many events were accepted."""
        await until(lambda: len(self.events) >= count)

    @property
    def told(self) -> list[tuple[PushUser, int, str]]:
        return [(event.user, event.uid, event.subject) for event in self.events]


class Marks:
    """Keeps marks in memory."""

    def __init__(self) -> None:
        self.marks: dict[PushUser, Mark] = {}

    async def mark(self, user: PushUser) -> Mark | None:
        return self.marks.get(user)

    def advance(self, user: PushUser, uidvalidity: int, uidnext: int) -> None:
        self.marks[user] = Mark(uidvalidity, uidnext)


@dataclass
class Noted:
    """What a supervisor was told."""

    proven_users: list[PushUser] = field(default_factory=list)
    lost_users: dict[PushUser, OxpushctlError] = field(default_factory=dict)

    def proven(self, user: PushUser) -> None:
        self.proven_users.append(user)

    def lost(self, user: PushUser, error: OxpushctlError) -> None:
        self.lost_users[user] = error


@dataclass
class Notified:
    """Listeners that run, and what surrounds them; ``settings`` are theirs."""

    listeners: MailNotifyListeners
    openings: Openings
    directory: SqlUserDirectory
    settings: Settings
    port: int
    sink: Sink
    marks: Marks
    sessions: Sessions
    noted: Noted
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """End them as a daemon does."""
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            await self.task

    async def met(self, **counts: int) -> None:
        """Return when so many datagrams met these fates, and no others did."""
        await until(lambda: self.listeners.counts.total() >= sum(counts.values()))
        assert self.listeners.counts == counts


def people_named(*logins: str) -> list[DirectoryEntry]:
    """Return users 1, 2, … with these logins, and addresses at example.com."""
    return [DirectoryEntry(PushUser(1, n), login, f"{login}@example.com") for n, login in enumerate(logins, 1)]


@asynccontextmanager
async def notified(
    folder: Path,
    entries: Sequence[DirectoryEntry],
    values: Values,
    *,
    imap_port: int | None = None,
    passwords: Mapping[str, str] | None = None,
    look_s: float = 3600.0,
) -> AsyncIterator[Notified]:
    """Run listeners for all entries; without a mail server, or a session, no mailbox can be asked.

    Everybody is logged in with the password of tests/peers/dovecot.py, unless other passwords are given.
    """
    port = free_port(socket.SOCK_DGRAM)
    server = {} if imap_port is None else {MAIL_SERVER_URL: MAIL_SERVER.parse(f"127.0.0.1:{imap_port}")}
    ours = {NOTIFY_ENABLED: True, NOTIFY_HOST: "127.0.0.1", NOTIFY_PORT: port, NOTIFY_DELAY: 0}
    chosen = settings({**ours, **server, **values})
    clock, sink, marks, noted = SystemClock(), Sink(), Marks(), Noted()
    sessions = Sessions({entry.login: PASSWORD for entry in entries} if passwords is None else passwords, entries)
    mailboxes = Mailboxes.from_settings(chosen, folder, clock)
    async with people(folder, *entries) as directory:
        openings = Openings(mailboxes, directory, None, sessions, chosen, clock)
        listeners = MailNotifyListeners(openings, sink, marks, directory, chosen, clock, look_s=look_s)
        for entry in entries:
            await listeners.start(entry.user, is_permanent=True)
        task = asyncio.create_task(listeners.run(noted))
        running = Notified(listeners, openings, directory, chosen, port, sink, marks, sessions, noted, task)
        try:
            await until(lambda: listeners.is_hearing or noted.lost_users or not entries)
            yield running
        finally:
            sink.gate.set()
            await running.stop()
            await openings.aclose()
            if mailboxes is not None:
                await mailboxes.aclose()
