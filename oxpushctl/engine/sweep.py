"""Subscriptions whose expiry is over are filtered at once; here they are removed, now and then."""

from __future__ import annotations

from oxpushctl import log
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock, SubscriptionStore

INTERVAL_S = 600.0

_log = log.get(__name__)


async def sweep(subscriptions: SubscriptionStore, clock: Clock) -> None:
    """Sweep until cancelled; a database that cannot be reached is tried again at the next time."""
    while True:
        try:
            while swept := await subscriptions.sweep():
                _log.info("expired subscriptions removed", count=len(swept))
        except OxpushctlError as error:
            _log.warning("expired subscriptions could not be removed", reason=str(error))
        await clock.sleep(INTERVAL_S)
