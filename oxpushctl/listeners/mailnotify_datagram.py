"""What Cyrus' notifyd datagrams say: whose mailbox got a mail. Pure, and total: what is odd is no notification.

One datagram, of any length, each field ended by a NUL::

    method NUL class NUL priority NUL user NUL mailbox NUL nopt NUL (option NUL)* message NUL [file name NUL]

    log NUL MAIL NUL NUL anton NUL INBOX NUL 0 NUL From: … NUL

``nopt`` is how many options there are, in decimal digits. Only user and mailbox are of use; the message may be cut off.
Source: notify.c of Cyrus IMAP; the middleware splits at NUL and reads the fourth field.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

_MAILBOX, _COUNT, _OPTIONS = 4, 5, 6
# No datagram has room for more options.
_LONGEST_COUNT = 5


@dataclass(frozen=True, slots=True)
class Datagram:
    """One notification, the names as they were received."""

    user: str
    mailbox: str


def parsed(datagram: bytes) -> Datagram | None:
    """Return what a datagram says; ``None`` for what is no notification, or names no user in UTF-8.

    A user that is written in another charset is not guessed at: its name could become that of somebody else.
    """
    fields = datagram.split(b"\0")
    if len(fields) <= _COUNT:
        return None
    count = fields[_COUNT]
    if not count.isdigit() or len(count) > _LONGEST_COUNT or len(fields) < _OPTIONS + int(count):
        return None
    try:
        user = fields[_MAILBOX - 1].decode()
    except UnicodeDecodeError:
        return None
    return Datagram(user, fields[_MAILBOX].decode(errors="replace")) if user else None


def is_inbox(mailbox: str, names: Collection[str]) -> bool:
    """Tell whether a mailbox is the inbox of the user with some names, lower-cased, with or without their domain.

    Cyrus calls it ``INBOX``, ``user.anton``, ``user/anton``, ``user/anton@example.com`` or ``example.com!user.anton``,
    and writes a dot of the name as ``^`` where dots separate folders.
    """
    folded = mailbox.lower()
    if folded in ("", "inbox"):
        return True
    domain, _, path = folded.rpartition("!")
    if not path.startswith(("user.", "user/")):
        return False
    owner = path[len("user.") :]
    if path.startswith("user."):
        owner = owner.replace("^", ".")
    whole = f"{owner}@{domain}" if domain else owner
    return any(_is_same_person(whole, name) for name in names)


def _is_same_person(one: str, other: str) -> bool:
    """Compare two names; a domain counts where both have one."""
    if "@" in one and "@" in other:
        return one == other
    return one.partition("@")[0] == other.partition("@")[0]
