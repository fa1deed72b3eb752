"""A store of marks in memory and a sink, both scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from oxpushctl.engine.watermarks import Heard
from oxpushctl.model import MailEvent, Mark, PushUser
from tests.engine.parts import HandClock


class Marks:
    """Keeps the last mark of each; ``failures`` are raised first, and nothing is answered while ``gate`` is closed."""

    def __init__(self, kept: Mapping[PushUser, Mark] | None = None, failures: Sequence[Exception] = ()) -> None:
        self.kept = dict(kept or {})
        self.failures = list(failures)
        self.reads: list[Sequence[PushUser]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, users: Sequence[PushUser]) -> Mapping[PushUser, Mark]:
        self.reads.append(users)
        await self._answer()
        return {user: self.kept[user] for user in users if user in self.kept}

    async def write(self, marks: Mapping[PushUser, Mark]) -> None:
        await self._answer()
        self.kept.update(marks)

    async def _answer(self) -> None:
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)


class Taken:
    """Takes events; ``failures`` are raised first, and nothing is answered while ``gate`` is closed."""

    def __init__(self, *failures: BaseException) -> None:
        self.events: list[MailEvent] = []
        self.begun = 0
        self.failures = list(failures)
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def uids(self) -> list[int]:
        return [event.uid for event in self.events]

    async def accept(self, event: MailEvent) -> None:
        self.begun += 1
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.events.append(event)


@asynccontextmanager
async def hearing(
    sink: Taken, marks: Marks, *, most_known: int = 1000, patience_s: float = 20.0
) -> AsyncIterator[Heard]:
    heard = Heard(sink, marks, HandClock(), most_known=most_known, patience_s=patience_s)
    yield heard
    await heard.aclose()
