"""APNs' provider token: a JSON Web Token that we sign ourselves, the same one on every node.

A JSON Web Token (RFC 7519) is ``base64url(header).base64url(claims).base64url(signature)``, without padding.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

import orjson

from oxpushctl.transports.credentials import SigningKey

GRID_S = 1800
_MARGIN_S = 600


def signed_jwt(header: Mapping[str, str], claims: Mapping[str, str | int], sign: Callable[[bytes], bytes]) -> str:
    """Return a JSON Web Token; the same parts in the same order give the same text."""
    text = b".".join(_base64url(orjson.dumps(part)) for part in (header, claims))
    return b".".join((text, _base64url(sign(text)))).decode("ascii")


class ProviderToken:
    """A team's token for APNs, which takes a new one every 20 minutes at most and none older than 60.

    Nodes of a cluster, and an engine that was restarted, must not come with tokens of their own, so nothing in it is
    chance: ``iat`` stands on a grid of 30 minutes and the signature follows RFC 6979. A position is used from 10
    minutes after it until 10 minutes after the next, so that clocks may differ by 10 minutes.
    """

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._issued_at = 0
        self._text = ""

    def at(self, now: float) -> str:
        """Return the token for a time in epoch seconds."""
        # Later than the grid says is right after a renewal; later than now is a clock that was set back.
        if not _position(now - _MARGIN_S) <= self._issued_at <= now:
            self._issue(_position(now - _MARGIN_S))
        return self._text

    def renewed(self, now: float, refused: str) -> str:
        """Return the youngest token that the grid has, unless another was issued since the one that is refused."""
        if self._text == refused and self._issued_at < _position(now):
            self._issue(_position(now))
        return self._text

    def _issue(self, at: int) -> None:
        header = {"alg": "ES256", "kid": self._key.keyid}
        self._text = signed_jwt(header, {"iss": self._key.teamid, "iat": at}, self._key.sign)
        self._issued_at = at


def _position(now: float) -> int:
    return int(now) // GRID_S * GRID_S


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
