"""Fixtures of every room: real servers that end with the test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.peers.dovecot import MakeDovecot


@pytest.fixture
def make_dovecot() -> Iterator[MakeDovecot]:
    """Make throw-away Dovecots, once the address that they talk to is known; they stop with the test."""
    with ExitStack() as running:
        yield MakeDovecot(running)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Take back what a command that ran in this process made of its log: levels and handlers are the process's."""
    root, ours = logging.getLogger(), logging.getLogger("oxpushctl")
    levels = root.level, ours.level
    yield
    root.handlers[:] = [each for each in root.handlers if type(each) is not logging.StreamHandler]
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
