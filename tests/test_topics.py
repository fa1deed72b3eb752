"""Topics: what may be asked for, and what it matches."""

from __future__ import annotations

import pytest

from oxpushctl import topics


@pytest.mark.parametrize("topic", ["*", "ox:mail:new", "ox:*", "ox:mail:*", "a", "A-1_b", "a:b-c:_"])
def test_valid(topic: str) -> None:
    """Words of letters, digits, - and _ between colons, a wildcard at the end, or everything."""
    assert topics.is_valid(topic)


@pytest.mark.parametrize(
    "topic", ["", " ", "ox:mail*", "ox:", ":x", "a::b", "**", "ox.mail", ":*", "*:*", "ox:*:new", "ox:mail:new\n", "ö"]
)
def test_not_valid(topic: str) -> None:
    """Anything else, as with the middleware."""
    assert not topics.is_valid(topic)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("*", True),
        ("ox:*", True),
        ("ox:mail:*", True),
        ("ox:mail:new", True),
        ("ox:mail", False),
        ("ox:mail:new:*", False),
        ("o*", False),
        ("ox:calendar:*", False),
    ],
)
def test_matches_new_mail(wanted: str, expected: bool) -> None:
    """A wildcard hears what stands below its colon, a topic itself, ``*`` everything."""
    assert topics.matches(wanted, "ox:mail:new") == expected


@pytest.mark.parametrize("topic", ["ox:mail", "ox:mailbox:x"])
def test_colon_belongs_to_the_prefix(topic: str) -> None:
    """``ox:mail:*`` hears neither of its own stem nor of a longer word."""
    assert not topics.matches("ox:mail:*", topic)


def test_prefixes() -> None:
    """The prefixes of a topic are those under which a wildcard for it may be stored."""
    assert topics.prefixes("ox:mail:new") == ("ox:", "ox:mail:")
    assert all(topics.matches(f"{prefix}*", "ox:mail:new") for prefix in topics.prefixes("ox:mail:new"))
