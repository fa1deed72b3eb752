"""Opening mailboxes at the mail server, each log-in through the gate: for apps, for commands and for listeners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from oxpushctl.config.own import LOGIN_RATE, TLS_CA
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.config.settings import Settings
from oxpushctl.errors import NotReachable
from oxpushctl.interfaces import Clock, MailboxOpener
from oxpushctl.listeners import strangers_gate
from oxpushctl.listeners.imap import ImapConnection, ImapDoor
from oxpushctl.listeners.log_in_gate import AT_A_TIME, LogInGate
from oxpushctl.listeners.mail_server import LogIn, MailServer
from oxpushctl.listeners.strangers_gate import StrangersGate

# A log-in never waits for a thread while its time runs; the others say farewell, or speak on connections that are open.
_THREADS = AT_A_TIME + strangers_gate.AT_A_TIME + 12


class Mailboxes:
    """Opens mailboxes at one mail server; ``gate`` is the one that this process has for it.

    Whatever is opened raises ``LogInRefused`` (77), ``ServerUnreachable`` (69), ``ServerBusy`` or, where we hold back
    ourselves, ``LogInsHeldBack`` (75), and ``ConfigurationError`` for authorities that cannot be read.
    """

    def __init__(self, server: MailServer, gate: LogInGate) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mail server")
        self._door = ImapDoor(server, threads=self._threads)
        self._gate = gate
        self._strangers = StrangersGate(gate)

    @classmethod
    def from_settings(cls, settings: Settings, etc: Path, clock: Clock) -> Self | None:
        """Return those of the configured mail server, ``None`` if there is none."""
        server = MailServer.from_settings(settings, etc)
        return None if server is None else cls(server, LogInGate(clock, settings[LOGIN_RATE], str(server)))

    @property
    def name(self) -> str:
        """The mail server's address."""
        return str(self._door.server)

    @property
    def paused_s(self) -> float:
        """For how many seconds more nobody is logged in, after so many refusals; 0 if log-ins go on."""
        return self._gate.paused_s

    def reload(self, settings: Settings, etc: Path) -> None:
        """Take over other authorities, or others in the same file; a connection that is open stays."""
        ca = settings[TLS_CA]
        server = replace(self._door.server, ca=None if ca is None else etc / ca)
        self._door = ImapDoor(server, threads=self._threads)

    def for_strangers(self) -> MailboxOpener:
        """Return what tries names that nobody here has, through a gate of their own: they keep nobody else out."""
        return _ForStrangers(self)

    async def try_log_in(self, name: str, password: str, address: str | None = None) -> None:
        """Log in and out again; ``address`` is that of the client on whose behalf."""
        async with self.open(LogIn(name, password), address):
            pass

    async def try_stranger(self, name: str, password: str, address: str | None = None) -> None:
        """Do the same under a name that nobody here has."""
        connection = await self._logged_in(LogIn(name, password), address, self._strangers)
        await connection.aclose()

    @asynccontextmanager
    async def open(self, log_in: LogIn, address: str | None = None) -> AsyncIterator[ImapConnection]:
        """Open a mailbox; it is logged out of when the block is left."""
        connection = await self.logged_in(log_in, address)
        try:
            yield connection
        finally:
            await connection.aclose()

    async def logged_in(self, log_in: LogIn, address: str | None = None) -> ImapConnection:
        """Open a mailbox for the caller to close; between its commands a connection holds no thread."""
        return await self._logged_in(log_in, address, self._gate)

    async def aclose(self) -> None:
        """Wait for what the threads have begun; everything in them ends at a deadline of its own."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _logged_in(self, log_in: LogIn, address: str | None, gate: LogInGate | StrangersGate) -> ImapConnection:
        async with gate.admitted(log_in.name):
            connection = await self._door.connect()
            try:
                await connection.log_in(log_in, address)
            except BaseException:
                await connection.aclose()
                raise
            return connection


class _ForStrangers:
    """A ``MailboxOpener`` through the strangers' gate."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes

    async def try_log_in(self, name: str, password: str, address: str | None = None) -> None:
        """Log in and out again."""
        await self._mailboxes.try_stranger(name, password, address)


class NoMailServer:
    """Stands where a mail server is not configured: nobody is let in."""

    async def try_log_in(self, name: str, password: str, address: str | None = None) -> None:
        """Raise ``NotReachable``."""
        raise NotReachable(f"{MAIL_SERVER_URL.key} is not set: nobody can be logged in")
