"""Which log-ins the mail server refused: they are not tried again for a long while, so that nobody else pays for it.

A mail server makes all of an address wait for the refusals of one (Dovecot's penalty), or shuts it out (fail2ban).
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from oxpushctl.interfaces import Clock
from oxpushctl.listeners.mail_server import LogIn

FIRST_S, LONGEST_S = 20 * 60.0, 4 * 3600.0
# However many were refused, they are tried again one by one: far fewer than what makes all log-ins pause.
REPEAT_EVERY_S = 6.0
_MOST = 100_000


@dataclass(slots=True)
class _Refusal:
    """``is_noted``: the store of passwords knows as well."""

    wait_s: float
    until: float
    is_noted: bool = False


class Refusals:
    """Remembers log-ins by a digest under a key of this process alone; of too many the oldest are forgotten."""

    def __init__(self, clock: Clock, *, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._key = secrets.token_bytes(32)
        self._refused: OrderedDict[bytes, _Refusal] = OrderedDict()
        self._next_repeat = float("-inf")

    def digest(self, log_in: LogIn) -> bytes:
        """Return what a log-in is known by."""
        name, password = (text.encode("utf-8", "surrogatepass") for text in (log_in.name, log_in.password))
        return hashlib.blake2b(name + b"\0" + password, key=self._key, digest_size=16).digest()

    def begin(self, digest: bytes) -> float | None:
        """Return ``None`` where a log-in may be tried now; else how many seconds remain at least."""
        refusal = self._refused.get(digest)
        if refusal is None:
            return None
        now = self._clock.monotonic()
        left_s = max(refusal.until, self._next_repeat) - now
        if left_s > 0:
            return left_s
        self._next_repeat = now + REPEAT_EVERY_S
        return None

    def note(self, digest: bytes, *, is_noted: bool) -> None:
        """Note a refusal; ``is_noted`` tells that the store of passwords knows of it."""
        before = self._refused.pop(digest, None)
        wait_s = FIRST_S if before is None else min(2 * before.wait_s, LONGEST_S)
        self._keep(digest, _Refusal(wait_s, self._clock.monotonic() + wait_s, is_noted))

    def note_earlier(self, digest: bytes) -> None:
        """Note that a log-in was refused in an earlier run: it is due, one after the other like all of them."""
        if digest not in self._refused:
            self._keep(digest, _Refusal(FIRST_S / 2, self._clock.monotonic(), is_noted=True))

    def forget(self, digest: bytes) -> None:
        """Forget what was refused: it went well, and so may the next, which need not wait for its turn."""
        if self._refused.pop(digest, None) is not None:
            self._next_repeat = float("-inf")

    def forget_if_noted(self, digest: bytes) -> None:
        """Forget what the store knew to be refused: somebody has told it otherwise."""
        if (refusal := self._refused.get(digest)) is not None and refusal.is_noted:
            del self._refused[digest]

    def _keep(self, digest: bytes, refusal: _Refusal) -> None:
        self._refused[digest] = refusal
        if len(self._refused) > self._most:
            self._refused.popitem(last=False)
