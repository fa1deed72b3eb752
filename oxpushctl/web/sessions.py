"""Who is logged in: sessions in the memory of this process, which end with it.

They are found by the SHA-256 of their ids, so that how long a look-up takes tells nothing about an id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from oxpushctl.config.own import SESSION_IDLE, SESSION_MAX_AGE
from oxpushctl.config.settings import Settings
from oxpushctl.interfaces import Clock
from oxpushctl.model import Credential, PushUser

_ID_BYTES = 16
_SHOWN = 4
_MOST_OF_USER = 100
_MOST = 200_000
# Each request removes a few expired sessions, more than it can make.
_REMOVED_AT_ONCE = 4


@dataclass(eq=False, slots=True)
class Session:
    """One log-in of an app; ``created`` and ``used`` are monotonic seconds.

    ``login`` is that of the directory's entry, ``secret`` the password that opens its mailbox. ``holders`` are called
    when it ends.
    """

    id: str = field(repr=False)
    user: PushUser
    login: str
    client: str
    secret: str = field(repr=False)
    address: str | None
    created: float
    used: float
    holders: tuple[Callable[[], None], ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """As much of the id as a log may show: 16 of 128 bits."""
        return f"{self.id[:_SHOWN]}…"


class Sessions:
    """All sessions: one ends ``idle_s`` seconds after its last use, and ``max_age_s`` after it was opened.

    A session that is held, by a web socket, is in use all the time. Where there are too many, of one user or at all,
    that one ends which was not used for longest; one that is held only where all are.
    """

    def __init__(
        self,
        idle_s: float,
        max_age_s: float,
        clock: Clock,
        *,
        most_of_user: int = _MOST_OF_USER,
        most: int = _MOST,
    ) -> None:
        self.opened: Callable[[PushUser], None] = _nobody_waits
        """Called with the user of each session that is opened."""
        self._idle_s = idle_s
        self._max_age_s = max_age_s
        self._clock = clock
        self._most_of_user = most_of_user
        self._most = most
        # In the order of age, and those that nobody holds in the order of use: those that are over come first.
        self._by_digest: OrderedDict[bytes, Session] = OrderedDict()
        self._unheld: OrderedDict[bytes, Session] = OrderedDict()
        self._of_user: dict[PushUser, OrderedDict[bytes, Session]] = {}

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock) -> Sessions:
        """Keep sessions for as long as the configuration says."""
        return cls(settings[SESSION_IDLE], settings[SESSION_MAX_AGE], clock)

    def __len__(self) -> int:
        return len(self._by_digest)

    def open(self, user: PushUser, login: str, *, client: str, secret: str, address: str | None) -> Session:
        """Make a session.

        A password that just opened the mailbox replaces another one in all of the user's sessions: it may have been
        changed since they were opened.
        """
        self._remove_expired(_REMOVED_AT_ONCE)
        its: Mapping[bytes, Session] = self._of_user.get(user, {})
        for other in its.values():
            if other.login == login:
                other.secret = secret
        if len(its) >= self._most_of_user:
            self._remove(next((digest for digest in its if not its[digest].holders), next(iter(its))))
        elif len(self._by_digest) >= self._most:
            self._remove(next(iter(self._unheld or self._by_digest)))
        now = self._clock.monotonic()
        session = Session(secrets.token_hex(_ID_BYTES), user, login, client, secret, address, now, now)
        self.opened(user)
        digest = _digest(session.id)
        self._by_digest[digest] = self._unheld[digest] = session
        self._of_user.setdefault(user, OrderedDict())[digest] = session
        return session

    def find(self, session_id: str) -> Session | None:
        """Return a session that has not ended, and count that as a use."""
        self._remove_expired(_REMOVED_AT_ONCE)
        digest = _digest(session_id)
        session = self._by_digest.get(digest)
        if session is None or not hmac.compare_digest(_encoded(session.id), _encoded(session_id)):
            return None
        if self._is_over(session):
            self._remove(digest)
            return None
        self._use(digest, session)
        return session

    def hold(self, session: Session, ended: Callable[[], None]) -> bool:
        """Keep a session from idling out, though not from growing too old; return false where it has ended already.

        ``ended`` is called when it ends, whatever ends it, unless ``release`` takes it back.
        """
        digest = _digest(session.id)
        if self._by_digest.get(digest) is not session or self._is_over(session):
            return False
        session.holders += (ended,)
        self._unheld.pop(digest, None)
        return True

    def release(self, session: Session, ended: Callable[[], None]) -> None:
        """Hold a session no more: from now on it idles, if nobody else holds it."""
        digest = _digest(session.id)
        if self._by_digest.get(digest) is not session:
            return
        session.holders = tuple(holder for holder in session.holders if holder != ended)
        if not session.holders:
            self._unheld[digest] = session
            self._use(digest, session)

    def credentials(self, user: PushUser) -> Sequence[Credential]:
        """Return the passwords of a user's sessions, the newest use first, each once."""
        its: Mapping[bytes, Session] = self._of_user.get(user, {})
        standing = [session for session in reversed(list(its.values())) if not self._is_over(session)]
        found = dict.fromkeys((session.login, session.secret) for session in standing)
        return [Credential(user, login, secret) for login, secret in found]

    def close(self, session_id: str) -> bool:
        """End a session; tell whether it was there."""
        if self.find(session_id) is None:
            return False
        self._remove(_digest(session_id))
        return True

    def close_user(self, user: PushUser) -> int:
        """End all sessions of a user; return how many there were."""
        digests = list(self._of_user.get(user, ()))
        for digest in digests:
            self._remove(digest)
        return len(digests)

    def sweep(self) -> int:
        """Remove all that are over, with their passwords, where no requests come that would do it; return how many."""
        return self._remove_expired(len(self._by_digest))

    def _remove_expired(self, most: int) -> int:
        removed = 0
        for order in (self._by_digest, self._unheld):
            while removed < most and order:
                digest, session = next(iter(order.items()))
                if not self._is_over(session):
                    break
                self._remove(digest)
                removed += 1
        return removed

    def _is_over(self, session: Session) -> bool:
        now = self._clock.monotonic()
        is_idle = not session.holders and now >= session.used + self._idle_s
        return is_idle or now >= session.created + self._max_age_s

    def _use(self, digest: bytes, session: Session) -> None:
        session.used = self._clock.monotonic()
        if not session.holders:
            self._unheld.move_to_end(digest)
        self._of_user[session.user].move_to_end(digest)

    def _remove(self, digest: bytes) -> None:
        session = self._by_digest.pop(digest)
        self._unheld.pop(digest, None)
        its = self._of_user[session.user]
        del its[digest]
        if not its:
            del self._of_user[session.user]
        holders, session.holders = session.holders, ()
        for ended in holders:
            ended()


def _nobody_waits(_: PushUser) -> None:
    """Leave it at that."""


def _encoded(session_id: str) -> bytes:
    return session_id.encode(errors="surrogatepass")  # a query may hold half a character


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(_encoded(session_id)).digest()
