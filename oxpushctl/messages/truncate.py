"""Make a payload fit: whole characters only, the longest text first.

Providers count the bytes of the JSON, so a text counts with its escapes: ``"`` and a line break are two bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import orjson

from oxpushctl.errors import BadData

ELLIPSIS = "…"
# Zero-width joiner and variation selector: at the end of a cut they would ask for what is no longer there.
_DANGLING = " \u200d\ufe0f"


def fit(document: Mapping[str, object], holder: dict[str, str], keys: Collection[str], limit: int) -> bytes:
    """Return a document as JSON of at most ``limit`` bytes.

    ``holder`` is the part of the document (or the document itself) whose texts under ``keys`` may be shortened, in
    place and only when needed. Raises ``BadData`` when the rest of the document is too large already.
    """
    payload = orjson.dumps(document)
    if len(payload) <= limit:
        return payload
    sizes = {key: _size(holder[key]) for key in keys if key in holder}
    room = limit - (len(payload) - sum(sizes.values()))
    level = _level(list(sizes.values()), room)
    for key, size in sizes.items():
        if size > level:
            holder[key] = cut(holder[key], level)
    payload = orjson.dumps(document)
    if len(payload) > limit:
        raise BadData(f"a payload of {len(payload)} bytes cannot be cut to {limit}")
    return payload


def cut(text: str, size: int) -> str:
    """Return the longest beginning of a text that takes at most ``size`` bytes in JSON, its ellipsis included."""
    if len(text) <= size and _size(text) <= size:
        return text
    room = size - len(ELLIPSIS.encode())
    if room < 0:
        return ""
    fits, fits_not = 0, min(len(text), room) + 1
    while fits_not - fits > 1:
        middle = (fits + fits_not) // 2
        fits, fits_not = (middle, fits_not) if _size(text[:middle]) <= room else (fits, middle)
    return text[:fits].rstrip(_DANGLING) + ELLIPSIS


def _size(text: str) -> int:
    return len(orjson.dumps(text)) - 2


def _level(sizes: list[int], room: int) -> int:
    """Return the size that no text may exceed so that all fit: as if water were let into vessels of these heights."""
    room = max(room, 0)
    for count, size in zip(range(len(sizes), 0, -1), sorted(sizes), strict=True):
        if size * count > room:
            return room // count
        room -= size
    return max(sizes, default=0)
