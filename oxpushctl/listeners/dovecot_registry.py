"""Registering at Dovecot with a memory of it: what was written where is known, whatever happens in between.

::

    register:  is the value there? ─no─► remembered as not verified ─► written ─► remembered as verified
    clear:     unset ─► forgotten

Whoever finds a row knows of a mailbox in which a value of ours may be; a row that was never verified hears nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from oxpushctl import log
from oxpushctl.config.mailboxes import is_doveadm_first
from oxpushctl.config.settings import Settings
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock, RegisteredMailboxes
from oxpushctl.listeners.doveadm_metadata import AsksDoveadm
from oxpushctl.listeners.dovecot_over_doveadm import DoveadmRegistrar
from oxpushctl.listeners.dovecot_over_imap import ImapRegistrar, OpensMailboxes
from oxpushctl.listeners.dovecot_registrar import Cleared, EitherRegistrar, Mailbox, Registered, Registrar
from oxpushctl.listeners.dovecot_value import Values
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.listeners.namesakes import Namesakes
from oxpushctl.model import PushUser, RegisteredMailbox

_log = log.get(__name__)


class Registry:
    """Registers mailboxes and clears them; ``mailboxes`` is where that is remembered.

    What becomes of each is a value or an error; a database that does not answer is raised.
    """

    def __init__(self, registrar: Registrar, mailboxes: RegisteredMailboxes, values: Values, clock: Clock) -> None:
        self.mailboxes = mailboxes
        self._registrar = registrar
        self._values = values
        self._clock = clock

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        openings: OpensMailboxes,
        doveadm: AsksDoveadm | None,
        names: MailboxNames,
        namesakes: Namesakes,
        mailboxes: RegisteredMailboxes,
        clock: Clock,
    ) -> Registry:
        """Return what registers as the configuration wants it; deriving the key takes some 50 ms.

        ``doveadm`` is ``None`` where it is not to be used, ``namesakes`` know users that it would take for one.
        """
        over_imap = ImapRegistrar(openings, settings)
        over_doveadm = None if doveadm is None else DoveadmRegistrar(doveadm, names, namesakes, settings)
        registrar = EitherRegistrar(over_imap, over_doveadm, is_doveadm_first=is_doveadm_first(settings))
        return cls(registrar, mailboxes, Values.from_settings(settings), clock)

    @property
    def at_once(self) -> int:
        """How many mailboxes at a time are no more trouble than one."""
        return self._registrar.at_once

    def about(self, user: PushUser) -> str:
        """Return the hash of a user's value of today."""
        return self._values.about(user)

    def reload(self, settings: Settings) -> bool:
        """Take over changed settings; tell whether they make other values."""
        self._registrar.reload(settings)
        before, self._values = self._values, self._values.reloaded(settings)
        return before != self._values

    async def register(
        self, users: Sequence[PushUser], *, is_permanent: bool = True, is_dry: bool = False
    ) -> Sequence[Registered | OxpushctlError]:
        """See that each user's mailbox has the value of today; ``is_dry``: tell only what would be written."""
        wanted = [Mailbox(user, is_permanent=is_permanent) for user in users]
        answers = await self._registrar.verify_or_set(wanted, self._values, None if is_dry else self._intend)
        if not is_dry:
            now_ms = int(self._clock.now() * 1000)
            await self._put([answer for answer in answers if isinstance(answer, Registered)], now_ms)
        return answers

    async def clear(self, users: Sequence[PushUser], *, is_dry: bool = False) -> Sequence[Cleared | OxpushctlError]:
        """Remove what is ours from each user's mailbox, as it is remembered or else as it is today, and forget it."""
        rows = await self.mailboxes.read(users)
        mailboxes = [_mailbox(rows[user]) if user in rows else Mailbox(user) for user in users]
        answers = await self._registrar.unset(mailboxes, self._values, is_dry=is_dry)
        if not is_dry:
            cleared = {user for user, answer in zip(users, answers, strict=True) if isinstance(answer, Cleared)}
            await self.forget(cleared & rows.keys())
        return answers

    async def forget(self, users: Collection[PushUser]) -> None:
        """Forget mailboxes, whatever is in them."""
        if users:
            await self.mailboxes.remove(list(users))

    async def _intend(self, registered: Sequence[Registered]) -> None:
        """Remember what is about to be written; a mailbox that was a user's before is left."""
        before = await self.mailboxes.read([each.user for each in registered])
        for each in registered:
            row = before.get(each.user)
            if row is not None and row.name.lower() != each.name.lower():
                await self._leave(row)
        await self._put(registered, 0)

    async def _leave(self, row: RegisteredMailbox) -> None:
        """Clear a mailbox that was a user's before; should that fail, whoever has it now is heard for that user."""
        [cleared] = await self._registrar.unset_former([_mailbox(row)], self._values)
        if isinstance(cleared, OxpushctlError):
            event = "the mailbox that a user had before may still be registered for it"
            _log.warning(event, user=str(row.user), login=row.name, reason=str(cleared))

    async def _put(self, registered: Sequence[Registered], verified_ms: int) -> None:
        if registered:
            rows = [RegisteredMailbox(each.user, each.name, self.about(each.user), verified_ms) for each in registered]
            await self.mailboxes.put(rows)


def _mailbox(row: RegisteredMailbox) -> Mailbox:
    return Mailbox(row.user, row.name, row.about)
