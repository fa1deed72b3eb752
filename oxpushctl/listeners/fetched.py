"""Reading what a mail server answers to FETCH, one answer at a time: of one that cannot be read the others come.

::

    17 (UID 40 FLAGS (\\Recent) INTERNALDATE "23-Nov-2026 23:49:35 +0000" PREVIEW "Hi Anton"
        BODY[HEADER.FIELDS (FROM)]<0> {21}  From: A B <a@b.c>  BODY[HEADER.FIELDS (SUBJECT)]<0> {19}  Subject: Lunch?)

A server may tell about a mail in several answers, leave items out, and tell unasked about other mails. Header values
stay as they are: unfolded and decoded they are by ``oxpushctl.header``. Of several fields of a name the first counts.
Source: RFC 3501, 7.4.2; RFC 8970, 3.2 (PREVIEW); Dovecot 2.3, ``SNIPPET (FUZZY "…")``.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from imaplib import IMAP4

from imapclient.datetime_util import parse_to_datetime
from imapclient.response_parser import parse_response

from oxpushctl.listeners.imap_client import Answer
from oxpushctl.model import FoundMail

_SNIPPETS = (b"PREVIEW", b"SNIPPET")
_HEADER = b"BODY[HEADER"
_SEEN = b"\\SEEN"
# A field with what is folded; blanks before the colon are obsolete, and allowed (RFC 5322, 4.5).
_FIELD = re.compile(r"^(from|subject)[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)
# imapclient raises its own kind of imaplib's error, or whatever Python does.
_UNREADABLE = (IMAP4.error, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)


@dataclass(slots=True)
class _Told:
    """What was told about one mail so far."""

    received_at: float | None = None
    is_seen: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    snippet: str = ""


def numbered(answers: Iterable[Answer]) -> Sequence[tuple[int, int]]:
    """Return the numbers of mails in the folder and their uids, as they were told; others are left out."""
    return [(number, uid) for number, items in _items_of(answers) if (uid := _uid(items))]


def found_mails(answers: Iterable[Answer], wanted: Collection[int]) -> Sequence[FoundMail]:
    """Return the mails with wanted uids about which enough was told, ascending by uid.

    One of which is not told when it came is gone: what was told is about its flags.
    """
    told: dict[int, _Told] = {uid: _Told() for uid in sorted(wanted)}
    for _, items in _items_of(answers):
        its = told.get(_uid(items))
        if its is not None:
            _note(its, items)
    return [
        FoundMail(uid, its.received_at, its.is_seen, its.fields.get("from"), its.fields.get("subject"), its.snippet)
        for uid, its in told.items()
        if its.received_at is not None
    ]


def _items_of(answers: Iterable[Answer]) -> Iterator[tuple[int, dict[bytes, object]]]:
    """Yield the number of a mail in the folder and what is told about it, for each answer that can be read."""
    for answer in answers:
        try:
            number, items = parse_response(list(answer))
            pairs = list(zip(items[::2], items[1::2], strict=True))
            yield int(number), {name.upper(): value for name, value in pairs}  # what is no name has no upper case
        except _UNREADABLE:
            continue


def _uid(items: dict[bytes, object]) -> int:
    uid = items.get(b"UID")
    return uid if isinstance(uid, int) else 0


def _note(told: _Told, items: dict[bytes, object]) -> None:
    for name, value in items.items():
        if name == b"FLAGS" and isinstance(value, tuple):
            told.is_seen = any(isinstance(flag, bytes) and flag.upper() == _SEEN for flag in value)
        elif name == b"INTERNALDATE" and isinstance(value, bytes):
            told.received_at = _seconds(value)
        elif name in _SNIPPETS:
            told.snippet = _snippet(value)
        elif name.startswith(_HEADER) and isinstance(value, bytes):
            for found in _FIELD.finditer(value.decode("utf-8", "replace")):
                told.fields.setdefault(found[1].lower(), found[2])


def _seconds(date: bytes) -> float | None:
    """Return an INTERNALDATE in epoch seconds; -0000 is UTC, said by somebody elsewhere."""
    try:
        at: datetime.datetime = parse_to_datetime(date, normalise=False)
        return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()
    except _UNREADABLE:
        return None


def _snippet(value: object) -> str:
    """Return the text of a preview, which may come with the name of the algorithm that made it."""
    text = value[-1] if isinstance(value, tuple) and value else value
    if isinstance(text, int):  # digits without quotes
        return str(text)
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else ""
