"""Users that the mail server would take for one another, in a real directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.config.properties import LOGIN_SOURCE
from oxpushctl.config.property import Property
from oxpushctl.errors import BadData, NotReachable, TryLater
from oxpushctl.listeners.namesakes import REFRESH_S, Namesakes
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.engine.parts import HandClock
from tests.listeners.people import settings

MAIL: Mapping[Property[Any], object] = {LOGIN_SOURCE: "mail"}


def entry(user: int, mail: str, login: str = "") -> DirectoryEntry:
    return DirectoryEntry(PushUser(1, user), login or f"login{user}", mail)


class Directory(SqlUserDirectory):
    """Counts how often it is read from its begin; fails, or lets others wait, when it is told to."""

    reads = 0
    is_failing = False
    gate: asyncio.Event | None = None

    async def page(self, after: PushUser | None, most: int) -> Sequence[DirectoryEntry]:
        self.reads += after is None
        if self.is_failing:
            raise NotReachable("the database does not answer")
        if self.gate is not None:
            await self.gate.wait()
        return await super().page(after, min(most, 2))


class Asked:
    """Namesakes in a directory."""

    def __init__(self, directory: Directory, patience_s: float) -> None:
        self.directory = directory
        self.clock = HandClock()
        self.namesakes = Namesakes(directory, self.clock, patience_s=patience_s)

    async def verdict(self, user: int, name: str, values: Mapping[Property[Any], object] = MAIL) -> str:
        """Return what is said about a log-in: ok, or who has it."""
        try:
            await self.namesakes.refuse_double(PushUser(1, user), name, settings(values))
        except BadData as refusal:
            return str(refusal).partition(" would ")[0]
        return "ok"


@asynccontextmanager
async def asked(folder: Path, *entries: DirectoryEntry, patience_s: float = 60.0) -> AsyncIterator[Asked]:
    database = Database.open(f"sqlite:///{folder}/people.db")
    directory = Directory(database)
    try:
        await directory.add_all(entries)
        asking = Asked(directory, patience_s)
        yield asking
        await asking.namesakes.aclose()
    finally:
        await database.aclose()


async def verdicts(asking: Asked, names: Iterable[tuple[int, str]]) -> list[str]:
    return [await asking.verdict(user, name) for user, name in names]


async def test_both_are_refused(tmp_path: Path) -> None:
    """Whoever of them asks hears of the other; case tells nobody apart; the directory is read once for all."""
    entries = (entry(1, "a@x.y"), entry(2, "b@x.y"), entry(3, "A@X.Y"), entry(4, "c@x.y"), entry(5, "", "d@x.y"))
    async with asked(tmp_path, *entries) as asking:
        told = await verdicts(asking, [(1, "a@x.y"), (2, "b@x.y"), (3, "A@X.Y"), (4, "c@x.y"), (5, "d@x.y")])
        assert (told, asking.directory.reads) == (["1@1 and 3@1", "ok", "3@1 and 1@1", "ok", "ok"], 1)


async def test_address_in_the_place_of_a_login(tmp_path: Path) -> None:
    """A login with an @ serves as address where there is none, and may so be another's address."""
    async with asked(tmp_path, entry(1, "", "a@x.y"), entry(2, "a@x.y", "b"), entry(3, "", "c")) as asking:
        assert await verdicts(asking, [(1, "a@x.y"), (2, "a@x.y")]) == ["1@1 and 2@1", "2@1 and 1@1"]


async def test_many_with_one(tmp_path: Path) -> None:
    """Where all have the same, some are named."""
    async with asked(tmp_path, *(entry(user, "a@x.y") for user in range(1, 10))) as asking:
        assert await asking.verdict(9, "a@x.y") == "9@1 and 1@1 and 2@1 and 3@1"


async def test_logins_are_nobody_s_twice(tmp_path: Path) -> None:
    """The directory sees to it that logins are different: it is not read for that."""
    async with asked(tmp_path, entry(1, "a@x.y")) as asking:
        assert (await asking.verdict(2, "login1", {LOGIN_SOURCE: "login"}), asking.directory.reads) == ("ok", 0)


async def test_who_comes_later(tmp_path: Path) -> None:
    """A new user is compared with all others, those who came since the directory was read among them."""
    async with asked(tmp_path, entry(1, "a@x.y")) as asking:
        await asking.verdict(1, "a@x.y")
        await asking.directory.add_all([entry(2, "b@x.y"), entry(3, "b@x.y"), entry(4, "a@x.y")])
        told = await verdicts(asking, [(2, "b@x.y"), (2, "b@x.y"), (3, "b@x.y"), (4, "a@x.y")])
        assert (told, asking.directory.reads) == (["ok", "ok", "3@1 and 2@1", "4@1 and 1@1"], 1)
        asking.clock.time += REFRESH_S
        told = await verdicts(asking, [(2, "b@x.y"), (3, "b@x.y"), (1, "a@x.y"), (4, "a@x.y")])
        assert told == ["ok", "3@1 and 2@1", "1@1 and 4@1", "4@1 and 1@1"]
        assert (await asking.verdict(2, "b@x.y"), asking.directory.reads) == ("2@1 and 3@1", 2)


async def test_name_that_is_free_again(tmp_path: Path) -> None:
    """Who is refused is let in after the other has gone, when the directory has been read again."""
    async with asked(tmp_path, entry(1, "a@x.y"), entry(2, "a@x.y")) as asking:
        await asking.verdict(1, "a@x.y")
        await asking.directory.remove(PushUser(1, 2))
        early = await asking.verdict(1, "a@x.y")
        asking.clock.time += REFRESH_S
        assert (early, await asking.verdict(1, "a@x.y"), asking.directory.reads) == ("1@1 and 2@1", "ok", 2)


async def test_newcomer_who_has_gone(tmp_path: Path) -> None:
    """Who came after the directory was read is forgotten with the next reading, if nobody has him any more."""
    async with asked(tmp_path, entry(1, "a@x.y")) as asking:
        await verdicts(asking, [(1, "a@x.y"), (2, "b@x.y")])
        early = await asking.verdict(3, "b@x.y")
        asking.clock.time += REFRESH_S
        assert (early, await asking.verdict(3, "b@x.y")) == ("3@1 and 2@1", "ok")


async def test_while_the_directory_is_read(tmp_path: Path) -> None:
    """Nobody is let in before it is known, and nobody waits for long; all wait for the same reading."""
    async with asked(tmp_path, entry(1, "a@x.y"), entry(2, "b@x.y"), patience_s=0.01) as asking:
        asking.directory.gate = asyncio.Event()
        for user in (1, 2, 1):
            with pytest.raises(TryLater):
                await asking.verdict(user, "a@x.y")
        asking.directory.gate.set()
        told = ""
        while not told:
            with suppress(TryLater):
                told = await asking.verdict(1, "a@x.y")
        assert (told, asking.directory.reads) == ("ok", 1)


async def test_directory_that_does_not_answer(tmp_path: Path) -> None:
    """The reason is told, and it is not asked again and again."""
    async with asked(tmp_path, entry(1, "a@x.y")) as asking:
        asking.directory.is_failing = True
        for _ in range(3):
            with pytest.raises(NotReachable, match="database"):
                await asking.verdict(1, "a@x.y")
        asking.directory.is_failing = False
        asking.clock.time += REFRESH_S
        assert (await asking.verdict(1, "a@x.y"), asking.directory.reads) == ("ok", 2)


async def test_end_while_the_directory_is_read(tmp_path: Path) -> None:
    """What is under way is ended, also when the settings change meanwhile."""
    async with asked(tmp_path, entry(1, "a@x.y"), patience_s=0.01) as asking:
        asking.directory.gate = asyncio.Event()
        for _ in range(2):
            with pytest.raises(TryLater):
                await asking.verdict(1, "a@x.y")
            asking.namesakes.forget()
        await asking.namesakes.aclose()
        assert asking.directory.reads == 2
