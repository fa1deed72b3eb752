"""Users whose log-ins at the mail server are the same, although they are two: neither may hear the other's mailbox.

The directory has each login once, but com.openexchange.mail.loginSource may want the mail address, or what stands
before its @: two users may have those in common, and the master password would open one mailbox for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from oxpushctl.config.properties import LOGIN_SOURCE
from oxpushctl.config.settings import Settings
from oxpushctl.errors import BadData, TryLater
from oxpushctl.interfaces import Clock
from oxpushctl.listeners.mail_server import mail_login
from oxpushctl.model import DirectoryEntry, PushUser

REFRESH_S = 30.0
# The directory is read for at most a twentieth of the time.
_REST = 20
_PAGE = 1000
_PARTS = 1024
# A directory of some thousands is read within that; nobody waits longer for one of many more.
_PATIENCE_S = 3.0
# So many who came since the directory was read are known one by one.
_MOST_SINCE = 10_000
_SHOWN = 3


class _Table:
    """Whose a log-in is, in parts so small that nothing has to be in order.

    A part has three numbers of each user: the hash of the log-in's name, context and user.
    """

    def __init__(self) -> None:
        self._parts = [(array("q"), array("q"), array("q")) for _ in range(_PARTS)]

    def add(self, entries: Iterable[DirectoryEntry], settings: Settings) -> None:
        for entry in entries:
            try:
                number = _hash(mail_login(entry, settings))
            except BadData:  # it has no mail address, so it opens nothing
                continue
            numbers, contexts, users = self._parts[number % _PARTS]
            numbers.append(number)
            contexts.append(entry.user.context)
            users.append(entry.user.user)

    def bearers(self, number: int) -> Iterator[PushUser]:
        """Yield those whose log-in has a hash."""
        numbers, contexts, users = self._parts[number % _PARTS]
        at = -1
        with contextlib.suppress(ValueError):  # there is none any more
            while True:
                at = numbers.index(number, at + 1)
                yield PushUser(contexts[at], users[at])


class PagedDirectory(Protocol):
    """What is asked of the directory."""

    async def page(self, after: PushUser | None, most: int) -> Sequence[DirectoryEntry]:
        """Return entries behind a user in the order of context and user, at most that many."""


class Namesakes:
    """Knows the log-ins of all users, of 500 000 in 12 MB; made from the directory's pages when it is first asked.

    Who came since is compared with all that were asked about. Only where two are the same it is read again, since one
    of them may have gone.
    """

    def __init__(self, directory: PagedDirectory, clock: Clock, *, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._directory = directory
        self._clock = clock
        self._table: _Table | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._next_refresh = -math.inf
        # Of those who are not in the table: hash of the name → user, and before which reading of the directory.
        self._since: dict[int, tuple[PushUser, int]] = {}
        self._readings = 0

    async def refuse_double(self, user: PushUser, name: str, settings: Settings) -> None:
        """Raise ``BadData`` where another user has this log-in, ``TryLater`` while the directory is being read."""
        if settings[LOGIN_SOURCE] == "login":
            return
        number = _hash(name)
        if self._table is None or len(self._since) >= _MOST_SINCE or self._others(user, number):
            await self._refreshed(settings)
        if self._table is None or len(self._since) >= _MOST_SINCE:
            raise TryLater(f"whether the log-in of {user} is another's as well is being looked up: wait a while")
        others = self._others(user, number)
        if others:
            who = " and ".join(map(str, others))
            raise BadData(
                f"{user} and {who} would log in at the mail server as the same, {name!r}, and hear one mailbox: give "
                f"each a mail address of its own (oxpushctl users add), or set {LOGIN_SOURCE.key} to login"
            )
        if user not in self._table.bearers(number):
            self._since[number] = (user, self._readings)

    def forget(self) -> None:
        """Begin anew: other settings make other log-ins."""
        self._table = None
        self._since.clear()
        self._next_refresh = -math.inf
        if self._refreshing is not None:
            self._end(self._refreshing)
            self._refreshing = None

    async def aclose(self) -> None:
        """End reading the directory."""
        self.forget()
        if self._ending:
            await asyncio.wait(self._ending)

    def _end(self, refreshing: asyncio.Task[None]) -> None:
        refreshing.cancel()
        self._ending.add(refreshing)
        refreshing.add_done_callback(self._ended)

    def _ended(self, refreshing: asyncio.Task[None]) -> None:
        self._ending.discard(refreshing)
        if not refreshing.cancelled():
            refreshing.exception()  # nobody is left to be told

    def _others(self, user: PushUser, number: int) -> Sequence[PushUser]:
        """Return some of the other users with a log-in."""
        others = [self._since[number][0]] if number in self._since else []
        for bearer in () if self._table is None else self._table.bearers(number):
            if len(others) > _SHOWN:
                break
            others.append(bearer)
        return sorted({other for other in others if other != user})[:_SHOWN]

    async def _refreshed(self, settings: Settings) -> None:
        """Read the directory again if it is time to, and wait for it a little; raise what that raises."""
        refreshing = self._refreshing
        if refreshing is None or (refreshing.done() and self._clock.monotonic() >= self._next_refresh):
            refreshing = self._refreshing = asyncio.create_task(self._refresh(settings))
        await asyncio.wait([refreshing], timeout=self._patience_s)
        if refreshing.done() and not refreshing.cancelled() and (error := refreshing.exception()) is not None:
            raise error

    async def _refresh(self, settings: Settings) -> None:
        began = self._clock.monotonic()
        self._readings += 1
        reading = self._readings
        try:
            made, after = _Table(), None
            while page := await self._directory.page(after, _PAGE):
                await asyncio.to_thread(made.add, page, settings)
                after = page[-1].user
        finally:
            taken_s = self._clock.monotonic() - began
            self._next_refresh = began + taken_s + max(REFRESH_S, _REST * taken_s)
        self._table = made
        # Who came before the reading began has been read, if he is still in the directory.
        self._since = {number: since for number, since in self._since.items() if since[1] >= reading}


def _hash(name: str) -> int:
    return hash(name.casefold())  # of 64 bits, under a key of this process
