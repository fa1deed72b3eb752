"""The id of a message: the same whenever the same notification goes to the same device."""

from __future__ import annotations

from hashlib import blake2b


def message_id(notification_id: str, token: str) -> str:
    """Return a UUID of version 8 (RFC 9562 section 5.8) that is a hash of both."""
    digits = blake2b(f"{notification_id}/{token}".encode(), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
