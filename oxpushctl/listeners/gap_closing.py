"""Comparing mailboxes with their marks, and telling of what is new: over doveadm many at a time, else by log-ins."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oxpushctl import log
from oxpushctl.config.own import CATCHUP_MAX, PUSH_MAX_AGE
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, NotReachable, OxpushctlError, TryLater, Unsupported
from oxpushctl.interfaces import Clock, EventSink, Watermarks
from oxpushctl.listeners import inbox, inbox_over_doveadm, new_mail
from oxpushctl.listeners.doveadm_metadata import AsksDoveadm
from oxpushctl.listeners.doveadm_names import name_of
from oxpushctl.listeners.doveadm_troubles import EndpointTrouble
from oxpushctl.listeners.inbox import INBOX, Inbox
from oxpushctl.listeners.log_in_gate import LogInsHeldBack
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.listeners.namesakes import Namesakes
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import Mark, PushUser

HEARD_BY = "catch-up"
LOG_INS_AT_A_TIME = 2
# So often in a row doveadm may fail before log-ins do its work.
MOST_FAILURES = 3

Marks = Mapping[PushUser, Mark | None]

_log = log.get(__name__)


@dataclass(slots=True)
class Closed:
    """What became of some gaps: events told, mailboxes compared, and those that cannot be.

    ``again`` have to be tried once more, because of ``trouble``.
    """

    told: int = 0
    compared: int = 0
    skipped: int = 0
    again: list[PushUser] = field(default_factory=list)
    trouble: OxpushctlError | None = None

    def note(self, user: PushUser, error: OxpushctlError) -> None:
        """Note what came in between: some of it passes, some does not."""
        if _passes(error):
            self.again.append(user)
            self.trouble = error
        else:
            _log.debug("a mailbox cannot be compared", user=str(user), reason=str(error))
            self.skipped += 1

    def note_bug(self, user: PushUser, error: Exception) -> None:
        """Note what should not happen, whatever it is: it stops nobody else. Its text may quote a mail."""
        _log.error("a mailbox cannot be compared: bug", user=str(user), reason=type(error).__name__)
        self.skipped += 1


class GapClosing:
    """Closes gaps; ``doveadm`` is ``None`` where it is not to be used.

    ``namesakes`` keeps a user from hearing of another's mails, where both have the same name at the mail server.
    """

    def __init__(
        self,
        doveadm: AsksDoveadm | None,
        names: MailboxNames,
        namesakes: Namesakes,
        openings: Openings,
        sink: EventSink,
        watermarks: Watermarks,
        clock: Clock,
    ) -> None:
        self._doveadm = doveadm
        self._names = names
        self._namesakes = namesakes
        self._openings = openings
        self._sink = sink
        self._watermarks = watermarks
        self._clock = clock
        self._failures = 0

    async def close(self, marks: Marks, settings: Settings) -> Closed:
        """Compare mailboxes with marks, and tell of what is unseen, recent and above them.

        Raise ``NotReachable`` or ``TryLater`` when nothing could be done.
        """
        closed = Closed()
        left: Mapping[PushUser, OxpushctlError | None] = dict.fromkeys(marks)
        if self._doveadm is not None:
            left = await self._over_doveadm(self._doveadm, marks, settings, closed)
        await self._by_log_ins(marks, left, settings, closed)
        return closed

    async def _over_doveadm(
        self, doveadm: AsksDoveadm, marks: Marks, settings: Settings, closed: Closed
    ) -> Mapping[PushUser, OxpushctlError | None]:
        """Close what doveadm knows; return who is left to log in, with what it said of them."""
        users = await self._known_as(marks, settings, closed)
        found = await inbox_over_doveadm.look_inside(
            doveadm, {name: marks[user] for name, user in users.items()}, settings[CATCHUP_MAX]
        )
        troubles = [each for each in found.values() if isinstance(each, EndpointTrouble)]
        self._failures = self._failures + 1 if troubles else 0
        is_worth_a_wait = self._failures <= MOST_FAILURES
        left: dict[PushUser, OxpushctlError | None] = dict.fromkeys(user for user in marks if user not in closed.again)
        for name, each in found.items():
            user = users[name]
            if isinstance(each, Inbox):
                await self._tell_or_note(user, each, settings, closed)
                del left[user]
            elif isinstance(each, EndpointTrouble) and is_worth_a_wait:
                closed.note(user, each)
                del left[user]
            else:
                _log.debug("doveadm cannot compare a mailbox", user=str(user), reason=str(each))
                left[user] = each
        return left

    async def _known_as(self, marks: Marks, settings: Settings, closed: Closed) -> Mapping[str, PushUser]:
        """Return who doveadm knows by which name; who shares one with another is none of them."""
        names: dict[PushUser, str] = {}
        later: OxpushctlError | None = None
        for user, name in (await self._names.of(marks.keys(), is_kept_first=False)).items():
            if not isinstance(name, str):
                continue
            try:
                if later is not None:  # the others would wait as well
                    raise later
                await self._namesakes.refuse_double(user, name, settings)
            except BadData as error:
                _log.debug("doveadm is not asked for a mailbox", user=str(user), reason=str(error))
            except (NotReachable, TryLater) as error:
                later = error
                closed.note(user, error)
            else:
                names[user] = name_of(name, settings)
        bearers = Counter(name.casefold() for name in names.values())
        return {name: user for user, name in names.items() if bearers[name.casefold()] == 1}

    async def _by_log_ins(
        self, marks: Marks, left: Mapping[PushUser, OxpushctlError | None], settings: Settings, closed: Closed
    ) -> None:
        """Log in for each, two at a time; once nobody is let in, the rest has to be tried again, before who failed.

        ``left`` has what doveadm said of them: where nothing else opens a mailbox, that may pass.
        """
        waiting = iter(left.items())
        untried: list[PushUser] = []
        is_shut = False

        async def work() -> None:
            nonlocal is_shut
            for user, before in waiting:
                if is_shut:
                    untried.append(user)
                    continue
                try:
                    found = await inbox.look_inside(self._openings, user, marks[user], settings[CATCHUP_MAX])
                except OxpushctlError as error:
                    is_shut |= isinstance(error, LogInsHeldBack) or (
                        isinstance(error, NotReachable) and not isinstance(error, Unsupported)
                    )
                    closed.note(user, error if before is None or _passes(error) else before)
                except Exception as error:  # noqa: BLE001  # one user's mailbox keeps nobody from theirs
                    closed.note_bug(user, error)
                else:
                    await self._tell_or_note(user, found, settings, closed)

        async with asyncio.TaskGroup() as workers:
            for _ in range(min(LOG_INS_AT_A_TIME, len(left))):
                workers.create_task(work())
        closed.again[:0] = untried

    async def _tell_or_note(self, user: PushUser, found: Inbox, settings: Settings, closed: Closed) -> None:
        try:
            closed.told += await self._tell(user, found, settings)
        except OxpushctlError as error:
            closed.note(user, error)
        except Exception as error:  # noqa: BLE001  # one user's mails keep nobody from theirs
            closed.note_bug(user, error)
        else:
            closed.compared += 1

    async def _tell(self, user: PushUser, found: Inbox, settings: Settings) -> int:
        """Tell of what is worth it in the order of uids, and move the mark; return how many events that were."""
        unheard: Sequence[object] = ()
        if found.unheard:
            # By now somebody may have heard of the newest, in which the older ones would be merged.
            mark = await self._watermarks.mark(user)
            heard = (
                frozenset(mark.recent) if mark is not None and mark.uidvalidity == found.uidvalidity else frozenset()
            )
            now = self._clock.now()
            unheard = new_mail.worth_pushing(
                [mail for mail in found.unheard if mail.uid not in heard],
                now,
                most=settings[CATCHUP_MAX],
                max_age_s=settings[PUSH_MAX_AGE],
            )
            for mail in unheard:
                event = new_mail.event(user, INBOX, found.uidvalidity, mail, found.unseen, HEARD_BY, now)
                await self._sink.accept(event)
        self._watermarks.advance(user, found.uidvalidity, found.uidnext)
        return len(unheard)


def _passes(error: OxpushctlError) -> bool:
    return isinstance(error, NotReachable | TryLater) and not isinstance(error, Unsupported)
