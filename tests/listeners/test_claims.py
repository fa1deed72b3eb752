"""One at a time for a user."""

from __future__ import annotations

import asyncio

import pytest

from oxpushctl.listeners.claims import Claims
from oxpushctl.model import PushUser
from tests.waiting import until

ANNA, BOB = PushUser(1, 3), PushUser(1, 4)


async def test_alone() -> None:
    """Those who work for the same user do so one after the other; another user's work goes on meanwhile."""
    claims = Claims()
    order: list[str] = []
    gate = asyncio.Event()

    async def work(user: PushUser, name: str) -> None:
        async with claims.alone(user):
            order.append(f"{name} begins")
            if name == "first":
                await gate.wait()
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    async with asyncio.TaskGroup() as group:
        for user, name in ((ANNA, "first"), (ANNA, "second"), (ANNA, "third"), (BOB, "other")):
            group.create_task(work(user, name))
        await until(lambda: "other ends" in order)
        gate.set()

    assert order[:3] == ["first begins", "other begins", "other ends"]
    assert sorted(order[4:]) == ["second begins", "second ends", "third begins", "third ends"]
    assert [line.split()[0] for line in order[4::2]] == [line.split()[0] for line in order[5::2]]


async def test_free() -> None:
    """Those for whom nobody works are taken at once, the others are left out."""
    claims = Claims()
    async with claims.alone(ANNA):
        with claims.free([ANNA, BOB]) as taken:
            pass
    with claims.free([ANNA, BOB]) as all_of_them:
        pass

    assert [set(taken), set(all_of_them)] == [{BOB}, {ANNA, BOB}]


async def test_work_that_fails() -> None:
    """Whoever waits goes on when work ends, however it does."""
    claims = Claims()
    with pytest.raises(LookupError):
        async with claims.alone(ANNA):
            raise LookupError
    async with asyncio.timeout(5), claims.alone(ANNA):
        pass
