"""Retry-After and the ends that no provider has a word for."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.transports.verdicts import LONGEST_WAIT_S, clip, retry_after_s

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 5000, LONGEST_WAIT_S),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90.0),
        ("Friday, 15-Jan-27 08:01:00 GMT", 60.0),
        ("Fri Jan 15 08:01:00 2027", 60.0),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Fri, 99 Foo 2027 08:01:00 GMT", None),
    ],
)
def test_every_form_of_retry_after(value: str | None, expected: float | None) -> None:
    """Seconds and the three forms of HTTP dates are understood, all else counts as none."""
    assert retry_after_s(value, NOW) == expected


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [-+A-Z0-9]+")))
def test_garbage_in_retry_after_never_raises(value: str) -> None:
    """Whatever a provider or a gateway before it writes, the wait lies between nothing and a day."""
    wait_s = retry_after_s(value, NOW)
    assert wait_s is None or 0 <= wait_s <= LONGEST_WAIT_S


def test_a_hostile_reason_stays_one_line() -> None:
    """A provider's word cannot forge lines of the log."""
    assert clip("Bad\r\n2027 error" + "x" * 500) == "Bad  2027 error" + "x" * 105
