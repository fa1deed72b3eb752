"""Kept passwords in Redis: the cluster's memory, where they are gone once it stops.

All keys begin with ``{oxpushctl:credentials}``, whose braces put them into one slot of a Redis cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores import redis_scripts as scripts
from oxpushctl.stores.checks import check_kept, check_value, is_possible
from oxpushctl.stores.redis_connecting import TIMEOUT_S, RedisAddress, RedisServer

_KEYS = [f"{{oxpushctl:credentials}}:{name}" for name in ("seals", "rows", "order")]
_SEALS, _ROWS, _ORDER = _KEYS
# Stands for what cannot be read: no passphrase opens it, and no row has it.
_UNREADABLE = "?"


class RedisCredentialRows:
    """``CredentialRows`` of a Redis; ``ca`` is a file of authorities to trust besides the system's.

    A row that is damaged or not ours comes as one whose password cannot be decrypted, so that it hides no others.
    Raise ``ConfigurationError`` when the URL cannot be used or the library is missing.
    """

    def __init__(self, url: str, ca: Path | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self._server = RedisServer(RedisAddress.parse(url), ca, timeout_s)

    async def seals(self) -> Seals:
        """Return the seals."""
        current, following = await self._server.ask("HMGET", _SEALS, "current", "following")
        return Seals(_text(current), _text(following))

    async def seal(self, before: Seals, after: Seals) -> bool:
        """Put other seals in place of those that were read; return false where somebody else was faster."""
        return bool(await self._run(scripts.SEAL, *_sealed(before), *_sealed(after)))

    async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
        """Write rows over what users have, all or none; return false where other seals are in place.

        What a command gave stays of a command's origin. Raise ``BadData`` for what no store keeps.
        """
        for row in rows:
            check_kept(row)
        written = (word for row in rows for word in (_place(row.user), _written(row)))
        return bool(await self._run(scripts.PUT, *_sealed(under), *written))

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        """Give rows another value where they still have the one that was read, keeping their state.

        All at once; return how many, ``None`` where other seals are in place.
        """
        for _, value in changes:
            check_value(value)
        changed = (word for kept, value in changes for word in (_place(kept.user), kept.value, value))
        count: int = await self._run(scripts.REPLACE, *_sealed(under), *changed)
        return None if count < 0 else count

    async def get(self, user: PushUser) -> KeptCredential | None:
        """Return a user's row."""
        row = await self._server.ask("HGET", _ROWS, _place(user)) if is_possible(user) else None
        return None if row is None else _read(user, row)

    async def page(self, after: PushUser | None, most: int, *, context: int | None = None) -> Sequence[KeptCredential]:
        """Return rows behind a user in the order of context and user, at most that many."""
        lowest, highest = "-", "+"
        if context is not None:
            lowest, highest = f"[{context:010}:", f"({context:010};"  # in the order of letters, ; follows on :
        if after is not None and (context is None or after.context >= context):
            lowest = f"({_place(after)}"
        words: list[bytes] = await self._run(scripts.PAGE, lowest, highest, max(most, 0))
        return [_read(_user(place), row) for place, row in zip(words[::2], words[1::2], strict=True)]

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        """Delete a user's row, only if of that origin where one is given; tell whether it was there."""
        origin_words = "" if origin is None else origin.value
        return bool(await self._run(scripts.REMOVE, _place(user), origin_words))

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what a password is worth, unless the row has another one by now."""
        await self._run(scripts.MARK, _place(kept.user), kept.value, state.value)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._server.aclose()

    async def _run(self, script: str, *arguments: str | bytes | int) -> Any:
        return await self._server.run(script, _KEYS, arguments)


def _sealed(seals: Seals) -> tuple[str, str]:
    return seals.current or "", seals.following or ""


def _text(answer: bytes | None) -> str | None:
    return None if answer is None else answer.decode()


def _place(user: PushUser) -> str:
    return f"{user.context:010}:{user.user:010}"


def _user(place: bytes) -> PushUser:
    context, user = place.split(b":")
    return PushUser(int(context), int(user))


def _read(user: PushUser, row: bytes) -> KeptCredential:
    fields = _fields(row)
    login, value = fields.get("login"), fields.get("value")
    try:
        origin, state = Origin(fields.get("origin")), CredentialState(fields.get("state"))
        if isinstance(login, str) and isinstance(value, str):
            return KeptCredential(user, login, value, origin, state)
    except ValueError:
        # As the scripts judge: what does not say that subscribing brought it was given by command.
        is_subscribing = fields.get("origin") == Origin.SUBSCRIBING.value
        origin = Origin.SUBSCRIBING if is_subscribing else Origin.COMMAND
    return KeptCredential(user, login if isinstance(login, str) else "", _UNREADABLE, origin)


def _fields(row: bytes) -> Mapping[str, object]:
    try:
        fields = orjson.loads(row)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _written(row: KeptCredential) -> bytes:
    return orjson.dumps({"login": row.login, "value": row.value, "origin": row.origin.value, "state": row.state.value})
