"""Rows in Redis that are damaged, or somebody else's: they stand in nobody's way and are never taken for passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from oxpushctl.errors import Undecipherable
from oxpushctl.model import Credential, CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.redis import RedisCredentialRows
from oxpushctl.stores.rotation import rotate
from oxpushctl.stores.vault import Vault
from tests.peers.redis import Redis

ALICE, BOB, CAROL = PushUser(1, 3), PushUser(1, 4), PushUser(2, 3)
DAMAGED = [
    "{}",
    "not JSON",
    "",
    "[]",
    "7",
    "null",
    '"login"',
    '{"value":"sesame"}',
    '{"login":7,"value":"sesame","origin":"command","state":"untried"}',
    '{"login":"bob","value":null,"origin":"command","state":"untried"}',
    '{"login":"bob","value":"sesame","origin":["command"],"state":"untried"}',
    '{"login":"bob","value":"sesame","origin":"command","state":"lost"}',
    b"\xff{}",
]


@pytest.fixture
async def rows(redis: Redis) -> AsyncIterator[RedisCredentialRows]:
    """Passwords of three users, each with our passphrase."""
    redis.execute("FLUSHALL")
    rows = RedisCredentialRows(redis.url)
    vault = Vault(rows, "secret")
    for user in (ALICE, BOB, CAROL):
        await vault.put(Credential(user, f"user{user}", "pw"), Origin.SUBSCRIBING)
    await vault.aclose()
    yield rows
    await rows.aclose()


def _damage(redis: Redis, row: str | bytes) -> None:
    redis.execute("HSET", "{oxpushctl:credentials}:rows", "0000000001:0000000004", row)


@pytest.mark.parametrize("row", DAMAGED)
async def test_damaged_row(redis: Redis, rows: RedisCredentialRows, row: str | bytes) -> None:
    """It is listed among the others, opens nothing, and can be replaced, for which it counts as given by command."""
    _damage(redis, row)
    vault = Vault(rows, "secret")

    listed = [kept async for kept in vault.kept()]
    with pytest.raises(Undecipherable) as refused:
        await vault.get(BOB)
    await vault.mark(listed[1], CredentialState.REFUSED)
    is_replaced = await rows.replace([(listed[1], "bmV3")], await rows.seals())
    is_put = await vault.put(Credential(BOB, "bob", "new"), Origin.SUBSCRIBING)
    renewed = await rows.get(BOB)
    await vault.aclose()

    assert [kept.user for kept in listed] == [ALICE, BOB, CAROL]
    assert "sesame" not in repr(listed) + str(refused.value)
    assert (is_replaced, is_put) == (0, True)
    assert renewed is not None
    assert (renewed.login, renewed.origin) == ("bob", Origin.COMMAND)


@pytest.mark.parametrize("row", DAMAGED)
async def test_removal(redis: Redis, rows: RedisCredentialRows, row: str | bytes) -> None:
    """It is removed by command, and by nobody else."""
    _damage(redis, row)

    removed = [await rows.remove(BOB, Origin.SUBSCRIBING), await rows.remove(BOB), await rows.remove(BOB)]

    assert removed == [False, True, False]
    assert [kept.user for kept in await rows.page(None, 10)] == [ALICE, CAROL]


async def test_what_is_left_of_a_row(redis: Redis, rows: RedisCredentialRows) -> None:
    """What can be read of it is told, and what subscribing brought goes as such."""
    _damage(redis, '{"login":"bob","value":"sesame","origin":"subscribing"}')

    left = await rows.get(BOB)
    is_removed = await rows.remove(BOB, Origin.SUBSCRIBING)

    assert (left, is_removed) == (KeptCredential(BOB, "bob", "?", Origin.SUBSCRIBING), True)


async def test_rotation(redis: Redis, rows: RedisCredentialRows) -> None:
    """It is named as one that nothing opens, and all others are brought under the new passphrase."""
    _damage(redis, "{}")

    rotation = await rotate(rows, "secret", "new")

    vault = Vault(rows, "new")
    opened = [await vault.get(user) for user in (ALICE, CAROL)]
    await vault.aclose()
    assert (rotation.changed, [user for user, _ in rotation.unopened]) == (2, [BOB])
    assert [each and each.secret for each in opened] == ["pw", "pw"]
    assert (await rows.seals()).following is None
    assert await rows.seals() != Seals()
