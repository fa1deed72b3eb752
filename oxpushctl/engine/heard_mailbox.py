"""What was heard of one mailbox: which mails are new, and up to where none is missing.

::

    uids     97 98 99 100 101 102 103 104 105
    heard     x  x  x   x       x       x        recent: the last of these, in the order of hearing
    uidnext                 ^                    none below is missing; 101 and 103 may have been missed

A mail server announces mails out of order, so ``uidnext`` moves only over what was heard; a gap stays until somebody
has looked into the mailbox and says so, or until so many others were heard that it lies behind all that is remembered.
"""

from __future__ import annotations

import asyncio
from array import array

from oxpushctl.model import MOST_RECENT, Mark

# uid and uidvalidity are numbers of 32 bits, never 0 (RFC 3501, section 9).
LARGEST = 2**32 - 1


class HeardMailbox:
    """The mark of one mailbox, slim; ``uidvalidity`` 0 is none seen yet.

    ``is_read``: what the store knows is in it; until then ``uidnext`` is 0 unless somebody said how far it is.
    ``is_unwritten``: there is something that the store does not know.
    """

    __slots__ = ("_under_way", "is_read", "is_unwritten", "recent", "uidnext", "uidvalidity")

    def __init__(self, *, is_read: bool = False) -> None:
        self.uidvalidity = 0
        self.uidnext = 0
        self.recent = array("I")
        self.is_read = is_read
        self.is_unwritten = False
        self._under_way: dict[tuple[int, int], asyncio.Future[None] | None] = {}

    def note(self, uidvalidity: int, uid: int) -> bool:
        """Note a mail; return false for one that was heard before.

        One below ``uidnext`` that is not remembered is new, however far below: servers announce late, and a mailbox
        that is put back from a backup counts its new mails from where it was. The worst is a push too many.
        """
        if uidvalidity != self.uidvalidity:
            # Nothing of a mailbox is missing that was there before the first that is heard of it.
            self._begin(uidvalidity, uid if self.is_read else 0)
        elif uid in self.recent:
            return False
        self.recent.append(uid)
        if len(self.recent) > MOST_RECENT:
            self.uidnext = max(self.uidnext, self.recent.pop(0) + 1)
        self._close_up()
        return True

    def take_back(self, uidvalidity: int, uid: int) -> None:
        """Note that a mail was not heard after all."""
        if uidvalidity == self.uidvalidity and uid in self.recent:
            self.recent.remove(uid)
            self.uidnext = min(self.uidnext, uid)

    def advance(self, uidvalidity: int, uidnext: int) -> None:
        """Note that somebody has seen to all below ``uidnext``."""
        if uidvalidity != self.uidvalidity:
            self._begin(uidvalidity, uidnext)
        self.uidnext = max(self.uidnext, uidnext)
        self._close_up()

    def read(self, mark: Mark | None) -> None:
        """Take in what the store knows; what was heard here meanwhile is newer."""
        self.is_read = True
        if mark is not None and self.uidvalidity in (0, mark.uidvalidity):
            heard = [*(uid for uid in mark.recent if 0 < uid <= LARGEST and uid not in self.recent), *self.recent]
            self.uidvalidity = mark.uidvalidity
            self.uidnext = max(self.uidnext, mark.uidnext, *(uid + 1 for uid in heard[:-MOST_RECENT]))
            self.recent = array("I", heard[-MOST_RECENT:])
        elif self.uidnext == 0 and self.recent:
            self.uidnext = self.recent[0]
        self._close_up()

    def mark(self) -> Mark | None:
        """Return the mark; ``None`` where nothing was seen yet."""
        return Mark(self.uidvalidity, self.uidnext, tuple(self.recent)) if self.uidvalidity else None

    def begin_handing_on(self, uidvalidity: int, uid: int) -> None:
        """Note that a mail is being handed on, so that its repeat can wait for what becomes of that."""
        self._under_way[uidvalidity, uid] = None

    def end_handing_on(self, uidvalidity: int, uid: int) -> None:
        """Let those go on that wait for a mail to be handed on."""
        waited_for = self._under_way.pop((uidvalidity, uid), None)
        if waited_for is not None and not waited_for.done():
            waited_for.set_result(None)

    def handing_on(self, uidvalidity: int, uid: int) -> asyncio.Future[None] | None:
        """Return what is done as soon as a mail was handed on; ``None`` where it is not on its way."""
        if (uidvalidity, uid) not in self._under_way:
            return None
        waited_for = self._under_way[uidvalidity, uid]
        if waited_for is None:
            waited_for = self._under_way[uidvalidity, uid] = asyncio.get_running_loop().create_future()
        return waited_for

    def _begin(self, uidvalidity: int, uidnext: int) -> None:
        self.uidvalidity, self.uidnext, self.recent = uidvalidity, uidnext, array("I")

    def _close_up(self) -> None:
        while self.uidnext in self.recent:
            self.uidnext += 1
