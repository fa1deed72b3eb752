"""Idle listeners of a few users at a mail server, watched as the supervisor does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import MappingProxyType
from typing import Any

from oxpushctl.config.listening import IDLE_DELAY, IDLE_ENABLED, IDLE_PERMANENT
from oxpushctl.config.property import Property
from oxpushctl.engine.clock import SystemClock
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock
from oxpushctl.listeners.idle_listeners import IdleListeners
from oxpushctl.listeners.log_in_gate import LogInGate
from oxpushctl.listeners.mail_server import Encryption, MailServer
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import Credential, DirectoryEntry, MailEvent, Mark, PushUser, Removed
from tests.listeners.people import settings as settings_of
from tests.peers.dovecot import PASSWORD
from tests.waiting import until

ANTON, BERTA = PushUser(1, 3), PushUser(1, 4)
LOGINS = {ANTON: "anton@example.com", BERTA: "berta@example.com"}
_ALWAYS = {IDLE_ENABLED: True, IDLE_PERMANENT: True, IDLE_DELAY: 1}
_RETRY_S = 0.05


class Live:
    """``LiveSessions``: everybody is logged in."""

    def __init__(self, logins: Mapping[PushUser, str], password: str) -> None:
        self._logins = logins
        self._password = password

    def credentials(self, user: PushUser) -> Sequence[Credential]:
        return [Credential(user, self._logins[user], self._password)] if user in self._logins else []


class Nobody:
    """``UserDirectory``: nobody has a name."""

    async def add(self, entry: DirectoryEntry) -> None:
        raise AssertionError

    async def remove(self, user: PushUser) -> Removed | None:
        return None

    async def listing(self) -> Sequence[DirectoryEntry]:
        return []

    async def page(self, after: PushUser | None, most: int) -> Sequence[DirectoryEntry]:
        return []

    async def resolve(self, name: str) -> PushUser | None:
        return None

    async def entry(self, user: PushUser) -> DirectoryEntry | None:
        return None

    async def create(self, login: str, mail: str, context: int) -> DirectoryEntry:
        raise AssertionError


class Marks:
    """``Watermarks`` in memory."""

    def __init__(self) -> None:
        self.marks: dict[PushUser, Mark] = {}

    async def mark(self, user: PushUser) -> Mark | None:
        return self.marks.get(user)

    def advance(self, user: PushUser, uidvalidity: int, uidnext: int) -> None:
        before = self.marks.get(user)
        if before is not None and before.uidvalidity == uidvalidity:
            uidnext = max(uidnext, before.uidnext)
        self.marks[user] = Mark(uidvalidity, uidnext)


@dataclass
class Idling:
    """``EventSink`` and ``Watch`` of the listeners; what is lost is started again until it runs, if wanted."""

    marks: Marks
    is_kept: bool = False
    listeners: IdleListeners = field(init=False)
    events: list[MailEvent] = field(default_factory=list)
    lost_users: list[tuple[PushUser, OxpushctlError]] = field(default_factory=list)
    proofs: int = 0
    running: set[PushUser] = field(default_factory=set)
    _run: asyncio.Task[None] | None = None
    _restarts: set[asyncio.Task[None]] = field(default_factory=set)

    async def accept(self, event: MailEvent) -> None:
        self.events.append(event)

    def proven(self, user: PushUser) -> None:
        self.proofs += 1

    def lost(self, user: PushUser, error: OxpushctlError) -> None:
        self.running.discard(user)
        self.lost_users.append((user, error))
        if self.is_kept:
            self._restarts.add(asyncio.create_task(self._restarted(user)))

    @property
    def subjects(self) -> list[str]:
        return [event.subject for event in self.events]

    async def start(self, *users: PushUser) -> None:
        """Start listeners, by default Anton's."""
        for user in users or (ANTON,):
            await self.listeners.start(user, is_permanent=True)
            self.running.add(user)

    async def heard(self, *subjects: str) -> None:
        """Return when mails of these subjects were heard, in any order, each once."""
        with suppress(TimeoutError):
            await until(lambda: len(self.events) >= len(subjects))
        assert sorted(self.subjects) == sorted(subjects), self.lost_users

    async def ended(self) -> OxpushctlError:
        """Return why the first session that was lost ended."""
        await until(lambda: self.lost_users)
        return self.lost_users[0][1]

    async def _restarted(self, user: PushUser) -> None:
        while True:
            await asyncio.sleep(_RETRY_S)  # the supervisor's back-off
            with suppress(OxpushctlError):
                await self.start(user)
                return

    async def run(self) -> None:
        """Let the listeners run until the end."""
        self._run = asyncio.create_task(self.listeners.run(self))
        await asyncio.sleep(0)

    async def end(self) -> None:
        """Cancel the listeners as the engine does, and what would start them again."""
        ending = [*self._restarts, *([self._run] if self._run else [])]
        for task in ending:
            task.cancel()
        for task in ending:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def idling(
    port: int,
    *,
    ca: Path | None = None,
    encryption: Encryption = Encryption.IF_DEMANDED,
    logins: Mapping[PushUser, str] = LOGINS,
    password: str = PASSWORD,
    settings: Mapping[Property[Any], object] = MappingProxyType({}),
    marks: Marks | None = None,
    clock: Clock | None = None,
    answer_s: float = 15.0,
    is_kept: bool = False,
    is_run: bool = True,
) -> AsyncIterator[Idling]:
    """Let listeners run for the users that are started; at the end they are cancelled as at the engine's."""
    known = settings_of({**_ALWAYS, **settings})
    clock = clock or SystemClock()
    mailboxes = Mailboxes(
        MailServer("localhost" if ca else "127.0.0.1", port, encryption, ca), LogInGate(clock, 0, "x")
    )
    openings = Openings(mailboxes, Nobody(), None, Live(logins, password), known, clock)
    marks = marks or Marks()
    place = Idling(marks, is_kept)
    place.listeners = IdleListeners(openings, place, marks, known, clock, answer_s=answer_s)
    if is_run:
        await place.run()
    try:
        yield place
    finally:
        await place.end()
        await mailboxes.aclose()


def mail(subject: str, body: str = "at noon") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Änna <anna@example.com>"
    message["Subject"] = subject
    message.set_content(body)
    return message


def sockets() -> set[str]:
    """Return the sockets of this process, by their numbers in the system."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself
            found.add(str(each.readlink()))
    return {name for name in found if name.startswith("socket:")}
