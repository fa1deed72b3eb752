"""Secrets that nothing else in the world contains, and what finds a fragment of one wherever it went."""

from __future__ import annotations

import hashlib
import re
import string
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

_ALPHABET = string.ascii_letters + string.digits
_HALF = 12
_SHORTEST = 6  # characters; so many the log shows of what it masks
_SHORTEST_BASE64 = 8  # the same six bytes
_AUTHORIZATION = re.compile(r"\beyJ[\w-]{8,}|\b(?:basic|bearer) (?=\S*[0-9+/=])[\w+/=.-]{12,}", re.IGNORECASE)


class Planted:
    """The secrets of one configuration, each for a place; they are made as they are asked for."""

    def __init__(self) -> None:
        self._fragments: dict[int, dict[str, str]] = {_SHORTEST: {}, _SHORTEST_BASE64: {}}

    def secret(self, place: str) -> str:
        """Return a password: two halves that survive any escaping, and between them characters that need it."""
        number = int.from_bytes(hashlib.sha256(f"planted for {place}".encode()).digest())
        letters = [_ALPHABET[number // len(_ALPHABET) ** at % len(_ALPHABET)] for at in range(2 * _HALF)]
        halves = "".join(letters[:_HALF]), "".join(letters[_HALF:])
        for half in halves:
            self._fragments[_SHORTEST] |= dict.fromkeys(_windows(half, _SHORTEST), place)
            for shift in range(3):
                encoded = b64encode(b"\0" * shift + half.encode()).decode()[4:-4]
                self._fragments[_SHORTEST_BASE64] |= dict.fromkeys(_windows(encoded, _SHORTEST_BASE64), place)
        return "+/%".join(halves)

    def word(self, place: str) -> str:
        """Return a password of letters and digits."""
        return self.secret(place)[:_HALF]

    def in_url(self, place: str) -> str:
        """Return a password as it has to be written into a URL."""
        return quote(self.secret(place), safe="")

    def key(self, place: str, pem: bytes, secret_part: slice) -> None:
        """Take a private key for a secret, from its Base64 the part that is not public."""
        body = "".join(pem.decode().splitlines()[1:-1])[secret_part]
        self._fragments[_SHORTEST_BASE64] |= dict.fromkeys(_windows(body, _SHORTEST_BASE64), place)

    def leaks(self, text: str) -> set[str]:
        """Return the places whose secret, or six characters of it, show in a text; and HTTP authorizations."""
        return set(_AUTHORIZATION.findall(text)) | {
            places[window]
            for size, places in self._fragments.items()
            for window in _windows(text, size)
            if window in places
        }


def _windows(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(len(text) - size + 1))
