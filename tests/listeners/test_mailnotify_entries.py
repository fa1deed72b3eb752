"""Looking up many users at the same time, in a directory that answers when it is let."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from oxpushctl.errors import NotReachable, OxpushctlError
from oxpushctl.listeners.mailnotify_entries import Together
from oxpushctl.model import DirectoryEntry, PushUser
from tests.waiting import until

_USERS = [PushUser(1, number) for number in range(1, 21)]


class _Directory:
    """Knows everybody but user 20; answers while ``gate`` is open, with ``errors`` first."""

    def __init__(self, *errors: OxpushctlError) -> None:
        self.asked: list[list[PushUser]] = []
        self.gate = asyncio.Event()
        self._errors = list(errors)

    async def entries(self, users: Sequence[PushUser]) -> Mapping[PushUser, DirectoryEntry]:
        self.asked.append(list(users))
        await self.gate.wait()
        if self._errors:
            raise self._errors.pop(0)
        return {user: DirectoryEntry(user, f"u{user.user}") for user in users if user != _USERS[-1]}


async def test_many_at_the_same_time() -> None:
    """Who comes first is asked for, and with the next query all who came meanwhile; each gets its own entry."""
    directory = _Directory()
    together = Together(directory)
    first = asyncio.create_task(together.entry(_USERS[0]))
    await until(lambda: directory.asked)
    others = [asyncio.create_task(together.entry(user)) for user in _USERS[1:]]
    await asyncio.sleep(0)
    directory.gate.set()
    entries = await asyncio.gather(first, *others)

    assert directory.asked == [_USERS[:1], _USERS[1:]]
    assert [entry and entry.login for entry in entries] == [f"u{number}" for number in range(1, 20)] + [None]


async def test_directory_is_away() -> None:
    """All who were asked for by a query hear why it failed; the next one is made anew."""
    directory = _Directory(NotReachable("the database is away"))
    together = Together(directory)
    directory.gate.set()
    answers = await asyncio.gather(*(together.entry(user) for user in _USERS), return_exceptions=True)
    again = await together.entry(_USERS[0])

    assert {str(answer) for answer in answers} == {"the database is away"}
    assert again == DirectoryEntry(_USERS[0], "u1")


@pytest.mark.parametrize("is_asking", [True, False])
async def test_given_up(is_asking: bool) -> None:
    """Who asks for all and is cancelled, before or while the directory is asked, leaves nobody waiting."""
    directory = _Directory()
    together = Together(directory)
    busy = asyncio.create_task(together.entry(_USERS[0]))
    await until(lambda: directory.asked)
    asking, *others = [asyncio.create_task(together.entry(user)) for user in _USERS[1:4]]
    await asyncio.sleep(0)
    if is_asking:
        directory.gate.set()
        await busy
        directory.gate.clear()
        await until(lambda: len(directory.asked) == 2)
    asking.cancel()
    await asyncio.wait([asking])
    directory.gate.set()
    async with asyncio.timeout(20):
        entries = await asyncio.gather(busy, *others)

    assert asking.cancelled()
    assert [entry and entry.login for entry in entries] == ["u1", "u3", "u4"]
