"""Who works at whose mailbox: one at a time for a user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager

from oxpushctl.model import PushUser


class Claims:
    """Keeps two from working for the same user; nothing is kept of users for whom nobody works."""

    def __init__(self) -> None:
        self._held: dict[PushUser, asyncio.Event] = {}

    @asynccontextmanager
    async def alone(self, user: PushUser) -> AsyncIterator[None]:
        """Wait until nobody else works for a user; the user is the caller's until the block is left."""
        while (held := self._held.get(user)) is not None:
            await held.wait()
        with self.free([user]):
            yield

    @contextmanager
    def free(self, users: Collection[PushUser]) -> Iterator[frozenset[PushUser]]:
        """Take, without a wait, those of some users for whom nobody works, until the block is left."""
        taken = frozenset(user for user in users if user not in self._held)
        for user in taken:
            self._held[user] = asyncio.Event()
        try:
            yield taken
        finally:
            for user in taken:
                self._held.pop(user).set()
