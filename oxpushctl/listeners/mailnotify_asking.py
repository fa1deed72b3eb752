"""Asking a mailbox for what a datagram does not say: which mails are new, who sent them, and what about.

Log-ins are few, beside those of everybody else: where many mailboxes get mail at once, most pushes have no words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from oxpushctl import log
from oxpushctl.config.own import PUSH_MAX_AGE
from oxpushctl.config.settings import Settings
from oxpushctl.errors import NotReachable, OxpushctlError, TryLater, Unsupported
from oxpushctl.interfaces import Clock, Watermarks
from oxpushctl.listeners import imap_mailbox, new_mail
from oxpushctl.listeners.imap import ImapConnection
from oxpushctl.listeners.log_in_gate import LogInGate, LogInsHeldBack
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import MailEvent, PushUser

NAME = "mailnotify"
INBOX = "INBOX"

AT_A_TIME = 4
RATE_PER_S = 5
# Whoever is last among them waits for ten seconds.
MOST_WAITING = 50
# A push without words now is better than one with words later: the wait included.
ASK_S = 15.0
# The newest mails that one datagram may be about.
_MOST_NEW = 20
# At first sight of a mailbox: what the datagram is about has come just now, and what is older was there before.
_JUST_NOW_S = 120.0
# How long what was not to be had is not asked for again: a mailbox that nothing opens, a server that is away.
_SHUT_S = 60.0
_AWAY_S = 10.0

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What a mailbox answered; once the events are safe, no mail below ``uidnext`` is to be pushed any more."""

    events: Sequence[MailEvent]
    uidvalidity: int
    uidnext: int


class Asking:
    """Asks mailboxes, within a budget of log-ins; ``ask_s`` is the time for each, from its turn in line on."""

    def __init__(
        self, openings: Openings, watermarks: Watermarks, settings: Settings, clock: Clock, *, ask_s: float = ASK_S
    ) -> None:
        self._openings = openings
        self._watermarks = watermarks
        self._max_age_s = settings[PUSH_MAX_AGE]
        self._clock = clock
        self._budget = LogInGate(
            clock, RATE_PER_S, "the mail server for mailnotify", at_a_time=AT_A_TIME, most_waiting=MOST_WAITING
        )
        self._ask_s = ask_s
        self._present = 0
        self._shut_until: dict[PushUser, float] = {}
        self._away_until = float("-inf")

    def reload(self, settings: Settings) -> None:
        """Take over settings."""
        self._max_age_s = settings[PUSH_MAX_AGE]

    def is_worth_it(self, user: PushUser) -> bool:
        """Tell whether there is room in the budget, and hope for an answer."""
        now = self._clock.monotonic()
        is_shut = now < self._shut_until.get(user, now)
        return not is_shut and now >= self._away_until and self._present < AT_A_TIME + MOST_WAITING

    def forget(self, user: PushUser | None = None) -> None:
        """Forget that nothing opened a user's mailbox, or anybody's: that may have changed."""
        if user is None:
            self._shut_until.clear()
        else:
            self._shut_until.pop(user, None)

    async def news(self, user: PushUser, *, is_permanent: bool) -> News | None:
        """Ask a mailbox; ``None`` when it cannot be asked, within a deadline of our own."""
        self._present += 1
        try:
            # Nothing that fails leaves the block: by its refusals nobody else's log-in is judged here.
            async with asyncio.timeout(self._ask_s), self._budget.admitted(str(user)):
                return await self._answered(user, is_permanent=is_permanent)
        except TimeoutError:
            self._away_until = self._clock.monotonic() + _AWAY_S
            _log.debug("a mailbox did not answer in time", user=str(user), seconds=self._ask_s)
            return None
        except LogInsHeldBack:  # no more room in the budget
            return None
        finally:
            self._present -= 1

    async def _answered(self, user: PushUser, *, is_permanent: bool) -> News | None:
        try:
            opened = await self._openings.opened(user, is_permanent=is_permanent)
            try:
                return await self._read(opened.connection, user)
            finally:
                await opened.connection.aclose()
        except OxpushctlError as error:
            self._note(user, error)
            return None

    def _note(self, user: PushUser, error: OxpushctlError) -> None:
        now = self._clock.monotonic()
        if isinstance(error, NotReachable) and not isinstance(error, Unsupported):
            self._away_until = now + _AWAY_S
        elif not isinstance(error, TryLater):
            self._shut_until[user] = now + _SHUT_S
        _log.debug("a mailbox could not be asked", user=str(user), reason=str(error))

    async def _read(self, connection: ImapConnection, user: PushUser) -> News:
        examined = await imap_mailbox.examined(connection, INBOX)
        mark = await self._watermarks.mark(user)
        is_known = mark is not None and mark.uidvalidity == examined.uidvalidity
        from_uid = mark.uidnext if mark is not None and is_known else max(1, examined.uidnext - _MOST_NEW)
        if examined.uidnext <= from_uid:
            return News((), examined.uidvalidity, examined.uidnext)
        found = await imap_mailbox.found(connection, from_uid, _MOST_NEW)
        now = self._clock.now()
        if is_known:
            worth = new_mail.worth_pushing(found, now, most=_MOST_NEW, max_age_s=self._max_age_s)
        else:
            worth = new_mail.worth_pushing(found, now, most=1, max_age_s=_JUST_NOW_S)
        unseen = await imap_mailbox.unseen(connection) if worth else None
        events = [
            new_mail.event(user, INBOX, examined.uidvalidity, each, unseen, heard_by=NAME, at=now) for each in worth
        ]
        uidnext = max(examined.uidnext, *(each.uid + 1 for each in found)) if found else examined.uidnext
        if not events and not is_known:
            events = [without_words(user, now)]
        return News(events, examined.uidvalidity, uidnext)


def without_words(user: PushUser, now: float) -> MailEvent:
    """Return the event of a mail of which nothing is known but that it came."""
    return MailEvent(
        user=user,
        folder=INBOX,
        uidvalidity=0,
        uid=0,
        sender=None,
        subject="",
        snippet="",
        unseen=None,
        heard_by=NAME,
        at=now,
    )
