"""Devices with a row in the database and devices without one, as one store.

A web socket that is open subscribes its client; where none is, this costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oxpushctl.interfaces import ImplicitSubscriptions, SubscriptionStore
from oxpushctl.model import PushUser, Subscription


class WithImplicit:
    """A store of subscriptions, and what is subscribed without being stored.

    When the store fails nobody is found, the open web sockets neither: the events wait for it.
    """

    def __init__(self, stored: SubscriptionStore, implicit: ImplicitSubscriptions) -> None:
        self._stored = stored
        self._implicit = implicit

    async def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the live subscriptions of many users to a topic, those of the store by one query."""
        found = await self._stored.matching(users, topic)
        implicit = self._implicit.matching(users, topic)
        if not implicit:
            return found
        return {**found, **{user: [*found.get(user, ()), *wishes] for user, wishes in implicit.items()}}

    async def subscribe(self, subscription: Subscription) -> bool:
        """Store a wish."""
        return await self._stored.subscribe(subscription)

    async def unsubscribe(self, user: PushUser, client: str | None, token: str | None) -> Sequence[Subscription]:
        """Remove what is stored; what is implicit ends by itself."""
        return await self._stored.unsubscribe(user, client, token)

    async def remove_gone(self, subscription: Subscription, gone_since_ms: int | None) -> bool:
        """Remove a dead token from the store, if it is there."""
        if self._implicit.standing((subscription.id,)):
            return False
        return await self._stored.remove_gone(subscription, gone_since_ms)

    async def sweep(self) -> Sequence[Subscription]:
        """Remove some of what is stored and expired."""
        return await self._stored.sweep()

    async def standing(self, ids: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of some ids whose subscriptions are still there; the store is asked about its own only."""
        implicit = self._implicit.standing(ids)
        others = [each for each in ids if each not in implicit] if implicit else ids
        return implicit | await self._stored.standing(others) if others else implicit

    async def delivered(self, at_ms: Mapping[bytes, int]) -> None:
        """Note in the store when pushes reached the devices that it has."""
        implicit = self._implicit.standing(at_ms)
        stored = {each: at for each, at in at_ms.items() if each not in implicit} if implicit else at_ms
        if stored:
            await self._stored.delivered(stored)

    async def listing(self, user: PushUser | None, client: str | None) -> Sequence[Subscription]:
        """Return what is stored: what is implicit nobody can remove."""
        return await self._stored.listing(user, client)
