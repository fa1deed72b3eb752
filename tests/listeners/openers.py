"""Openings at a real mail server, with a vault, live sessions and a directory, and which log-ins they made there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oxpushctl.config.own import MASTER_USER
from oxpushctl.config.properties import CREDSTORAGE_ENABLED, MASTER_PASSWORD, PASSWORD_SOURCE
from oxpushctl.config.property import Property
from oxpushctl.listeners.log_in_gate import LogInGate
from oxpushctl.listeners.mail_server import Encryption, MailServer
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import Credential, CredentialState, DirectoryEntry, KeptCredential, Origin, PushUser
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.stores.vault import Vault
from tests.engine.parts import HandClock
from tests.listeners.people import MASTER, people, settings

KEPT: Mapping[Property[Any], object] = {CREDSTORAGE_ENABLED: True}
GLOBAL: Mapping[Property[Any], object] = {
    PASSWORD_SOURCE: "global",
    MASTER_USER: MASTER[0],
    MASTER_PASSWORD: MASTER[1],
}


class Gate(LogInGate):
    """Keeps the names of those that it lets through."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock, 0, "the mail server")
        self.names: list[str] = []

    @asynccontextmanager
    async def admitted(self, name: str) -> AsyncIterator[None]:
        async with super().admitted(name):
            self.names.append(name)
            yield


class Sessions:
    """``LiveSessions``."""

    def __init__(self) -> None:
        self.passwords: dict[PushUser, list[Credential]] = {}

    def credentials(self, user: PushUser) -> Sequence[Credential]:
        return self.passwords.get(user, [])


@dataclass
class Opener:
    """What a test wants at hand."""

    openings: Openings
    directory: SqlUserDirectory
    rows: MemoryCredentialRows
    vault: Vault
    gate: Gate
    clock: HandClock
    mailboxes: Mailboxes
    sessions: Sessions = field(default_factory=Sessions)

    async def keep(self, user: PushUser, login: str, password: str) -> None:
        await self.vault.put(Credential(user, login, password), Origin.COMMAND)

    def log_in(self, user: PushUser, login: str, *passwords: str) -> None:
        self.sessions.passwords[user] = [Credential(user, login, password) for password in passwords]

    async def state(self, user: PushUser) -> CredentialState | None:
        kept = await self.rows.get(user)
        return None if kept is None else kept.state

    async def put_value(self, user: PushUser, login: str, value: str) -> None:
        """Keep what nobody encrypted."""
        await self.vault.open()
        await self.rows.put([KeptCredential(user, login, value, Origin.COMMAND)], await self.rows.seals())

    async def open(self, user: PushUser, *, is_permanent: bool = True) -> str:
        """Open a mailbox and close it; return the name that did it."""
        opened = await self.openings.opened(user, is_permanent=is_permanent)
        await opened.connection.aclose()
        return opened.name

    @contextmanager
    def tried(self, *names: str) -> Iterator[None]:
        """See that the block tries these log-ins and no others."""
        self.gate.names.clear()
        yield
        assert self.gate.names == list(names)


@asynccontextmanager
async def opener(
    folder: Path,
    port: int,
    values: Mapping[Property[Any], object] = KEPT,
    *,
    entries: Sequence[DirectoryEntry] = (),
    rows: MemoryCredentialRows | None = None,
    has_vault: bool = True,
) -> AsyncIterator[Opener]:
    """Make openings at the mail server of a port, and end them."""
    clock = HandClock()
    gate = Gate(clock)
    rows = MemoryCredentialRows() if rows is None else rows
    vault = Vault(rows, "a passphrase")
    mailboxes = Mailboxes(MailServer("127.0.0.1", port, Encryption.IF_DEMANDED), gate)
    sessions = Sessions()
    try:
        async with people(folder, *entries) as directory:
            kept = vault if has_vault else None
            openings = Openings(mailboxes, directory, kept, sessions, settings(values), clock)
            yield Opener(openings, directory, rows, vault, gate, clock, mailboxes, sessions)
            await openings.aclose()
    finally:
        await mailboxes.aclose()
        await vault.aclose()
