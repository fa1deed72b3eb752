"""What each kind of part promises the engine; parts never know each other, only these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from oxpushctl.model import DirectoryEntry, Entry, MailEvent, Message, Notification, Outcome, PushUser, Subscription


class Clock(Protocol):
    """Time: ``now`` in epoch seconds, ``monotonic`` in seconds that never jump."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class EventSink(Protocol):
    """Where listeners hand in what they heard."""

    async def accept(self, event: MailEvent) -> None:
        """Return when the event is safe; raise ``NotKept`` when it could not be kept (it is tried all the same)."""


class MessageGenerator(Protocol):
    """Writes what a device reads."""

    def serves(self, client: str, transport: str) -> bool:
        """Tell whether messages can be written for a client's devices on a transport."""

    def render(self, notification: Notification, subscription: Subscription, limit: int) -> Message:
        """Write the message for one device, its payload at most ``limit`` bytes."""


class Transport(Protocol):
    """Hands messages to a provider."""

    @property
    def name(self) -> str:
        """The transport id that subscriptions carry: ``apn`` or ``gcm``."""

    @property
    def max_payload(self) -> int:
        """The largest payload in bytes."""

    def serves(self, client: str) -> bool:
        """Tell whether the client's credentials are at hand."""

    async def send(self, message: Message) -> Outcome:
        """Make one attempt, within a deadline of its own; every expected end is an outcome."""

    async def aclose(self) -> None:
        """Finish what is in flight and close the connections."""


class SubscriptionStore(Protocol):
    """Which devices want to be told."""

    async def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the live subscriptions of many users to a topic, in one query."""

    async def subscribe(self, subscription: Subscription) -> None:
        """Store a wish; a token belongs to the newest user that brings it."""

    async def unsubscribe(self, user: PushUser, client: str | None, token: str | None) -> Sequence[Subscription]:
        """Remove a user's subscriptions, all or those of a client or token; return what was removed."""

    async def remove_gone(self, subscription: Subscription, gone_since_ms: int | None) -> bool:
        """Remove a dead token unless it was renewed since; tell whether it was removed."""

    async def sweep(self) -> Sequence[Subscription]:
        """Remove some of what is expired and return it; empty when all is gone."""

    async def listing(self, user: PushUser | None, client: str | None) -> Sequence[Subscription]:
        """Return subscriptions ordered by context, user, client, transport and token."""


class UserDirectory(Protocol):
    """Which names stand for which user."""

    async def add(self, entry: DirectoryEntry) -> None:
        """Add or replace a user; raise ``BadData`` when a name is taken by another."""

    async def remove(self, user: PushUser) -> bool:
        """Remove a user; tell whether it was there."""

    async def listing(self) -> Sequence[DirectoryEntry]:
        """Return all entries ordered by context and user."""

    async def resolve(self, name: str) -> PushUser | None:
        """Return the user that a login or alias stands for."""


class Outbox(Protocol):
    """Keeps what was accepted until it is sent: events, and after matching one entry per message still open."""

    async def put(self, event: MailEvent) -> None:
        """Return when the event is safe; raise ``NotKept`` when it cannot be kept."""

    def matched(self, event_id: str, entries: Sequence[Entry]) -> None:
        """Replace an event by its messages; without any the event is done, unknown ones are not kept."""

    @property
    def is_full(self) -> bool:
        """Whether the next event will be refused."""

    def done(self, entry: Entry) -> None:
        """Forget a message that is delivered or given up."""

    def later(self, entry: Entry, at: float) -> bool:
        """Keep a message back until a time in epoch seconds; return false for one that is not held here."""

    def due(self, now: float) -> Sequence[Entry]:
        """Hand out the messages whose time has come; each one once."""

    def next_due(self) -> float | None:
        """Return when the next message falls due, in epoch seconds; ``None`` when none is kept back."""

    def open(self) -> Iterator[MailEvent | Entry]:
        """Walk over everything that is not done."""

    @property
    def depth(self) -> int:
        """How many events and messages are not done."""
