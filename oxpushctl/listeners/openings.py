"""Opening users' mailboxes for listeners, with whatever is at hand: the master password, a kept one, or a session's.

``com.openexchange.mail.passwordSource=global`` leaves the master password alone. Else a permanent listener tries the
kept password before those of sessions, and one that is bound to a session the other way round. What the server refuses
is not tried again for a long while (``refusals``), unless something else is at hand by then; what it lets in takes the
place of a kept password that it refused.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

from oxpushctl import log
from oxpushctl.config.mailboxes import is_master_wanted
from oxpushctl.config.properties import MAIL_SERVER_URL, MASTER_PASSWORD
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, ConfigurationError, OxpushctlError, UnknownEntry
from oxpushctl.interfaces import Clock, CredentialStore, LiveSessions, UserDirectory
from oxpushctl.listeners.imap import ImapConnection
from oxpushctl.listeners.imap_troubles import LogInRefused
from oxpushctl.listeners.mail_server import LogIn, mail_login
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.listeners.namesakes import Namesakes, PagedDirectory
from oxpushctl.listeners.opening import none_is_kept, not_kept, with_kept_password, with_master_password
from oxpushctl.listeners.refusals import Refusals
from oxpushctl.model import Credential, CredentialState, KeptCredential, PushUser

# Of a user's sessions those that were used last: passwords that differ are seldom more than two.
_MOST_SESSIONS = 3

_log = log.get(__name__)


class Directory(UserDirectory, PagedDirectory, Protocol):
    """Which names stand for which user, one by one and page by page."""


class Vault(CredentialStore, Protocol):
    """What opening mailboxes wants of the store of passwords."""

    async def row(self, user: PushUser) -> KeptCredential | None:
        """Return what is kept for a user as it is kept, with what it is worth."""

    async def decrypted(self, kept: KeptCredential) -> Credential:
        """Return a kept password in clear; raise ``Undecipherable``."""

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what a password is worth, unless another one is kept by now."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A mailbox that is open: who has it closes the connection. ``name`` is what it was logged in with."""

    connection: ImapConnection
    name: str


@dataclass(frozen=True, slots=True)
class _Key:
    """A log-in that may open a mailbox, and whether it was kept, or which session's it is; else it is the master's."""

    log_in: LogIn
    kept: KeptCredential | None = None
    session: Credential | None = None


class Openings:
    """Opens mailboxes at one mail server for the listeners of this process, each log-in through its gate.

    ``mailboxes`` is ``None`` where no mail server is configured, ``credentials`` where no passwords are kept.
    """

    def __init__(
        self,
        mailboxes: Mailboxes | None,
        directory: Directory,
        credentials: Vault | None,
        sessions: LiveSessions,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._mailboxes = mailboxes
        self._directory = directory
        self._credentials = credentials
        self._sessions = sessions
        self._settings = settings
        self._refusals = Refusals(clock)
        self._namesakes = Namesakes(directory, clock)
        self._under_way: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def reload(self, settings: Settings) -> None:
        """Take over changed settings; what was refused stays so, as far as they make the same log-ins."""
        self._settings = settings
        self._namesakes.forget()

    async def opened(self, user: PushUser, *, is_permanent: bool) -> Opened:
        """Open a user's mailbox.

        Raise ``NotPermitted`` when everything at hand was refused, now or not long ago, ``UnknownEntry``,
        ``ConfigurationError`` or ``BadData`` when nothing usable is at hand, ``ServerUnreachable`` when the mail
        server does not answer, and ``TryLater`` while it, or our gate, lets nobody in.
        """
        if self._mailboxes is None:
            raise ConfigurationError(f"{MAIL_SERVER_URL.key} is not set: no mailbox can be opened")
        keys, problem = await self._at_hand(user, is_permanent=is_permanent)
        refusals: list[LogInRefused] = []
        for key in keys:
            try:
                connection = await self._logged_in(self._mailboxes, user, key)
            except LogInRefused as refusal:
                refusals.append(refusal)
            else:
                return Opened(connection, key.log_in.name)
        if problem is not None and not (refusals and isinstance(problem, UnknownEntry | ConfigurationError)):
            raise problem
        raise refusals[0]

    async def aclose(self) -> None:
        """End what is done beside opening; connections are their owners' to close."""
        await self._namesakes.aclose()

    async def _at_hand(self, user: PushUser, *, is_permanent: bool) -> tuple[Sequence[_Key], OxpushctlError | None]:
        """Return what may open a mailbox, each log-in once, and why that is not more."""
        if is_master_wanted(self._settings):
            return [await self._of_master(user)], None
        of_sessions = await self._of_sessions(user)
        problem: OxpushctlError | None = None
        kept: list[_Key] = []
        try:
            kept.append(await self._kept(user))
        except OxpushctlError as error:
            problem = error
        known = {key.log_in for key in kept}
        others = [key for key in of_sessions if key.log_in not in known]
        return ([*kept, *others] if is_permanent else [*others, *kept]), problem

    async def _of_master(self, user: PushUser) -> _Key:
        entry = await self._directory.entry(user)
        log_in = with_master_password(user, entry, self._settings)
        if entry is not None:
            await self._namesakes.refuse_double(user, mail_login(entry, self._settings), self._settings)
        return _Key(log_in)

    async def _kept(self, user: PushUser) -> _Key:
        if self._credentials is None:
            raise none_is_kept(user, self._settings)
        kept = await self._credentials.row(user)
        if kept is None:
            raise not_kept(user)
        credential = await self._credentials.decrypted(kept)
        log_in = await with_kept_password(credential, self._settings, self._directory)
        digest = self._refusals.digest(log_in)
        if kept.state is CredentialState.REFUSED:
            self._refusals.note_earlier(digest)
        else:  # who gave it once more, or saw it open the mailbox, has told the store so
            self._refusals.forget_if_noted(digest)
        return _Key(log_in, kept=kept)

    async def _of_sessions(self, user: PushUser) -> Sequence[_Key]:
        keys: dict[LogIn, _Key] = {}
        for credential in self._sessions.credentials(user)[:_MOST_SESSIONS]:
            try:
                log_in = await with_kept_password(credential, self._settings, self._directory)
            except BadData as error:  # the directory has changed since: that session opens another's mailbox, or none
                _log.debug("a session's password is of no use", user=str(user), reason=str(error))
                continue
            keys.setdefault(log_in, _Key(log_in, session=credential))
        return list(keys.values())

    async def _logged_in(self, mailboxes: Mailboxes, user: PushUser, key: _Key) -> ImapConnection:
        """Log in; raise ``LogInRefused`` without trying for what was refused not long ago."""
        digest = self._refusals.digest(key.log_in)
        async with self._alone(digest):
            left_s = self._refusals.begin(digest)
            if left_s is not None:
                reason = f"the mail server refused the {_whose(key)} for {key.log_in.name!r} before"
                wait = f"it is tried again in {math.ceil(left_s / 60)} min"
                raise LogInRefused(reason, f"{wait}; {_remedy(user, key)}")
            try:
                connection = await mailboxes.logged_in(key.log_in)
            except LogInRefused as refusal:
                is_noted = await self._note(key, CredentialState.REFUSED)
                self._refusals.note(digest, is_noted=is_noted)
                raise LogInRefused(refusal.reason, refusal.hint or _remedy(user, key)) from refusal
        try:
            self._refusals.forget(digest)
            await self._note(key, CredentialState.OPENED)
            await self._renew(user, key)
        except BaseException:
            await connection.aclose()
            raise
        return connection

    @asynccontextmanager
    async def _alone(self, digest: bytes) -> AsyncIterator[None]:
        """Let one try a log-in at a time, so that a wrong password is not refused for each who asks meanwhile."""
        lock = self._under_way.setdefault(digest, asyncio.Lock())
        async with lock:
            yield

    async def _note(self, key: _Key, state: CredentialState) -> bool:
        """Note what a kept password is worth, if it is one and that is news; tell whether the store knows."""
        if key.kept is None or self._credentials is None:
            return False
        if key.kept.state is state:
            return True
        try:
            await self._credentials.mark(key.kept, state)
        except OxpushctlError as error:
            _not_noted(key.kept.user, error)
            return False
        return True

    async def _renew(self, user: PushUser, key: _Key) -> None:
        """Put a session's password that opened a mailbox in the place of a kept one that does not any more."""
        if key.session is None or self._credentials is None:
            return
        try:
            kept = await self._credentials.row(user)
            if kept is not None and kept.state is CredentialState.REFUSED:
                await self._credentials.renew(key.session)
        except OxpushctlError as error:
            _not_noted(user, error)


def _not_noted(user: PushUser, error: OxpushctlError) -> None:
    _log.warning("it could not be noted what a password is worth", user=str(user), reason=str(error))


def _whose(key: _Key) -> str:
    if key.kept is not None:
        return "kept password"
    return "master password" if key.session is None else "password of a session"


def _remedy(user: PushUser, key: _Key) -> str:
    if key.kept is not None:
        return f"set another with `oxpushctl credentials set -c {user.context} -u {user.user} --login …`"
    if key.session is not None:
        return "whoever logs in again with an app brings another"
    return f"correct {MASTER_PASSWORD.key}, or let the mail server's master user open that mailbox"
