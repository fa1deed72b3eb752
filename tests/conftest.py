"""Fixtures of every room: real servers that end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.peers.dovecot import MakeDovecot


@pytest.fixture
def make_dovecot() -> Iterator[MakeDovecot]:
    """Make throw-away Dovecots, once the address that they talk to is known; they stop with the test."""
    with ExitStack() as running:
        yield MakeDovecot(running)
