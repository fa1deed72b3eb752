"""From an open mailbox to events: what is above the user's mark is fetched, pushed if it is worth that, and noted."""

from __future__ import annotations

from oxpushctl import log
from oxpushctl.config.own import CATCHUP_ENABLED, CATCHUP_MAX, PUSH_MAX_AGE
from oxpushctl.config.settings import Settings
from oxpushctl.errors import NotKept, OxpushctlError
from oxpushctl.interfaces import Clock, EventSink, Watermarks
from oxpushctl.listeners import imap_mailbox, new_mail
from oxpushctl.listeners.imap import ImapConnection
from oxpushctl.listeners.imap_mailbox import Examined
from oxpushctl.model import PushUser

# Of mails that come at once so many are pushed at most.
MOST = 50

_log = log.get(__name__)


class Hearing:
    """Hears for listeners that are called ``heard_by``, in one folder of each user."""

    def __init__(
        self, heard_by: str, folder: str, sink: EventSink, watermarks: Watermarks, settings: Settings, clock: Clock
    ) -> None:
        self.settings = settings
        self._heard_by = heard_by
        self._folder = folder
        self._sink = sink
        self._watermarks = watermarks
        self._clock = clock

    async def begin(self, user: PushUser, connection: ImapConnection, *, was_heard: bool) -> Examined:
        """Open the folder, and push what came since the user's mark; all below the ``uidnext`` returned is heard.

        ``was_heard``: in this run, so that it catches up whatever is set for times in which the engine did not run.
        The first sight of a mailbox, or of one with another uidvalidity, sets the mark and pushes nothing.
        """
        examined = await imap_mailbox.examined(connection, self._folder)
        mark = await self._watermarks.mark(user)
        uidnext = examined.uidnext
        is_behind = mark is not None and mark.uidvalidity == examined.uidvalidity and mark.uidnext < uidnext
        if mark is not None and is_behind and (was_heard or self.settings[CATCHUP_ENABLED]):
            most = self.settings[CATCHUP_MAX]
            uidnext = max(uidnext, await self.hear(user, connection, examined.uidvalidity, mark.uidnext, most))
        self._watermarks.advance(user, examined.uidvalidity, uidnext)
        return Examined(examined.uidvalidity, uidnext, examined.exists)

    async def hear(
        self, user: PushUser, connection: ImapConnection, uidvalidity: int, uidnext: int, most: int = MOST
    ) -> int:
        """Push what is new from a uid on, at most so many of the newest; return the uid below which all is heard."""
        mails = await imap_mailbox.found(connection, uidnext, most)
        if not mails:
            return uidnext
        max_age_s = self.settings[PUSH_MAX_AGE]
        told = new_mail.worth_pushing(mails, self._clock.now(), most=most, max_age_s=max_age_s)
        unseen = await self._unseen(user, connection) if told else None
        for mail in told:
            at = self._clock.now()
            event = new_mail.event(user, self._folder, uidvalidity, mail, unseen, self._heard_by, at)
            try:
                await self._sink.accept(event)
            except NotKept as problem:  # it is tried all the same, and nobody is there to send it again
                _log.warning("event not kept", user=str(user), uid=mail.uid, reason=str(problem))
        uidnext = mails[-1].uid + 1
        self._watermarks.advance(user, uidvalidity, uidnext)
        return uidnext

    async def _unseen(self, user: PushUser, connection: ImapConnection) -> int | None:
        """Count what nobody has seen; a server that cannot tell is no reason to keep the mail from its reader."""
        try:
            return await imap_mailbox.unseen(connection)
        except OxpushctlError as error:
            _log.debug("unseen mails not counted", user=str(user), reason=str(error))
            return None
