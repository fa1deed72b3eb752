"""IDLE sessions at a real Dovecot: what is pushed, what is not, and that nothing is lost or pushed twice."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from oxpushctl.config.listening import IDLE_FOLDER
from oxpushctl.config.own import CATCHUP_ENABLED, IDLE_RENEW
from oxpushctl.listeners.mail_server import Encryption
from oxpushctl.model import Address, Mark
from tests.listeners.idling import ANTON, BERTA, LOGINS, Marks, idling, mail
from tests.listeners.swallowing import way_to
from tests.peers.certificates import Authority
from tests.peers.dovecot import HOST, PASSWORD, Dovecot, LogIns
from tests.waiting import until

Storage = Literal["sdbox", "maildir"]
LOGIN = LOGINS[ANTON]
STORAGES = pytest.mark.parametrize("storage", ["sdbox", "maildir"])
LONG_AGO = '"01-Jan-2020 10:00:00 +0000"'


async def deliver(dovecot: Dovecot, *subjects: str, login: str = LOGIN) -> None:
    for subject in subjects:
        await asyncio.to_thread(dovecot.deliver, [login], mail(subject))


@contextmanager
def mail_app(dovecot: Dovecot, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
    """Open Anton's mailbox as an app that reads and writes."""
    with imaplib.IMAP4(HOST, dovecot.imap_port, timeout=20) as imap:
        imap.login(LOGIN, PASSWORD)
        imap.select(folder)
        yield imap


@STORAGES
async def test_new_mail(storage: Storage) -> None:
    """A mail becomes an event with everything that a push wants."""
    with Dovecot(storage=storage) as dovecot:
        async with idling(dovecot.imap_port) as place:
            await place.start()
            await deliver(dovecot, "Grüße 🎉")
            await place.heard("Grüße 🎉")
            mark = place.marks.marks[ANTON]
    (event,) = place.events
    assert (event.user, event.folder, event.heard_by) == (ANTON, "INBOX", "imapidle")
    assert (event.sender, event.snippet, event.unseen) == (Address("Änna", "anna@example.com"), "at noon", 1)
    assert mark == Mark(event.uidvalidity, event.uid + 1)


@STORAGES
async def test_what_is_no_new_mail(storage: Storage) -> None:
    """Flags, old mail put there, mail that was read, and mail that goes away push nothing; the next mail does."""
    with Dovecot(storage=storage) as dovecot:
        await deliver(dovecot, "before", "before")
        async with idling(dovecot.imap_port) as place:
            await place.start()
            with mail_app(dovecot) as app:
                app.store("1", "+FLAGS", "(\\Flagged $Important)")
                app.append("INBOX", "", LONG_AGO, mail("an archive").as_bytes())
                app.append("INBOX", "(\\Seen)", "", mail("a copy of what was sent").as_bytes())
                await until(lambda: place.marks.marks[ANTON].uidnext == 5)
                app.store("1:2", "+FLAGS", "\\Deleted")
                app.expunge()
            await deliver(dovecot, "new")
            await place.heard("new")


@STORAGES
async def test_mailbox_emptied_and_filled_again(storage: Storage) -> None:
    """Fewer mails than before are new all the same."""
    with Dovecot(storage=storage) as dovecot:
        await deliver(dovecot, "one", "two", "three")
        async with idling(dovecot.imap_port) as place:
            await place.start()
            with mail_app(dovecot) as app:
                app.store("1:*", "+FLAGS", "\\Deleted")
                app.expunge()
            await deliver(dovecot, "four")
            await place.heard("four")


@STORAGES
async def test_many_mails_at_once(storage: Storage) -> None:
    """What arrives while others are fetched is heard as well; each once."""
    subjects = [f"mail {number}" for number in range(40)]
    with Dovecot(storage=storage) as dovecot:
        async with idling(dovecot.imap_port) as place:
            await place.start(ANTON, BERTA)
            async with asyncio.TaskGroup() as senders:
                for part in range(4):
                    senders.create_task(deliver(dovecot, *subjects[part::4]))
            await place.heard(*subjects)
    assert {event.user for event in place.events} == {ANTON}


async def test_first_sight_and_return() -> None:
    """A mailbox that was never seen pushes nothing of what is in it; later what came meanwhile is pushed once."""
    with Dovecot() as dovecot:
        await deliver(dovecot, "old")
        marks = Marks()
        async with idling(dovecot.imap_port, marks=marks) as place:
            await place.start()
        await deliver(dovecot, "meanwhile", "and another")
        async with idling(dovecot.imap_port, marks=marks) as back:
            await back.start()
            await back.listeners.stop(ANTON)
            await back.start()
            await deliver(dovecot, "new")
            await back.heard("meanwhile", "and another", "new")
    assert place.events == []


async def test_no_catching_up() -> None:
    """Where catching up is switched off, a time without an engine is over when it starts."""
    with Dovecot() as dovecot:
        await deliver(dovecot, "old")
        marks = Marks()
        async with idling(dovecot.imap_port, marks=marks) as place:
            await place.start()
        await deliver(dovecot, "meanwhile")
        async with idling(dovecot.imap_port, marks=marks, settings={CATCHUP_ENABLED: False}) as back:
            await back.start()
            await deliver(dovecot, "new")
            await back.heard("new")


async def test_another_uidvalidity() -> None:
    """A mailbox that was made anew begins anew: what is in it is not pushed, what comes is."""
    with Dovecot() as dovecot:
        await deliver(dovecot, "restored")
        marks = Marks()
        marks.advance(ANTON, 17, 1)
        async with idling(dovecot.imap_port, marks=marks) as place:
            await place.start()
            await deliver(dovecot, "new")
            await place.heard("new")
    assert marks.marks[ANTON].uidvalidity not in (0, 17)


@pytest.mark.parametrize("encryption", [Encryption.TLS, Encryption.STARTTLS])
async def test_encrypted(tmp_path: Path, encryption: Encryption) -> None:
    """With TLS nothing that lies decrypted in its buffer is overlooked, whichever way it began."""
    authority = Authority(tmp_path)
    subjects = [f"mail {number}" for number in range(20)]
    with Dovecot(log_ins=LogIns(certificate=authority.server("localhost"))) as dovecot:
        port = dovecot.imaps_port if encryption is Encryption.TLS else dovecot.imap_port
        async with idling(port, ca=authority.pem, encryption=encryption, settings={IDLE_RENEW: 0.1}) as place:
            await place.start()
            await deliver(dovecot, *subjects)
            await place.heard(*subjects)
    assert place.lost_users == []


async def test_renewed_on_the_same_connection() -> None:
    """A session that hears nothing is renewed by DONE and IDLE, proves itself by that, and logs in no more."""
    with Dovecot() as dovecot:
        async with way_to(dovecot.imap_port) as way, idling(way.port, settings={IDLE_RENEW: 0.05}) as place:
            await place.start()
            proofs = place.proofs
            await until(lambda: way.sent.count(b"DONE\r\n") >= 5)
            await deliver(dovecot, "new")
            await place.heard("new")
    assert (way.connections, way.sent.count(b"AUTHENTICATE")) == (1, 1)
    assert place.proofs >= proofs + 5
    assert place.lost_users == []


async def test_another_folder() -> None:
    """The folder that is watched may have any name."""
    with Dovecot() as dovecot:
        with mail_app(dovecot) as app:
            app.create('"B&APw-ro"')
        async with idling(dovecot.imap_port, settings={IDLE_FOLDER: "Büro"}) as place:
            await place.start()
            await deliver(dovecot, "elsewhere")
            with mail_app(dovecot) as app:
                app.append('"B&APw-ro"', "", "", mail("here").as_bytes())
            await place.heard("here")
    assert [event.folder for event in place.events] == ["Büro"]
