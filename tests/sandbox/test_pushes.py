"""The record of pushes: looking into one, waiting for some."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oxpushctl.sandbox.exchange import Json
from oxpushctl.sandbox.pushes import Push
from oxpushctl.sandbox.sandbox import Sandbox
from tests.sandbox.provider_requests import apns

_PUSH = Push(
    number=1,
    provider="apns",
    authentication="bearer",
    topic="com.example.mail",
    project="",
    token="8f1c6d0b5a8e4f72",
    headers={},
    payload={"aps": {"alert": {"title": "Jane Doe"}}, "list": [1, {"deep": None}]},
    received_at=0.0,
    status=200,
    reason="",
    id="1",
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("aps", "alert", "title"), "Jane Doe"),
        (("list", 0), 1),
        (("list", -1, "deep"), None),
        (("list", 2), None),
        (("list", "x"), None),
        (("aps", "alert", "title", "x"), None),
        (("nothing", "there"), None),
    ],
)
def test_looking_into_a_payload(path: tuple[str | int, ...], expected: Json) -> None:
    """A path leads to a value or to None, never to an error."""
    assert _PUSH.at(*path) == expected


def test_secrets_in_a_failing_test() -> None:
    """What pytest prints of a push has no token and no mail in it."""
    assert "8f1c" not in repr(_PUSH)
    assert "Jane" not in repr(_PUSH)


def test_delivered() -> None:
    """Only 200 reached the phone."""
    assert _PUSH.is_delivered
    assert not replace(_PUSH, status=0).is_delivered


async def test_waiting(sandbox: Sandbox) -> None:
    """Who waits gets the pushes that were wanted, when there are enough."""
    waiting = asyncio.create_task(sandbox.wait_for(lambda push: push.token == "b", count=2))
    for token in ("b", "a", "b"):
        await sandbox.handle(apns(sandbox.identity, token))
    assert [push.number for push in await waiting] == [1, 3]


async def test_waiting_in_vain(sandbox: Sandbox) -> None:
    """Who waits too long is told what came instead."""
    await sandbox.handle(apns(sandbox.identity, "a"))
    with pytest.raises(TimeoutError, match="Push\\(number=1"):
        await sandbox.wait_for(count=2, timeout_s=0.01)
