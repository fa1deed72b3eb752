"""Looking users up in the directory: those who are asked for at the same time by one query.

After a start of the engine everybody's names are wanted, and until they are there, what is heard of them is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from oxpushctl.errors import OxpushctlError
from oxpushctl.model import DirectoryEntry, PushUser


class Entries(Protocol):
    """What is wanted of the directory."""

    async def entries(self, users: Sequence[PushUser]) -> Mapping[PushUser, DirectoryEntry]:
        """Return what is known of those of some users that are in it."""


class _Query:
    """Some users, and what became of asking for them: ``entries``, an ``error``, or neither where it was given up."""

    def __init__(self) -> None:
        self.users: dict[PushUser, None] = {}
        self.is_done = asyncio.Event()
        self.entries: Mapping[PushUser, DirectoryEntry] | None = None
        self.error: OxpushctlError | None = None


class Together:
    """Asks for all who come while the query before theirs is under way at once."""

    def __init__(self, directory: Entries) -> None:
        self._directory = directory
        self._turn = asyncio.Lock()
        self._next: _Query | None = None

    async def entry(self, user: PushUser) -> DirectoryEntry | None:
        """Return what is known of a user; raise ``NotReachable`` or ``TryLater`` when the directory cannot be asked."""
        while True:
            query = self._next
            if query is None:
                query = self._next = _Query()
                query.users[user] = None
                await self._ask(query)
            else:
                query.users[user] = None
                await query.is_done.wait()
            if query.error is not None:
                raise query.error
            if query.entries is not None:
                return query.entries.get(user)

    async def _ask(self, query: _Query) -> None:
        """Ask for all who have joined a query by its turn; whoever is cancelled leaves the others to ask again."""
        try:
            async with self._turn:
                await asyncio.sleep(0)  # those who come together are taken together
                self._next = None
                query.entries = await self._directory.entries(list(query.users))
        except OxpushctlError as error:
            query.error = error
        finally:
            if self._next is query:
                self._next = None
            query.is_done.set()
