"""Passwords of sessions that have ended."""

from __future__ import annotations

from oxpushctl.listeners.lingering import LingeringSessions
from oxpushctl.model import Credential, PushUser
from tests.listeners.openers import Sessions

ANNA, BOB = PushUser(1, 3), PushUser(1, 4)
OLD, NEW = Credential(ANNA, "anna", "old"), Credential(ANNA, "anna", "new")


def test_kept_beyond_the_end() -> None:
    """What was asked to be kept is there when the session has ended, until it is released; others' is not."""
    live = Sessions()
    lingering = LingeringSessions(live)
    live.passwords = {ANNA: [OLD], BOB: [Credential(BOB, "bob", "secret")]}
    lingering.keep(ANNA)
    live.passwords.clear()
    kept = lingering.credentials(ANNA), lingering.credentials(BOB)
    lingering.release(ANNA)

    assert kept == ([OLD], [])
    assert lingering.credentials(ANNA) == []


def test_behind_those_that_live() -> None:
    """Live sessions come first, and each password once."""
    live = Sessions()
    lingering = LingeringSessions(live)
    live.passwords[ANNA] = [OLD]
    lingering.keep(ANNA)
    live.passwords[ANNA] = [NEW]
    differing = lingering.credentials(ANNA)
    live.passwords[ANNA] = [OLD]

    assert (differing, lingering.credentials(ANNA)) == ([NEW, OLD], [OLD])


def test_kept_again() -> None:
    """Without a session, to keep once more changes nothing."""
    live = Sessions()
    lingering = LingeringSessions(live)
    live.passwords[ANNA] = [OLD]
    lingering.keep(ANNA)
    live.passwords.clear()
    lingering.keep(ANNA)

    assert lingering.credentials(ANNA) == [OLD]


def test_renewed() -> None:
    """A later session's password takes the place of the one that was kept; where none was, none is."""
    live = Sessions()
    lingering = LingeringSessions(live)
    live.passwords = {ANNA: [OLD], BOB: [Credential(BOB, "bob", "secret")]}
    lingering.keep(ANNA)
    live.passwords[ANNA] = [NEW]
    for user in (ANNA, BOB):
        lingering.renew(user)
    live.passwords.clear()

    assert (lingering.credentials(ANNA), lingering.credentials(BOB)) == ([NEW], [])


def test_nothing_shows() -> None:
    """Passwords are in no text of it."""
    live = Sessions()
    live.passwords[ANNA] = [OLD]
    lingering = LingeringSessions(live)
    lingering.keep(ANNA)

    assert "old" not in repr(lingering)
