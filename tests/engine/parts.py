"""Small real parts at the engine's interfaces: a clock that is turned by hand, a scripted transport, a plain store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from oxpushctl.model import (
    NEW_MAIL,
    Address,
    MailEvent,
    Message,
    Notification,
    Outcome,
    PushUser,
    Subscription,
    Verdict,
    new_id,
)

ANTON = PushUser(context=1, user=3)
BERTA = PushUser(context=1, user=4)
APP = "open-xchange-mobile-api-facade"


def mail(user: PushUser = ANTON, uid: int = 1, subject: str = "Lunch?", at: float = 1000.0) -> MailEvent:
    return MailEvent(
        user=user,
        folder="INBOX",
        uidvalidity=17,
        uid=uid,
        sender=Address("Anna", "anna@example.com"),
        subject=subject,
        snippet="at noon",
        unseen=2,
        heard_by="test",
        at=at,
    )


def phone(user: PushUser = ANTON, transport: str = "apn", token: str = "t1", client: str = APP) -> Subscription:
    return Subscription(user=user, client=client, transport=transport, token=token, id=token.encode().ljust(16, b"0"))


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


class PlainGenerator:
    """Writes the notification's data as it is."""

    def serves(self, client: str, transport: str) -> bool:
        return client.startswith(APP)

    def render(self, notification: Notification, subscription: Subscription, limit: int) -> Message:
        return Message(
            id=new_id(),
            subscription=subscription,
            payload=repr(dict(notification.data)).encode(),
            options={},
            notification_id=notification.id,
        )


class ScriptedTransport:
    """Answers with the outcomes it was given, then with DELIVERED; holds every answer while ``gate`` is closed."""

    def __init__(self, name: str = "apn", outcomes: Sequence[Outcome] = ()) -> None:
        self.name = name
        self.max_payload = 4096
        self.sent: list[Message] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._outcomes = list(outcomes)

    def serves(self, client: str) -> bool:
        return client.startswith(APP)

    async def send(self, message: Message) -> Outcome:
        self.sent.append(message)
        await self.gate.wait()
        return self._outcomes.pop(0) if self._outcomes else Outcome(Verdict.DELIVERED)

    async def aclose(self) -> None:
        pass


class PlainStore:
    """Subscriptions in a list; ``failures`` are raised first, one a query."""

    def __init__(self, *subscriptions: Subscription, failures: Sequence[Exception] = ()) -> None:
        self.subscriptions = list(subscriptions)
        self.failures = list(failures)
        self.queries: list[Sequence[PushUser]] = []
        self.reached: dict[bytes, int] = {}

    async def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        self.queries.append(users)
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        assert topic == NEW_MAIL
        return {user: [wish for wish in self.subscriptions if wish.user == user] for user in users}

    async def subscribe(self, subscription: Subscription) -> bool:
        self.subscriptions.append(subscription)
        return False

    async def unsubscribe(self, user: PushUser, client: str | None, token: str | None) -> Sequence[Subscription]:
        return []

    async def remove_gone(self, subscription: Subscription, gone_since_ms: int | None) -> bool:
        self.subscriptions.remove(subscription)
        return True

    async def sweep(self) -> Sequence[Subscription]:
        return []

    async def standing(self, ids: Sequence[bytes]) -> frozenset[bytes]:
        if self.failures:
            raise self.failures.pop(0)
        return frozenset(wish.id for wish in self.subscriptions if wish.id in ids)

    async def delivered(self, at_ms: Mapping[bytes, int]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.reached.update(at_ms)

    async def listing(self, user: PushUser | None, client: str | None) -> Sequence[Subscription]:
        return self.subscriptions
