"""Which mails that were found are worth a push, and what their events say."""

from __future__ import annotations

import pytest

from oxpushctl.listeners.new_mail import event, worth_pushing
from oxpushctl.model import Address, FoundMail, PushUser

NOW = 1_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 24 * 3600.0


def mail(uid: int, age_s: float = 0.0, *, is_seen: bool = False) -> FoundMail:
    return FoundMail(uid, NOW - age_s, is_seen)


@pytest.mark.parametrize(
    ("found", "uids"),
    [
        ([], []),
        ([mail(1), mail(2)], [1, 2]),
        ([mail(2), mail(1)], [1, 2]),
        ([mail(1, is_seen=True), mail(2)], [2]),
        ([mail(1, 5 * HOUR), mail(2, 3 * HOUR)], [2]),
        ([mail(1, DAY), mail(2, 365 * DAY)], []),
        ([mail(1, -DAY), mail(2, -DAY - 1)], [1]),
        ([mail(1, HOUR), mail(2, HOUR), mail(3, 11 * MINUTE), mail(4, 9 * MINUTE), mail(5)], [3, 4, 5]),
        ([mail(1), mail(2, HOUR), mail(3, HOUR)], [1, 3]),
        ([mail(1, HOUR), mail(2), mail(3), mail(4), mail(5)], [3, 4, 5]),
        ([mail(uid) for uid in range(1, 9)], [6, 7, 8]),
    ],
    ids=[
        "none",
        "new",
        "in-any-order",
        "seen",
        "too-old",
        "archive",
        "clock-ahead",
        "merged",
        "merged-by-uid",
        "old-is-first-to-go",
        "most",
    ],
)
def test_worth_pushing(found: list[FoundMail], uids: list[int]) -> None:
    """Nobody has seen it, it is recent, the old ones are one, and there are no more than were asked for."""
    told = worth_pushing(found, NOW, most=3, max_age_s=4 * HOUR)
    assert uids == [each.uid for each in told]


def test_none_wanted() -> None:
    """Where none are wanted there are none."""
    assert list(worth_pushing([mail(1), mail(2)], NOW, most=0, max_age_s=HOUR)) == []


def test_event() -> None:
    """Header values are decoded and unfolded, and the snippet is on one line."""
    found = FoundMail(
        7, NOW, False, "=?utf-8?q?G=C3=BCnter?=\r\n <g@example.com>", "a\r\n\tlong =?utf-8?b?w7w=?=", "at\r\n\x00noon"
    )
    told = event(PushUser(1, 3), "Übung", 17, found, 4, "imapidle", NOW)
    assert (Address("Günter", "g@example.com"), "a long ü", "at noon") == (told.sender, told.subject, told.snippet)
    assert (PushUser(1, 3), "Übung", 17, 7, 4, "imapidle", NOW) == (
        told.user,
        told.folder,
        told.uidvalidity,
        told.uid,
        told.unseen,
        told.heard_by,
        told.at,
    )


def test_event_of_a_mail_without_headers() -> None:
    """A mail that names no sender and no subject is told without."""
    told = event(PushUser(1, 3), "INBOX", 17, FoundMail(7, NOW, False), None, "imapidle", NOW)
    assert (told.sender, told.subject, told.snippet, told.unseen) == (None, "", "", None)
