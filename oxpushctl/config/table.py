"""Look a key up in the property table, as written: by its name, another spelling, with a qualifier or ``.file``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from oxpushctl.config.properties import TABLE
from oxpushctl.config.property import Property

# All keys below these are known, but for those of modules that have nothing to do with mail push.
_OURS = ("oxpushctl.", "com.openexchange.push.", "com.openexchange.pns.")
_FOREIGN = (
    "com.openexchange.push.malpoll.",
    "com.openexchange.push.ms.",
    "com.openexchange.push.udp.",
    "com.openexchange.push.dovecot.endpoint.",
    "com.openexchange.pns.transport.wns.",
    "com.openexchange.pns.transport.webhooks.",
)
FILE_SUFFIX = ".file"

_BY_KEY: dict[str, Property[object]] = {key: row for row in TABLE for key in (row.key, *row.aliases)}
_QUALIFIED = tuple(row for row in TABLE if row.qualifiers)


@dataclass(frozen=True, slots=True)
class Match:
    """A row and how it was named: ``name`` is its key with the qualifiers, ``is_file`` that a secret's path follows."""

    row: Property[object]
    name: str
    client: str = ""
    is_file: bool = False


def find(key: str) -> Match | None:
    """Return what a key means; ``None`` when it is none of ours."""
    if row := _BY_KEY.get(key):
        return Match(row, row.key)
    secret = _BY_KEY.get(key.removesuffix(FILE_SUFFIX))
    if secret is not None and secret.is_secret:
        return Match(secret, secret.key, is_file=True)
    for row in _QUALIFIED:
        rest = key.removeprefix(row.key + ".")
        if rest and rest != key:
            return Match(row, key, client=_client(row, rest))
    return None


def is_ours(key: str) -> bool:
    """Tell whether a key that is not in the table must be a mistake."""
    return key.startswith(_OURS) and not key.startswith(_FOREIGN)


def suggestion(key: str) -> str:
    """Return a hint at the key that was probably meant, or nothing."""
    close = difflib.get_close_matches(key, _BY_KEY, n=1, cutoff=0.8)
    return f"did you mean {close[0]}?" if close else ""


def _client(row: Property[object], rest: str) -> str:
    """Take the topic off: a client's id may hold dots, a topic holds colons or is ``*``."""
    client, _, topic = rest.rpartition(".")
    return client if "topic" in row.qualifiers and client and (":" in topic or topic == "*") else rest
