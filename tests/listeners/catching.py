"""Catching up at a real mail server, with a user whose mailbox is of that test alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from oxpushctl.config.property import Property
from oxpushctl.errors import NotKept, NotReachable
from oxpushctl.listeners.catching_up import CatchingUp
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.listeners.namesakes import Namesakes
from oxpushctl.model import DirectoryEntry, MailEvent, Mark, PushUser
from tests.engine.parts import HandClock
from tests.listeners.boxes import message
from tests.listeners.doveadm_scripted import asking
from tests.listeners.openers import KEPT, Opener, opener
from tests.listeners.people import settings
from tests.peers.dovecot import PASSWORD, Dovecot

numbers = count(1)
Values = Mapping[Property[Any], object]


class Marks:
    """``Watermarks`` in memory.

    So many ``troubles`` are raised; ``heard`` is what comes right after a mark was read.
    """

    def __init__(self) -> None:
        self.of: dict[PushUser, Mark] = {}
        self.troubles = 0
        self.trouble: Exception = NotReachable("the database does not answer")
        self.heard: dict[PushUser, Mark] = {}

    async def mark(self, user: PushUser) -> Mark | None:
        await asyncio.sleep(0)
        if self.troubles:
            self.troubles -= 1
            raise self.trouble
        mark = self.of.get(user)
        self.of |= self.heard
        return mark

    def advance(self, user: PushUser, uidvalidity: int, uidnext: int) -> None:
        self.of[user] = Mark(uidvalidity, uidnext, self.of[user].recent if user in self.of else ())


class Sink:
    """``EventSink``; refuses so many events, and has a bug over those of ``unlucky``."""

    def __init__(self) -> None:
        self.events: list[MailEvent] = []
        self.refusals = 0
        self.unlucky: PushUser | None = None

    async def accept(self, event: MailEvent) -> None:
        if event.user == self.unlucky:
            raise LookupError(event.subject)
        if self.refusals:
            self.refusals -= 1
            raise NotKept("the outbox is full")
        self.events.append(event)

    @property
    def subjects(self) -> list[str]:
        return [event.subject for event in self.events]


class RealTime(HandClock):
    """The mail server's own time, in which nobody rests."""

    def __init__(self) -> None:
        super().__init__(time.time())
        self.rests: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Place:
    """A user with a mailbox of its own, and who catches up."""

    dovecot: Dovecot
    user: PushUser
    name: str
    at: Opener
    doveadm_url: str | None
    clock: RealTime = field(default_factory=RealTime)
    marks: Marks = field(default_factory=Marks)
    sink: Sink = field(default_factory=Sink)

    @asynccontextmanager
    async def catching_up(self, values: Values | None = None) -> AsyncIterator[CatchingUp]:
        configured = settings({**KEPT, **(values or {})})
        async with AsyncExitStack() as stack:
            doveadm = None
            if self.doveadm_url is not None:
                doveadm = await stack.enter_async_context(asking(self.doveadm_url))
            namesakes = Namesakes(self.at.directory, self.clock)
            stack.push_async_callback(namesakes.aclose)
            names = MailboxNames(self.at.directory, self.at.vault, configured)
            yield CatchingUp(doveadm, names, namesakes, self.at.openings, self.sink, self.marks, configured, self.clock)

    async def caught_up(self, values: Values | None = None) -> int:
        async with self.catching_up(values) as catching_up:
            return await catching_up.catch_up([self.user])

    async def add(self, name: str, password: str = PASSWORD) -> PushUser:
        """Add a user to the directory, and keep its password."""
        user = PushUser(1, next(numbers))
        await self.at.directory.add(DirectoryEntry(user, name, name if "@" in name else ""))
        if password:
            await self.at.keep(user, name, password)
        return user

    def deliver(self, *subjects: str) -> None:
        for subject in subjects:
            self.dovecot.deliver([self.name], message(subject))


@asynccontextmanager
async def place_at(folder: Path, dovecot: Dovecot, way: str) -> AsyncIterator[Place]:
    """Make a user whose mailbox is looked into over ``doveadm``, or by ``log-ins``."""
    number = next(numbers)
    name, user = f"user{number}@example.com", PushUser(1, number)
    async with opener(folder, dovecot.imap_port, entries=[DirectoryEntry(user, name, name)]) as at:
        if way == "log-ins":
            await at.keep(user, name, PASSWORD)
        yield Place(dovecot, user, name, at, dovecot.doveadm_url if way == "doveadm" else None)
