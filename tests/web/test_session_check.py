"""Open web sockets whose users others remove or rename, in the directory itself, and tell nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oxpushctl.errors import NotReachable
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.web.session_check import Entries, SessionCheck
from tests.engine.parts import ANTON, BERTA
from tests.waiting import until
from tests.web.socketing import Serving, serving


@asynccontextmanager
async def _checked(web: Serving, directory: Entries | None = None) -> AsyncIterator[None]:
    """Look at the sessions all the time."""
    assert isinstance(web.directory, SqlUserDirectory)
    check = SessionCheck(web.sessions, web.sockets.opened_sessions, directory or web.directory, look_s=0.01)
    running = asyncio.create_task(check.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize("is_renamed", [True, False])
async def test_user_changes_hands(tmp_path: Path, is_renamed: bool) -> None:
    """The session ends, and its web sockets are told; those of others stay."""
    async with serving(tmp_path) as web, web.opened() as former, web.opened(web.log_in(BERTA)) as other:
        assert isinstance(web.directory, SqlUserDirectory)
        async with _checked(web):
            if is_renamed:
                await web.directory.add(DirectoryEntry(ANTON, "successor@nr.test"), rename=True)
            else:
                await web.directory.remove(ANTON)

            assert [await former.text(), await former.text()] == ['42["session:invalid"]', "41"]
            assert await former.end() == 1000
            await other.say("2")
            assert await other.text() == "3"


async def test_directory_is_away(tmp_path: Path) -> None:
    """While nobody can say whose an id is, sessions stay, and it is asked again."""

    class Away:
        asked = 0

        async def entries(self, users: Iterable[PushUser]) -> Mapping[PushUser, DirectoryEntry]:
            self.asked += 1
            raise NotReachable("the database is away")

    directory = Away()
    async with serving(tmp_path) as web, web.opened() as client, _checked(web, directory):
        await until(lambda: directory.asked > 1)
        await client.say("2")

        assert await client.text() == "3"
