"""Which mails that were found in a mailbox are worth a push, and the event that each becomes: pure.

Whoever looks into a mailbox finds what was delivered, and what somebody put there: an archive that is copied into the
inbox has its old dates (INTERNALDATE), and is no news.
"""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl import header
from oxpushctl.model import FoundMail, MailEvent, PushUser

# Of those that wait for longer than this only the newest is told: nobody wants ten pushes about this morning.
MERGED_AFTER_S = 10 * 60.0
# So far a mail server's clock may be ahead of ours.
_AHEAD_S = 24 * 3600.0
_SNIPPET_LIMIT = 1024


def worth_pushing(found: Sequence[FoundMail], now: float, *, most: int, max_age_s: float) -> Sequence[FoundMail]:
    """Return what to push of the mails that were found, ascending by uid.

    Nobody has seen it, and it came within ``max_age_s``; what seems to come from the future by up to a day comes now.
    Of those that came more than ten minutes ago only the newest stays. Of all that ``most`` with the highest uids.
    """
    new = sorted(
        (mail for mail in found if not mail.is_seen and -_AHEAD_S <= now - mail.received_at <= max_age_s),
        key=lambda mail: mail.uid,
    )
    old = [mail for mail in new if now - mail.received_at > MERGED_AFTER_S]
    merged = {mail.uid for mail in old[:-1]}
    told = [mail for mail in new if mail.uid not in merged]
    return told[max(0, len(told) - most) :]


def event(
    user: PushUser, folder: str, uidvalidity: int, found: FoundMail, unseen: int | None, heard_by: str, at: float
) -> MailEvent:
    """Return the event of a mail; ``unseen`` is how many of its folder nobody has seen, ``at`` in epoch seconds."""
    return MailEvent(
        user=user,
        folder=folder,
        uidvalidity=uidvalidity,
        uid=found.uid,
        sender=header.sender(found.sender or ""),
        subject=header.decode(found.subject or ""),
        snippet=header.clean(found.snippet[:_SNIPPET_LIMIT]),
        unseen=unseen,
        heard_by=heard_by,
        at=at,
    )
