"""Registering at Dovecot over IMAP: one log-in a mailbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from oxpushctl.config.mailboxes import is_master_wanted
from oxpushctl.config.own import MASTER_USER
from oxpushctl.config.settings import Settings
from oxpushctl.errors import OxpushctlError, UnknownEntry
from oxpushctl.listeners.dovecot_registrar import (
    Cleared,
    Intend,
    Mailbox,
    Registered,
    Standing,
    see_it_kept,
    standing_of,
    without,
)
from oxpushctl.listeners.dovecot_value import ENTRY, Values
from oxpushctl.listeners.imap import ImapConnection
from oxpushctl.listeners.imap_mailbox import get_metadata, set_metadata
from oxpushctl.listeners.mail_server import master_delimiter
from oxpushctl.listeners.openings import Opened
from oxpushctl.model import PushUser

T = TypeVar("T")


class OpensMailboxes(Protocol):
    """What opens users' mailboxes: ``Openings``."""

    async def opened(self, user: PushUser, *, is_permanent: bool) -> Opened:
        """Return a mailbox for the caller to close."""


class ImapRegistrar:
    """A ``Registrar`` over IMAP: one mailbox after the other."""

    at_once = 1

    def __init__(self, openings: OpensMailboxes, settings: Settings) -> None:
        self._openings = openings
        self._settings = settings

    def reload(self, settings: Settings) -> None:
        """Take over changed settings."""
        self._settings = settings

    async def verify_or_set(
        self, mailboxes: Sequence[Mailbox], values: Values, intend: Intend | None
    ) -> Sequence[Registered | OxpushctlError]:
        """See that each mailbox has its value."""
        return [await _settled(self._registered(mailbox, values, intend)) for mailbox in mailboxes]

    async def unset(
        self, mailboxes: Sequence[Mailbox], values: Values, *, is_dry: bool = False
    ) -> Sequence[Cleared | OxpushctlError]:
        """Remove the values that are ours."""
        return [await _settled(self._cleared(mailbox, values, is_dry=is_dry)) for mailbox in mailboxes]

    async def unset_former(self, mailboxes: Sequence[Mailbox], values: Values) -> Sequence[Cleared | OxpushctlError]:
        """Tell that nothing at hand opens mailboxes that users had before."""
        return [UnknownEntry(f"nothing at hand opens the mailbox of {each.name!r}") for each in mailboxes]

    async def _registered(self, mailbox: Mailbox, values: Values, intend: Intend | None) -> Registered:
        value = values.of(mailbox.user)
        async with self._open(mailbox, value) as (connection, name):
            found = Registered(mailbox.user, name, standing_of(value, await get_metadata(connection, ENTRY)))
            if found.standing is not Standing.ALREADY and intend is not None:
                await intend([found])
                await set_metadata(connection, ENTRY, value)
                see_it_kept(value, await get_metadata(connection, ENTRY), repr(name))
            return found

    async def _cleared(self, mailbox: Mailbox, values: Values, *, is_dry: bool) -> Cleared:
        async with self._open(mailbox, values.of(mailbox.user)) as (connection, name):
            found = await get_metadata(connection, ENTRY)
            if found is not None and values.is_ours(mailbox.user, found, mailbox.about):
                if not is_dry:
                    await set_metadata(connection, ENTRY, None)
                return Cleared.REMOVED
            if mailbox.name and mailbox.name.lower() != name.lower():
                raise UnknownEntry(
                    f"{mailbox.user} is registered in the mailbox of {mailbox.name!r}, and what is at hand opens that "
                    f"of {name!r}: over doveadm it could be removed there"
                )
            return Cleared.NOTHING if found is None else Cleared.ANOTHERS

    @asynccontextmanager
    async def _open(self, mailbox: Mailbox, value: str) -> AsyncIterator[tuple[ImapConnection, str]]:
        opened = await self._openings.opened(mailbox.user, is_permanent=mailbox.is_permanent)
        name = _without_master(opened.name, self._settings)
        try:
            yield opened.connection, name
        except OxpushctlError as error:
            if (told := without(value, error, repr(name))) is not error:
                raise told from None
            raise
        finally:
            await opened.connection.aclose()


def _without_master(name: str, settings: Settings) -> str:
    """Return whose mailbox a name opens: without what only the log-in of a master user needs."""
    master_user = settings[MASTER_USER]
    if not is_master_wanted(settings) or not master_user:
        return name
    return name.removesuffix(f"{master_delimiter(settings)}{master_user}")


async def _settled(work: Awaitable[T]) -> T | OxpushctlError:
    try:
        return await work
    except OxpushctlError as error:
        return error
