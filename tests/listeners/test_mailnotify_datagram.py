"""Datagrams as Cyrus' notifyd is sent them, and whatever else arrives at a port."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.listeners.mailnotify_datagram import Datagram, is_inbox, parsed

_NOTIFIED = b"log\0MAIL\0\0anton\0INBOX\x000\0From: Anna\0"
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("datagram", "user", "mailbox"),
    [
        pytest.param(_NOTIFIED, "anton", "INBOX", id="as documented"),
        pytest.param(_NOTIFIED[:-1], "anton", "INBOX", id="message not ended"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX\x000", "anton", "INBOX", id="message cut off"),
        pytest.param(b"zephyr\0MAIL\0normal\0anton\0user.anton\x002\0a\0b\0msg\0", "anton", "user.anton", id="options"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX\x000\0hi\0/spool/1.\0", "anton", "INBOX", id="with a file name"),
        pytest.param("\0\0\0günter\0\x000\0\0".encode(), "günter", "", id="beyond ASCII, nothing but a user"),
        pytest.param(b"log\0MAIL\0\0" + b"a" * 900 + b"\0INBOX\x000\0" + b"m" * 60_000, "a" * 900, "INBOX", id="long"),
        pytest.param(b"log\0MAIL\0\0anton\0Entw\xfcrfe\x000\0\0", "anton", "Entw\ufffdrfe", id="mailbox not in UTF-8"),
    ],
)
def test_notification(datagram: bytes, user: str, mailbox: str) -> None:
    """User and mailbox are read, wherever they stand and however long the rest is."""
    assert parsed(datagram) == Datagram(user, mailbox)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0", id="a NUL"),
        pytest.param(b"\0" * 69, id="NULs"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX", id="too few fields"),
        pytest.param(b"log\0MAIL\0\0\0INBOX\x000\0From: Anna\0", id="no user"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX\0\0From: Anna\0", id="no count"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX\0many\0From: Anna\0", id="count in words"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX\0-1\0From: Anna\0", id="negative count"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX\x003\0a\0b", id="fewer options than counted"),
        pytest.param(b"log\0MAIL\0\0anton\0INBOX\0" + b"9" * 5000 + b"\0\0", id="count without end"),
        pytest.param(b"log\0MAIL\0\0g\xfcnter\0INBOX\x000\0\0", id="user not in UTF-8"),
        pytest.param(b"1337\x015\x013\x011", id="a registration of com.openexchange.push.udp"),
    ],
)
def test_no_notification(datagram: bytes) -> None:
    """What is odd is dropped, and no user is guessed at."""
    assert parsed(datagram) is None


@given(st.binary(max_size=200) | st.lists(st.binary(max_size=8), max_size=12).map(b"\0".join))
def test_garbage(datagram: bytes) -> None:
    """Whatever arrives, nothing is raised, and who is named is one of the fields."""
    told = parsed(datagram)
    assert told is None or told.user.encode() in datagram.split(b"\0")


@given(_TEXT.filter(bool), _TEXT, st.lists(_TEXT, max_size=5), _TEXT)
def test_any_names(user: str, mailbox: str, options: list[str], message: str) -> None:
    """Every name that can be written arrives as it was."""
    fields = ["log", "MAIL", "", user, mailbox, str(len(options)), *options, message, ""]
    assert parsed("\0".join(fields).encode()) == Datagram(user, mailbox)


@pytest.mark.parametrize(
    ("mailbox", "name", "is_it"),
    [
        ("INBOX", "anton", True),
        ("Inbox", "anton", True),
        ("", "anton", True),
        ("user.anton", "anton", True),
        ("user/anton", "anton", True),
        ("user.Anton", "anton", True),
        ("user/anton@example.com", "anton@example.com", True),
        ("user/anton@example.com", "anton", True),
        ("user/anton", "anton@example.com", True),
        ("example.com!user.anton", "anton@example.com", True),
        ("user.anton^meier", "anton.meier", True),
        ("user/anton.meier", "anton.meier", True),
        ("INBOX.Sent", "anton", False),
        ("INBOX/Sent", "anton", False),
        ("user.anton.Sent", "anton", False),
        ("user/anton/Sent", "anton", False),
        ("user.berta", "anton", False),
        ("user/anton@example.org", "anton@example.com", False),
        ("example.org!user.anton", "anton@example.com", False),
        ("Drafts", "anton", False),
        ("anton", "anton", False),
        ("users.anton", "anton", False),
    ],
)
def test_inbox(mailbox: str, name: str, is_it: bool) -> None:
    """The user's own inbox is known by each of its names, and no other folder is taken for it."""
    assert is_inbox(mailbox, (name,)) is is_it
