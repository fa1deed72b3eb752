from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from oxpushctl import log
from oxpushctl.engine.tally import EVERY_S, Tally
from tests.engine.parts import HandClock


@pytest.fixture
def told() -> Iterator[list[tuple[str, dict[str, object]]]]:
    """What was written, as events with their fields."""
    lines: list[tuple[str, dict[str, object]]] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.getMessage(), dict(record.__dict__["fields"])))

    logger = logging.getLogger("oxpushctl.tally")
    handler = Keeping()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


async def test_flood(told: list[tuple[str, dict[str, object]]]) -> None:
    """Of thousands alike the first is told at once, the others as one line a minute, with the last reason."""
    clock = HandClock()
    tally = Tally(log.get("oxpushctl.tally"), clock)
    for number in range(5000):
        tally.warn("lost", reason=f"reason {number}")
        tally.flush()
    at_once = list(told)
    clock.time += EVERY_S
    tally.flush()
    tally.flush()
    assert at_once == [("lost", {"reason": "reason 0"})]
    assert told[1:] == [("lost", {"count": 4999, "reason": "reason 4999"})]


async def test_some_are_told_one_by_one(told: list[tuple[str, dict[str, object]]]) -> None:
    """So many are told for themselves; each kind of event has a minute of its own."""
    clock = HandClock()
    tally = Tally(log.get("oxpushctl.tally"), clock)
    for number in range(4):
        tally.warn("refused", most=2, user=number)
    tally.warn("lost", reason="away")
    clock.time += EVERY_S
    tally.warn("refused", most=2, user=9)
    tally.error("bug", user=1)
    assert told == [
        ("refused", {"user": 0}),
        ("refused", {"user": 1}),
        ("lost", {"reason": "away"}),
        ("refused", {"count": 2, "user": 3}),
        ("refused", {"user": 9}),
        ("bug", {"user": 1}),
    ]
