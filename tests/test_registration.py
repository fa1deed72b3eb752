"""Registrations: what is signed is believed, what is made up is not."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.model import PushUser
from oxpushctl.registration import Trust, believe, derive_key, sign

_KEY = derive_key("secret")
_ANTON = PushUser(context=1, user=3)
_ids = st.integers(1, 2**32 - 1)


@given(st.builds(PushUser, context=_ids, user=_ids))
def test_signed_is_believed(user: PushUser) -> None:
    """What we signed names the same user when it comes back."""
    value = sign(user, _KEY)

    assert value.startswith(f"{user.user}@{user.context}/")
    assert {believe(value, mode, _KEY) for mode in ("signed", "both")} == {user}


@given(st.builds(PushUser, context=_ids, user=_ids))
def test_signature_of_another(user: PushUser) -> None:
    """The proof of one user does not serve another, as one mailbox owner could try."""
    proof = sign(_ANTON, _KEY).partition("/")[2]

    assert believe(f"{user}/{proof}", "signed", _KEY) == (user if user == _ANTON else None)


@pytest.mark.parametrize(
    "value", ["3@1/", "3@1/" + "A" * 22, "3@1/" + "ü" * 22, sign(_ANTON, _KEY) + "=", sign(_ANTON, _KEY)[:-1]]
)
def test_made_up_signature(value: str) -> None:
    """A proof that is wrong, cut or padded is none, in no mode."""
    assert {believe(value, mode, _KEY) for mode in ("signed", "both", "plain")} == {None}


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    """Whatever is believed plainly is two numbers and an at; signed mode believes nothing plain."""
    user = believe(text, "plain", None)

    assert user is None or text.lstrip("0").startswith(str(user.user))
    assert believe(text, "signed", _KEY) is None


def test_key_is_the_same_everywhere() -> None:
    """Nodes that share the passphrase share the key; blanks around it do not count, another one differs."""
    assert derive_key(" secret\n") == _KEY
    assert derive_key("Secret") != _KEY


def test_signature_is_the_documented_one() -> None:
    """The proof is HMAC-SHA256, its first 128 bits in base64url, so that other programs can make it."""
    key = hashlib.scrypt(b"secret", salt=b"oxpushctl/dovecot-registration/1", n=16384, r=8, p=1, dklen=32)
    mac = hmac.new(key, b"oxpushctl registration of 3@1", "sha256").digest()

    assert sign(_ANTON, _KEY) == "3@1/" + urlsafe_b64encode(mac[:16]).decode().rstrip("=")


@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [
        ("signed", _KEY, "signed"),
        ("both", _KEY, "both"),
        ("plain", _KEY, "plain"),
        ("signed", None, "plain"),
        ("both", None, "plain"),
    ],
)
def test_mode_without_key(mode: str, key: bytes | None, expected: str) -> None:
    """Without a passphrase nothing can be signed: the middleware's plain form is believed."""
    trust = Trust.of(mode, key)

    assert trust.mode == expected
    assert trust.admits_names == (expected != "signed")
    assert _KEY.hex() not in repr(trust)
    assert repr(_KEY) not in repr(trust)
