"""What was refused, for how long it is left alone, and what is remembered of it."""

from __future__ import annotations

from oxpushctl.listeners.mail_server import LogIn
from oxpushctl.listeners.refusals import FIRST_S, LONGEST_S, REPEAT_EVERY_S, Refusals
from tests.engine.parts import HandClock

ANTON, BERTA = LogIn("anton", "sesame"), LogIn("berta", "sesame")


def test_longer_and_longer() -> None:
    """Each refusal of the same makes the wait twice as long, up to the longest."""
    clock = HandClock()
    refusals = Refusals(clock)
    digest = refusals.digest(ANTON)
    waits = []
    for _ in range(6):
        assert refusals.begin(digest) is None
        refusals.note(digest, is_noted=False)
        waits.append(refusals.begin(digest))
        clock.time += waits[-1] or 0.0
    assert waits == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S, LONGEST_S, LONGEST_S]


def test_told_apart() -> None:
    """Another name or password is another log-in, wherever one ends and the other begins."""
    refusals = Refusals(HandClock())
    refusals.note(refusals.digest(LogIn("a", "bc")), is_noted=False)
    others = [LogIn("a", "b"), LogIn("ab", "c"), LogIn("A", "bc"), LogIn("a", "bc\0"), LogIn("a", "\ud800")]
    assert [refusals.begin(refusals.digest(log_in)) for log_in in others] == [None] * 5


def test_digest_is_this_process_s_own() -> None:
    """Nobody can look a password up by what is remembered of it."""
    one, other = Refusals(HandClock()), Refusals(HandClock())
    assert (one.digest(ANTON) == one.digest(ANTON), one.digest(ANTON) == other.digest(ANTON)) == (True, False)


def test_repeats_one_by_one() -> None:
    """What is due at the same time is tried one after the other, until one goes well."""
    clock = HandClock()
    refusals = Refusals(clock)
    anton, berta = refusals.digest(ANTON), refusals.digest(BERTA)
    for digest in (anton, berta):
        refusals.note(digest, is_noted=False)
    clock.time += FIRST_S
    assert (refusals.begin(anton), refusals.begin(berta)) == (None, REPEAT_EVERY_S)
    refusals.forget(anton)
    assert refusals.begin(berta) is None


def test_first_attempts_wait_for_nobody() -> None:
    """What was never refused is tried at once, whatever else is."""
    refusals = Refusals(HandClock())
    refusals.note_earlier(refusals.digest(ANTON))
    assert refusals.begin(refusals.digest(ANTON)) is None
    assert refusals.begin(refusals.digest(BERTA)) is None


def test_only_what_the_store_knew_is_taken_back() -> None:
    """A refusal that could not be noted is not forgotten because the store knows nothing of it."""
    refusals = Refusals(HandClock())
    anton, berta = refusals.digest(ANTON), refusals.digest(BERTA)
    refusals.note(anton, is_noted=True)
    refusals.note(berta, is_noted=False)
    for digest in (anton, berta):
        refusals.forget_if_noted(digest)
    assert (refusals.begin(anton), refusals.begin(berta)) == (None, FIRST_S)


def test_no_more_than_so_many() -> None:
    """Of too many the oldest is forgotten."""
    refusals = Refusals(HandClock(), most=2)
    digests = [refusals.digest(LogIn("anton", str(number))) for number in range(3)]
    for digest in digests:
        refusals.note(digest, is_noted=False)
    assert [refusals.begin(digest) for digest in digests] == [None, FIRST_S, FIRST_S]
