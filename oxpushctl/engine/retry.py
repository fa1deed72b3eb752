"""When to try again and when to stop: pure functions of the outcome, the attempts so far and a random number."""

from __future__ import annotations

from oxpushctl.model import Outcome, Verdict

FIRST_S = 2.0
LONGEST_S = 600.0
# What a provider asks for is the least: everybody it told the same must not come back in the same second.
SPREAD = 0.25


def delay_s(outcome: Outcome, attempts: int, chance: float) -> float:
    """Return how long to wait after a failed attempt, in seconds.

    ``attempts`` counts from 1, ``chance`` is uniform in [0, 1). Exponential back-off with full jitter; the provider's
    ``Retry-After`` is kept and only ever lengthened.
    """
    if outcome.retry_after_s is not None:
        return outcome.retry_after_s * (1 + SPREAD * chance)
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempts - 1, 16))
    # Full jitter could be nothing at all: a tenth keeps a dead provider from being asked in a tight loop.
    return longest * (0.1 + 0.9 * chance)


def next_attempt_at(outcome: Outcome, attempts: int, *, now: float, expires_at: float, chance: float) -> float | None:
    """Return when to try again in epoch seconds, ``None`` for never: settled, or too old by then."""
    if outcome.verdict not in (Verdict.THROTTLED, Verdict.UNREACHABLE):
        return None
    at = now + delay_s(outcome, attempts, chance)
    return at if at < expires_at else None
