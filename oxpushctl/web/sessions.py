"""Who is logged in: sessions in the memory of this process, which end with it.

They are found by the SHA-256 of their ids, so that how long a look-up takes tells nothing about an id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from oxpushctl.config.own import SESSION_IDLE, SESSION_MAX_AGE
from oxpushctl.config.settings import Settings
from oxpushctl.interfaces import Clock
from oxpushctl.model import PushUser

_ID_BYTES = 16
_SHOWN = 4
_MOST_OF_USER = 100
_MOST = 200_000
# Each request removes a few expired sessions, more than it can make.
_REMOVED_AT_ONCE = 4


@dataclass(eq=False, slots=True)
class Session:
    """One log-in of an app; ``created`` and ``used`` are monotonic seconds.

    ``login`` is that of the directory's entry, ``secret`` the password that opens its mailbox.
    """

    id: str = field(repr=False)
    user: PushUser
    login: str
    client: str
    secret: str = field(repr=False)
    address: str | None
    created: float
    used: float

    @property
    def shown(self) -> str:
        """As much of the id as a log may show: 16 of 128 bits."""
        return f"{self.id[:_SHOWN]}…"


class Sessions:
    """All sessions: one ends ``idle_s`` seconds after its last use, and ``max_age_s`` after it was opened.

    Where there are too many, of one user or at all, that one ends which was not used for longest.
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
        self._idle_s = idle_s
        self._max_age_s = max_age_s
        self._clock = clock
        self._most_of_user = most_of_user
        self._most = most
        # In the order of use, so that those that are over come first; one of great age soon does.
        self._by_digest: OrderedDict[bytes, Session] = OrderedDict()
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
            self._remove(next(iter(its)))
        elif len(self._by_digest) >= self._most:
            self._remove(next(iter(self._by_digest)))
        now = self._clock.monotonic()
        session = Session(secrets.token_hex(_ID_BYTES), user, login, client, secret, address, now, now)
        digest = _digest(session.id)
        self._by_digest[digest] = session
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
        session.used = self._clock.monotonic()
        self._by_digest.move_to_end(digest)
        self._of_user[session.user].move_to_end(digest)
        return session

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
        while removed < most and self._by_digest:
            digest, session = next(iter(self._by_digest.items()))
            if not self._is_over(session):
                break
            self._remove(digest)
            removed += 1
        return removed

    def _is_over(self, session: Session) -> bool:
        now = self._clock.monotonic()
        return now >= session.used + self._idle_s or now >= session.created + self._max_age_s

    def _remove(self, digest: bytes) -> None:
        session = self._by_digest.pop(digest)
        its = self._of_user[session.user]
        del its[digest]
        if not its:
            del self._of_user[session.user]


def _encoded(session_id: str) -> bytes:
    return session_id.encode(errors="surrogatepass")  # a query may hold half a character


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(_encoded(session_id)).digest()
