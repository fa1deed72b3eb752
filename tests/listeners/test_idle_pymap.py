"""IDLE sessions at another server than Dovecot."""

from __future__ import annotations

import asyncio
import imaplib

from oxpushctl.config.own import IDLE_RENEW
from oxpushctl.model import Address
from tests.listeners.idling import ANTON, Marks, idling, mail
from tests.peers.pymap import opened, pymap
from tests.waiting import until


def change(app: imaplib.IMAP4) -> None:
    app.store("1", "+FLAGS", "\\Flagged")
    app.append("INBOX", "", '"01-Jan-2020 10:00:00 +0000"', mail("an archive").as_bytes())
    app.store("2", "+FLAGS", "\\Deleted")
    app.expunge()


async def test_new_mail_at_pymap() -> None:
    """New mail is pushed, other changes are not; a session that was renewed still hears."""
    with pymap() as port, opened(port) as app:
        marks = Marks()
        async with idling(port, settings={IDLE_RENEW: 0.1}, marks=marks) as place:
            await place.start()
            proofs, before = place.proofs, marks.marks[ANTON]
            await asyncio.to_thread(change, app)
            await until(lambda: marks.marks[ANTON].uidnext > before.uidnext)
            await asyncio.to_thread(app.append, "INBOX", "", "", mail("Grüße").as_bytes())
            await place.heard("Grüße")
            await until(lambda: place.proofs > proofs + 5)
            await asyncio.to_thread(app.append, "INBOX", "", "", mail("Lunch?").as_bytes())
            await place.heard("Grüße", "Lunch?")
        await asyncio.to_thread(app.append, "INBOX", "", "", mail("meanwhile").as_bytes())
        async with idling(port, marks=marks) as back:
            await back.start()
    assert place.lost_users == []
    assert [event.sender for event in place.events] == [Address("Änna", "anna@example.com")] * 2
    assert (back.subjects, back.events[0].uidvalidity) == (["meanwhile"], before.uidvalidity)
