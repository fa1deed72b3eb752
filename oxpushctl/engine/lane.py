"""One bounded queue per transport and client, so that a provider that hangs delays nobody else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from oxpushctl.model import Entry

# As many as the outbox holds: what waits here is remembered there anyway.
QUEUE_SIZE = 100_000
# As many as APNs allows streams on a connection.
IN_FLIGHT = 1_000


class Lane:
    """Hands entries to ``attempt`` in order, many at a time; workers live only while there is something to do."""

    def __init__(
        self, attempt: Callable[[Entry], Awaitable[None]], *, queue_size: int = QUEUE_SIZE, in_flight: int = IN_FLIGHT
    ) -> None:
        self._attempt = attempt
        self._queue: deque[Entry] = deque()
        self._queue_size = queue_size
        self._in_flight = in_flight
        self._workers: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is on its way."""
        return not self._queue and not self._workers

    def offer(self, entry: Entry) -> bool:
        """Queue an entry; return false when the lane is full."""
        if len(self._queue) >= self._queue_size:
            return False
        self._queue.append(entry)
        if len(self._workers) < self._in_flight:
            worker = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(worker)
        return True

    async def aclose(self) -> None:
        """Drop what waits and end what is on its way."""
        self._queue.clear()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._attempt(self._queue.popleft())
        finally:
            # Here and not when the loop notices: what is offered in between would find a worker that works no more.
            worker = asyncio.current_task()
            assert worker is not None  # noqa: S101  # a coroutine of ours runs in a task
            self._workers.discard(worker)
