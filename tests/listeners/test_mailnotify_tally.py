"""What is told of datagrams that were dropped."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from oxpushctl.listeners.mailnotify_tally import Fate, Tally
from tests.engine.parts import HandClock


def _told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records if record.levelno == logging.WARNING]


def test_flood(caplog: pytest.LogCaptureFixture) -> None:
    """The first is told at once, and those behind it together, a minute later; all are counted."""
    clock = HandClock()
    tally = Tally(clock.monotonic)
    for number in range(961):
        clock.time += 0.0625
        tally.note(Fate.FOREIGN, sender=f"192.0.2.{number % 256}")
    assert tally.counts == {"foreign": 961}
    assert _told(caplog) == [{"count": 1, "sender": "192.0.2.0"}, {"count": 960, "sender": "192.0.2.192"}]


def test_different_fates(caplog: pytest.LogCaptureFixture) -> None:
    """Each is told for itself, and only those that something can be done about are warnings."""
    tally = Tally(HandClock().monotonic)
    for fate in Fate:
        tally.note(fate, 3)
    assert tally.counts == dict.fromkeys(map(str, Fate), 3)
    events = sorted(record.message.partition(" ")[0] for record in caplog.records if record.levelno > logging.INFO)
    assert (events, _told(caplog)) == (["datagrams", "datagrams", "datagrams", "the"], [{"count": 3}] * 4)


def test_long_names(caplog: pytest.LogCaptureFixture) -> None:
    """Who sends the names does not decide how long the log gets."""
    Tally(HandClock().monotonic).note(Fate.AMBIGUOUS, name="x" * 60_000)
    assert _told(caplog) == [{"count": 1, "name": "x" * 80}]
