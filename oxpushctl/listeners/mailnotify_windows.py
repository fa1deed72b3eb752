"""Collecting what is heard of a user for a while: the first datagram opens a window, others in it change nothing."""

from __future__ import annotations

import asyncio

from oxpushctl.interfaces import Clock
from oxpushctl.model import PushUser


class Windows:
    """Windows that are open, at most one a user; all are equally long, so that they end in the order of their begin."""

    def __init__(self, clock: Clock, length_s: float) -> None:
        self._clock = clock
        self._length_s = length_s
        self._ends: dict[PushUser, float] = {}
        self._opened = asyncio.Event()

    def note(self, user: PushUser) -> None:
        """Open a user's window, unless it is."""
        if user not in self._ends:
            self._ends[user] = self._clock.monotonic() + self._length_s
            self._opened.set()

    def drop(self, user: PushUser) -> None:
        """Close a user's window without an end."""
        self._ends.pop(user, None)

    def take_all(self) -> list[PushUser]:
        """Close all windows before their time, and return whose they were."""
        users = list(self._ends)
        self._ends.clear()
        return users

    async def next(self) -> PushUser:
        """Wait for the next window that ends, and return whose it was."""
        while True:
            if not self._ends:
                self._opened.clear()
                await self._opened.wait()
                continue
            user, end = next(iter(self._ends.items()))
            left_s = end - self._clock.monotonic()
            if left_s <= 0:
                del self._ends[user]
                return user
            await self._clock.sleep(left_s)
