"""What nobody waits for: expired subscriptions are removed, and passwords of users that nobody listens for.

Both are out of use at once; here they go, now and then, and as soon as a command says that it has changed something.
Others write to the database as well, so that it is looked at even when nobody says anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from oxpushctl import log
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import SubscriptionStore

SWEEP_S = 600.0
LOOK_S = 30.0

_log = log.get(__name__)


class Housekeeping:
    """Keeps house until ``run`` is cancelled; a store that cannot be reached is tried again at the next time.

    ``forget`` removes the passwords that subscribing stored of users without a registration, every ``look_s``.
    """

    def __init__(
        self,
        subscriptions: SubscriptionStore,
        forget: Callable[[], Awaitable[None]],
        *,
        look_s: float = LOOK_S,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._subscriptions = subscriptions
        self._forget = forget
        self._look_s = look_s
        self._sweep_s = sweep_s
        self._changed = asyncio.Event()

    def look(self) -> None:
        """Look at once: something was changed."""
        self._changed.set()

    async def run(self) -> None:
        """Sweep and forget, over and over."""
        loop = asyncio.get_running_loop()
        next_sweep = loop.time()
        while True:
            if loop.time() >= next_sweep:
                await self._sweep()
                next_sweep = loop.time() + self._sweep_s
            await self._forget_unregistered()
            try:
                async with asyncio.timeout(self._look_s):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()

    async def _sweep(self) -> None:
        try:
            while swept := await self._subscriptions.sweep():
                _log.info("expired subscriptions removed", count=len(swept))
        except OxpushctlError as error:
            _log.warning("expired subscriptions could not be removed", reason=str(error))

    async def _forget_unregistered(self) -> None:
        try:
            await self._forget()
        except OxpushctlError as error:
            _log.warning("passwords of users without a registration could not be removed", reason=str(error))
