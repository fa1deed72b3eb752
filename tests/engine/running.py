"""A dispatcher with everything around it, run in the loop of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from oxpushctl.engine.buffer import Buffer
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.delivery import Delivery
from oxpushctl.engine.dispatcher import Dispatcher
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.engine.routes import Routes
from oxpushctl.engine.successes import Successes
from tests.engine.parts import PlainGenerator, PlainStore, ScriptedTransport


class Now(SystemClock):
    """The system's clock, which may be moved on; ``set_back`` is by how much its wall time was set back."""

    offset = 0.0
    set_back = 0.0

    def now(self) -> float:
        return super().now() + self.offset - self.set_back

    def monotonic(self) -> float:
        return super().monotonic() + self.offset


class Engine:
    """A dispatcher with everything around it."""

    def __init__(
        self,
        store: PlainStore,
        *transports: ScriptedTransport,
        outbox: MemoryOutbox | None = None,
        is_enabled: Callable[[str, str, str], bool] = lambda *_: True,
        delay_s: float = 0.05,
    ) -> None:
        self.clock = Now()
        self.outbox = outbox or MemoryOutbox()
        self.successes = Successes(store, self.clock)
        self.delivery = Delivery(
            Routes(transports, [PlainGenerator()], is_enabled),
            store,
            self.outbox,
            self.clock,
            self.successes,
            chance=lambda: 0.0,
        )
        self.dispatcher = Dispatcher(
            outbox=self.outbox,
            buffer=Buffer(delay_s, 10 * delay_s),
            subscriptions=store,
            delivery=self.delivery,
            clock=self.clock,
            max_age_s=3600.0,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Dispatcher]:
        task = asyncio.get_running_loop().create_task(self.dispatcher.run())
        yield self.dispatcher
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.dispatcher.aclose()
