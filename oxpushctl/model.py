"""The frozen values that travel from the mail server to the phone."""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

NEW_MAIL = "ox:mail:new"


@dataclass(frozen=True, slots=True, order=True)
class PushUser:
    """On whose behalf we listen and push; ordered by context, then user.

    Written ``user@context``, as the middleware does in a mailbox's METADATA.
    """

    context: int
    user: int

    def __str__(self) -> str:
        return f"{self.user}@{self.context}"


@dataclass(frozen=True, slots=True)
class Address:
    """One mail address of a From header, decoded: the name may be empty."""

    name: str
    email: str


def new_id() -> str:
    """Return an id that runs from an event to its outcomes: 32 hexadecimal digits."""
    return f"{random.getrandbits(128):032x}"  # tells apart, guards nothing; no system call an event


@dataclass(frozen=True, slots=True)
class MailEvent:
    """What a listener heard: one new mail in one mailbox.

    ``uid`` 0 means that the mail server did not learn it (Maildir under parallel delivery), ``unseen`` ``None``
    that it was not told. ``at`` is in epoch seconds. Header texts are decoded and unfolded.
    """

    user: PushUser
    folder: str
    uidvalidity: int
    uid: int
    sender: Address | None
    subject: str
    snippet: str
    unseen: int | None
    heard_by: str
    at: float
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Notification:
    """What one user's devices may want to know.

    ``data`` has the middleware's keys (``folder``, ``id``, ``cid``, ``email``, ``displayname``, ``subject``,
    ``unread``, ``teaser``). ``mail_id`` is the same for every repeat of the same mail and names nobody: it becomes
    the collapse id and the event id that apps see. ``at`` and ``expires_at`` are in epoch seconds.
    """

    user: PushUser
    topic: str
    data: Mapping[str, str | int]
    mail_id: str
    at: float
    expires_at: float
    priority: str = "high"
    id: str = field(default_factory=new_id)
    more: int = 0


@dataclass(frozen=True, slots=True)
class Subscription:
    """One device's standing wish to be told; times in epoch milliseconds, ``expires_ms`` ``None`` is never.

    ``topics`` as they were asked for: ``*``, ``ox:mail:*`` or ``ox:mail:new``. ``id`` is the row's, 16 bytes.
    ``delivered_ms`` is when a push last reached the device; listings know it.
    """

    user: PushUser
    client: str
    transport: str
    token: str = field(repr=False)
    topics: tuple[str, ...] = (NEW_MAIL,)
    expires_ms: int | None = None
    changed_ms: int = 0
    id: bytes = b""
    delivered_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Ready for one token: ``payload`` is UTF-8 JSON, ``options`` what the transport puts around it.

    ``id`` is a UUID in its usual form, the same whenever the same notification goes to the same token.
    """

    id: str
    subscription: Subscription
    payload: bytes = field(repr=False)
    options: Mapping[str, str]
    notification_id: str


@dataclass(eq=False, slots=True)
class Entry:
    """One message still to be delivered: a notification for one device, and how often that was tried.

    Entries are told apart by identity: a retry of one device never touches another's. ``seen_at`` is when the
    subscription was last known to stand, in seconds of this process that never jump.
    """

    notification: Notification
    subscription: Subscription
    attempts: int = 0
    seen_at: float = float("-inf")


class Verdict(enum.Enum):
    """What became of a message; only the last two are worth repeating."""

    DELIVERED = "delivered"
    TOKEN_GONE = "token_gone"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"


class Scope(enum.Enum):
    """How far a verdict reaches: this message, this device, or everything of the client."""

    MESSAGE = "message"
    DEVICE = "device"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one attempt, with the provider's words and what to do about it.

    ``retry_after_s`` is what the provider asked for, ``gone_since_ms`` since when it knows the token is dead (epoch
    milliseconds). ``is_doubtful``: a TOKEN_GONE that a wrong configuration would produce just as well.
    ``are_credentials_refused``: the provider does not accept our certificate, key or service account.
    ``is_expected``: a REJECTED that happens every day, of which nobody need hear.
    """

    verdict: Verdict
    scope: Scope = Scope.MESSAGE
    reason: str = ""
    advice: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    gone_since_ms: int | None = None
    provider_id: str = ""
    is_doubtful: bool = False
    are_credentials_refused: bool = False
    is_expected: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Registration:
    """A user is listened for on behalf of a client; ordered by context, user and client."""

    user: PushUser
    client: str


@dataclass(frozen=True, slots=True)
class Credential:
    """How to open a mailbox: the user's login, before ``com.openexchange.mail.loginSource``, and its password."""

    user: PushUser
    login: str
    secret: str = field(repr=False)


class Origin(enum.Enum):
    """Who gave a password to keep: what subscribing stored goes with the user's last registration."""

    COMMAND = "command"
    SUBSCRIBING = "subscribing"


class CredentialState(enum.Enum):
    """What a kept password is worth, as far as the mail server has told."""

    UNTRIED = "untried"
    OPENED = "opened"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class KeptCredential:
    """A kept password, encrypted as the middleware does; the state is about this very ``value``."""

    user: PushUser
    login: str
    value: str = field(repr=False)
    origin: Origin
    state: CredentialState = CredentialState.UNTRIED


@dataclass(frozen=True, slots=True)
class Seals:
    """A known text under the key of the passphrase, from which every member can tell whether its own is the same.

    ``following`` stands beside ``current`` while the kept passwords are brought under another passphrase. Each has the
    salt of the installation in it.
    """

    current: str | None = None
    following: str | None = None


class Health(enum.Enum):
    """How a listener fares; it runs while it is ``OK`` or ``RECONNECTING``.

    ``AUTH_FAILED``: nothing at hand opens the mailbox. ``OVER_LIMIT``: no more listeners may run at that mail server.
    ``UNSUPPORTED``: no implementation that is enabled can serve this mailbox. ``FAILED``: it has never run, and is
    tried again.
    """

    STARTING = "starting"
    OK = "ok"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    AUTH_FAILED = "auth-failed"
    OVER_LIMIT = "over-limit"
    UNSUPPORTED = "unsupported"

    @property
    def is_running(self) -> bool:
        """Whether new mail is heard, now or again in a moment."""
        return self in (Health.OK, Health.RECONNECTING)


@dataclass(frozen=True, slots=True)
class PushListener:
    """One listener as it is seen from outside; times in epoch seconds.

    ``implementation`` is empty while none was found to serve, ``since`` when it came into this health, ``proven_at``
    when it was last seen to work, ``reason`` why it does not.
    """

    user: PushUser
    is_permanent: bool
    node: str
    implementation: str
    health: Health
    since: float
    last_event: float | None = None
    proven_at: float | None = None
    reason: str = ""


# Uids that a mark remembers: more than are ever on their way to one mailbox at the same time.
MOST_RECENT = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a user's mailbox was heard: all below ``uidnext``; ``recent`` are uids that were heard last.

    The last of these comes last. One at or above ``uidnext`` was heard before others below it: those may have been
    missed.
    """

    uidvalidity: int
    uidnext: int
    recent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundMail:
    """A mail that was found in a mailbox; ``sender`` and ``subject`` are raw header values, ``None`` if absent.

    ``received_at`` in epoch seconds (INTERNALDATE).
    """

    uid: int
    received_at: float
    is_seen: bool
    sender: str | None = None
    subject: str | None = None
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredMailbox:
    """A mailbox that is registered at Dovecot: ``name`` opens it, ``about`` is the SHA-256 of the value, hexadecimal.

    ``verified_ms``: when the value was last seen to stand, epoch milliseconds.
    """

    user: PushUser
    name: str
    about: str
    verified_ms: int


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A user of the directory: how it logs in, and the names that mail servers know it by."""

    user: PushUser
    login: str
    mail: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Removed:
    """What went with a user that was taken out of the directory: devices, and whether a password was kept."""

    devices: int = 0
    has_password: bool = False
