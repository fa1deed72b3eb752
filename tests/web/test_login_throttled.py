"""Log-ins that are too many: who is slowed down, and who is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.model import PushUser
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.waiting import until
from tests.web.public import ANNA, PASSWORD, PasswordTable, Public, log_in, public


def _table(gate: asyncio.Event | None = None) -> PasswordTable:
    return PasswordTable({ANNA.login: PASSWORD}, gate=gate)


async def _codes(serving: Public, attempts: Sequence[tuple[str, str, str]]) -> list[str]:
    """Make log-ins one after the other; return their codes, "" for a session."""
    answers = [await serving.log_in(name, password, forwarded_for=address) for name, password, address in attempts]
    return [answer.get("code", "") for answer in answers]


async def test_guessed_login_is_slowed_down(tmp_path: Path) -> None:
    """After three wrong passwords, by whatever name, the mail server is not asked again until a second has passed."""
    table = _table()
    async with public(tmp_path, table) as serving:
        guesses = [(name, "wrong", f"192.0.2.{n}") for n, name in enumerate(("anna", "ANNA", "anna@nr.TEST", "Anna"))]
        codes = await _codes(serving, guesses)
        refused = await serving.log_in(ANNA.login)
        asked = len(table.tried)
        serving.clock.time += 1
        after = await serving.log_in(ANNA.login)

    assert codes == ["LGI-0006"] * 3 + ["LGI-0028"]
    assert (refused["error"], refused["error_params"], refused["categories"]) == (
        'Too many login attempts for login "Anna@nr.test".',
        ["Anna@nr.test"],
        "PERMISSION_DENIED",
    )
    assert (asked, "session" in after) == (3, True)


async def test_unknown_login_is_slowed_down(tmp_path: Path) -> None:
    """A name that nobody has is slowed down as any other is, whatever its case."""
    async with public(tmp_path, _table()) as serving:
        guesses = [(name, "wrong", f"192.0.2.{n}") for n, name in enumerate(("nobody", "NOBODY", "Nobody", "nobodY"))]
        codes = await _codes(serving, guesses)

    assert codes == ["LGI-0006"] * 3 + ["LGI-0028"]


async def test_guessing_address_is_slowed_down(tmp_path: Path) -> None:
    """After ten wrong passwords an address is refused for every login, all of its /64; others are not."""
    async with public(tmp_path, _table()) as serving:
        codes = await _codes(serving, [(f"user{n}", "wrong", f"2001:db8::{n:x}") for n in range(11)])
        neighbours = await _codes(
            serving, [("anna", PASSWORD, "2001:db8::ffff:1"), ("anna", PASSWORD, "2001:db8:1::1")]
        )

    assert codes == ["LGI-0006"] * 10 + ["LGI-0028"]
    assert neighbours == ["LGI-0028", ""]


class _Counted(SqlUserDirectory):
    """A directory that counts how often it is asked."""

    asked = 0

    async def resolve(self, name: str) -> PushUser | None:
        self.asked += 1
        return await super().resolve(name)


async def test_flood_costs_no_queries(tmp_path: Path) -> None:
    """Log-ins from an address that has to wait are refused before the directory is asked."""
    database = Database.open(f"sqlite:///{tmp_path}/oxpushctl.db")
    directory = _Counted(database)
    try:
        async with public(tmp_path, _table(), directory=directory) as serving:
            codes = await _codes(serving, [(f"user{n}", "wrong", "192.0.2.7") for n in range(50)])
            asked = directory.asked
            serving.clock.time += 1
            await _codes(serving, [("user51", "wrong", "192.0.2.7")])
    finally:
        await database.aclose()

    assert codes == ["LGI-0006"] * 10 + ["LGI-0028"] * 40
    assert (asked, directory.asked) == (10, 11)


async def test_owner_is_not_locked_out(tmp_path: Path) -> None:
    """Who logged in from an address lately does so again, however often others guess elsewhere."""
    async with public(tmp_path, _table()) as serving:
        await serving.log_in("anna", forwarded_for="192.0.2.7")
        guesses = await _codes(serving, [("anna", "wrong", "198.51.100.1")] * 4)
        owner = await _codes(serving, [("anna", PASSWORD, "192.0.2.7"), ("anna", PASSWORD, "192.0.2.8")])

    assert (guesses[-1], owner) == ("LGI-0028", ["", "LGI-0028"])


async def test_made_up_addresses(tmp_path: Path) -> None:
    """Behind no known proxy, whatever address a client claims is not believed."""
    async with public(tmp_path, _table(), proxies=()) as serving:
        codes = await _codes(serving, [(f"user{n}", "wrong", f"192.0.2.{n}") for n in range(11)])

    assert codes == ["LGI-0006"] * 10 + ["LGI-0028"]


async def test_guesses_in_parallel(tmp_path: Path) -> None:
    """Guesses at one login at the same time are no more than may fail one after the other."""
    table = _table(asyncio.Event())
    async with public(tmp_path, table) as serving, asyncio.TaskGroup() as tasks:
        raws = [log_in("anna", f"wrong{n}", forwarded_for=f"192.0.2.{n}") for n in range(20)]
        answers = [tasks.create_task(serving.ask(raw)) for raw in raws]
        await until(lambda: sum(task.done() for task in answers) == 17)
        assert table.gate is not None
        table.gate.set()

        codes = sorted([(await task).body.decode().partition('"code":"')[2][:8] for task in answers])

    assert (codes, len(table.tried)) == (["LGI-0006"] * 3 + ["LGI-0028"] * 17, 3)


async def test_throttled_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However many log-ins are refused for being too many, one line a minute tells of them."""
    async with public(tmp_path, _table()) as serving:
        await _codes(serving, [("anna", "wrong", "")] * 3 + [("n" * 200, "wrong", "")] * 6)
        serving.clock.time += 61
        await _codes(serving, [("n" * 200, "wrong", "")] * 2)

    records = [record for record in caplog.records if record.getMessage() == "too many log-ins that fail"]
    lines: list[dict[str, Any]] = [record.__dict__["fields"] for record in records]
    assert lines == [
        {"login": "n" * 100 + "…", "address": "127.0.0.1", "count": 1},
        {"login": "n" * 100 + "…", "address": "127.0.0.1", "count": 3},
    ]
