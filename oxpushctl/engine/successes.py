"""When a push last reached each device: noted on the way, written to the database now and then."""

from __future__ import annotations

import asyncio

from oxpushctl import log
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock, SubscriptionStore

INTERVAL_S = 60.0
# A device that was reached within this time is not written again: the day is what an operator wants to know.
REPEAT_S = 6 * 3600.0
_MOST_KNOWN = 200_000

_log = log.get(__name__)


class Successes:
    """Collects the ids of subscriptions whose devices were reached; ``run`` writes them until it is cancelled."""

    def __init__(self, subscriptions: SubscriptionStore, clock: Clock) -> None:
        self._subscriptions = subscriptions
        self._clock = clock
        self._known: dict[bytes, float] = {}
        self._unwritten: dict[bytes, int] = {}

    def note(self, identity: bytes) -> None:
        """Note that a device was just reached."""
        now = self._clock.monotonic()
        if now - self._known.get(identity, float("-inf")) < REPEAT_S:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()  # costs a write too many for each, and no memory without bound
        self._known[identity] = now
        self._unwritten[identity] = int(self._clock.now() * 1000)

    async def run(self) -> None:
        """Write every minute."""
        while True:
            await self._clock.sleep(INTERVAL_S)
            await self.write()

    async def write(self) -> None:
        """Write what is not written; what cannot be written now is tried at the next time."""
        batch, self._unwritten = self._unwritten, {}
        if not batch:
            return
        try:
            await self._subscriptions.delivered(batch)
        except asyncio.CancelledError:
            self._unwritten = batch | self._unwritten  # written twice does no harm
            raise
        except OxpushctlError as error:
            self._unwritten = batch | self._unwritten
            _log.warning("it could not be noted which devices were reached", count=len(batch), reason=str(error))
