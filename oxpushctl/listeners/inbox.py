"""What is in an inbox that nobody told us of: the value that all ways to look return, and the look by a log-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oxpushctl.listeners import imap_mailbox
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import FoundMail, Mark, PushUser

INBOX = "INBOX"


@dataclass(frozen=True, slots=True)
class Inbox:
    """An inbox as it was found: ``unheard`` are its newest mails above the mark, ascending by uid, seen ones as well.

    The next mail gets ``uidnext`` or more.
    """

    uidvalidity: int
    uidnext: int
    unseen: int | None = None
    unheard: Sequence[FoundMail] = ()


def first_unheard(mark: Mark | None, uidvalidity: int, uidnext: int) -> int | None:
    """Return the lowest uid that may not have been heard; ``None`` when there is none, or nothing to compare with.

    At the first sight of an inbox, or where its uids have begun anew, everything in it has been there before.
    """
    if mark is None or mark.uidvalidity != uidvalidity or mark.uidnext >= uidnext:
        return None
    return mark.uidnext


async def look_inside(openings: Openings, user: PushUser, mark: Mark | None, most: int) -> Inbox:
    """Log in and look for at most so many mails; raise what ``Openings`` and ``imap_mailbox`` raise."""
    opened = await openings.opened(user, is_permanent=True)
    try:
        examined = await imap_mailbox.examined(opened.connection, INBOX)
        from_uid = first_unheard(mark, examined.uidvalidity, examined.uidnext)
        if from_uid is None or not most:
            return Inbox(examined.uidvalidity, examined.uidnext)
        found = await imap_mailbox.found(opened.connection, from_uid, most)
        unseen = await imap_mailbox.unseen(opened.connection) if found else None
    finally:
        await opened.connection.aclose()
    # What came since is nobody's gap: it is told by whoever listens.
    unheard = [mail for mail in found if mail.uid < examined.uidnext]
    return Inbox(examined.uidvalidity, examined.uidnext, unseen, unheard)
