"""Servers that keep passwords and are restarted meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from oxpushctl.errors import NotReachable, OxpushctlError, TryLater
from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.redis import RedisCredentialRows
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from tests.peers.mariadb import MariaDb
from tests.peers.postgresql import PostgreSql
from tests.peers.redis import Redis
from tests.waiting import until

SEALS = Seals("AAEC$one")
HERS = KeptCredential(PushUser(9, 3), "alice", "aGVycw==", Origin.SUBSCRIBING, CredentialState.OPENED)

Server = MariaDb | PostgreSql | Redis


@pytest.fixture(params=["mariadb", "postgresql", "redis"])
def server(request: pytest.FixtureRequest, running: ExitStack) -> Server:
    """A server of its own, which has on disk what it said was stored."""
    match str(request.param):
        case "mariadb":
            return running.enter_context(MariaDb("--innodb-flush-log-at-trx-commit=2"))
        case "postgresql":
            return running.enter_context(PostgreSql("synchronous_commit=on"))
        case _:
            return running.enter_context(Redis(is_persistent=True))


@pytest.fixture
async def rows(server: Server, running: ExitStack) -> AsyncIterator[CredentialRows]:
    url = running.enter_context(server.fresh())
    async with AsyncExitStack() as stack:
        if isinstance(server, Redis):
            in_redis = RedisCredentialRows(url)
            stack.push_async_callback(in_redis.aclose)
            yield in_redis
        else:
            database = Database.open(url)
            stack.push_async_callback(database.aclose)
            yield SqlCredentialRows(database)


async def test_restart_between_two_calls(server: Server, rows: CredentialRows) -> None:
    """A server that was restarted while nobody asked is asked again as if nothing had been."""
    assert await rows.seal(Seals(), SEALS) is True

    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)

    assert await rows.put([HERS], SEALS) is True
    assert await rows.get(HERS.user) == HERS


async def test_restart_under_load(server: Server, rows: CredentialRows) -> None:
    """While a server is away each call fails with an error of ours; then the next one works, and nothing is lost."""
    assert await rows.seal(Seals(), SEALS) is True
    kept: list[KeptCredential] = []
    failures: list[OxpushctlError] = []
    is_back = asyncio.Event()

    async def keep(context: int) -> None:
        for number in range(1, 100_000):
            row = KeptCredential(PushUser(context, number), "alice", "aGVycw==", Origin.SUBSCRIBING)
            try:
                assert await rows.put([row], SEALS)
                kept.append(row)
            except OxpushctlError as error:
                failures.append(error)
                await asyncio.sleep(0.02)
            if is_back.is_set():
                return

    at_work = [asyncio.create_task(keep(context)) for context in (1, 2, 3)]
    await until(lambda: len(kept) >= 30)
    await asyncio.to_thread(server.stop)
    await until(lambda: failures)
    with pytest.raises(NotReachable):
        await rows.seals()
    await asyncio.to_thread(server.start)
    is_back.set()
    await asyncio.gather(*at_work)

    assert await rows.put([HERS], SEALS) is True
    found = set(await rows.page(None, 300_000))
    assert {type(error) for error in failures} <= {NotReachable, TryLater}
    assert {*kept, HERS} - found == set()
