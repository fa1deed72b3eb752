"""Mailboxes of a real Dovecot as their owners fill them, and connections of ours to them."""

from __future__ import annotations

import imaplib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.message import EmailMessage

from oxpushctl.listeners.imap import ImapConnection, ImapDoor
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer
from tests.peers.dovecot import HOST, PASSWORD, Dovecot


def message(subject: str, sender: str = "Anna <anna@example.com>", text: str = "at noon") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = sender, subject
    mail.set_content(text)
    return mail


@asynccontextmanager
async def connected(port: int, name: str, *, answer_s: float = 10.0) -> AsyncIterator[ImapConnection]:
    """Log in as we do."""
    door = ImapDoor(MailServer(HOST, port, Encryption.IF_DEMANDED), connect_s=10.0, answer_s=answer_s)
    connection = await door.connect()
    try:
        await connection.log_in(LogIn(name, PASSWORD))
        yield connection
    finally:
        await connection.aclose()


@contextmanager
def owner(dovecot: Dovecot, name: str, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
    """Log in as the mailbox's owner does, with a folder open."""
    with imaplib.IMAP4(HOST, dovecot.imap_port, timeout=30) as imap:
        imap.login(name, PASSWORD)
        imap.create(folder)
        imap.select(folder)
        yield imap
