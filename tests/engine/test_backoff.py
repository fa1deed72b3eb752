from __future__ import annotations

from collections.abc import Callable

import pytest

from oxpushctl.engine import backoff

_ALMOST_ONE = 1 - 2**-53


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        (backoff.trouble_s, [(0.1, 1), (0.2, 2), (0.4, 4), (6, 60), (6, 60), (6, 60)]),
        (backoff.refused_s, [(1200, 1500), (2400, 3000), (4800, 6000), (14400, 18000), (14400, 18000), (14400, 18000)]),
        (backoff.over_limit_s, [(60, 75), (120, 150), (240, 300), (600, 750), (600, 750), (600, 750)]),
    ],
)
def test_pauses(pause: Callable[[int, float], float], expected: list[tuple[float, float]]) -> None:
    """Pauses double up to a bound; those that are not to come sooner are only ever lengthened by chance."""
    found = [(pause(failures, 0.0), pause(failures, _ALMOST_ONE)) for failures in (1, 2, 3, 9, 10, 10**9)]
    assert found == [pytest.approx(each) for each in expected]


def test_first_pauses() -> None:
    """Who was lost is back within a second or so, and an offer is made after a day or somewhat more."""
    found = [(pause(0.0), pause(_ALMOST_ONE)) for pause in (backoff.lost_s, backoff.offer_s)]
    assert found == [pytest.approx(each) for each in ((0, 1), (86400, 108000))]
