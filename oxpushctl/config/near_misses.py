"""Which known key was meant by one that is not known, found so fast that thousands of them do not matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import pairwise

_MODULES = "com.openexchange."
_BITS = 1021  # a prime, so that different pairs of letters seldom share a bit
_ALIKE, _ENDS_ALIKE = 0.6, 0.35
_REMEMBERED = 8192  # more keys than an etc folder has: the same files are resolved several times


class NearMisses:
    """The names that can be meant; those that nobody heeds are not, unless they are very near."""

    def __init__(self, keys: Collection[str], heeded: Collection[str]) -> None:
        self._by_lower = {key.lower(): key for key in keys}
        # All keys with one character left out, by which one wrong character is found without comparing with every key.
        self._by_shortened = {short: key for key in keys for short in _shortened(key)} | {key: key for key in keys}
        self._ends: defaultdict[str, list[str]] = defaultdict(list)
        for key in heeded:
            for at in (at for at, character in enumerate(key) if character == "."):
                self._ends[key[at + 1 :].lower()].append(key)
        self._pairs = [(_pairs(key), key) for key in heeded]
        self._longest = max(map(len, keys)) + 1
        self._nearest = lru_cache(_REMEMBERED)(self._find_nearest)
        self._alike = lru_cache(_REMEMBERED)(self._find_alike)

    def nearest(self, key: str) -> str | None:
        """Return the name that differs in case only, or in one character: too many, missing, wrong or swapped."""
        return self._nearest(key) if len(key) <= self._longest else None

    def alike(self, key: str) -> str | None:
        """Return the name that shares the most with a key, if that is enough: parts of it left out, added or moved.

        A name's own end will do, too: ``passcrypt``.
        """
        return self._alike(key) if len(key) <= 2 * self._longest else None

    def _find_nearest(self, key: str) -> str | None:
        if meant := self._by_lower.get(key.lower()):
            return meant
        return next((self._by_shortened[short] for short in _shortened(key) if short in self._by_shortened), None)

    def _find_alike(self, key: str) -> str | None:
        ends = self._ends.get(key.lower(), [])
        if len(ends) == 1:
            return ends[0]
        pairs = _pairs(key)
        alike = [(likeness, name) for others, name in self._pairs if (likeness := _likeness(pairs, others)) >= _ALIKE]
        return next((name for _, name in sorted(alike, reverse=True) if _ends_alike(key, name)), None)


def _shortened(key: str) -> Iterator[str]:
    """Yield a text, and it with one character left out."""
    yield key
    yield from (key[:at] + key[at + 1 :] for at in range(len(key)))


def _pairs(key: str) -> int:
    """Return the pairs of neighbouring letters in a key, as a set of bits; the prefix of almost all is left out."""
    bits = 0
    for first, second in pairwise(key.lower().removeprefix(_MODULES)):
        bits |= 1 << (31 * ord(first) + ord(second)) % _BITS
    return bits


def _likeness(pairs: int, others: int) -> float:
    """Return how much two sets have in common (Dice's coefficient): 1 for the same, 0 for nothing."""
    return 2 * (pairs & others).bit_count() / (pairs.bit_count() + others.bit_count() or 1)


def _ends_alike(key: str, name: str) -> bool:
    """Tell whether two keys still resemble each other where they part."""
    words, others = key.split("."), name.split(".")
    while words and others and words[0] == others[0]:
        words, others = words[1:], others[1:]
    return not words or not others or _likeness(_pairs(".".join(words)), _pairs(".".join(others))) >= _ENDS_ALIKE
