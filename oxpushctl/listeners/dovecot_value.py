"""What is written into a mailbox's METADATA, so that Dovecot sends it back with every new mail.

::

    user=3@1/kH2vX0c1l5yZ8Qm4WwLr9A     what follows user= is in ``registration``; Dovecot splits at tabs

Of several ``user=`` Dovecot takes the last, so what a mailbox has is compared as a whole. A MAC is as good as the right
to name its user: values never come into a log or a message, and what is remembered of them is their hash.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.config.settings import Settings
from oxpushctl.model import PushUser
from oxpushctl.registration import PLAIN, derive_key, sign

ENTRY = "/private/vendor/vendor.dovecot/http-notify"

# So many characters of a MAC are no coincidence.
_TELLING = 6


@dataclass(frozen=True, slots=True)
class Values:
    """The values of users in a mode (``signed``, ``plain`` or ``both``); without a key they are plain."""

    mode: str
    key: bytes | None = field(repr=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> Values:
        """Return those that the configuration asks for; deriving the key takes some 50 ms."""
        passcrypt = (settings[PASSCRYPT] or "").strip()
        return cls(settings[REGISTRATION], derive_key(passcrypt) if passcrypt else None)

    def reloaded(self, settings: Settings) -> Values:
        """Return those of another mode; the passphrase stays as it was."""
        return Values(settings[REGISTRATION], self.key)

    def of(self, user: PushUser) -> str:
        """Return the value that stands for a user."""
        return _plain(user) if self.mode == PLAIN or self.key is None else f"user={sign(user, self.key)}"

    def about(self, user: PushUser) -> str:
        """Return the hash of that value, which may be remembered."""
        return about(self.of(user))

    def is_ours(self, user: PushUser, found: bytes, remembered: str | None) -> bool:
        """Tell whether a value was written for a user by us, in whatever mode, or by the middleware.

        ``remembered`` is the hash of what was written last.
        """
        ours = [_plain(user).encode()]
        if self.key is not None:
            ours.append(f"user={sign(user, self.key)}".encode())
        return any(hmac.compare_digest(found, each) for each in ours) or remembered == about(found)


def is_same(value: str, found: bytes | None) -> bool:
    """Tell whether what a mail server has is the value, byte for byte; ``None`` is nothing at all."""
    return found is not None and hmac.compare_digest(value.encode(), found)


def quotes(text: str, value: str) -> bool:
    """Tell whether a text has the MAC of a value in it, or a good part of it."""
    mac = value.partition("/")[2]
    return any(mac[start : start + _TELLING] in text for start in range(len(mac) - _TELLING + 1))


def about(value: str | bytes) -> str:
    """Return the SHA-256 of a value, hexadecimal."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()


def _plain(user: PushUser) -> str:
    return f"user={user}"
