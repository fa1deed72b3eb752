"""Passwords in the engine's memory are to a command what they are anywhere else: the contract of the stores holds.

What stands there as a test or as a fixture of rows is run here once more, with a server and a client in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from oxpushctl.errors import ConfigurationError, NotReachable
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.web.admin import CHANGED_PATH
from oxpushctl.web.admin_credentials import OPERATIONS, PREFIX
from oxpushctl.web.answer import json_answer
from oxpushctl.web.remote_credentials import RemoteCredentialRows
from tests.stores import test_credential_rows as contract
from tests.web.administered import admin, client

_ROW = KeptCredential(PushUser(1, 3), "anton", "dmFsdWU=", Origin.COMMAND, CredentialState.OPENED)

globals().update(
    {name: part for name, part in vars(contract).items() if name.startswith("test_") or name in ("rows", "sealed")}
)


@pytest.fixture
async def open_rows(tmp_path: Path) -> AsyncIterator[contract.Open]:
    """Open the same rows again, as another command would."""
    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(admin([f"unix:{tmp_path}/a.sock"], MemoryCredentialRows()))
        commands = [await stack.enter_async_context(client(*serving.addresses)) for _ in range(11)]
        yield lambda: RemoteCredentialRows(commands.pop() if len(commands) > 1 else commands[0])


async def test_port(tmp_path: Path) -> None:
    """It goes over a port as well as over a socket."""
    memory = MemoryCredentialRows()
    async with admin(["127.0.0.1:0"], memory) as serving, client(*serving.addresses) as commands:
        is_put = await RemoteCredentialRows(commands).put([_ROW], Seals())

    assert is_put
    assert await memory.get(_ROW.user) == _ROW


async def test_not_in_memory(tmp_path: Path) -> None:
    """A command whose engine keeps its passwords elsewhere is told that the configurations differ."""
    async with admin([f"unix:{tmp_path}/a.sock"]) as serving, client(*serving.addresses) as commands:
        with pytest.raises(ConfigurationError, match="has another configuration: passwords are not kept in this"):
            await RemoteCredentialRows(commands).seals()


async def test_answer_of_another_version(tmp_path: Path) -> None:
    """An answer that is not understood is no password and no absence of one."""

    async def newer(_: object) -> object:
        return json_answer(b'{"row":{"context":1},"rows":5,"done":"yes","count":"all","current":5}')

    routes = {path: {"POST": newer} for path in (CHANGED_PATH, *(PREFIX + name for name in OPERATIONS))}
    async with admin([f"unix:{tmp_path}/a.sock"], routes=routes) as serving, client(*serving.addresses) as commands:  # type: ignore[arg-type]  # a response
        rows = RemoteCredentialRows(commands)
        for asked in (
            rows.seals(),
            rows.seal(Seals(), Seals("x")),
            rows.put([_ROW], Seals()),
            rows.replace([(_ROW, "bmV3")], Seals()),
            rows.get(_ROW.user),
            rows.page(None, 10),
            rows.remove(_ROW.user),
        ):
            with pytest.raises(NotReachable, match="another version"):
                await asked
