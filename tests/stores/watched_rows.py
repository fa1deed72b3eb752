"""Kept passwords in memory, for tests that look at what is written."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.model import KeptCredential, Seals
from oxpushctl.stores.memory import MemoryCredentialRows


class WatchedRows(MemoryCredentialRows):
    """Rows that note what is written to them."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[KeptCredential] = []

    async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
        is_put = await super().put(rows, under)
        if is_put:
            self.written += rows
        return is_put

    def plant(self, row: KeptCredential) -> None:
        """Write a row as another program does: whatever it has."""
        self._rows[row.user] = row
        self._order.append(row.user)
