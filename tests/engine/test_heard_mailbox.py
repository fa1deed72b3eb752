"""What was heard of one mailbox, without any waiting."""

from __future__ import annotations

import random

import pytest

from oxpushctl.engine.heard_mailbox import HeardMailbox
from oxpushctl.model import MOST_RECENT, Mark


def _heard(*uids: int, mark: Mark | None = None) -> HeardMailbox:
    mailbox = HeardMailbox()
    mailbox.read(mark)
    for uid in uids:
        mailbox.note(7, uid)
    return mailbox


@pytest.mark.parametrize(
    ("uids", "expected"),
    [
        ((), None),
        ((10,), Mark(7, 11, (10,))),
        ((10, 11, 12), Mark(7, 13, (10, 11, 12))),
        ((10, 12), Mark(7, 11, (10, 12))),
        ((10, 12, 11), Mark(7, 13, (10, 12, 11))),
        ((10, 9), Mark(7, 11, (10, 9))),
        ((2**32 - 1,), Mark(7, 2**32, (2**32 - 1,))),
    ],
)
def test_order_of_uids(uids: tuple[int, ...], expected: Mark | None) -> None:
    """The mark moves over what was heard, and stays before a gap until that is closed."""
    assert _heard(*uids).mark() == expected


def test_inversions() -> None:
    """However a server shuffles its announcements, each is new once, and all of them close the gaps."""
    uids = list(range(100, 300))
    shuffled = sorted(uids, key=lambda uid: uid + random.Random(uid).uniform(0, 20))
    mailbox = _heard(100)

    news = [mailbox.note(7, uid) for uid in shuffled[1:]]
    repeats = [mailbox.note(7, uid) for uid in shuffled[-MOST_RECENT:]]

    assert shuffled[0] == 100
    assert (set(news), set(repeats)) == ({True}, {False})
    assert (mark := mailbox.mark()) is not None
    assert mark.uidnext == 300


def test_gap_that_never_closes() -> None:
    """What is not remembered any more lies below the mark, so that nobody who looks from there pushes it again."""
    before, after = _heard(10, *range(12, 12 + MOST_RECENT)).mark(), _heard(10, *range(12, 13 + MOST_RECENT)).mark()
    assert before == Mark(7, 11, tuple(range(12, 12 + MOST_RECENT)))
    assert after == Mark(7, 13 + MOST_RECENT, tuple(range(13, 13 + MOST_RECENT)))


def test_mailbox_from_a_backup() -> None:
    """A mailbox that counts again from far below is heard, each mail once."""
    mailbox = _heard(1000)
    assert [mailbox.note(7, uid) for uid in (5, 6, 5, 7)] == [True, True, False, True]
    assert mailbox.mark() == Mark(7, 1001, (1000, 5, 6, 7))


def test_another_uidvalidity() -> None:
    """Another mailbox under the same name begins anew, and nothing below its first mail is missing."""
    mailbox = _heard(10, 12)
    assert mailbox.note(8, 10)
    assert mailbox.mark() == Mark(8, 11, (10,))


def test_advance() -> None:
    """Who has looked moves the mark, also over what was heard behind that; it never goes back."""
    mailbox = _heard(10, 15, 16)
    mailbox.advance(7, 15)
    ahead = mailbox.mark()
    mailbox.advance(7, 3)

    assert ahead == mailbox.mark() == Mark(7, 17, (10, 15, 16))
    assert not mailbox.note(7, 15)


def test_advance_to_another_uidvalidity() -> None:
    """The first sight of another mailbox begins anew."""
    mailbox = _heard(10)
    mailbox.advance(8, 4)
    assert mailbox.mark() == Mark(8, 4, ())


def test_read_after_something_was_heard() -> None:
    """What was heard before the store answered is put together with what it knows: the gap between them stays."""
    mailbox = HeardMailbox()
    mailbox.note(7, 150)
    mailbox.read(Mark(7, 100, (98, 99)))
    assert mailbox.mark() == Mark(7, 100, (98, 99, 150))


@pytest.mark.parametrize("mark", [None, Mark(6, 900, (899,))])
def test_read_of_nothing_about_it(mark: Mark | None) -> None:
    """Where the store knows nothing of this mailbox, it begins with what was heard of it first."""
    mailbox = HeardMailbox()
    for uid in (150, 149):
        mailbox.note(7, uid)
    mailbox.read(mark)
    assert mailbox.mark() == Mark(7, 151, (150, 149))


def test_read_after_advance() -> None:
    """Who has looked before the store answered is not set back by it."""
    mailbox = HeardMailbox()
    mailbox.advance(7, 200)
    mailbox.read(Mark(7, 100, (98, 99)))
    assert mailbox.mark() == Mark(7, 200, (98, 99))


def test_spoilt_mark() -> None:
    """Numbers that cannot be uids are passed over."""
    assert _heard(mark=Mark(7, 10, (0, 2**40, 9))).mark() == Mark(7, 10, (9,))


def test_taken_back() -> None:
    """A mail that was not heard after all is new the next time."""
    mailbox = _heard(10, 11)
    mailbox.take_back(7, 11)
    mailbox.take_back(6, 10)
    assert mailbox.mark() == Mark(7, 11, (10,))
    assert mailbox.note(7, 11)
