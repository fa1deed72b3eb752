"""Transports and tokens: what is written in many ways by clients and older rows is one thing to us."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from oxpushctl.errors import BadData

# Our word first, then the others for the same.
SPELLINGS: Mapping[str, Sequence[str]] = {
    "apn": ("apn", "apns", "apns_http2"),
    "gcm": ("gcm", "fcm"),
    "websocket": ("websocket",),
}
# Apple's tokens are bytes: apps and their libraries write them in either case.
_BYTES = re.compile(r"[0-9A-Fa-f]+")
_CANONICAL = {spelling: transport for transport, spellings in SPELLINGS.items() for spelling in spellings}


def canonical(transport: str) -> str:
    """Return our word for a transport; one that is not ours (``webhook``, ``wns``) stays as it is."""
    return _CANONICAL.get(transport, transport)


def checked(transport: str) -> str:
    """Return our word for a transport that somebody asks for; raise ``BadData`` for one that we do not have."""
    try:
        return _CANONICAL[transport]
    except KeyError:
        raise BadData(f"PNS-0005: no such transport: {transport!r} ({', '.join(SPELLINGS)})") from None


def tokens(transport: str, token: str) -> Sequence[str]:
    """Return the ways in which a device's token may be written, as it was given first."""
    if transport != "apn" or not _BYTES.fullmatch(token):
        return [token]
    return list(dict.fromkeys((token, token.lower(), token.upper())))


def is_same_token(transport: str, token: str, other: str) -> bool:
    """Tell whether two tokens of a transport stand for the same device."""
    return token == other or (
        transport == "apn" and token.lower() == other.lower() and _BYTES.fullmatch(token) is not None
    )
