"""Whether a device is still its user's when a message that waited is sent at last.

While a provider is away the phone may be handed on, or its app signed out: the token is another user's then, and the
row that the message was written for is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.interfaces import Clock, SubscriptionStore
from oxpushctl.model import Entry

# A message that leaves this soon is sent to the device that was found: as if it had left at once.
FRESH_S = 5.0


class Standing:
    """Looks subscriptions up again, those of many messages in one query."""

    def __init__(self, subscriptions: SubscriptionStore, clock: Clock) -> None:
        self._subscriptions = subscriptions
        self._clock = clock

    def is_fresh(self, entry: Entry) -> bool:
        """Tell whether a message's subscription was seen a moment ago."""
        return self._clock.monotonic() - entry.seen_at < FRESH_S

    async def gone(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the messages whose subscriptions are gone or expired; those of the others have been seen now."""
        now = self._clock.monotonic()
        ids = list({entry.subscription.id for entry in entries})
        standing = await self._subscriptions.standing(ids)
        for entry in entries:
            if entry.subscription.id in standing:
                entry.seen_at = now
        return [entry for entry in entries if entry.subscription.id not in standing]
