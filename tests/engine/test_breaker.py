"""When dead devices may be removed, and when too many are dead to be true."""

from __future__ import annotations

import pytest

from oxpushctl.engine.breaker import LEAST, LIMIT, WINDOW, Breaker
from oxpushctl.model import Outcome, Scope, Subscription, Verdict
from tests.engine.parts import APP, phone

DELIVERED = Outcome(Verdict.DELIVERED)
GONE = Outcome(Verdict.TOKEN_GONE, Scope.DEVICE, reason="Unregistered")
BAD = Outcome(Verdict.TOKEN_GONE, Scope.DEVICE, reason="BadDeviceToken", is_doubtful=True)


def _breaker() -> Breaker:
    """One that judges the client of the phones, which has credentials."""
    breaker = Breaker(LIMIT)
    breaker.renew({("apn", APP): b"first"})
    return breaker


def _phones(name: str, count: int) -> list[Subscription]:
    return [phone(token=f"{name}{number:05}") for number in range(count)]


def _noted(breaker: Breaker, phones: list[Subscription], outcome: Outcome) -> Breaker:
    for each in phones:
        breaker.note(each, outcome)
    return breaker


def test_nothing_goes_before_the_first_success() -> None:
    """Until a push was delivered, a dead token may just as well be our own mistake."""
    breaker = _noted(_breaker(), [phone()], GONE)
    before = breaker.may_remove(phone())
    breaker.note(phone(token="t2"), DELIVERED)
    assert (before, breaker.may_remove(phone())) == (False, True)


def test_one_of_three_devices() -> None:
    """A small site loses its dead device although it is a third of all."""
    breaker = _noted(_breaker(), _phones("good", 2), DELIVERED)
    breaker.note(phone(), GONE)
    assert breaker.may_remove(phone())


def test_small_site_that_goes_bad() -> None:
    """A site of few devices loses at most the limit's share of the least number that is judged."""
    phones = _phones("p", 12)
    breaker = _noted(_breaker(), phones, DELIVERED)
    removed = 0
    for each in phones:
        breaker.note(each, BAD)
        removed += breaker.may_remove(each)
    assert removed == LIMIT * LEAST


def test_share_over_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    """Removal stops at the limit, with one error that says what it looks like."""
    breaker = _noted(_breaker(), _phones("good", 160), DELIVERED)
    at_limit = _noted(breaker, _phones("bad", 40), BAD).may_remove(phone())
    over = _noted(breaker, _phones("worse", 30), BAD).may_remove(phone())
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (at_limit, over, len(errors)) == (True, False, 1)
    assert "sandbox against production?" in str(errors[0].__dict__)


@pytest.mark.parametrize(
    ("reason", "question"), [("SENDER_ID_MISMATCH", "wrong project?"), ("DeviceTokenNotForTopic", "wrong topic?")]
)
def test_what_it_looks_like(caplog: pytest.LogCaptureFixture, reason: str, question: str) -> None:
    """The reason that most devices got tells which mistake it is; a token of another app counts as well."""
    verdict = Verdict.REJECTED if reason == "DeviceTokenNotForTopic" else Verdict.TOKEN_GONE
    _noted(_breaker(), _phones("bad", 5), Outcome(verdict, Scope.DEVICE, reason=reason))
    assert question in str([record.__dict__ for record in caplog.records])


def test_share_that_falls() -> None:
    """It closes again once the newest outcomes are good."""
    breaker = _noted(_breaker(), _phones("bad", 20), BAD)
    breaker = _noted(breaker, _phones("good", WINDOW - 20), DELIVERED)
    assert breaker.may_remove(phone())


def test_mail_bomb_to_one_dead_device() -> None:
    """A device counts once, however many pushes it gets."""
    breaker = _noted(_breaker(), _phones("good", 30), DELIVERED)
    _noted(breaker, [phone()] * 500, GONE)
    [state] = breaker.status()
    assert (state.invalid, state.devices, breaker.may_remove(phone())) == (1, 31, True)


def test_window_is_bounded() -> None:
    """Older devices make room for newer ones."""
    breaker = _noted(_breaker(), _phones("bad", 10), GONE)
    [state] = _noted(breaker, _phones("good", WINDOW), DELIVERED).status()
    assert (state.invalid, state.devices) == (0, WINDOW)


@pytest.mark.parametrize("verdict", [Verdict.UNREACHABLE, Verdict.THROTTLED, Verdict.REJECTED])
def test_outcome_that_says_nothing_about_the_token(verdict: Verdict) -> None:
    """A busy provider and a refused message are no sign of anything here."""
    [state] = _noted(_breaker(), [phone()], Outcome(verdict, Scope.MESSAGE)).status()
    assert (state.devices, state.has_success) == (0, False)


def test_other_credentials() -> None:
    """Who has other credentials must succeed anew; who has the same goes on."""
    other = phone(transport="gcm")
    breaker = _breaker()
    breaker.renew({("apn", APP): b"1", ("gcm", APP): b"1"})
    _noted(breaker, [phone(), other], DELIVERED)
    breaker.renew({("apn", APP): b"2", ("gcm", APP): b"1"})
    assert (breaker.may_remove(phone()), breaker.may_remove(other)) == (False, True)
