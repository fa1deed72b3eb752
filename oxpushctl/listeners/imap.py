"""The door to the mail server: connect, encrypt and log in, with imapclient behind it and a deadline on everything.

``connection = await ImapDoor(server).connect()``, then ``await connection.log_in(…)``, ``await connection.aclose()``.
imapclient blocks, so each step runs in a thread; on a wire of our own it waits for one deadline, not for one a read.
What is no IMAP makes imaplib raise Python's own errors as well as those of its own.
Source: RFC 3501; RFC 4616 (PLAIN); RFC 2595 (STARTTLS).
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import re
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, get_args

from imapclient import IMAPClient

from oxpushctl.config.own import TLS_CA
from oxpushctl.errors import ConfigurationError
from oxpushctl.listeners import imap_troubles as troubles
from oxpushctl.listeners.imap_echo import quoted
from oxpushctl.listeners.imap_wire import Wire
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer
from oxpushctl.look_up import Found, looked_up

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

T = TypeVar("T")

CONNECT_S = 10.0
ANSWER_S = 15.0
_FAREWELL_S = 1.0
_UNSENDABLE = re.compile(r"[\0\r\n\ud800-\udfff]")
_TROUBLES = (OSError, imaplib.IMAP4.error, *get_args(troubles.UNREADABLE))


class ImapDoor:
    """Opens connections to one mail server.

    ``connect_s`` is the time from the look-up of the host's name to a connection that takes a log-in, ``answer_s`` that
    of each command after it.
    """

    def __init__(self, server: MailServer, *, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S) -> None:
        self.server = server
        self._connect_s = connect_s
        self._answer_s = answer_s
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
            client = await _in_thread(wire, lambda: self._opened(wire, addresses))
        except BaseException:
            wire.close()
            raise
        return ImapConnection(self.server, wire, client, self._answer_s)

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

    def _opened(self, wire: Wire, addresses: Found) -> _Client:
        server = self.server
        try:
            wire.connect(addresses)
        except OSError as error:
            raise troubles.not_connected(server, error) from error
        if server.encryption is Encryption.TLS:
            self._encrypt(wire)
        try:
            client = _Client(server, wire)
        except _TROUBLES as error:
            raise troubles.no_greeting(server, error, is_silent=not wire.has_heard) from error
        self._encrypt_if_wanted(wire, client)
        return client

    def _encrypt_if_wanted(self, wire: Wire, client: _Client) -> None:
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

    def _begin_tls(self, wire: Wire, client: _Client) -> None:
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

    def __init__(self, server: MailServer, wire: Wire, client: _Client, answer_s: float) -> None:
        self._server = server
        self._wire = wire
        self._client = client
        self._answer_s = answer_s
        self.capabilities: frozenset[str] = client.offered
        """What the server offers, in upper case; after a log-in to that user."""

    async def log_in(self, log_in: LogIn) -> None:
        """Open a user's mailbox; raise ``LogInRefused`` or ``ServerBusy``. After a refusal another may be tried."""
        if _UNSENDABLE.search(log_in.name + log_in.password):
            reason = f"no log-in can carry the name or password for {log_in.name!r}"
            raise troubles.LogInRefused(reason, "one of them has a line end, a NUL or half a character in it")
        if "AUTH=PLAIN" in self.capabilities:
            await self._ask(log_in, lambda: self._client.authenticate(log_in))
        elif "LOGINDISABLED" in self.capabilities:
            reason = f"{self._server} takes no passwords: it offers neither AUTH=PLAIN nor LOGIN"
            raise troubles.LogInRefused(reason, "let the mail server offer PLAIN, over TLS or from this address")
        elif not (log_in.name + log_in.password).isascii():
            reason = f"{self._server} offers no AUTH=PLAIN, and LOGIN takes ASCII only"
            raise troubles.LogInRefused(reason, f"let the mail server offer PLAIN, for {log_in.name!r} and the like")
        else:
            await self._ask(log_in, lambda: self._client.log_in(log_in))
        self.capabilities = await self._ask(log_in, self._client.offered_to_user)

    async def aclose(self) -> None:
        """Log out if that is quick, and close the connection."""
        self._wire.allow(_FAREWELL_S)
        with contextlib.suppress(*_TROUBLES):
            await _in_thread(self._wire, self._client.take_leave)
        self._wire.close()

    async def _ask(self, log_in: LogIn, command: Callable[[], T]) -> T:
        self._wire.allow(self._answer_s)
        try:
            return await _in_thread(self._wire, command)
        except _TROUBLES as error:
            # From nothing: a server's answer may quote the log-in, password included.
            raise troubles.not_logged_in(self._server, log_in, error) from None


class _Client(IMAPClient):  # type: ignore[misc]  # imapclient brings no types
    """imapclient on a wire of ours; ``offered`` is what the server offers before a log-in.

    Up to the log-in, and for the farewell, imaplib is spoken to directly: imapclient decodes answers as ASCII, and logs
    those that are not, with what they quote of a password; and a connection that ended is to it a refusal.
    """

    def __init__(self, server: MailServer, wire: Wire) -> None:
        self._wire = wire
        super().__init__(server.host, server.port, ssl=False)
        self._imap.debug = 0  # its debug log would hold passwords
        self.offered = frozenset(self._imap.capabilities)

    def authenticate(self, log_in: LogIn) -> None:
        """Log in with PLAIN."""
        self._imap.authenticate("PLAIN", lambda _: f"\0{log_in.name}\0{log_in.password}".encode())

    def log_in(self, log_in: LogIn) -> None:
        """Log in with the command LOGIN: imaplib quotes passwords, but no names."""
        self._imap.login(quoted(log_in.name), log_in.password)

    def offered_to_user(self) -> frozenset[str]:
        """Return what is offered after a log-in: most servers say it unasked."""
        lines = self._imap.untagged_responses.pop("CAPABILITY", None) or self._imap.capability()[1]
        return _offer(lines)

    def take_leave(self) -> None:
        """Log out, whatever the server says to that."""
        self._imap.logout()

    def ask_for_tls(self) -> None:
        """Ask for TLS; the wire is to be encrypted when this returns."""
        status, lines = self._imap.xatom("STARTTLS")
        if status != "OK":
            raise imaplib.IMAP4.error(lines[-1])

    def ask_again(self) -> None:
        """Ask what is offered: what was said before TLS is not to be believed (RFC 2595, 3.1)."""
        self.offered = _offer(self._imap.capability()[1])

    def _create_IMAP4(self) -> imaplib.IMAP4:  # imapclient's name
        return _Protocol(self._wire)


class _Protocol(imaplib.IMAP4):
    """imaplib's protocol; the methods that its documentation names for I/O use the wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__()

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """Take the wire as it is."""
        self.host, self.port, self.sock = host, port, self._wire.socket

    def read(self, size: int) -> bytes:
        """Read so many bytes."""
        return self._wire.read(size)

    def readline(self) -> bytes:
        """Read a line."""
        return self._wire.readline()

    def send(self, data: ReadableBuffer) -> None:
        """Send everything."""
        self._wire.send(data)

    def capability(self) -> tuple[str, list[bytes | None]]:
        """Ask what is offered, which imaplib does first of all; not after a greeting without a log-in to come."""
        if "PREAUTH" in self.untagged_responses:
            raise self.error("unexpected response: PREAUTH, everybody is logged in already")
        return super().capability()

    def shutdown(self) -> None:
        """Close the connection."""
        self._wire.close()


def _offer(lines: list[bytes | None]) -> frozenset[str]:
    """Read what imaplib returns for CAPABILITY: the last line is what the server said last, ``None`` is nothing."""
    return frozenset(str(lines[-1] or b"", "ascii", "replace").upper().split())


async def _in_thread(wire: Wire, work: Callable[[], T]) -> T:
    """Run what blocks on a wire; it ends at the wire's deadline, and a cancelled caller ends it at once."""
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        wire.cut()
        raise
