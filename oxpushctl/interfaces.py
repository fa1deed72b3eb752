"""What each kind of part promises the engine; parts never know each other, only these."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from oxpushctl.errors import OxpushctlError
from oxpushctl.model import (
    Credential,
    CredentialState,
    DirectoryEntry,
    Entry,
    KeptCredential,
    MailEvent,
    Mark,
    Message,
    Notification,
    Origin,
    Outcome,
    PushUser,
    RegisteredMailbox,
    Registration,
    Removed,
    Seals,
    Subscription,
)


class Clock(Protocol):
    """Time: ``now`` in epoch seconds, ``monotonic`` in seconds that never jump."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class EventSink(Protocol):
    """Where listeners hand in what they heard."""

    async def accept(self, event: MailEvent) -> None:
        """Return when the event is safe; raise ``NotKept`` when it could not be kept (it is tried all the same)."""


class Watch(Protocol):
    """Whom an implementation tells how its listeners fare."""

    def proven(self, user: PushUser) -> None:
        """Hear that a listener was just seen to work."""

    def lost(self, user: PushUser, error: OxpushctlError) -> None:
        """Hear that a listener hears nothing more, and why: it is started again in a while."""


class Implementation(Protocol):
    """One way to hear of new mail: ``dovecot``, ``imapidle`` or ``mailnotify``; it has all of its listeners.

    What it hears it hands to the sink that it was made with.
    """

    @property
    def name(self) -> str:
        """What it is called in settings and lists."""

    def is_on(self, *, is_permanent: bool) -> bool:
        """Tell whether it is enabled, for permanent listeners or for those of a session."""

    async def adopt(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return those of some users for whom it hears already, from an earlier run; they need no start."""

    async def start(self, user: PushUser, *, is_permanent: bool) -> None:
        """Begin to hear; return when it does, which a second start of the same user does at once.

        Raise ``Unsupported`` where another implementation has to serve, ``NotPermitted`` or ``UnknownEntry`` when
        nothing at hand opens the mailbox, ``OverLimit``, or another error for what may work in a while.
        """

    async def stop(self, user: PushUser) -> None:
        """Hear nothing more, and take back what was registered elsewhere; raise when that cannot be done now.

        Nothing happens for a user that it does not hear.
        """

    def leave(self, user: PushUser) -> None:
        """Hear nothing more at once, for another node will: what is registered elsewhere stays.

        A start that is under way fails. Nothing happens for a user that it does not hear.
        """

    async def run(self, watch: Watch) -> None:
        """Do what is to be done for all of them, until it is cancelled: then it hears nothing more.

        What is registered elsewhere stays, so that the next run need not register it.
        """


class Watermarks(Protocol):
    """Up to where each mailbox was heard, whoever heard it."""

    async def mark(self, user: PushUser) -> Mark | None:
        """Return a user's mark; ``None`` before the first sight of its mailbox. Raise when it cannot be read now."""

    def advance(self, user: PushUser, uidvalidity: int, uidnext: int) -> None:
        """Note that no mail below ``uidnext`` is to be pushed any more; another uidvalidity begins anew."""


class MarkStore(Protocol):
    """Keeps the marks of mailboxes."""

    async def read(self, users: Sequence[PushUser]) -> Mapping[PushUser, Mark]:
        """Return the marks of those of some users that have one."""

    async def write(self, marks: Mapping[PushUser, Mark]) -> None:
        """Put marks in the place of older ones: within a uidvalidity none ever goes back."""


class RegisteredMailboxes(Protocol):
    """Remembers which mailboxes are registered at Dovecot, so that a restart need not ask."""

    async def read(self, users: Sequence[PushUser]) -> Mapping[PushUser, RegisteredMailbox]:
        """Return what is remembered of those of some users that are registered."""

    async def page(self, after: PushUser | None, most: int) -> Sequence[RegisteredMailbox]:
        """Return rows behind a user in the order of context and user, at most that many."""

    async def put(self, rows: Sequence[RegisteredMailbox]) -> None:
        """Remember mailboxes."""

    async def remove(self, users: Sequence[PushUser]) -> None:
        """Forget mailboxes."""


class LiveSessions(Protocol):
    """Who is logged in, for listeners that are bound to a session or need its password."""

    def credentials(self, user: PushUser) -> Sequence[Credential]:
        """Return the passwords of a user's sessions, the newest first, each once."""


class ImplicitSubscriptions(Protocol):
    """Devices that need no row in a table: web sockets that are open now."""

    def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the subscriptions of those of some users that have one to a topic."""

    def standing(self, ids: Collection[bytes]) -> frozenset[bytes]:
        """Return those of some ids that are still there."""


class SocketDelivery(Protocol):
    """The web sockets that are open at this node."""

    async def send(self, token: str, payload: bytes) -> int:
        """Hand a message to the sockets of a token; return how many it went to."""


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
        """The transport id that subscriptions carry: ``apn``, ``gcm`` or ``websocket``."""

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

    async def subscribe(self, subscription: Subscription) -> bool:
        """Store a wish; a token belongs to the newest user that brings it.

        Return whether the user is now listened for on behalf of the client: it is allowed, and wants new mail.
        """

    async def unsubscribe(self, user: PushUser, client: str | None, token: str | None) -> Sequence[Subscription]:
        """Remove a user's subscriptions, all or those of a client or token; return what was removed."""

    async def remove_gone(self, subscription: Subscription, gone_since_ms: int | None) -> bool:
        """Remove a dead token unless it was renewed since; tell whether it was removed."""

    async def sweep(self) -> Sequence[Subscription]:
        """Remove some of what is expired and return it; empty when all is gone."""

    async def standing(self, ids: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of some ids whose subscriptions are still there and not expired."""

    async def delivered(self, at_ms: Mapping[bytes, int]) -> None:
        """Note when pushes reached the devices with these ids; ids that are gone are left out."""

    async def listing(self, user: PushUser | None, client: str | None) -> Sequence[Subscription]:
        """Return subscriptions ordered by context, user, client, transport and token."""


class RegistrationStore(Protocol):
    """Who is listened for; subscribing and unsubscribing write and delete what belongs to devices."""

    async def add(self, registration: Registration) -> bool:
        """Register a user for a client; tell whether that is new."""

    async def remove(self, registration: Registration) -> bool:
        """Take a registration back; tell whether it was there."""

    async def listing(
        self, user: PushUser | None = None, client: str | None = None, *, context: int | None = None
    ) -> Sequence[Registration]:
        """Return registrations ordered by context, user and client."""

    async def registered(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return those of some users that have a registration."""

    async def page(self, after: Registration | None, most: int) -> Sequence[Registration]:
        """Return registrations behind one in the order of context, user and client, at most that many."""


class CredentialStore(Protocol):
    """The mail passwords that are kept, in clear for whoever opens a mailbox."""

    async def put(self, credential: Credential, origin: Origin) -> bool:
        """Keep a password; tell whether that changed anything. What a command set stays of a command's origin."""

    async def renew(self, credential: Credential) -> bool:
        """Put the password that just opened a mailbox in place of another one kept for this login, if there is one."""

    async def get(self, user: PushUser) -> Credential | None:
        """Return what is kept for a user; raise ``Undecipherable`` for what cannot be decrypted."""

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        """Forget a user's password, of one origin only if one is given; tell whether it was there."""


class CredentialRows(Protocol):
    """Kept passwords, encrypted: one implementation a technology, and one that asks a running engine.

    Whoever writes says under which seals, as it read them: where others are in place by then, nothing is written.
    """

    async def seals(self) -> Seals:
        """Return the seals."""

    async def seal(self, before: Seals, after: Seals) -> bool:
        """Put other seals in place of those that were read; return false where somebody else was faster."""

    async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
        """Write rows over what users have, all or none; return false where other seals are in place.

        A row that is there of a command's origin stays of it, whoever writes.
        """

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        """Give rows another value where they still have the one that was read, keeping their state.

        All in one transaction; return how many, ``None`` where other seals are in place.
        """

    async def get(self, user: PushUser) -> KeptCredential | None:
        """Return a user's row."""

    async def page(self, after: PushUser | None, most: int, *, context: int | None = None) -> Sequence[KeptCredential]:
        """Return rows behind a user in the order of context and user, at most that many."""

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        """Delete a user's row, only if of that origin where one is given; tell whether it was there."""

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what a password is worth, unless the row has another one by now."""


class MailboxOpener(Protocol):
    """Tries passwords at the mail server."""

    async def try_log_in(self, name: str, password: str, address: str | None = None) -> None:
        """Log in and out again; ``address`` is that of the client on whose behalf.

        Raise ``NotPermitted`` when the mail server refuses, ``NotReachable`` or ``TryLater`` when it cannot be asked.
        """


class UserDirectory(Protocol):
    """Which names stand for which user."""

    async def add(self, entry: DirectoryEntry) -> None:
        """Add or replace a user; raise ``BadData`` when a name, or the id, is another's."""

    async def remove(self, user: PushUser) -> Removed | None:
        """Remove a user with all that would reach the next bearer of its id; return what went, if it was known."""

    async def listing(self) -> Sequence[DirectoryEntry]:
        """Return all entries ordered by context and user."""

    async def resolve(self, name: str) -> PushUser | None:
        """Return the user that a login or alias stands for."""

    async def entry(self, user: PushUser) -> DirectoryEntry | None:
        """Return what is known of a user."""

    async def create(self, login: str, mail: str, context: int) -> DirectoryEntry:
        """Make a user with an id that nobody ever had; return the one that has the login already, if so.

        Raise ``ConfigurationError`` where the middleware gives the ids.
        """


class Outbox(Protocol):
    """Keeps what was accepted until it is sent: events, and after matching one entry per message still open."""

    @property
    def is_durable(self) -> bool:
        """Whether what is left when the process ends, however that may be, is handed out by the next one."""

    async def put(self, event: MailEvent) -> None:
        """Return when the event is safe; raise ``NotKept`` when it cannot be kept."""

    def matched(self, event_id: str, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Replace an event by its messages, and return those that are still to be sent.

        Without any the event is done. Those of an event that is not kept are all to be sent, and not kept either.
        """

    @property
    def is_full(self) -> bool:
        """Whether the next event will be refused."""

    def done(self, entry: Entry) -> None:
        """Forget a message that is delivered or given up."""

    def later(self, entry: Entry, at: float) -> bool:
        """Keep a message back until a time in epoch seconds; return false for one that is not held here."""

    async def due(self, now: float, most: int) -> Sequence[Entry]:
        """Hand out some of the messages whose time has come; each one once."""

    def next_due(self) -> float | None:
        """Return when the next message falls due, in epoch seconds; ``None`` when none is kept back."""

    async def recovered(self, most: int, /) -> Sequence[MailEvent]:
        """Hand out events that an earlier run left, each once; empty when there are no more. Raise ``NotKept``."""

    async def heard_last(self) -> Sequence[MailEvent]:
        """Return what names the mails that an earlier run accepted in its last half minute, sent or not."""

    def left(self) -> Iterator[MailEvent | Entry]:
        """Walk over what is in memory and not done."""

    @property
    def depth(self) -> int:
        """How many events and messages are not done."""
