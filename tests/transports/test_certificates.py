"""Push certificates: .p12 and PEM, with right and wrong passwords, and what Apple wrote into them."""

from __future__ import annotations

import base64
import contextlib
import functools
import random
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.transports.certificates import load_certificate
from oxpushctl.transports.credentials import UnusableCredentials
from oxpushctl.transports.trust import show
from tests.peers.certificates import Authority, ec_key
from tests.transports.apple_certificates import FOR_PRODUCTION, FOR_SANDBOX, MAIL, mark, self_signed
from tests.transports.faults import PASSWORD, fault


def pem_of(p12: Path, path: Path, password: str | None = None, *, is_key_first: bool = True) -> Path:
    """Write a keystore as PEM."""
    store = pkcs12.load_pkcs12(p12.read_bytes(), PASSWORD.encode())
    assert store.key is not None
    assert store.cert is not None
    encryption = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    parts = [
        store.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption),
        store.additional_certs[0].certificate.public_bytes(serialization.Encoding.PEM),
        store.cert.certificate.public_bytes(serialization.Encoding.PEM),
    ]
    path.write_bytes(b"Bag Attributes\n    friendlyName: mail\n".join(parts if is_key_first else parts[::-1]))
    return path


def test_a_p12_of_apples(tmp_path: Path) -> None:
    """A .p12 gives chain and key, and the topics that it is for: UID first."""
    certificate = load_certificate(Authority(tmp_path).client(MAIL, PASSWORD, topics=(MAIL, f"{MAIL}.voip")), PASSWORD)
    assert certificate.topics == (MAIL, f"{MAIL}.voip")
    assert len(certificate.chain) == 2


@pytest.mark.parametrize("password", [None, PASSWORD])
@pytest.mark.parametrize("is_key_first", [True, False])
def test_a_pem_keystore(tmp_path: Path, password: str | None, is_key_first: bool) -> None:
    """PEM does as well, in any order, the key encrypted or not; a spare password does no harm."""
    p12 = Authority(tmp_path).client(MAIL, PASSWORD)
    pem = pem_of(p12, tmp_path / "mail.pem", password, is_key_first=is_key_first)
    assert load_certificate(pem, PASSWORD).chain == load_certificate(p12, PASSWORD).chain


def test_a_p12_without_a_password(tmp_path: Path) -> None:
    """A .p12 that is not protected needs no password."""
    store = pkcs12.load_pkcs12(Authority(tmp_path).client(MAIL, PASSWORD).read_bytes(), PASSWORD.encode())
    assert isinstance(store.key, rsa.RSAPrivateKey)
    assert store.cert is not None
    open_p12 = tmp_path / "open.p12"
    open_p12.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"mail", store.key, store.cert.certificate, None, serialization.NoEncryption()
        )
    )
    assert load_certificate(open_p12, None).topics == (MAIL,)


@pytest.mark.parametrize("password", ["wrong", "", None])
def test_a_p12_with_a_wrong_password(tmp_path: Path, password: str | None) -> None:
    """A wrong password is told from a missing one, and neither is printed."""
    p12 = Authority(tmp_path).client(MAIL, PASSWORD)
    error = fault(lambda: load_certificate(p12, password))
    assert (error.code, error.option) == ("OXP402", "password")
    assert ("no password is set" in str(error)) == (not password)
    assert str(p12) in str(error)


def test_a_pem_with_a_wrong_password(tmp_path: Path) -> None:
    """The same goes for the encrypted key of a PEM file."""
    pem = pem_of(Authority(tmp_path).client(MAIL, PASSWORD), tmp_path / "mail.pem", PASSWORD)
    assert fault(lambda: load_certificate(pem, "wrong")).code == "OXP402"
    assert fault(lambda: load_certificate(pem, None)).code == "OXP402"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither PKCS#12 nor PEM"),
        (b"\x89PNG", "neither PKCS#12 nor PEM"),
        (b"-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nMII=\n", "cannot be used"),
        (b"-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n", "cannot be used"),
    ],
)
def test_a_file_that_is_no_keystore(tmp_path: Path, content: bytes, words: str) -> None:
    """What is not a keystore is told from one with a wrong password."""
    path = tmp_path / "keystore"
    path.write_bytes(content)
    error = fault(lambda: load_certificate(path, PASSWORD))
    assert (error.code, words in str(error)) == ("OXP403", True)


def test_a_certificate_without_its_key(tmp_path: Path) -> None:
    """The .cer file that Apple hands out, a PEM with somebody else's key, and a key alone are no keystores."""
    authority = Authority(tmp_path)
    cer = tmp_path / "aps.cer"
    cer.write_bytes(authority.certificate.public_bytes(serialization.Encoding.DER))
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(ec_key(tmp_path / "other.pem").read_bytes() + authority.pem.read_bytes())
    alone = ec_key(tmp_path / "AuthKey.p8")
    assert "neither PKCS#12" in str(fault(lambda: load_certificate(cer, PASSWORD)))
    for path in (mixed, alone):
        assert "no certificate for its private key" in str(fault(functools.partial(load_certificate, path, PASSWORD)))


def key_and_certificate(folder: Path) -> tuple[bytes, bytes]:
    """Return the PEM of a private key and the DER of its certificate."""
    store = pkcs12.load_pkcs12(Authority(folder).client(MAIL, PASSWORD, topics=(MAIL,)).read_bytes(), PASSWORD.encode())
    assert store.key is not None
    assert store.cert is not None
    key = store.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key, store.cert.certificate.public_bytes(serialization.Encoding.DER)


def as_pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def test_a_certificate_of_no_version(tmp_path: Path) -> None:
    """A certificate is read as a whole when it is loaded: what is damaged is said then."""
    key, der = key_and_certificate(tmp_path)
    path = tmp_path / "mail.pem"
    path.write_bytes(key + as_pem(der[:12] + b"\x20" + der[13:]))
    error = fault(lambda: load_certificate(path, None))
    assert (error.code, str(error)) == ("OXP403", f"the certificate in {path} is damaged")


def test_a_certificate_with_any_one_byte_changed(tmp_path: Path) -> None:
    """It can be used as before, or is refused in our words: nothing else comes out, then or later."""
    key, der = key_and_certificate(tmp_path)
    path = tmp_path / "mail.pem"
    chance = random.Random(20)
    for _ in range(300):
        at = chance.randrange(len(der))
        path.write_bytes(key + as_pem(der[:at] + chance.randbytes(1) + der[at + 1 :]))
        with contextlib.suppress(UnusableCredentials):
            show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), load_certificate(path, None))


def test_a_p12_in_ber(tmp_path: Path) -> None:
    """macOS exports with lengths left open: that works, and Python has nothing to warn of."""
    der = Authority(tmp_path).client(MAIL, PASSWORD).read_bytes()
    path = tmp_path / "mac.p12"
    path.write_bytes(b"\x30\x80" + der[4:] + b"\x00\x00")
    assert load_certificate(path, PASSWORD).topics == (MAIL,)


@given(st.binary())
def test_any_bytes_as_keystore(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """What begins like a .p12 and goes on as anything is an error of ours."""
    path = tmp_path_factory.getbasetemp() / "any.p12"
    path.write_bytes(b"\x30\x82\x01\x00\x02\x01\x03" + content)
    assert fault(lambda: load_certificate(path, PASSWORD)).code == "OXP402"


@given(st.binary(max_size=200))
def test_any_topics_extension(der: bytes) -> None:
    """A certificate whose extension is nonsense has the topic of its UID, whatever else it seems to name."""
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.840.113635.100.6.3.6"), der)
    assert self_signed(extension).topics[0] == MAIL


@pytest.mark.parametrize(
    ("oids", "serves"),
    [
        ((), (True, True)),
        ((FOR_SANDBOX,), (True, False)),
        ((FOR_PRODUCTION,), (False, True)),
        ((FOR_SANDBOX, FOR_PRODUCTION), (True, True)),
    ],
)
def test_the_environments_of_a_certificate(oids: tuple[x509.ObjectIdentifier, ...], serves: tuple[bool, bool]) -> None:
    """Apple's extensions say whether a certificate is for sandbox, production or both."""
    certificate = self_signed(*(mark(oid) for oid in oids))
    assert (certificate.serves(is_production=False), certificate.serves(is_production=True)) == serves
