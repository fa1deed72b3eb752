"""What mail servers answer to FETCH, and what is read of it."""

from __future__ import annotations

import pytest

from oxpushctl.listeners.fetched import found_mails, numbered
from oxpushctl.listeners.imap_client import Answer
from oxpushctl.model import FoundMail

DATE = b'INTERNALDATE "23-Nov-2026 23:49:35 +0100"'
AT = 1795474175.0


def headers(text: bytes, *, key: bytes = b"BODY[HEADER.FIELDS (FROM SUBJECT)]") -> Answer:
    """Return the answer about uid 40 with these header lines."""
    return [(b"17 (UID 40 FLAGS () " + DATE + b" " + key + b" {%d}" % len(text), text), b")"]


@pytest.mark.parametrize(
    ("text", "sender", "subject"),
    [
        (b"From: a@b.c\r\nSubject: Lunch?\r\n\r\n", "a@b.c", "Lunch?"),
        (b"SUBJECT:x\r\nfrom :\ty\r\n\r\n", "y", "x"),
        (b"From: a\r\nFrom: b\r\nSubject: 1\r\nSubject: 2\r\n\r\n", "a", "1"),
        (b"Subject: a\r\n b\r\n\tc\r\nFrom: d\r\n\r\n", "d", "a\r\n b\r\n\tc"),
        (b"Subject: a\n b\nFrom: d\n\n", "d", "a\n b"),
        (b"Subject:\r\n folded\r\n\r\n", None, "\r\n folded"),
        (b"Subject: \r\n\r\n", None, ""),
        (b"Subject:", None, ""),
        (b"Subject: cut of", None, "cut of"),
        (b"Subject: \xff\xc3\xbc\r\n\r\n", None, "\ufffdü"),
        (b"Resent-From: a\r\nX-Subject: b\r\n\r\n", None, None),
        (b"\r\n", None, None),
        (b"", None, None),
    ],
)
def test_header_values(text: bytes, sender: str | None, subject: str | None) -> None:
    """They stay as they were sent, folding and all; the first of a name counts, and none is not an empty one."""
    assert [FoundMail(40, AT, False, sender, subject)] == found_mails([headers(text)], [40])


def test_headers_in_two_items() -> None:
    """Each field may come in an item of its own, and servers write those as they like."""
    answer: Answer = [
        (b"17 (UID 40 " + DATE + b' BODY[HEADER.FIELDS ("From")]<0> {9}', b"From: a\r\n"),
        (b" body[header.fields (subject)]<0> {12}", b"Subject: b\r\n"),
        b")",
    ]
    assert [FoundMail(40, AT, False, "a", "b")] == found_mails([answer], [40])


@pytest.mark.parametrize(
    ("item", "snippet"),
    [
        (b'PREVIEW "at \\"noon\\""', 'at "noon"'),
        (b"PREVIEW NIL", ""),
        (b'PREVIEW (FUZZY "at noon")', "at noon"),
        (b'SNIPPET (FUZZY "at noon")', "at noon"),
        (b"SNIPPET (FUZZY 12)", "12"),
        (b"PREVIEW ()", ""),
        (b'PREVIEW "\xc3\xbc\xff"', "ü\ufffd"),
    ],
)
def test_snippet(item: bytes, snippet: str) -> None:
    """A preview is read as the RFC has it, and as Dovecot had it before."""
    assert [FoundMail(40, AT, False, None, None, snippet)] == found_mails(
        [[b"17 (UID 40 " + DATE + b" " + item + b")"]], [40]
    )


@pytest.mark.parametrize(
    ("flags", "is_seen"),
    [(b"()", False), (b"(\\Seen)", True), (b"(\\Recent \\SEEN)", True), (b"(Seen $x)", False), (b"NIL", False)],
)
def test_flags(flags: bytes, is_seen: bool) -> None:
    """Whether somebody has seen it is the flag's to say, in any case."""
    assert [FoundMail(40, AT, is_seen)] == found_mails([[b"17 (UID 40 FLAGS " + flags + b" " + DATE + b")"]], [40])


@pytest.mark.parametrize(
    ("date", "at"),
    [
        (b'"23-Nov-2026 23:49:35 +0100"', AT),
        (b'" 1-Jan-1970 00:00:09 +0000"', 9.0),
        (b'"23-Nov-2026 22:49:35 -0000"', AT),
    ],
)
def test_dates(date: bytes, at: float) -> None:
    """A date is read with its zone, whatever the one here."""
    assert [FoundMail(40, at, False)] == found_mails([[b"17 (UID 40 INTERNALDATE " + date + b")"]], [40])


def test_one_mail_in_several_answers() -> None:
    """A server may tell about a mail bit by bit; what it tells about others is none of ours."""
    answers: list[Answer] = [
        [b"17 (UID 40 FLAGS (\\Seen))"],
        [b"40 (FLAGS ())"],
        [b"18 (UID 41 " + DATE + b")"],
        [b"17 (UID 40 " + DATE + b")"],
    ]
    assert [FoundMail(40, AT, True)] == found_mails(answers, [40])


@pytest.mark.parametrize(
    "answer",
    [
        [b"17 (UID 39 FLAGS ())"],
        [b"17 (UID 39"],
        [b"17"],
        [b""],
        [b"x (UID 39)"],
        [b"17 (UID 39 FLAGS)"],
        [b'17 (UID 39 PREVIEW "open)'],
        [b"17 " + b"(" * 100_000],
        [b"17 (1 2 UID 39 " + DATE + b")"],
        [b"17 (UID " + b"9" * 5000 + b")"],
        [b'17 (UID 39 INTERNALDATE "yesterday")'],
        [b'17 (UID 39 INTERNALDATE "99-Nov-99999999 23:49:35 +9999")'],
        [b"17 (UID 39 INTERNALDATE NIL)"],
        [(b"17 (UID 39 BODY[] {5}", b"abc"), b")"],
        [(b"no literal", b"abc"), b")"],
    ],
)
def test_answers_of_no_use(answer: Answer) -> None:
    """One that cannot be read, or says too little, costs no other mail."""
    assert [FoundMail(40, AT, False)] == found_mails([answer, [b"17 (UID 40 " + DATE + b")"], answer], [39, 40])


def test_numbers() -> None:
    """Numbers in the folder come with their uids; who has none is left out."""
    answers: list[Answer] = [[b"17 (UID 40)"], [b"18 (FLAGS ())"], [b"3 (FLAGS () UID 9)"]]
    assert numbered(answers) == [(17, 40), (3, 9)]
