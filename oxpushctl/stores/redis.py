"""Kept passwords in Redis: the cluster's memory, where they are gone once it stops.

All keys begin with ``{oxpushctl:credentials}``, whose braces put them into one slot of a Redis cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from oxpushctl.errors import BadData
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores import redis_scripts as scripts
from oxpushctl.stores.checks import check_kept, check_value, is_possible
from oxpushctl.stores.redis_connecting import TIMEOUT_S, RedisAddress, RedisServer

_KEYS = [f"{{oxpushctl:credentials}}:{name}" for name in ("seals", "rows", "order")]
_SEALS, _ROWS, _ORDER = _KEYS


class RedisCredentialRows:
    """``CredentialRows`` of a Redis; ``ca`` is a file of authorities to trust besides the system's.

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

        Raise ``BadData`` for what no store keeps.
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
        return None if row is None else self._read(user, row)

    async def page(self, after: PushUser | None, most: int, *, context: int | None = None) -> Sequence[KeptCredential]:
        """Return rows behind a user in the order of context and user, at most that many."""
        lowest, highest = "-", "+"
        if context is not None:
            lowest, highest = f"[{context:010}:", f"({context:010};"  # in the order of letters, ; follows on :
        if after is not None and (context is None or after.context >= context):
            lowest = f"({_place(after)}"
        words: list[bytes] = await self._run(scripts.PAGE, lowest, highest, max(most, 0))
        return [self._read(_user(place), row) for place, row in zip(words[::2], words[1::2], strict=True)]

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

    def _read(self, user: PushUser, row: bytes) -> KeptCredential:
        try:
            fields = orjson.loads(row)
            origin, state = Origin(fields["origin"]), CredentialState(fields["state"])
            return KeptCredential(user, fields["login"], fields["value"], origin, state)
        except (ValueError, KeyError, TypeError):
            # Without "from": the library's text may quote the row.
            raise BadData(
                f"{self._server.name}: the row of user {user.user} in context {user.context} is not one of ours"
            ) from None


def _sealed(seals: Seals) -> tuple[str, str]:
    return seals.current or "", seals.following or ""


def _text(answer: bytes | None) -> str | None:
    return None if answer is None else answer.decode()


def _place(user: PushUser) -> str:
    return f"{user.context:010}:{user.user:010}"


def _user(place: bytes) -> PushUser:
    context, user = place.split(b":")
    return PushUser(int(context), int(user))


def _written(row: KeptCredential) -> bytes:
    return orjson.dumps({"login": row.login, "value": row.value, "origin": row.origin.value, "state": row.state.value})
