"""What a reload takes over, by the property table: all that is said to take effect on reload, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TypeVar

import pytest

from oxpushctl.app import Engine
from oxpushctl.config import table
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.listening import IDLE_ENABLED, IDLE_FOLDER
from oxpushctl.config.property import Property
from oxpushctl.config.settings import Settings
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.listeners.lingering import LingeringSessions
from oxpushctl.listening import opened_listening
from oxpushctl.model import MailEvent, PushUser
from oxpushctl.storage import opened_storage
from oxpushctl.web.sessions import Sessions
from tests.config import folders
from tests.config.flows import API, IDLE, KEPT, NOTIFY, SERVER

T = TypeVar("T")

_ALL_PARTS = {
    **SERVER,
    **KEPT,
    "com.openexchange.push.credstorage.rdb": "true",
    **API,
    **IDLE,
    **NOTIFY,
    "oxpushctl.public.listen": "127.0.0.1:0",
}
EVENT = MailEvent(PushUser(1, 3), "INBOX", 17, 5, None, "Mail", "text", 1, "imapidle", 0.0)
# Calls that have not returned, such as those of this test.
_WAITING = (FrameType, Coroutine, AsyncGenerator, tuple)
# Who takes over what another has read for it.
_READ_FOR = {"oxpushctl.listeners.mail_server": "oxpushctl.listeners.mailboxes"}


class Recorded(Settings):
    """Settings that note who reads what, by keys and modules; a helper of the configuration reads for its caller."""

    def __init__(self, settings: Settings) -> None:
        self.__dict__ |= settings.__dict__
        self.reads: set[tuple[str, str]] = set()

    def __getitem__(self, row: Property[T]) -> T:
        self._note(row)
        return super().__getitem__(row)

    def qualified(self, row: Property[T], *qualifiers: str) -> T:
        self._note(row)
        return super().qualified(row, *qualifiers)

    def _note(self, row: Property[T]) -> None:
        frame = sys._getframe(2)
        while frame.f_globals["__name__"].startswith("oxpushctl.config.") and frame.f_back is not None:
            frame = frame.f_back
        self.reads.add((row.key, frame.f_globals["__name__"]))


def read(etc: Path, values: Mapping[str, str] = MappingProxyType({})) -> Configuration:
    lines = "".join(f"{key}={value}\n" for key, value in {**_ALL_PARTS, **values}.items())
    configuration = folders.read(etc, {"any.properties": lines}, environ={"STATE_DIRECTORY": str(etc)})
    assert configuration.engine_errors == ()
    return replace(configuration, settings=Recorded(configuration.settings))


@asynccontextmanager
async def started(configuration: Configuration) -> AsyncIterator[Engine]:
    """Make an engine that does not run."""
    clock = SystemClock()
    async with opened_storage(configuration) as storage:
        await storage.database.prepare()
        sessions = Sessions.from_settings(configuration.settings, clock)
        lingering = LingeringSessions(sessions)
        async with opened_listening(configuration, storage, clock, lingering) as listening:
            engine = Engine(configuration, storage, listening, sessions, lingering, None, MemoryOutbox())
            async with aclosing(engine):
                yield engine


def reads_of(configuration: Configuration) -> AbstractSet[tuple[str, str]]:
    assert isinstance(configuration.settings, Recorded)
    return configuration.settings.reads


def holders_of(configuration: Configuration) -> list[object]:
    """Return what refers to a configuration or its settings, but for what is only waiting for its end."""
    gc.collect()
    found = [each for of in (configuration, configuration.settings) for each in gc.get_referrers(of)]
    known = id(configuration)  # a comprehension that has it itself would hold it
    return [each for each in found if not isinstance(each, _WAITING) and id(each) != known]


def with_sentinels(configuration: Configuration) -> Configuration:
    """Return the same configuration with a value that fits nobody for whatever is read once."""
    others = Settings({row.key: object() for row in table.NEEDS_RESTART})
    return replace(configuration, settings=configuration.settings.with_those_of(others, table.NEEDS_RESTART))


def told_to_restart(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the keys of properties that were changed and not taken over, as they were logged."""
    return [vars(each)["fields"]["key"] for each in log.records if each.getMessage() == "changed, needs a restart"]


async def test_what_was_read_at_the_start_is_read_again(tmp_path: Path) -> None:
    """Who reads a reloadable property at the start reads it at a reload as well, unless it does so whenever needed."""
    before, after = read(tmp_path), read(tmp_path)
    async with started(before) as engine:
        at_start = set(reads_of(before))
        engine.reload(after)
    again = reads_of(after)
    reloadable = {row.key for row in table.TABLE if row.is_reloadable}
    frozen = [
        (key, reader)
        for key, reader in sorted(at_start)
        if key in reloadable and not {(key, reader), (key, _READ_FOR.get(reader, ""))} & again
    ]
    assert frozen == []


async def test_nobody_holds_what_was_valid_before(tmp_path: Path) -> None:
    """No part goes on to read the settings of the start; transports that are replaced may end what they have begun."""
    before, after = read(tmp_path), read(tmp_path)
    async with started(before) as engine:
        engine.reload(after)
        async with asyncio.timeout(20):
            while holders_of(before):  # a function that asks for it would be one
                await asyncio.sleep(0.005)


async def test_what_needs_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever else has changed reaches no part, and is named at each reload until the restart."""
    keys = [row.key for row in table.NEEDS_RESTART]
    before, after = read(tmp_path), with_sentinels(read(tmp_path))
    async with started(before) as engine:
        engine.reload(after)
        once = told_to_restart(caplog)
        engine.reload(after)
    assert (once, told_to_restart(caplog)) == (keys, keys + keys)


async def test_what_is_as_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is sent to restart for nothing."""
    before, after = read(tmp_path), read(tmp_path)
    async with started(before) as engine:
        engine.reload(after)
    assert told_to_restart(caplog) == []


async def test_folder_that_marks_are_about(tmp_path: Path) -> None:
    """With imapidle switched on by a reload marks are about the folder that it watches, as after a restart."""
    watched = {IDLE_FOLDER.key: "Orders"}
    before, after = read(tmp_path, watched | {IDLE_ENABLED.key: "false"}), read(tmp_path, watched)
    async with started(before) as engine:
        engine.reload(after)
        heard = engine.hearing.heard
        await heard.accept(replace(EVENT, folder="Orders"))
        mark = await heard.mark(EVENT.user)
    assert mark is not None
    assert mark.uidvalidity == EVENT.uidvalidity
