"""Trying at the mail server what is to open mailboxes, many of them: which does, which does not, and why."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol, TypeVar

from oxpushctl import log
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, NotPermitted, NotReachable, OxpushctlError, TryLater, Undecipherable, UnknownEntry
from oxpushctl.interfaces import MailboxOpener, UserDirectory
from oxpushctl.listeners.log_in_gate import LogInsHeldBack
from oxpushctl.listeners.mail_server import LogIn
from oxpushctl.listeners.opening import with_kept_password, with_master_password
from oxpushctl.model import Credential, CredentialState, KeptCredential, PushUser

AT_A_TIME = 8
# After so many log-ins in a row that the server could not judge, no more of them wait for their time to run out.
MOST_UNJUDGED = 5

S = TypeVar("S")

_log = log.get(__name__)


class Result(enum.Enum):
    """What became of one."""

    OPENED = "opened"
    REFUSED = "refused"
    UNTRIED = "untried"
    UNDECIPHERABLE = "undecipherable"


_STATES = {Result.OPENED: CredentialState.OPENED, Result.REFUSED: CredentialState.REFUSED}


@dataclass(frozen=True, slots=True)
class Verified:
    """One mailbox: ``login`` as it is kept or in the directory; ``is_legacy``: encrypted as the middleware 7.x did."""

    user: PushUser
    login: str
    result: Result
    reason: str = ""
    is_legacy: bool = False


class OpenVault(Protocol):
    """What verifying wants of the store of passwords."""

    async def decrypted(self, kept: KeptCredential) -> Credential:
        """Return a kept password in clear; raise ``Undecipherable``."""

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what a password is worth."""


class Verification:
    """Tries mailboxes, eight at a time, and yields what became of each as soon as that is known.

    Leave the loop over either generator by its end, or close it (``contextlib.aclosing``): log-ins that are under way
    are ended then. What fails beside the mail server (a database that does not answer) is raised.
    """

    def __init__(self, opener: MailboxOpener, directory: UserDirectory, settings: Settings) -> None:
        self._opener = opener
        self._directory = directory
        self._settings = settings
        self._unjudged = 0

    def kept(
        self, passwords: AsyncIterable[KeptCredential], vault: OpenVault, is_legacy: Callable[[str], bool]
    ) -> AsyncGenerator[Verified, None]:
        """Try kept passwords, and note in the vault what each is worth; ``is_legacy`` tells the encrypted value's."""

        async def judge(kept: KeptCredential) -> Verified:
            try:
                credential = await vault.decrypted(kept)
                log_in = await with_kept_password(credential, self._settings, self._directory)
            except Undecipherable as error:
                result, reason = Result.UNDECIPHERABLE, str(error)
            except BadData as error:
                result, reason = Result.UNTRIED, str(error)
            else:
                result, reason = await self._tried(log_in)
            await _mark(vault, kept, result)
            return Verified(kept.user, kept.login, result, reason, is_legacy(kept.value))

        return _as_completed(passwords, judge)

    def users(self, users: AsyncIterable[PushUser]) -> AsyncGenerator[Verified, None]:
        """Try the master password at the mailboxes of users."""

        async def judge(user: PushUser) -> Verified:
            entry = await self._directory.entry(user)
            try:
                log_in = with_master_password(user, entry, self._settings)
            except (BadData, UnknownEntry) as error:
                result, reason = Result.UNTRIED, str(error)
            else:
                result, reason = await self._tried(log_in)
            return Verified(user, "" if entry is None else entry.login, result, reason)

        return _as_completed(users, judge)

    async def _tried(self, log_in: LogIn) -> tuple[Result, str]:
        if self._unjudged >= MOST_UNJUDGED:
            return Result.UNTRIED, f"not tried, after {self._unjudged} in a row that the mail server did not judge"
        try:
            await self._opener.try_log_in(log_in.name, log_in.password)
        except NotPermitted as error:
            self._unjudged = 0
            return Result.REFUSED, str(error)
        except LogInsHeldBack as error:  # costs no time
            return Result.UNTRIED, str(error)
        except (NotReachable, TryLater) as error:
            self._unjudged += 1
            return Result.UNTRIED, str(error)
        self._unjudged = 0
        return Result.OPENED, ""


async def _mark(vault: OpenVault, kept: KeptCredential, result: Result) -> None:
    """Note a judgement of the mail server's, if it is news; what was not judged stays what it was."""
    state = _STATES.get(result, kept.state)
    if state is kept.state:
        return
    try:
        await vault.mark(kept, state)
    except OxpushctlError as error:
        user, worth = str(kept.user), state.value
        _log.warning("it could not be noted what a password is worth", user=user, state=worth, reason=str(error))


async def _as_completed(
    subjects: AsyncIterable[S], judge: Callable[[S], Coroutine[None, None, Verified]]
) -> AsyncGenerator[Verified, None]:
    """Yield what is judged in the order of completion; no subject is asked for before there is a place for it."""
    under_way: set[asyncio.Task[Verified]] = set()
    try:
        async for subject in subjects:
            under_way.add(asyncio.create_task(judge(subject)))
            if len(under_way) >= AT_A_TIME:
                yield await _first(under_way)
        while under_way:
            yield await _first(under_way)
    finally:
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _first(under_way: set[asyncio.Task[Verified]]) -> Verified:
    done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    first = done.pop()
    under_way.discard(first)
    return first.result()
