"""Kept passwords and their seals as JSON, as commands and the engine hand them to each other: encrypted always.

::

    row    {"context":1,"user":3,"login":"anton","value":"…","origin":"command","state":"opened"}
    user   {"context":1,"user":3}
    seals  {"current":"…","following":null}

Here, nothing but the form is judged: what may be kept is for those who keep it to say.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import TypeVar

from oxpushctl.errors import BadData
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals

Object = Mapping[str, object]

_Word = TypeVar("_Word", bound=enum.Enum)


def encode(members: Object) -> bytes:
    """Write an object, half characters too, as a command line may have them."""
    return json.dumps(members).encode()


def decode(content: bytes) -> Object:
    """Read an object; raise ``BadData`` for what is none."""
    try:
        return to_object(json.loads(content))
    except (ValueError, RecursionError) as problem:
        raise BadData("not JSON") from problem


def from_row(row: KeptCredential) -> Object:
    """Return a row as JSON."""
    return {
        **from_user(row.user),
        "login": row.login,
        "value": row.value,
        "origin": row.origin.value,
        "state": row.state.value,
    }


def from_user(user: PushUser) -> Object:
    """Return a user as JSON."""
    return {"context": user.context, "user": user.user}


def from_seals(seals: Seals) -> Object:
    """Return seals as JSON."""
    return {"current": seals.current, "following": seals.following}


def to_row(value: object) -> KeptCredential:
    """Read a row; raise ``BadData`` for what is none."""
    members = to_object(value)
    return KeptCredential(
        to_user(members),
        to_text(members, "login"),
        to_text(members, "value"),
        to_word(members, "origin", Origin),
        to_word(members, "state", CredentialState),
    )


def to_user(value: object) -> PushUser:
    """Read a user; raise ``BadData`` for what is none."""
    members = to_object(value)
    return PushUser(to_number(members, "context"), to_number(members, "user"))


def to_seals(value: object) -> Seals:
    """Read seals; raise ``BadData`` for what is none."""
    members = to_object(value)
    return Seals(*(None if members.get(name) is None else to_text(members, name) for name in ("current", "following")))


def to_object(value: object) -> Object:
    """Read an object; raise ``BadData`` for what is none."""
    if not isinstance(value, dict):
        raise BadData("not a JSON object")
    return value


def to_list(members: Object, name: str) -> list[object]:
    """Read a member that is a list; raise ``BadData`` for what is none."""
    value = members.get(name)
    if not isinstance(value, list):
        raise BadData(f"{name} is not a list")
    return value


def to_text(members: Object, name: str) -> str:
    """Read a member that is a text; raise ``BadData`` for what is none."""
    value = members.get(name)
    if not isinstance(value, str):
        raise BadData(f"{name} is not a text")
    return value


def to_number(members: Object, name: str) -> int:
    """Read a member that is a whole number, possible as an id or not; raise ``BadData`` for what is none."""
    value = members.get(name)
    # JSON's true is an int for Python.
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadData(f"{name} is not a whole number")
    return value


def to_word(members: Object, name: str, words: type[_Word]) -> _Word:
    """Read a member that is one of some words; raise ``BadData`` for what is none."""
    try:
        return words(members.get(name))
    except ValueError:
        raise BadData(f"{name} is none of {', '.join(str(word.value) for word in words)}") from None


def to_flag(members: Object, name: str) -> bool:
    """Read a member that is true or false; raise ``BadData`` for what is none."""
    value = members.get(name)
    if not isinstance(value, bool):
        raise BadData(f"{name} is not true or false")
    return value
