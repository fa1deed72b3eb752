"""Signing keys and service accounts: what loads, and what is said about what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.transports.credentials import load_service_account, load_signing_key
from tests.peers.certificates import ec_key, rsa_key
from tests.transports.accounts import write_account
from tests.transports.faults import PASSWORD, fault


def test_a_p8_of_apples(tmp_path: Path) -> None:
    """A .p8 loads, under the ids that the options give it."""
    key = load_signing_key(ec_key(tmp_path / "AuthKey.p8"), "KEY", "TEAM")
    assert (key.keyid, key.teamid) == ("KEY", "TEAM")


def test_a_p8_that_is_rsa(tmp_path: Path) -> None:
    """An RSA key is named as such."""
    error = fault(lambda: load_signing_key(rsa_key(tmp_path / "AuthKey.p8"), "KEY", "TEAM"))
    assert (error.code, "an RSA key (2048 bits)" in str(error)) == ("OXP410", True)


@pytest.mark.parametrize(
    ("key", "words"),
    [(ec.generate_private_key(ec.SECP384R1()), "secp384r1"), (ed25519.Ed25519PrivateKey.generate(), "of another kind")],
)
def test_a_p8_on_another_curve(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, words: str
) -> None:
    """Only P-256 makes ES256 signatures."""
    path = tmp_path / "AuthKey.p8"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    error = fault(lambda: load_signing_key(path, "KEY", "TEAM"))
    assert (error.code, words in str(error)) == ("OXP410", True)


def test_a_p8_with_a_password(tmp_path: Path) -> None:
    """Somebody protected the key: how to take that off is in the hint."""
    path = tmp_path / "AuthKey.p8"
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
    )
    error = fault(lambda: load_signing_key(path, "KEY", "TEAM"))
    assert (error.code, "openssl pkey" in error.hint) == ("OXP409", True)


@given(st.binary())
def test_any_bytes_as_p8(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever the file holds, it is an error of ours."""
    path = tmp_path_factory.getbasetemp() / "any.p8"
    path.write_bytes(content)
    assert fault(lambda: load_signing_key(path, "KEY", "TEAM")).code == "OXP409"


def test_a_folder_and_a_huge_file(tmp_path: Path) -> None:
    """What is not a file of a sensible size is not read."""
    huge = tmp_path / "huge"
    huge.write_bytes(b"\0" * (1 << 21))
    assert fault(lambda: load_signing_key(tmp_path, "KEY", "TEAM")).code == "OXP401"
    assert fault(lambda: load_signing_key(huge, "KEY", "TEAM")).code == "OXP401"


def test_a_service_account_of_googles(tmp_path: Path) -> None:
    """The JSON file gives project, e-mail, token endpoint and key; the key is not printed."""
    account = load_service_account(write_account(tmp_path / "account.json"))
    assert account.project_id == "example-project"
    assert account.token_uri == "https://oauth2.googleapis.com/token"
    assert "RSAPrivateKey" not in repr(account)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"type": "authorized_user"}, "OXP412", "of type authorized_user"),
        ({"type": None}, "OXP412", "a JSON file of another kind"),
        ({"type": None, "project_info": {}}, "OXP412", "google-services.json"),
        ({"project_id": None}, "OXP411", "project_id is missing"),
        ({"project_id": "../x y"}, "OXP411", "project_id is not"),
        ({"client_email": 7}, "OXP411", "client_email is missing"),
        ({"private_key": ""}, "OXP411", "private_key is missing"),
        ({"private_key_id": None}, "OXP411", "private_key_id is missing"),
        ({"token_uri": "ftp://x"}, "OXP411", "token_uri is not an https address"),
        ({"token_uri": "http://example.com/token"}, "OXP411", "token_uri is not an https address"),
        ({"token_uri": "https://[x"}, "OXP411", "token_uri is not an https address"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"}, "OXP413", "cannot be used"),
    ],
)
def test_a_fault_in_a_service_account(tmp_path: Path, changes: dict[str, object], code: str, words: str) -> None:
    """Each fault is named, with what to do."""
    path = write_account(tmp_path / "account.json", **changes)
    error = fault(lambda: load_service_account(path))
    assert (error.code, error.option, words in str(error)) == (code, "keyPath", True)


def test_a_service_account_with_an_elliptic_curve_key(tmp_path: Path) -> None:
    """Google's assertions are signed with RSA."""
    path = write_account(tmp_path / "account.json", private_key=ec_key(tmp_path / "k").read_text())
    assert "wants an RSA key" in str(fault(lambda: load_service_account(path)))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_service_account_that_is_not_json(tmp_path: Path, content: bytes) -> None:
    """A broken file is said to be no JSON, with the line."""
    path = tmp_path / "account.json"
    path.write_bytes(content)
    error = fault(lambda: load_service_account(path))
    assert (error.code, "is not JSON" in str(error)) == ("OXP411", True)


@given(st.dictionaries(st.sampled_from(["type", "project_id", "token_uri", "private_key"]), st.text() | st.integers()))
def test_any_object_as_service_account(tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]) -> None:
    """Whatever object the file holds, it is an error of ours."""
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(json.dumps(content).encode())
    assert fault(lambda: load_service_account(path)).option == "keyPath"
