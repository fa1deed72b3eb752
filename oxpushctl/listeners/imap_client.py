"""What is said to the mail server: imapclient on a wire of ours, and imaplib where imapclient would say too much.

Up to the log-in, and for the farewell, imaplib is spoken to directly: imapclient decodes answers as ASCII, and logs
those that are not, with what they quote of a password; and a connection that ended is to it a refusal.
The commands of a user that is logged in are imapclient's to word and to read, and imaplib's to send, for the first
of these reasons.
Source: RFC 3501; RFC 4616 (PLAIN); RFC 2595 (STARTTLS); RFC 2971 (ID).
"""

from __future__ import annotations

import imaplib
import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from imapclient import IMAPClient

from oxpushctl import __version__
from oxpushctl.listeners.imap_echo import quoted
from oxpushctl.listeners.imap_wire import Wire
from oxpushctl.listeners.mail_server import LogIn, MailServer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


T = TypeVar("T")

# Servers have one offer or two; one that makes another to everybody is not remembered without end.
_MOST_SHARED = 100
_LONGEST_NUMBER = 20
# An answer as imaplib has it: what stands before each literal with the literal, and at last what is left of the line.
Answer = Sequence[bytes | tuple[bytes, bytes]]


class Client(IMAPClient):  # type: ignore[misc]  # imapclient brings no types
    """imapclient on a wire of ours; ``offered`` is what the server offers before a log-in."""

    def __init__(self, server: MailServer, wire: Wire) -> None:
        self._wire = wire
        super().__init__(server.host, server.port, ssl=False)
        self._imap.debug = 0  # its debug log would hold passwords
        self.offered = frozenset(self._imap.capabilities)

    def introduce(self, address: str | None) -> None:
        """Say who we are, and on whose behalf; a server that does not care to know refuses, and that is all."""
        fields = {"name": "oxpushctl", "version": __version__}
        if address is not None and (known := _plain_address(address)):
            fields["x-originating-ip"] = known
        pairs = " ".join(f"{quoted(name)} {quoted(value)}" for name, value in fields.items())
        try:
            self._imap.xatom("ID", f"({pairs})")
        except imaplib.IMAP4.abort:  # the connection has ended
            raise
        except imaplib.IMAP4.error:
            pass
        for said in ("ID", "CAPABILITY"):  # an offer to nobody is not to be taken for one to the user
            self._imap.untagged_responses.pop(said, None)

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

    def shed(self, shared: dict[object, object]) -> None:
        """Forget what commands left behind: a connection that only waits shall cost little.

        What it knows of the server's offers it has in common with others, in ``shared``.
        """
        imap = self._imap
        imap.untagged_responses.clear()
        imap.mo, imap.welcome, imap.continuation_response = None, b"", b""
        vars(imap).get("_cmd_log", {}).clear()  # what it would print after an error: the last ten lines
        imap.capabilities = same(imap.capabilities, shared)
        self.offered = same(self.offered, shared)
        self._cached_capabilities: tuple[bytes, ...] | None = same(self._cached_capabilities, shared)

    def told(self, command: str, *arguments: str, by: str) -> list[Answer]:
        """Run a command of a user that is logged in; return the untagged answers of a kind that came with it.

        A refusal is raised as imaplib's error. It is none after some of the mails that were to be fetched: the others
        are gone (RFC 5530, EXPUNGEISSUED).
        """
        # All that speak imaplib in this process share it, and xatom allows what is new in the state of now alone.
        imaplib.Commands[command] = ("AUTH", "SELECTED")
        self._imap.untagged_responses.pop(by, None)
        status, lines = self._imap.xatom(command, *arguments)
        answers = _answers(self._imap.untagged_responses.pop(by, []))
        if status != "OK" and not (answers and by == "FETCH"):
            raise imaplib.IMAP4.error(lines[-1])
        return answers

    def examine(self, folder: str) -> dict[str, int]:
        """Open a folder read-only; return the numbers that are told about it."""
        status, lines = self._imap.select(self._normalise_folder(folder), readonly=True)
        if status != "OK":
            raise imaplib.IMAP4.error(lines[-1])
        told = self._imap.untagged_responses
        self._imap.untagged_responses = {}
        return {kind: int(values[-1]) for kind, values in told.items() if values[-1:] and _is_number(values[-1])}

    def allow_another_answer(self) -> None:
        """Let the answer to the next command of several be as large as the first may be."""
        self._wire.allow_another_answer()

    @property
    def has_news(self) -> bool:
        """Whether the server told of mails in the open folder beside its answers, since that was last forgotten."""
        return "EXISTS" in self._imap.untagged_responses

    def forget_news(self) -> None:
        """Forget what the server told beside its answers, about mails that came and went."""
        for kind in ("EXISTS", "EXPUNGE", "RECENT", "FLAGS", "OK"):
            self._imap.untagged_responses.pop(kind, None)

    def count_told(self, kind: str) -> int:
        """Return how often something was told beside the answers, since that was last forgotten."""
        return len(self._imap.untagged_responses.get(kind, []))

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


def _answers(lines: Sequence[bytes | tuple[bytes, bytes]]) -> list[Answer]:
    """Tell one answer from the next: what comes without a literal ends it."""
    answers: list[Answer] = []
    begun: list[bytes | tuple[bytes, bytes]] = []
    for line in lines:
        begun.append(line)
        if isinstance(line, bytes):
            answers.append(begun)
            begun = []
    return answers


def _is_number(value: object) -> bool:
    return isinstance(value, bytes) and value.isdigit() and len(value) <= _LONGEST_NUMBER


def _offer(lines: list[bytes | None]) -> frozenset[str]:
    """Read what imaplib returns for CAPABILITY: the last line is what the server said last, ``None`` is nothing."""
    return frozenset(str(lines[-1] or b"", "ascii", "replace").upper().split())


def same(offer: T, shared: dict[object, object]) -> T:
    """Return an offer as another connection has it, if one has."""
    return cast(T, shared.setdefault(offer, offer)) if len(shared) < _MOST_SHARED else offer


def _plain_address(address: str) -> str:
    """Return an address as a mail server reads it, without the zone that only this machine knows; else nothing."""
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return ""
