"""What is written into METADATA for a user, and how it is known again."""

from __future__ import annotations

import hashlib

import pytest

from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.listeners.dovecot_value import Values, about, is_same, quotes
from oxpushctl.model import PushUser
from oxpushctl.registration import derive_key
from tests.listeners.people import settings
from tests.listeners.registering import KEY, PASSPHRASE, signed

ANNA, BOB = PushUser(1, 3), PushUser(1, 4)
VALUE = signed(ANNA)
MAC = VALUE.partition("/")[2]


@pytest.mark.parametrize(
    ("mode", "passcrypt", "value"),
    [
        ("signed", PASSPHRASE, VALUE),
        ("both", PASSPHRASE, VALUE),
        ("plain", PASSPHRASE, "user=3@1"),
        ("signed", None, "user=3@1"),
        ("signed", " ", "user=3@1"),
        ("both", None, "user=3@1"),
    ],
)
def test_value(mode: str, passcrypt: str | None, value: str) -> None:
    """It is signed unless it is to be plain, or nothing is there to sign with; its hash is what is remembered."""
    values = Values.from_settings(settings({REGISTRATION: mode, PASSCRYPT: passcrypt}))

    assert values.of(ANNA) == value
    assert values.about(ANNA) == hashlib.sha256(value.encode()).hexdigest()


def test_another_mode() -> None:
    """A reload changes the mode; the passphrase stays that of the start, as it does where values are believed."""
    values = Values("signed", KEY).reloaded(settings({REGISTRATION: "plain", PASSCRYPT: "another"}))

    assert values == Values("plain", KEY)
    assert values.of(ANNA) == "user=3@1"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (VALUE.encode(), True),
        (None, False),
        (b"", False),
        (b"user=3@1", False),
        (VALUE.encode() + b"\tuser=4@1", False),
        (b"user=4@1\t" + VALUE.encode(), False),
        (VALUE.encode() + b" ", False),
        (VALUE.upper().encode(), False),
        (b"\xff\xfe", False),
    ],
)
def test_same(found: bytes | None, expected: bool) -> None:
    """Only the whole value, byte for byte, is the one: Dovecot takes the last of several users."""
    assert is_same(VALUE, found) is expected


@pytest.mark.parametrize("mode", ["signed", "plain", "both"])
@pytest.mark.parametrize(
    ("found", "remembered", "expected"),
    [
        (VALUE, None, True),
        ("user=3@1", None, True),
        ("user=4@1", None, False),
        ("user=3@1/AAAAAAAAAAAAAAAAAAAAAA", None, False),
        ("user=3@1/AAAAAAAAAAAAAAAAAAAAAA", about("user=3@1/AAAAAAAAAAAAAAAAAAAAAA"), True),
        ("user=3@1\turl=http://elsewhere/", about(VALUE), False),
    ],
)
def test_ours(mode: str, found: str, remembered: str | None, expected: bool) -> None:
    """Ours is what we may have written in any mode, the middleware's form, and what is remembered as written."""
    assert Values(mode, KEY).is_ours(ANNA, found.encode(), remembered) is expected


def test_secret() -> None:
    """Neither key nor MAC show."""
    assert "key" not in repr(Values("signed", KEY))
    assert derive_key("x").hex() not in repr(Values("signed", derive_key("x")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"NO [LIMIT] {VALUE} is too long", True),
        (f"NO {MAC[:6]}", True),
        (f"NO …{MAC[-8:]}…", True),
        ("NO user=3@1 is too long", False),
        ("", False),
    ],
)
def test_quotes(text: str, expected: bool) -> None:
    """A text that has a good part of the MAC is not for anybody's eyes; who the user is may be told."""
    assert quotes(text, VALUE) is expected
    assert quotes(text, "user=3@1") is False
