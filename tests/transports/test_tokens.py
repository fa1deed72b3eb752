"""The provider token: the same on every node, young enough, and signed so that Apple believes it."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.transports.credentials import SigningKey, load_signing_key
from oxpushctl.transports.tokens import GRID_S, ProviderToken
from tests.peers.certificates import ec_key

NOON = 1_800_000_000  # on the grid
KEY = SigningKey(ec.generate_private_key(ec.SECP256R1()), "KEY1234567", "TEAM123456")


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def issued_at(token: str) -> int:
    claims = orjson.loads(decoded(token.split(".")[1]))
    assert isinstance(claims["iat"], int)
    return claims["iat"]


def verify(token: str, key: ec.EllipticCurvePublicKey) -> None:
    text, _, signature = token.rpartition(".")
    raw = decoded(signature)
    assert len(raw) == 64
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    key.verify(encode_dss_signature(r, s), text.encode(), ec.ECDSA(hashes.SHA256()))


def test_two_nodes_with_one_key(tmp_path: Path) -> None:
    """Nodes that never spoke to each other emit the same token, byte for byte."""
    path = ec_key(tmp_path / "AuthKey.p8")
    one, other = (ProviderToken(load_signing_key(path, "KEY1234567", "TEAM123456")) for _ in range(2))
    assert one.at(NOON + 700) == other.at(NOON + 2300)


def test_a_token_as_apple_reads_it() -> None:
    """Header and claims are what Apple asks for, and the signature is the key's."""
    token = ProviderToken(KEY).at(NOON + 700)
    header, claims, _ = token.split(".")
    assert orjson.loads(decoded(header)) == {"alg": "ES256", "kid": "KEY1234567"}
    assert orjson.loads(decoded(claims)) == {"iss": "TEAM123456", "iat": NOON}
    verify(token, KEY.key.public_key())
    with pytest.raises(InvalidSignature):
        verify(token, ec.generate_private_key(ec.SECP256R1()).public_key())


def test_the_signature_of_rfc_6979() -> None:
    """P-256 and SHA-256 over "sample" give what RFC 6979, A.2.5 prints: nothing in a token is chance."""
    number = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    key = SigningKey(ec.derive_private_key(number, ec.SECP256R1()), "k", "t")
    expected = (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )
    assert key.sign(b"sample").hex().upper() == expected


@given(st.floats(0, 4e9))
def test_a_token_is_never_old_nor_from_the_future(now: float) -> None:
    """It is 10 to 40 minutes old on a right clock, so that one that is 10 minutes off does no harm."""
    age_s = now + 10_000 - issued_at(ProviderToken(KEY).at(now + 10_000))
    assert 600 <= age_s < 600 + GRID_S


def test_a_day_of_one_engine() -> None:
    """The token changes each half hour, never sooner than Apple's 20 minutes."""
    token = ProviderToken(KEY)
    tokens = [token.at(NOON + minute * 60) for minute in range(24 * 60)]
    changes = [minute for minute in range(1, len(tokens)) if tokens[minute] != tokens[minute - 1]]
    assert [after - before for before, after in itertools.pairwise(changes)] == [30] * (len(changes) - 1)
    assert len(set(tokens)) == 49


def test_a_token_that_apple_finds_too_old() -> None:
    """A renewal takes the youngest position of the grid that is not in the future, and stays with it."""
    token = ProviderToken(KEY)
    refused = token.at(NOON + 300)
    renewed = token.renewed(NOON + 300, refused)
    assert (issued_at(refused), issued_at(renewed)) == (NOON - GRID_S, NOON)
    assert token.at(NOON + 301) == renewed


def test_many_answers_about_one_old_token() -> None:
    """Only the first of many requests that were refused together renews it."""
    token = ProviderToken(KEY)
    refused = token.at(NOON + 300)
    assert len({token.renewed(NOON + 300, refused) for _ in range(5)}) == 1


def test_a_clock_that_is_set_back() -> None:
    """No token from the future is kept when the clock is corrected."""
    token = ProviderToken(KEY)
    token.at(NOON + 86_400)
    assert issued_at(token.at(NOON + 700)) == NOON
