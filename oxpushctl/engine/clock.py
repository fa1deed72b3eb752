"""The system's clock, behind the interface that tests replace."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Time as the operating system tells it."""

    def now(self) -> float:
        """Return epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
