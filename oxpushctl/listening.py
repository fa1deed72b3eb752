"""What opens mailboxes for listeners and registers them, put together as the configuration wants it.

It is the same for the engine, which has sessions besides, and for commands, which have none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

from oxpushctl.config.configuration import Configuration
from oxpushctl.interfaces import Clock, LiveSessions
from oxpushctl.listeners.doveadm import Doveadm
from oxpushctl.listeners.dovecot_registry import Registry
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.listeners.namesakes import Namesakes
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import Credential, PushUser
from oxpushctl.storage import Storage
from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes


@dataclass(frozen=True, slots=True)
class Listening:
    """The parts that listeners share.

    ``mailboxes`` is ``None`` where no mail server is configured, ``doveadm`` where it is not to be used. All log-ins
    of a process go through the one gate of ``mailboxes``. ``names`` are those of mailboxes, ``namesakes`` know whose
    two users would share; ``registry`` registers them at Dovecot.
    """

    mailboxes: Mailboxes | None
    openings: Openings
    doveadm: Doveadm | None
    names: MailboxNames
    namesakes: Namesakes
    registry: Registry

    @property
    def can_reach_mailboxes(self) -> bool:
        """Whether there is any way to them."""
        return self.mailboxes is not None or self.doveadm is not None

    def reload(self, configuration: Configuration) -> None:
        """Take over changed settings; ``names`` and ``registry`` hear of them from whoever listens by Dovecot.

        Raise ``ConfigurationError`` for authorities that cannot be read.
        """
        settings, etc = configuration.settings, configuration.etc
        if self.doveadm is not None:
            self.doveadm.reload(settings, etc)
        if self.mailboxes is not None:
            self.mailboxes.reload(settings, etc)
        self.openings.reload(settings)
        self.namesakes.forget()


class NoSessions:
    """``LiveSessions`` where nobody is logged in."""

    def credentials(self, user: PushUser) -> Sequence[Credential]:
        """Return none."""
        return ()


@asynccontextmanager
async def opened_listening(
    configuration: Configuration, storage: Storage, clock: Clock, sessions: LiveSessions
) -> AsyncIterator[Listening]:
    """Put the parts together, and close them at the end; nothing is connected to before its first use.

    Raise ``ConfigurationError`` for authorities that cannot be read. Deriving the key of registrations takes some
    50 ms.
    """
    settings = configuration.settings
    async with AsyncExitStack() as stack:
        mailboxes = Mailboxes.from_settings(settings, configuration.etc, clock)
        if mailboxes is not None:
            await stack.enter_async_context(aclosing(mailboxes))
        doveadm = Doveadm.from_settings(settings, configuration.etc, clock)
        if doveadm is not None:
            await stack.enter_async_context(aclosing(doveadm))
        openings = Openings(mailboxes, storage.users, storage.credentials, sessions, settings, clock)
        await stack.enter_async_context(aclosing(openings))
        names = MailboxNames(storage.users, storage.credentials, settings)
        namesakes = await stack.enter_async_context(aclosing(Namesakes(storage.users, clock)))
        registered = SqlRegisteredMailboxes(storage.database)
        registry = Registry.from_settings(settings, openings, doveadm, names, namesakes, registered, clock)
        yield Listening(mailboxes, openings, doveadm, names, namesakes, registry)
