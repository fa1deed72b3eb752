"""How long a listener that does not run waits before it is started again: pure functions of failures and chance.

``failures`` counts from 1 those of one kind in a row, ``chance`` is uniform in [0, 1).
"""

from __future__ import annotations

# Who was running a moment ago is started again within this time: spread, since all of a server's are lost at once.
FIRST_S = 1.0
# How late the last listener may be back after a long outage; the rate of log-ins keeps all of them from coming at once.
TROUBLE_LONGEST_S = 60.0
# A server counts refused log-ins, slows everybody's down for them, or locks the account.
REFUSED_S, REFUSED_LONGEST_S = 20 * 60.0, 4 * 3600.0
OVER_LIMIT_S, OVER_LIMIT_LONGEST_S = 60.0, 600.0
# An implementation that could not serve a mailbox is asked again.
OFFER_S = 24 * 3600.0
# What is not to come sooner is only ever lengthened.
_SPREAD = 0.25
_MOST_DOUBLINGS = 30


def lost_s(chance: float) -> float:
    """Return the pause after a listener was lost that had run for a while."""
    return FIRST_S * chance


def trouble_s(failures: int, chance: float) -> float:
    """Return the pause after trouble with a server: exponential, with full jitter."""
    # Full jitter could be nothing at all: a tenth keeps a server in trouble from being asked in a tight loop.
    return _doubled(FIRST_S, failures, TROUBLE_LONGEST_S) * (0.1 + 0.9 * chance)


def refused_s(failures: int, chance: float) -> float:
    """Return the pause after nothing at hand opened a mailbox."""
    return _doubled(REFUSED_S, failures, REFUSED_LONGEST_S) * (1 + _SPREAD * chance)


def over_limit_s(failures: int, chance: float) -> float:
    """Return the pause after there was no room for one more."""
    return _doubled(OVER_LIMIT_S, failures, OVER_LIMIT_LONGEST_S) * (1 + _SPREAD * chance)


def offer_s(chance: float) -> float:
    """Return after how long an implementation is asked again that could not serve."""
    return OFFER_S * (1 + _SPREAD * chance)


def _doubled(first_s: float, failures: int, longest_s: float) -> float:
    return min(longest_s, first_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
