"""Killed in the middle of a rotation, and run again: nothing is lost and nothing is encrypted twice."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from oxpushctl.errors import ConfigurationError
from oxpushctl.model import KeptCredential, PushUser, Seals
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.rotation import rotate
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from tests.stores.kept_passwords import everything, filled, salts, secrets, value_7, value_8

OLD = Cipher("old")


class Killed(BaseException):
    """Nothing of the program goes on after it."""


class MortalRows(MemoryCredentialRows):
    """Rows whose user is killed at its Nth write, before it is done or right after."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: float = float("inf")
        self.dies_after = False
        self.replaced: Counter[PushUser] = Counter()

    async def seal(self, before: Seals, after: Seals) -> bool:
        self._count(is_done=False)
        is_sealed = await super().seal(before, after)
        self._count(is_done=True)
        return is_sealed

    async def replace(self, changes: Sequence[tuple[KeptCredential, str]], under: Seals) -> int | None:
        self._count(is_done=False)
        replaced = await super().replace(changes, under)
        self.replaced.update(read.user for read, _ in changes)
        self._count(is_done=True)
        return replaced

    def _count(self, *, is_done: bool) -> None:
        if is_done is self.dies_after:
            self.writes_left -= 1
            if self.writes_left == 0:
                raise Killed


@pytest.mark.parametrize("dies_after", [False, True])
@pytest.mark.parametrize("write", range(1, 6))
async def test_at_every_write(write: int, dies_after: bool) -> None:
    """Whichever write is the last one: a seal, one of three batches, or the seal at the end."""
    texts = [f"password {number}" for number in range(450)]
    rows = MortalRows()
    before = await filled(rows, [OLD.encrypt(text) for text in texts], Seals(OLD.seal()))
    rows.writes_left, rows.dies_after = write, dies_after
    with pytest.raises(Killed):
        await rotate(rows, "old", "new")
    done = [row for row in await everything(rows) if row not in before]

    await rotate(rows, "old", "new")

    assert len(done) == {0: 0, 1: 200, 2: 400, 3: 450, 4: 450}[max(0, write - (1 if dies_after else 2))]
    assert [await rows.get(row.user) for row in done] == done
    assert set(rows.replaced.values()) == {1}
    assert await secrets(rows, "new") == texts
    assert len(await salts(rows)) == 1


async def test_while_it_is_turned_back() -> None:
    """Nobody starts, on either passphrase, until what was turned back half-way is through."""
    rows = MortalRows()
    await filled(rows, [Cipher("new").encrypt("one"), OLD.encrypt("two")], Seals(OLD.seal(), Cipher("new").seal()))
    rows.writes_left = 2
    with pytest.raises(Killed):
        await rotate(rows, "new", "old")

    for passphrase in ("old", "new"):
        with pytest.raises(ConfigurationError, match="not finished"):
            await secrets(rows, passphrase)
    await rotate(rows, "new", "old")
    assert await secrets(rows, "old") == ["one", "two"]


@pytest.fixture
async def rows(url: str) -> AsyncIterator[SqlCredentialRows]:
    database = Database.open(url)
    yield SqlCredentialRows(database)
    await database.aclose()


@pytest.mark.parametrize("batches", [1, 3])
async def test_process_killed(rows: SqlCredentialRows, url: str, batches: int) -> None:
    """A process that is killed with -9 while it waits between two batches."""
    texts = [f"password {number}" for number in range(1000)]
    values = [OLD.encrypt(text) for text in texts]
    values[150] = value_7("old", texts[150].encode())
    values[950] = value_8("old", texts[950])
    before = await filled(rows, values, Seals(OLD.seal()))

    await _killed(url, batches, texts)

    done = [row for row in await everything(rows) if row not in before]
    assert len(done) == 200 * batches
    rotation = await rotate(rows, "old", "new")
    assert (rotation.changed, rotation.already) == (1000 - len(done), len(done))
    assert [await rows.get(row.user) for row in done] == done
    assert await secrets(rows, "new") == texts
    assert len(await salts(rows)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_process_killed_at_work(rows: SqlCredentialRows, url: str) -> None:
    """A process that is killed with -9 wherever it happens to be, a transaction or not."""
    texts = [f"password {number}" for number in range(10_000)]
    before = set(await filled(rows, [OLD.encrypt(text) for text in texts], Seals(OLD.seal())))

    await _killed(url, 1_000_000, texts)

    done = [row for row in await everything(rows) if row not in before]
    assert 0 < len(done) < len(texts)
    assert len(done) % 200 == 0
    rotation = await rotate(rows, "old", "new")
    assert (rotation.changed, rotation.already) == (len(texts) - len(done), len(done))
    after = set(await everything(rows))
    assert after.issuperset(done)
    assert await secrets(rows, "new") == texts
    assert len(await salts(rows)) == 1


async def _killed(url: str, batches: int, texts: Sequence[str]) -> None:
    """Start a process that rotates, and kill it when it has gone through some of the rows."""
    command = [sys.executable, "-m", "tests.stores.rotating", str(batches)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[2])
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"url": url, "old": "old", "new": "new"}).encode() + b"\n")
        for _ in range(min(batches, 3)):
            assert await process.stdout.readline() == b"200\n"
    finally:
        process.kill()
        await process.wait()
        process.stdin.close()
