"""Which user is meant by a name that a mail server sends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config.listening import NOTIFY_DELIMITER, NOTIFY_FULL_ADDRESS, NOTIFY_OX_LOGIN
from oxpushctl.config.property import Property
from oxpushctl.listeners.mailnotify_names import Names, NoOwner, Spelling
from oxpushctl.model import DirectoryEntry, PushUser
from tests.listeners.people import ANTON, BERTA, settings

_ENTRY = DirectoryEntry(ANTON, "a.Login", "Anton@Example.com", ("Meier@example.org", "chef"))


@pytest.mark.parametrize(
    ("values", "entry", "names"),
    [
        pytest.param(
            {}, _ENTRY, {"anton", "anton@example.com", "meier", "meier@example.org", "chef"}, id="the part before the @"
        ),
        pytest.param(
            {NOTIFY_FULL_ADDRESS: True},
            _ENTRY,
            {"anton@example.com", "meier@example.org", "chef"},
            id="whole addresses",
        ),
        pytest.param(
            {NOTIFY_FULL_ADDRESS: True, NOTIFY_OX_LOGIN: True},
            _ENTRY,
            {"a.login", "anton@example.com", "meier@example.org", "chef"},
            id="and the login",
        ),
        pytest.param({}, DirectoryEntry(ANTON, "anton"), set(), id="no address"),
        pytest.param({NOTIFY_OX_LOGIN: True}, DirectoryEntry(ANTON, "anton"), {"anton"}, id="nothing but the login"),
        pytest.param(
            {}, DirectoryEntry(ANTON, "anton@example.com"), {"anton", "anton@example.com"}, id="login is an address"
        ),
        pytest.param({}, DirectoryEntry(ANTON, "anton", "@example.com"), {"@example.com"}, id="nothing before the @"),
        pytest.param({}, DirectoryEntry(ANTON, "anton", "a@b@c"), {"a", "a@b@c"}, id="two @"),
    ],
)
def test_names_of_a_user(values: dict[Property[Any], object], entry: DirectoryEntry, names: set[str]) -> None:
    """Every address counts, spelled as the properties say, in lower case."""
    assert Spelling(settings(values)).names(entry) == names


@pytest.mark.parametrize(
    ("delimiter", "received", "name"),
    [
        (None, "Anton#1#2", "anton#1#2"),
        ("#", "Anton#1#2", "anton"),
        ("@", "anton@store7", "anton"),
        ("::", "a:b::c::d", "a:b"),
        ("#", "anton", "anton"),
    ],
)
def test_delimiter(delimiter: str | None, received: str, name: str) -> None:
    """A received name is cut at the first delimiter, whatever follows."""
    assert Spelling(settings({NOTIFY_DELIMITER: delimiter})).received(received) == name


def test_name_of_two_users() -> None:
    """It stands for neither of them, their other names do, and when one goes it is the other's."""
    names = Names()
    names.put(ANTON, frozenset({"info", "anton"}))
    names.put(BERTA, frozenset({"info", "berta"}))
    both = [names.owner(name) for name in ("info", "anton", "berta")]
    claimants = names.claimants("info")
    names.remove(ANTON)
    one = [names.owner(name) for name in ("info", "anton", "berta")]
    assert (both, claimants, one) == (
        [NoOwner.AMBIGUOUS, ANTON, BERTA],
        [ANTON, BERTA],
        [BERTA, NoOwner.UNKNOWN, BERTA],
    )


def test_other_names() -> None:
    """What a user is not called any more is free for another, who may have claimed it before."""
    names = Names()
    names.put(ANTON, frozenset({"info", "anton"}))
    names.put(BERTA, frozenset({"info"}))
    names.put(ANTON, frozenset({"anton", "meier"}))
    assert [names.owner(name) for name in ("info", "anton", "meier")] == [BERTA, ANTON, ANTON]


_USERS = [PushUser(1, number) for number in range(1, 4)]
_STEPS = st.lists(st.tuples(st.sampled_from(_USERS), st.none() | st.frozensets(st.sampled_from("abc"))), max_size=30)


@given(_STEPS)
def test_any_changes(steps: list[tuple[PushUser, frozenset[str] | None]]) -> None:
    """After any changes each name stands for the only user that has it, else for nobody."""
    names, wanted = Names(), dict[PushUser, frozenset[str]]()
    for user, its in steps:
        if its is None:
            names.remove(user)
            wanted.pop(user, None)
        else:
            names.put(user, its)
            wanted[user] = its
    for name in "abc":
        owners = sorted(user for user, its in wanted.items() if name in its)
        expected = NoOwner.UNKNOWN if not owners else owners[0] if len(owners) == 1 else NoOwner.AMBIGUOUS
        assert (names.owner(name), names.claimants(name)) == (expected, owners)
