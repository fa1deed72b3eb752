"""When to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.engine.retry import LONGEST_S, delay_s, next_attempt_at
from oxpushctl.model import Outcome, Verdict

DOWN = Outcome(Verdict.UNREACHABLE)


@pytest.mark.parametrize("verdict", [Verdict.DELIVERED, Verdict.TOKEN_GONE, Verdict.REJECTED])
def test_settled_verdicts_are_not_repeated(verdict: Verdict) -> None:
    """Only THROTTLED and UNREACHABLE are worth another attempt."""
    assert next_attempt_at(Outcome(verdict), 1, now=0.0, expires_at=1e9, chance=0.5) is None


@given(st.integers(1, 10_000), st.floats(0.0, 1.0, exclude_max=True))
def test_backoff_is_bounded_on_both_sides(attempts: int, chance: float) -> None:
    """Never at once, never later than the longest back-off."""
    assert 0 < delay_s(DOWN, attempts, chance) <= LONGEST_S


def test_backoff_doubles() -> None:
    """With equal luck each wait is twice the one before."""
    assert [delay_s(DOWN, attempts, 0.5) for attempts in (2, 3)] == [2 * delay_s(DOWN, a, 0.5) for a in (1, 2)]


@given(st.floats(0.0, 86400.0), st.floats(0.0, 1.0, exclude_max=True))
def test_retry_after_is_the_least(asked_s: float, chance: float) -> None:
    """The provider is never asked sooner than it said."""
    assert delay_s(Outcome(Verdict.THROTTLED, retry_after_s=asked_s), 1, chance) >= asked_s


def test_too_old_by_then_is_given_up() -> None:
    """A push that would come after its expiry is not kept until then."""
    late = Outcome(Verdict.THROTTLED, retry_after_s=3600.0)
    assert next_attempt_at(late, 1, now=0.0, expires_at=1800.0, chance=0.0) is None
