"""What stands for a user in a mailbox's METADATA, and whether it is believed when a mail server sends it back.

::

    plain    3@1                            user@context, the middleware's form
    signed   3@1/kH2vX0c1l5yZ8Qm4WwLr9A     and the first 128 bits of HMAC-SHA256, base64url without padding

A mailbox owner can write METADATA: only a signed value proves that the gateway wrote it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from oxpushctl.model import PushUser

SIGNED = "signed"
PLAIN = "plain"
BOTH = "both"

# Fixed, since every node must derive the same key from the passphrase alone; they part this use from all others.
_SALT = b"oxpushctl/dovecot-registration/1"
_PURPOSE = b"oxpushctl registration of "
_MAC_BYTES = 16
_LARGEST_ID = 2**32 - 1
_VALUE = re.compile(r"([0-9]{1,10})@([0-9]{1,10})(?:/([A-Za-z0-9_-]{22}))?")


def derive_key(passcrypt: str) -> bytes:
    """Return the key that signs registrations: 32 bytes; slow on purpose (some 50 ms and 16 MiB), so call it once."""
    return hashlib.scrypt(passcrypt.strip().encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32)


def sign(user: PushUser, key: bytes) -> str:
    """Return the signed value that stands for a user."""
    return f"{user}/{_mac(user, key)}"


def believe(text: str, mode: str, key: bytes | None) -> PushUser | None:
    """Return the user that a value stands for; ``None`` when it names nobody or is not to be believed in that mode."""
    match = _VALUE.fullmatch(text)
    if match is None:
        return None
    user = PushUser(context=int(match[2]), user=int(match[1]))
    if not (0 < user.context <= _LARGEST_ID and 0 < user.user <= _LARGEST_ID):
        return None
    if match[3] is None:
        return user if mode != SIGNED else None
    is_genuine = key is not None and mode != PLAIN and hmac.compare_digest(match[3], _mac(user, key))
    return user if is_genuine else None


@dataclass(frozen=True, slots=True)
class Trust:
    """Which values are believed: ``mode`` is ``signed``, ``plain`` or ``both``."""

    mode: str
    key: bytes | None = field(repr=False)

    @classmethod
    def of(cls, mode: str, key: bytes | None) -> Trust:
        """Return the trust that a mode comes to: without a key nothing can be signed, so it is ``plain``."""
        return cls(mode if key is not None else PLAIN, key)

    @property
    def admits_names(self) -> bool:
        """Whether a login or alias may stand for a user: it proves no more than a plain value does."""
        return self.mode != SIGNED

    def believe(self, text: str) -> PushUser | None:
        """Return the user that a value stands for, if it is believed."""
        return believe(text, self.mode, self.key)


def _mac(user: PushUser, key: bytes) -> str:
    mac = hmac.digest(key, _PURPOSE + str(user).encode(), "sha256")[:_MAC_BYTES]
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
