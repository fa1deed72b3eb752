"""Which clients are allowed: the patterns of ``com.openexchange.push.allowedClients``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from oxpushctl.config.clients.options import FACADE_CLIENT

_PIECES_AT_HAND = 1024
# Only these: "İ".lower() is two characters, of which ``?`` would match one.
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def is_allowed(client: str, patterns: Sequence[str]) -> bool:
    """Tell whether a client's id matches one of the patterns as a whole, ASCII case ignored; no pattern allows all.

    ``*`` stands for any characters and ``?`` for one, wherever they are: the middleware's 8.x takes ``abc?``
    literally, its 7.x does not.
    """
    return not patterns or any(_matches(client.translate(_LOWER), pattern.translate(_LOWER)) for pattern in patterns)


def widened(patterns: Sequence[str], clients: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns and what has to be added for further clients; those of the facade have one for all."""
    added = {f"{FACADE_CLIENT}*" if client.startswith(FACADE_CLIENT) else client for client in clients}
    return (*patterns, *sorted(added))


def _matches(client: str, pattern: str) -> bool:
    """Compare with one pattern; a piece between stars is taken where it comes first, so that nothing backtracks."""
    first, *others = pattern.split("*")
    if not others:
        return _piece(first).fullmatch(client) is not None
    *between, last = others
    if _piece(first).match(client) is None:
        return False
    at = len(first)
    for piece in between:
        found = _piece(piece).search(client, at)
        if found is None:
            return False
        at = found.end()
    end = len(client) - len(last)
    return at <= end and _piece(last).match(client, end) is not None


@lru_cache(maxsize=_PIECES_AT_HAND)
def _piece(text: str) -> re.Pattern[str]:
    return re.compile("".join("." if char == "?" else re.escape(char) for char in text), re.DOTALL)
