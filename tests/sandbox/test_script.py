"""Answers on order: by token, by rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.errors import BadData
from oxpushctl.sandbox.apns import Apns
from oxpushctl.sandbox.exchange import Ending
from oxpushctl.sandbox.fcm import Fcm
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.oauth import AccessTokens
from oxpushctl.sandbox.provider import Provider
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.script import STATUSES, Script, Trick, of_token
from tests.sandbox.provider_requests import apns


@pytest.mark.parametrize(
    ("token", "trick"),
    [
        ("8f1c6d0b", Trick()),
        ("a410", Trick()),
        ("41", Trick()),
        ("410", Trick(410)),
        ("410-lost", Trick(410)),
        ("410@1700000000000-lost", Trick(410, number=1700000000000)),
        ("429@5", Trick(429, number=5)),
        ("503busy", Trick(503)),
        ("hang", Trick(0, Ending.HELD)),
        ("reset-2", Trick(0, Ending.CUT)),
        ("goaway", Trick(200, Ending.LAST)),
    ],
)
def test_token_orders_its_answer(token: str, trick: Trick) -> None:
    """A token's first characters decide; all others are phones that work."""
    assert of_token(token) == trick


@given(rate=st.integers(0, 100), count=st.integers(0, 300))
def test_rate_is_kept_exactly(rate: int, count: int) -> None:
    """Of N pushes RATE · N fail, evenly spread, the same ones in every run."""
    script = Script(rate / 100, 503)
    failed = [script.next("phone").status for _ in range(count)].count(503)
    assert abs(failed - rate * count / 100) <= 1


def test_rate_is_read() -> None:
    """RATE:STATUS is a share and a status that providers know."""
    assert Script.read("0.1:503", 20) == Script(0.1, 503, 20)


@pytest.mark.parametrize("text", ["", "0.1", "0.1:", "2:503", "-1:503", "nan:503", "0.1:200", "0.1:x", "x:503"])
def test_rate_that_is_none(text: str) -> None:
    """Anything else is refused with a word about what is wanted."""
    with pytest.raises(BadData):
        Script.read(text)


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_words(identity: Identity, status: int) -> None:
    """Each status that can be ordered means something at both providers."""
    providers: tuple[Provider, ...] = (Apns(identity, "either"), Fcm(AccessTokens(identity)))
    assert all(provider.refusal(status).reason for provider in providers)


async def test_script_exchanged_while_running(sandbox: Sandbox) -> None:
    """An outage can begin and end."""
    sandbox.script = Script(1, 503)
    during = await sandbox.handle(apns(sandbox.identity))
    sandbox.script = Script()
    after = await sandbox.handle(apns(sandbox.identity))
    assert (during.status, after.status) == (503, 200)
