"""Mails that came while nobody listened: Dovecot tells them to nobody afterwards, so their mailboxes are asked.

::

    note_gap(user) ─► noted ─► gaps, each with the mark ─► compared ─► events, the mark moves
                               as it was when noted    ◄─ again

Only users with a known gap are asked. Their marks are read at once: what is heard afterwards moves them past the gap.
A mail server that does not answer is asked again later, and a gap is forgotten when all that it may hide is too old.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass

from oxpushctl import log
from oxpushctl.config.own import CATCHUP_ENABLED, PUSH_MAX_AGE
from oxpushctl.config.settings import Settings
from oxpushctl.errors import OxpushctlError, TryLater
from oxpushctl.interfaces import Clock, EventSink, Watermarks
from oxpushctl.listeners.doveadm_metadata import AsksDoveadm
from oxpushctl.listeners.gap_closing import Closed, GapClosing
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.listeners.namesakes import Namesakes
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import Mark, PushUser

AT_ONCE = 200
FIRST_REST_S, LONGEST_REST_S = 1.0, 300.0

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class _Gap:
    """Up to where a user had been heard, and when it was noted that nobody did any more, in epoch seconds."""

    mark: Mark | None
    noted_at: float


class CatchingUp:
    """Compares the mailboxes of users with a gap, and tells of what is new in them.

    ``doveadm`` is ``None`` where it is not to be used.
    """

    def __init__(
        self,
        doveadm: AsksDoveadm | None,
        names: MailboxNames,
        namesakes: Namesakes,
        openings: Openings,
        sink: EventSink,
        watermarks: Watermarks,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._closing = GapClosing(doveadm, names, namesakes, openings, sink, watermarks, clock)
        self._watermarks = watermarks
        self._settings = settings
        self._clock = clock
        self._noted: dict[PushUser, float] = {}
        self._gaps: dict[PushUser, _Gap] = {}
        self._is_noted = asyncio.Event()
        self._is_gap = asyncio.Event()

    def reload(self, settings: Settings) -> None:
        """Take over changed settings; names, namesakes and openings are told by whoever has them."""
        self._settings = settings

    def note_gap(self, user: PushUser) -> None:
        """Hear that nobody listened for a user for a while, whether somebody does by now or not."""
        self._noted.setdefault(user, self._clock.now())
        self._is_noted.set()

    async def run(self) -> None:
        """Close the gaps that are noted, in the order in which they were, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_marks())
            group.create_task(self._work())

    async def catch_up(self, users: Iterable[PushUser]) -> int:
        """Close the gaps of some users; return how many events came of it.

        It ends when each was compared, or cannot be: a mail server that is away is waited for.
        """
        noted = dict.fromkeys(users, self._clock.now())
        gaps: dict[PushUser, _Gap] = {}
        rest = _Rest(self._clock)
        while noted:
            await self._take_marks(noted, gaps, rest)
        told = 0
        while gaps:
            told += (await self._close_some(gaps, rest)).told
        return told

    async def _read_marks(self) -> None:
        rest = _Rest(self._clock)
        while True:
            await self._is_noted.wait()
            await self._take_marks(self._noted, self._gaps, rest)
            if not self._noted:
                self._is_noted.clear()
            if self._gaps:
                self._is_gap.set()

    async def _work(self) -> None:
        rest = _Rest(self._clock)
        while True:
            await self._is_gap.wait()
            closed = await self._close_some(self._gaps, rest)
            if closed.told or closed.skipped:
                _log.info("caught up", mailboxes=closed.compared, pushed=closed.told, skipped=closed.skipped or None)
            if not self._gaps:
                self._is_gap.clear()

    async def _take_marks(self, noted: dict[PushUser, float], gaps: dict[PushUser, _Gap], rest: _Rest) -> None:
        """Make gaps of some that were noted; one that is there already began earlier."""
        portion = dict(itertools.islice(noted.items(), AT_ONCE))
        # Together: whoever has them reads many from the store in one query.
        read = await asyncio.gather(*(self._watermarks.mark(user) for user in portion), return_exceptions=True)
        trouble: OxpushctlError | None = None
        for (user, noted_at), mark in zip(portion.items(), read, strict=True):
            if isinstance(mark, Exception):
                trouble = _trouble(mark)
            elif isinstance(mark, BaseException):
                raise mark
            else:
                del noted[user]
                before = None if mark is None else Mark(mark.uidvalidity, mark.uidnext)
                gaps.setdefault(user, _Gap(before, noted_at))
        await rest.after(trouble)

    async def _close_some(self, gaps: dict[PushUser, _Gap], rest: _Rest) -> Closed:
        """Close some gaps; those that have to be tried again are put behind the others."""
        portion = {user: gaps.pop(user) for user in list(itertools.islice(gaps, AT_ONCE))}
        oldest = self._clock.now() - self._settings[PUSH_MAX_AGE]
        marks = {user: gap.mark for user, gap in portion.items() if gap.noted_at >= oldest}
        if not self._settings[CATCHUP_ENABLED]:
            return Closed(skipped=len(portion))
        try:
            closed = await self._closing.close(marks, self._settings)
        except Exception as error:  # noqa: BLE001  # whatever it is, these are tried again and the others too
            closed = Closed(again=list(marks), trouble=_trouble(error))
        except asyncio.CancelledError:
            gaps |= portion  # whoever runs this again begins with them
            raise
        closed.skipped += len(portion) - len(marks)
        for user in closed.again:
            gap, newer = portion[user], gaps.pop(user, None)
            gaps[user] = gap if newer is None else _Gap(gap.mark, newer.noted_at)
        if closed.compared:
            rest.end()
        await rest.after(closed.trouble)
        return closed


class _Rest:
    """Waits for longer after each trouble; the first is told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._troubles = 0

    async def after(self, trouble: OxpushctlError | None) -> None:
        """Wait, twice as long as the last time and never in step with others; without trouble begin anew."""
        if trouble is None:
            self.end()
            return
        tell = _log.debug if self._troubles else _log.warning
        tell("what was missed cannot be looked up now", reason=str(trouble))
        longest = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(self._troubles, 16))
        self._troubles += 1
        await self._clock.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  # spreads, guards nothing

    def end(self) -> None:
        """Begin anew: something went well."""
        self._troubles = 0


def _trouble(error: Exception) -> OxpushctlError:
    """Return what is told of an error; one that should not happen may quote a mail."""
    return error if isinstance(error, OxpushctlError) else TryLater(f"bug: {type(error).__name__}")
