"""A sandbox per test on free ports, and the keys of one sandbox for all tests of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def identity() -> Identity:
    return Identity.create()


@pytest.fixture
async def sandbox(identity: Identity) -> AsyncIterator[Sandbox]:
    made = Sandbox(identity)
    await made.start()
    try:
        yield made
    finally:
        await made.aclose()
