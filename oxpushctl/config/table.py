"""Look a key up in the property table, as written: by its name, another spelling, with a qualifier or ``.file``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

from oxpushctl.config import inert, listening, own, properties
from oxpushctl.config.changes import REMOVED, RENAMED, Change
from oxpushctl.config.near_misses import NearMisses
from oxpushctl.config.property import Effect, Property


def _rows(module: ModuleType) -> Iterator[Property[object]]:
    return (value for value in vars(module).values() if isinstance(value, Property))


TABLE: tuple[Property[object], ...] = (*_rows(properties), *_rows(listening), *_rows(own), *inert.ROWS)
# What is read once, when the engine starts.
NEEDS_RESTART = tuple(row for row in TABLE if row.effect is Effect.ENGINE and not row.is_reloadable)

# All keys below these are known, but for those of modules that have nothing to do with mail push.
_OURS = (
    "oxpushctl.",
    "com.openexchange.push.",
    "com.openexchange.pns.",
    "com.openexchange.dovecot.doveadm.",
    "com.openexchange.rest.services.basic-auth.",
)
_FOREIGN = (
    "com.openexchange.push.udp.",
    "com.openexchange.pns.transport.wns.",
    "com.openexchange.pns.transport.webhooks.",
)
# Keys of versions to come: no key of this one is meant.
_LATER = (
    "oxpushctl.cluster.",
    "oxpushctl.push.burst",
)
FILE_SUFFIX = ".file"
_KEYS_AT_HAND = 8192
_LONGEST = 100  # characters of a key; what is longer has a mistake elsewhere than in its qualifiers

_BY_KEY: dict[str, Property[object]] = {key: row for row in TABLE for key in (row.key, *row.aliases)}
_NEAR_MISSES = NearMisses(_BY_KEY, [key for key, row in _BY_KEY.items() if row.effect is not Effect.NONE])
_BY_KEY |= {change.key: _BY_KEY[change.now] for change in RENAMED.values()}
_QUALIFIED = {row.key + ".": row for row in TABLE if row.qualifiers}
_QUALIFIED_PREFIXES = tuple(_QUALIFIED)


@dataclass(frozen=True, slots=True)
class Match:
    """A row and how it was named: ``name`` is its key with the qualifiers, ``is_file`` that a secret's path follows.

    ``topic`` is empty where the key names none; ``renamed`` tells of an old name.
    """

    row: Property[object]
    name: str
    client: str = ""
    topic: str = ""
    is_file: bool = False
    renamed: Change | None = None


def find(key: str) -> Match | None:
    """Return what a key means; ``None`` when it is none of ours."""
    if row := _BY_KEY.get(key):
        return Match(row, row.key, renamed=RENAMED.get(key))
    secret = _BY_KEY.get(key.removesuffix(FILE_SUFFIX))
    if secret is not None and secret.is_secret:
        return Match(secret, secret.key, is_file=True)
    if key.startswith(_QUALIFIED_PREFIXES):
        prefix = next(prefix for prefix in _QUALIFIED_PREFIXES if key.startswith(prefix))
        row = _QUALIFIED[prefix]
        client, topic = _qualifiers(row, key.removeprefix(prefix))
        return Match(row, key, client=client, topic=topic) if client else None
    return None


def removed(key: str) -> Change | None:
    """Return when and why a key was given up, if it was."""
    return REMOVED.get(key)


def is_mistaken(key: str) -> bool:
    """Tell whether a key that is not in the table must be a mistake.

    It is one when all keys with its prefix are known, and when it is nearly a known one.
    """
    return (key.startswith(_OURS) and not key.startswith(_FOREIGN)) or _NEAR_MISSES.nearest(key) is not None


def is_told_of(key: str) -> bool:
    """Tell whether anything is ever said of a key: one that is known, was once, or must be a mistake."""
    return _is_told_of(key) if len(key) <= _LONGEST else _told_of(key)


def _told_of(key: str) -> bool:
    return find(key) is not None or removed(key) is not None or is_mistaken(key)


_is_told_of = lru_cache(maxsize=_KEYS_AT_HAND)(_told_of)


def suggestion(key: str) -> str:
    """Return a hint at the key that was probably meant, or nothing."""
    if key.startswith(_LATER):
        return ""
    meant = _NEAR_MISSES.nearest(key) or _qualified(key) or _NEAR_MISSES.alike(key)
    return f"did you mean {meant}?" if meant else ""


def _qualified(key: str) -> str | None:
    """Return the key that was meant where something may follow it: ``….gcm.enable.CLIENT``, ``….pasword.file``."""
    for at in (at for at, character in enumerate(key[:_LONGEST]) if character == "."):
        meant, rest = _NEAR_MISSES.nearest(key[:at]), key[at:]
        if meant is not None and (_BY_KEY[meant].qualifiers or (_BY_KEY[meant].is_secret and rest == FILE_SUFFIX)):
            return meant + rest
    return None


def _qualifiers(row: Property[object], rest: str) -> tuple[str, str]:
    """Tell client and topic apart: a client's id may hold dots, a topic holds colons or is ``*``."""
    client, _, topic = rest.rpartition(".")
    if "topic" in row.qualifiers and client and (":" in topic or topic == "*"):
        return client, topic
    return rest, ""
