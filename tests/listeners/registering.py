"""Dovecot listeners at a real Dovecot, with all that they are made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS, DOVEADM_SECRET, PREFER_DOVEADM
from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import CREDSTORAGE_ENABLED, PASSCRYPT
from oxpushctl.config.property import Property
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import RegisteredMailboxes
from oxpushctl.listeners.doveadm import Doveadm
from oxpushctl.listeners.dovecot import DovecotListeners
from oxpushctl.listeners.dovecot_registrar import Cleared, Intend, Mailbox, Registered, Standing
from oxpushctl.listeners.dovecot_registry import Registry
from oxpushctl.listeners.dovecot_value import Values
from oxpushctl.listeners.lingering import LingeringSessions
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.listeners.namesakes import Namesakes
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import DirectoryEntry, PushUser, RegisteredMailbox
from oxpushctl.registration import derive_key, sign
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes
from tests.engine.parts import HandClock
from tests.listeners.openers import Opener, opener
from tests.listeners.people import settings
from tests.peers.dovecot import Dovecot

DOVEADM_KEY = "a key of doveadm's"
PASSPHRASE = "a passphrase of everybody's"
KEY = derive_key(PASSPHRASE)
SIGNED: Mapping[Property[Any], object] = {CREDSTORAGE_ENABLED: True, PASSCRYPT: PASSPHRASE, REGISTRATION: "signed"}


def signed(user: PushUser) -> str:
    return f"user={sign(user, KEY)}"


def over_doveadm(dovecot: Dovecot) -> Mapping[Property[Any], object]:
    """Have everybody registered over doveadm."""
    return {**with_doveadm(dovecot), PREFER_DOVEADM: True}


def with_doveadm(dovecot: Dovecot) -> Mapping[Property[Any], object]:
    """Have doveadm at hand."""
    return {DOVEADM_ENABLED: True, DOVEADM_SECRET: DOVEADM_KEY, DOVEADM_ENDPOINTS: (dovecot.doveadm_url,)}


@dataclass
class Watched:
    """A ``Watch`` that keeps what it hears."""

    proven_users: list[PushUser] = field(default_factory=list)
    lost_users: dict[PushUser, OxpushctlError] = field(default_factory=dict)

    def proven(self, user: PushUser) -> None:
        self.proven_users.append(user)

    def lost(self, user: PushUser, error: OxpushctlError) -> None:
        self.lost_users[user] = error


@dataclass
class Ground:
    """What a test wants at hand; ``values`` are the settings."""

    opener: Opener
    database: Database
    mailboxes: SqlRegisteredMailboxes
    registry: Registry
    names: MailboxNames
    sessions: LingeringSessions
    values: Mapping[Property[Any], object]
    clock: HandClock
    gaps: list[PushUser] = field(default_factory=list)

    def listeners(self) -> DovecotListeners:
        """Make listeners as an engine does that starts."""
        return DovecotListeners(
            self.registry,
            self.names,
            settings(self.values),
            self.clock,
            on_gap=self.gaps.append,
            sessions=self.sessions,
        )

    async def remembered(self) -> list[RegisteredMailbox]:
        return list(await self.mailboxes.page(None, 1000))


@asynccontextmanager
async def ground(
    folder: Path,
    dovecot: Dovecot | int,
    more: Mapping[Property[Any], object] | None = None,
    *,
    entries: Sequence[DirectoryEntry] = (),
    has_vault: bool = True,
) -> AsyncIterator[Ground]:
    """Put the parts together at a Dovecot, or at the port of another mail server, and end them."""
    port = dovecot if isinstance(dovecot, int) else dovecot.imap_port
    values = {**SIGNED, **(more or {})}
    configured = settings(values)
    async with opener(folder, port, values, entries=entries, has_vault=has_vault) as opened:
        kept = opened.vault if has_vault else None
        sessions = LingeringSessions(opened.sessions)
        openings = Openings(opened.mailboxes, opened.directory, kept, sessions, configured, opened.clock)
        names = MailboxNames(opened.directory, kept, configured)
        namesakes = Namesakes(opened.directory, opened.clock)
        doveadm = Doveadm.from_settings(configured, folder, opened.clock)
        database = Database.open(f"sqlite:///{folder}/registered.db")
        mailboxes = SqlRegisteredMailboxes(database)
        registry = Registry.from_settings(configured, openings, doveadm, names, namesakes, mailboxes, opened.clock)
        try:
            yield Ground(opened, database, mailboxes, registry, names, sessions, values, opened.clock)
        finally:
            if doveadm is not None:
                await doveadm.aclose()
            await openings.aclose()
            await namesakes.aclose()
            await database.aclose()


class Memory(RegisteredMailboxes):
    """Remembers in this process; ``failures`` are raised first, one a page."""

    def __init__(self, *rows: RegisteredMailbox) -> None:
        self.rows = {row.user: row for row in rows}
        self.failures: list[OxpushctlError] = []

    async def read(self, users: Sequence[PushUser]) -> Mapping[PushUser, RegisteredMailbox]:
        return {user: self.rows[user] for user in users if user in self.rows}

    async def page(self, after: PushUser | None, most: int) -> Sequence[RegisteredMailbox]:
        if self.failures:
            raise self.failures.pop(0)
        behind = sorted(user for user in self.rows if after is None or user > after)
        return [self.rows[user] for user in behind[:most]]

    async def put(self, rows: Sequence[RegisteredMailbox]) -> None:
        self.rows |= {row.user: row for row in rows}

    async def remove(self, users: Sequence[PushUser]) -> None:
        for user in users:
            self.rows.pop(user, None)


class Board:
    """A ``Registrar`` whose mailboxes are here: what each has, and the errors that some raise."""

    def __init__(self, at_once: int = 1) -> None:
        self.at_once = at_once
        self.standing: dict[PushUser, str] = {}
        self.errors: dict[PushUser, OxpushctlError] = {}
        self.asked: list[list[PushUser]] = []

    def reload(self, settings: object) -> None:
        pass

    async def verify_or_set(
        self, mailboxes: Sequence[Mailbox], values: Values, intend: Intend | None
    ) -> Sequence[Registered | OxpushctlError]:
        self.asked.append([each.user for each in mailboxes])
        return [self.errors.get(each.user) or await self._registered(each.user, values, intend) for each in mailboxes]

    async def unset(
        self, mailboxes: Sequence[Mailbox], values: Values, *, is_dry: bool = False
    ) -> Sequence[Cleared | OxpushctlError]:
        self.asked.append([each.user for each in mailboxes])
        return list(self._cleared(mailboxes, is_dry=is_dry))

    async def unset_former(self, mailboxes: Sequence[Mailbox], values: Values) -> Sequence[Cleared | OxpushctlError]:
        return await self.unset(mailboxes, values)

    async def _registered(self, user: PushUser, values: Values, intend: Intend | None) -> Registered:
        there, value = self.standing.get(user), values.of(user)
        found = Standing.ALREADY if there == value else Standing.WRITTEN if there is None else Standing.REPLACED
        registered = Registered(user, f"login{user}", found)
        if intend is not None and found is not Standing.ALREADY:
            await intend([registered])
            self.standing[user] = value
        return registered

    def _cleared(self, mailboxes: Sequence[Mailbox], *, is_dry: bool) -> Iterator[Cleared | OxpushctlError]:
        for each in mailboxes:
            if each.user in self.errors:
                yield self.errors[each.user]
            elif each.user not in self.standing:
                yield Cleared.NOTHING
            else:
                if not is_dry:
                    del self.standing[each.user]
                yield Cleared.REMOVED
