"""The door to the mail server: connect, encrypt and log in, with imapclient behind it and a deadline on everything.

``connection = await ImapDoor(server).connect()``, then ``await connection.log_in(…)``, ``await connection.aclose()``.
imapclient blocks, so each step runs in a thread; on a wire of our own it waits for one deadline, not for one a read.
What is no IMAP makes imaplib raise Python's own errors as well as those of its own.
Source: RFC 3501; RFC 4616 (PLAIN); RFC 2595 (STARTTLS); RFC 2971 (ID).
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import re
import ssl
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import cached_property
from typing import TypeVar, get_args

from oxpushctl.config.own import TLS_CA
from oxpushctl.errors import ConfigurationError
from oxpushctl.listeners import imap_troubles as troubles
from oxpushctl.listeners.imap_client import Client, same
from oxpushctl.listeners.imap_wire import Wire
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer
from oxpushctl.look_up import Found, looked_up

T = TypeVar("T")

CONNECT_S = 10.0
ANSWER_S = 15.0
_FAREWELL_S = 1.0
_UNSENDABLE = re.compile(r"[\0\r\n\ud800-\udfff]")
_TROUBLES = (OSError, imaplib.IMAP4.error, *get_args(troubles.UNREADABLE))


class ImapDoor:
    """Opens connections to one mail server.

    ``connect_s`` is the time from the look-up of the host's name to a connection that takes a log-in, ``answer_s`` that
    of each command after it. ``threads`` are those that wait for the server, by default the event loop's own: time runs
    while a step waits for one.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
        threads: Executor | None = None,
    ) -> None:
        self.server = server
        self._connect_s = connect_s
        self._answer_s = answer_s
        self._threads = threads
        self._looked_up: Future[Found] | None = None

    async def connect(self) -> ImapConnection:
        """Return a connection that takes a log-in.

        Raise ``ServerUnreachable`` or one of its kinds, ``ServerBusy``, or ``ConfigurationError`` for authorities that
        cannot be read.
        """
        wire = Wire(self.server.host)
        wire.allow(self._connect_s)
        try:
            addresses = await self._addresses(wire)
            client = await _in_thread(self._threads, wire, lambda: self._opened(wire, addresses))
        except BaseException:
            wire.close()
            raise
        return ImapConnection(self.server, wire, client, self._answer_s, self._threads)

    async def _addresses(self, wire: Wire) -> Found:
        """Look the host up; whoever connects meanwhile waits for the same answer, not for a thread more."""
        if self._looked_up is None or self._looked_up.done():
            self._looked_up = looked_up(self.server.host, self.server.port)
        try:
            async with asyncio.timeout(wire.left_s()):
                return await asyncio.wrap_future(self._looked_up)
        except (OSError, UnicodeError) as error:  # TimeoutError is one of them
            raise troubles.not_resolved(self.server) from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        ca = self.server.ca
        if ca is not None:
            try:
                context.load_verify_locations(ca)
            except OSError as error:  # ssl.SSLError is one of them
                reason = "holds no certificates in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
                raise ConfigurationError(f"{TLS_CA.key}: {ca}: {reason}") from error
        return context

    def _opened(self, wire: Wire, addresses: Found) -> Client:
        server = self.server
        try:
            wire.connect(addresses)
        except OSError as error:
            raise troubles.not_connected(server, error) from error
        if server.encryption is Encryption.TLS:
            self._encrypt(wire)
        try:
            client = Client(server, wire)
        except _TROUBLES as error:
            raise troubles.no_greeting(server, error, is_silent=not wire.has_heard) from error
        self._encrypt_if_wanted(wire, client)
        return client

    def _encrypt_if_wanted(self, wire: Wire, client: Client) -> None:
        is_offered = "STARTTLS" in client.offered
        match self.server.encryption:
            case Encryption.TLS:
                return
            case Encryption.STARTTLS:
                is_wanted = True
            case Encryption.IF_OFFERED:
                is_wanted = is_offered
            case Encryption.IF_DEMANDED:
                is_wanted = is_offered and "LOGINDISABLED" in client.offered
        if is_wanted and not is_offered:
            raise troubles.no_starttls(self.server)
        if is_wanted:
            self._begin_tls(wire, client)

    def _begin_tls(self, wire: Wire, client: Client) -> None:
        try:
            client.ask_for_tls()
        except (OSError, imaplib.IMAP4.abort, *get_args(troubles.UNREADABLE)) as error:
            raise troubles.no_greeting(self.server, error) from error
        except imaplib.IMAP4.error as error:
            raise troubles.no_starttls(self.server, troubles.answer_of(error)) from error
        self._encrypt(wire)
        try:
            client.ask_again()
        except _TROUBLES as error:
            raise troubles.no_greeting(self.server, error) from error

    def _encrypt(self, wire: Wire) -> None:
        tls = self._tls  # a file that cannot be read is no trouble of the server's
        try:
            wire.encrypt(tls)
        except OSError as error:
            raise troubles.not_encrypted(self.server, error) from error


class ImapConnection:
    """A connection to the mail server; one task uses it at a time."""

    def __init__(
        self, server: MailServer, wire: Wire, client: Client, answer_s: float, threads: Executor | None
    ) -> None:
        self.server = server
        self._wire = wire
        self._client = client
        self._answer_s = answer_s
        self._threads = threads
        self.capabilities: frozenset[str] = client.offered
        """What the server offers, in upper case; after a log-in to that user."""

    async def log_in(self, log_in: LogIn, address: str | None = None) -> None:
        """Open a user's mailbox; raise ``LogInRefused``, ``ServerBusy`` or ``TakesNoPasswords``.

        After a refusal another may be tried.

        ``address`` is that of the client on whose behalf. The mail server is told where it takes an ID; whether it
        counts and logs that address in the place of ours is its own decision (Dovecot's login_trusted_networks).
        """
        if _UNSENDABLE.search(log_in.name + log_in.password):
            reason = f"no log-in can carry the name or password for {log_in.name!r}"
            raise troubles.LogInRefused(reason, "one of them has a line end, a NUL or half a character in it")
        if "ID" in self.capabilities:
            await self._ask(log_in, lambda: self._client.introduce(address))
        if "AUTH=PLAIN" in self.capabilities:
            await self._ask(log_in, lambda: self._client.authenticate(log_in))
        elif "LOGINDISABLED" in self.capabilities:
            reason = f"{self.server} takes no passwords: it offers neither AUTH=PLAIN nor LOGIN"
            raise troubles.TakesNoPasswords(reason, "let the mail server offer PLAIN, over TLS or from this address")
        elif not (log_in.name + log_in.password).isascii():
            reason = f"{self.server} offers no AUTH=PLAIN, and LOGIN takes ASCII only"
            hint = f"let the mail server offer PLAIN, for {log_in.name!r} and the like"
            raise troubles.TakesNoPasswords(reason, hint)
        else:
            await self._ask(log_in, lambda: self._client.log_in(log_in))
        self.capabilities = await self._ask(log_in, self._client.offered_to_user)

    async def ask(self, command: Callable[[Client], T], *, answer_s: float | None = None) -> T:
        """Run a command of a user that is logged in, in a thread; ``answer_s`` is its time if not the usual.

        Raise ``ServerUnreachable`` when the connection ended or its time was up; the command raises what it likes
        for a refusal.
        """
        self._wire.allow(self._answer_s if answer_s is None else answer_s)
        try:
            return await _in_thread(self._threads, self._wire, lambda: command(self._client))
        except _TROUBLES as error:
            raise troubles.not_answered(self.server, error) from error

    @property
    def wire(self) -> Wire:
        """The socket, for who waits on it without a thread, between two commands."""
        return self._wire

    def shed(self, shared: dict[object, object]) -> None:
        """Make itself small for a long wait; what many connections have in common is kept once, in ``shared``."""
        self._client.shed(shared)
        self.capabilities = same(self.capabilities, shared)

    @property
    def has_news(self) -> bool:
        """Whether the server told of mails beside its answers since ``imap_mailbox.found`` last began to look.

        It tells each once: whoever goes on to wait would hear of them with the next one only.
        """
        return self._client.has_news

    async def aclose(self) -> None:
        """Log out if that is quick, and close the connection."""
        self._wire.allow(_FAREWELL_S)
        with contextlib.suppress(*_TROUBLES):
            await _in_thread(self._threads, self._wire, self._client.take_leave)
        self._wire.close()

    async def _ask(self, log_in: LogIn, command: Callable[[], T]) -> T:
        self._wire.allow(self._answer_s)
        try:
            return await _in_thread(self._threads, self._wire, command)
        except _TROUBLES as error:
            # From nothing: a server's answer may quote the log-in, password included.
            raise troubles.not_logged_in(self.server, log_in, error) from None


async def _in_thread(threads: Executor | None, wire: Wire, work: Callable[[], T]) -> T:
    """Run what blocks on a wire; it ends at the wire's deadline, and a cancelled caller ends it at once."""
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, work)
    except asyncio.CancelledError:
        wire.cut()
        raise
