"""Writing registrations into mailboxes' METADATA: over IMAP, over doveadm, or over whichever of them can.

::

    is the value there?  ──yes──► ALREADY
      └─no─► note what is about to be written ─► write it ─► is it there?  ──yes──► WRITTEN, or REPLACED

Source: RFC 5464 (METADATA); Dovecot's push-notification-driver-ox.c reads the entry of the server, mailbox ``""``.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from oxpushctl.config.settings import Settings
from oxpushctl.errors import (
    ConfigurationError,
    NotPermitted,
    OxpushctlError,
    TryLater,
    Undecipherable,
    UnknownEntry,
    Unsupported,
)
from oxpushctl.listeners.dovecot_value import Values, is_same, quotes
from oxpushctl.listeners.log_in_gate import LogInsHeldBack
from oxpushctl.model import PushUser

# Nothing at hand opens the mailbox: doveadm needs nothing.
_NO_PASSWORD = (UnknownEntry, ConfigurationError, NotPermitted, Undecipherable)


class Standing(enum.Enum):
    """What was in a mailbox before our value was."""

    ALREADY = "already"
    WRITTEN = "nothing"
    REPLACED = "another value"


class Cleared(enum.Enum):
    """What became of what a mailbox had: only what is ours is removed."""

    REMOVED = "removed"
    NOTHING = "nothing was there"
    ANOTHERS = "another value stays"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whose mailbox, and what is remembered of it: the ``name`` that opens it, and ``about`` what was written."""

    user: PushUser
    name: str = ""
    about: str | None = None
    is_permanent: bool = True


@dataclass(frozen=True, slots=True)
class Registered:
    """Our value is in a user's mailbox, which ``name`` opens."""

    user: PushUser
    name: str
    standing: Standing


# Called with what is about to be written, so that it can be taken back whatever happens then.
Intend = Callable[[Sequence[Registered]], Awaitable[None]]


class Registrar(Protocol):
    """Registers mailboxes at Dovecot; what becomes of each is a value or an error, in the order of the mailboxes."""

    @property
    def at_once(self) -> int:
        """How many mailboxes at a time are no more trouble than one."""

    def reload(self, settings: Settings) -> None:
        """Take over changed settings."""

    async def verify_or_set(
        self, mailboxes: Sequence[Mailbox], values: Values, intend: Intend | None
    ) -> Sequence[Registered | OxpushctlError]:
        """See that each mailbox has its value; without an ``intend`` nothing is written, and what would be is told."""

    async def unset(
        self, mailboxes: Sequence[Mailbox], values: Values, *, is_dry: bool = False
    ) -> Sequence[Cleared | OxpushctlError]:
        """Remove the values that are ours; ``is_dry``: tell what would be removed."""

    async def unset_former(self, mailboxes: Sequence[Mailbox], values: Values) -> Sequence[Cleared | OxpushctlError]:
        """Remove them from mailboxes by their names: their users have others by now."""


class EitherRegistrar:
    """A ``Registrar`` over doveadm where that is preferred; else over IMAP, and where no password helps over doveadm.

    ``doveadm`` is ``None`` where it cannot be used.
    """

    def __init__(self, imap: Registrar, doveadm: Registrar | None, *, is_doveadm_first: bool) -> None:
        self._first = doveadm if is_doveadm_first and doveadm is not None else imap
        self._second = None if self._first is doveadm else doveadm

    def reload(self, settings: Settings) -> None:
        """Take over changed settings; which way is preferred stays as it was."""
        for each in (self._first, self._second):
            if each is not None:
                each.reload(settings)

    @property
    def at_once(self) -> int:
        """As many as the way that is tried first."""
        return self._first.at_once

    async def verify_or_set(
        self, mailboxes: Sequence[Mailbox], values: Values, intend: Intend | None
    ) -> Sequence[Registered | OxpushctlError]:
        """See that each mailbox has its value."""
        answers = list(await self._first.verify_or_set(mailboxes, values, intend))
        unopened = self._unopened(answers)
        if self._second is not None and unopened:
            others = await self._second.verify_or_set([mailboxes[each] for each in unopened], values, intend)
            for place, other in zip(unopened, others, strict=True):
                answers[place] = other
        return answers

    async def unset(
        self, mailboxes: Sequence[Mailbox], values: Values, *, is_dry: bool = False
    ) -> Sequence[Cleared | OxpushctlError]:
        """Remove the values that are ours."""
        answers = list(await self._first.unset(mailboxes, values, is_dry=is_dry))
        unopened = self._unopened(answers)
        if self._second is not None and unopened:
            others = await self._second.unset([mailboxes[each] for each in unopened], values, is_dry=is_dry)
            for place, other in zip(unopened, others, strict=True):
                answers[place] = other
        return answers

    async def unset_former(self, mailboxes: Sequence[Mailbox], values: Values) -> Sequence[Cleared | OxpushctlError]:
        """Remove what is ours from mailboxes by their names, over doveadm: it needs no password."""
        return await (self._second or self._first).unset_former(mailboxes, values)

    def _unopened(self, answers: Sequence[object]) -> Sequence[int]:
        return [place for place, answer in enumerate(answers) if isinstance(answer, _NO_PASSWORD)]


def is_of_all(answer: object) -> bool:
    """Tell whether an error that says nothing of the mailbox itself is met by others too: nobody is there to ask."""
    is_of_one = isinstance(answer, TryLater) and not isinstance(answer, LogInsHeldBack)
    return isinstance(answer, OxpushctlError) and not is_of_one


def standing_of(value: str, found: bytes | None) -> Standing:
    """Tell what a mailbox has."""
    if is_same(value, found):
        return Standing.ALREADY
    return Standing.REPLACED if found else Standing.WRITTEN


def see_it_kept(value: str, found: bytes | None, whose: str) -> None:
    """Raise ``Unsupported`` where nothing is left of a value that was written, ``TryLater`` where another one is."""
    if not found:
        raise Unsupported(f"the mail server keeps nothing in the METADATA of {whose} (Dovecot: mail_attribute_dict)")
    if not is_same(value, found):
        raise TryLater(f"somebody else writes to the METADATA of {whose} as well: it does not have what was written")


def without(value: str, error: OxpushctlError, whose: str) -> OxpushctlError:
    """Return an error, or one in its place that does not quote the value, as a mail server's words may."""
    if not quotes(str(error), value):
        return error
    kind = Unsupported if isinstance(error, Unsupported) else TryLater
    return kind(f"the mail server refuses the registration of {whose}: its words quote it, and are not repeated here")
