"""The names of transports: what is written in many ways by clients and older rows is one thing to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oxpushctl.errors import BadData

# Our word first, then the others for the same.
SPELLINGS: Mapping[str, Sequence[str]] = {
    "apn": ("apn", "apns", "apns_http2"),
    "gcm": ("gcm", "fcm"),
    "websocket": ("websocket",),
}
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
