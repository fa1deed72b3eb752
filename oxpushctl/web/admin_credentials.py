"""The passwords in the memory of a running engine, for commands: every method of ``CredentialRows`` is one request.

They travel as they are kept, encrypted: whoever asks has the passphrase, or sees nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import CredentialState, Origin
from oxpushctl.web.kept_json import (
    Object,
    from_row,
    from_seals,
    to_list,
    to_number,
    to_object,
    to_row,
    to_seals,
    to_text,
    to_user,
    to_word,
)

PREFIX = "/oxpushctl/v1/credentials/"
OPERATIONS = ("seals", "seal", "put", "replace", "get", "page", "remove", "mark")

Operation = Callable[[Object], Awaitable[Object]]


class AdminCredentials:
    """The requests, by name; a member that is missing or of the wrong kind raises ``BadData``."""

    def __init__(self, rows: CredentialRows) -> None:
        self._rows = rows

    @property
    def operations(self) -> Mapping[str, Operation]:
        """What is done for each of ``OPERATIONS``."""
        done = (self._seals, self._seal, self._put, self._replace, self._get, self._page, self._remove, self._mark)
        return dict(zip(OPERATIONS, done, strict=True))

    async def _seals(self, _: Object) -> Object:
        return from_seals(await self._rows.seals())

    async def _seal(self, asked: Object) -> Object:
        return {"done": await self._rows.seal(to_seals(asked.get("before")), to_seals(asked.get("after")))}

    async def _put(self, asked: Object) -> Object:
        rows = [to_row(row) for row in to_list(asked, "rows")]
        return {"done": await self._rows.put(rows, to_seals(asked.get("under")))}

    async def _replace(self, asked: Object) -> Object:
        changes = [
            (to_row(change.get("row")), to_text(change, "value"))
            for change in map(to_object, to_list(asked, "changes"))
        ]
        return {"count": await self._rows.replace(changes, to_seals(asked.get("under")))}

    async def _get(self, asked: Object) -> Object:
        row = await self._rows.get(to_user(asked.get("of")))
        return {"row": None if row is None else from_row(row)}

    async def _page(self, asked: Object) -> Object:
        after = None if asked.get("after") is None else to_user(asked["after"])
        context = None if asked.get("context") is None else to_number(asked, "context")
        rows = await self._rows.page(after, to_number(asked, "most"), context=context)
        return {"rows": [from_row(row) for row in rows]}

    async def _remove(self, asked: Object) -> Object:
        origin = None if asked.get("origin") is None else to_word(asked, "origin", Origin)
        return {"done": await self._rows.remove(to_user(asked.get("of")), origin)}

    async def _mark(self, asked: Object) -> Object:
        await self._rows.mark(to_row(asked.get("row")), to_word(asked, "state", CredentialState))
        return {}
