"""Kept passwords in the memory of this process: gone when it ends, never on disk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import replace

from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.checks import check_kept, check_value


class MemoryCredentialRows:
    """``CredentialRows`` for one event loop: nothing here waits, so each call is done before another begins."""

    def __init__(self) -> None:
        self._seals = Seals()
        self._rows: dict[PushUser, KeptCredential] = {}
        self._order: list[PushUser] = []

    async def seals(self) -> Seals:
        """Return the seals."""
        return self._seals

    async def seal(self, before: Seals, after: Seals) -> bool:
        """Put other seals in place of those that were read; return false where somebody else was faster."""
        if self._seals != before:
            return False
        self._seals = after
        return True

    async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
        """Write rows over what users have, all or none; return false where other seals are in place.

        What a command gave stays of a command's origin.
        """
        for row in rows:
            check_kept(row)
        if self._seals != under:
            return False
        for row in rows:
            before = self._rows.get(row.user)
            if before is None:
                insort(self._order, row.user)
            is_command_s = before is not None and before.origin is Origin.COMMAND
            self._rows[row.user] = replace(row, origin=Origin.COMMAND) if is_command_s else row
        return True

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        """Give rows another value where they still have the one that was read; return how many."""
        for _, value in changes:
            check_value(value)
        if self._seals != under:
            return None
        replaced = 0
        for read, value in changes:
            row = self._rows.get(read.user)
            if row is not None and row.value == read.value:
                self._rows[row.user] = replace(row, value=value)
                replaced += 1
        return replaced

    async def get(self, user: PushUser) -> KeptCredential | None:
        """Return a user's row."""
        return self._rows.get(user)

    async def page(self, after: PushUser | None, most: int, *, context: int | None = None) -> Sequence[KeptCredential]:
        """Return rows behind a user in the order of context and user, at most that many."""
        start = 0 if after is None else bisect_right(self._order, after)
        end = len(self._order)
        if context is not None:
            start = max(start, bisect_left(self._order, context, key=_context))
            end = bisect_right(self._order, context, key=_context)
        return [self._rows[user] for user in self._order[start : min(end, start + most)]]

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        """Delete a user's row, only if of that origin where one is given; tell whether it was there."""
        row = self._rows.get(user)
        if row is None or origin not in (None, row.origin):
            return False
        del self._rows[user]
        del self._order[bisect_left(self._order, user)]
        return True

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what a password is worth, unless the row has another one by now."""
        row = self._rows.get(kept.user)
        if row is not None and row.value == kept.value:
            self._rows[row.user] = replace(row, state=state)


def _context(user: PushUser) -> int:
    return user.context
