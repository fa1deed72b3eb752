"""Look a key up in the property table, as written: by its name, another spelling, with a qualifier or ``.file``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from oxpushctl.config import inert, listening, properties
from oxpushctl.config.changes import REMOVED, RENAMED, Change
from oxpushctl.config.property import Property


def _rows(module: ModuleType) -> Iterator[Property[object]]:
    return (value for value in vars(module).values() if isinstance(value, Property))


def _shortened(key: str) -> Iterator[str]:
    """Yield a text, and it with one character left out."""
    yield key
    yield from (key[:at] + key[at + 1 :] for at in range(len(key)))


TABLE: tuple[Property[object], ...] = (*_rows(properties), *_rows(listening), *inert.ROWS)

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
FILE_SUFFIX = ".file"

_BY_KEY: dict[str, Property[object]] = {key: row for row in TABLE for key in (row.key, *row.aliases)}
_BY_KEY |= {change.key: _BY_KEY[change.now] for change in RENAMED.values()}
_QUALIFIED = tuple(row for row in TABLE if row.qualifiers)
# All known keys with one character left out, by which a key with one wrong character is found without comparing all.
_ONE_SHORT = {key[:at] + key[at + 1 :]: key for key in _BY_KEY for at in range(len(key))} | {
    key: key for key in _BY_KEY
}
_BY_LOWER = {key.lower(): key for key in _BY_KEY}


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
    for row in _QUALIFIED:
        rest = key.removeprefix(row.key + ".")
        if rest and rest != key:
            client, topic = _qualifiers(row, rest)
            return Match(row, key, client=client, topic=topic)
    return None


def removed(key: str) -> Change | None:
    """Return when and why a key was given up, if it was."""
    return REMOVED.get(key)


def is_mistaken(key: str) -> bool:
    """Tell whether a key that is not in the table must be a mistake.

    It is one when all keys with its prefix are known, and when it is nearly a known one.
    """
    return (key.startswith(_OURS) and not key.startswith(_FOREIGN)) or _nearly(key) is not None


def suggestion(key: str) -> str:
    """Return a hint at the key that was probably meant, or nothing."""
    meant = _nearly(key) or next(iter(difflib.get_close_matches(key, _BY_KEY, n=1, cutoff=0.8)), None)
    return f"did you mean {meant}?" if meant else ""


def _nearly(key: str) -> str | None:
    """Return the known key that differs in one character, too many, missing, wrong or swapped, or in case only."""
    if meant := _BY_LOWER.get(key.lower()):
        return meant
    return next((_ONE_SHORT[short] for short in _shortened(key) if short in _ONE_SHORT), None)


def _qualifiers(row: Property[object], rest: str) -> tuple[str, str]:
    """Tell client and topic apart: a client's id may hold dots, a topic holds colons or is ``*``."""
    client, _, topic = rest.rpartition(".")
    if "topic" in row.qualifiers and client and (":" in topic or topic == "*"):
        return client, topic
    return rest, ""
