"""The passwords in the memory of a running engine, as a command sees them: over the engine's admin address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from oxpushctl.errors import BadData, NotReachable
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.web.admin_client import AdminClient
from oxpushctl.web.admin_credentials import PREFIX
from oxpushctl.web.kept_json import (
    Object,
    from_row,
    from_seals,
    from_user,
    to_flag,
    to_list,
    to_row,
    to_seals,
)

_Read = TypeVar("_Read")


class RemoteCredentialRows:
    """``CredentialRows`` of another process.

    Every method raises as ``AdminClient.ask`` does: ``ConfigurationError`` where that engine keeps no passwords in its
    memory.
    """

    def __init__(self, client: AdminClient) -> None:
        self._client = client

    async def seals(self) -> Seals:
        """Return the seals."""
        return await self._ask("seals", {}, to_seals)

    async def seal(self, before: Seals, after: Seals) -> bool:
        """Put other seals in place of those that were read; return false where somebody else was faster."""
        return await self._ask("seal", {"before": from_seals(before), "after": from_seals(after)}, _done)

    async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
        """Write rows over what users have, all or none; return false where other seals are in place."""
        return await self._ask("put", {"rows": [from_row(row) for row in rows], "under": from_seals(under)}, _done)

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        """Give rows another value where they still have the one that was read; return how many."""
        asked = [{"row": from_row(row), "value": value} for row, value in changes]
        return await self._ask("replace", {"changes": asked, "under": from_seals(under)}, _count)

    async def get(self, user: PushUser) -> KeptCredential | None:
        """Return a user's row."""
        return await self._ask("get", {"of": from_user(user)}, _row)

    async def page(self, after: PushUser | None, most: int, *, context: int | None = None) -> Sequence[KeptCredential]:
        """Return rows behind a user in the order of context and user, at most that many."""
        behind = None if after is None else from_user(after)
        return await self._ask("page", {"after": behind, "most": most, "context": context}, _rows)

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        """Delete a user's row, only if of that origin where one is given; tell whether it was there."""
        only = None if origin is None else origin.value
        return await self._ask("remove", {"of": from_user(user), "origin": only}, _done)

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what a password is worth, unless the row has another one by now."""
        await self._ask("mark", {"row": from_row(kept), "state": state.value}, lambda _: None)

    async def _ask(self, name: str, asked: Object, read: Callable[[Object], _Read]) -> _Read:
        answer = await self._client.ask(PREFIX + name, asked)
        try:
            return read(answer)
        except BadData as problem:
            text = f"the engine's answer is not understood ({problem}): restart it if it is of another version"
            raise NotReachable(text) from problem


def _done(answer: Object) -> bool:
    return to_flag(answer, "done")


def _count(answer: Object) -> int | None:
    count = answer.get("count")
    if count is None or (isinstance(count, int) and not isinstance(count, bool)):
        return count
    raise BadData("count is not a number")


def _row(answer: Object) -> KeptCredential | None:
    return None if answer.get("row") is None else to_row(answer["row"])


def _rows(answer: Object) -> Sequence[KeptCredential]:
    return [to_row(row) for row in to_list(answer, "rows")]
