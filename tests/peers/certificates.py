"""Throw-away keys and certificates: an authority, servers on loopback, Apple-style client certificates."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

APNS_TOPICS = x509.ObjectIdentifier("1.2.840.113635.100.6.3.6")
_DAY = datetime.timedelta(days=1)
_ORGANISATION = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority:
    """A certificate authority in a folder; ``pem`` is its certificate, everything issued lands beside it.

    Certificates are valid from yesterday for a month.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [_ORGANISATION, x509.NameAttribute(NameOID.COMMON_NAME, f"Test authority {secrets.token_hex(4)}")]
        )
        builder = _certificate(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = self._path("authority", "pem")
        self.pem.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, *names: str, not_after: datetime.datetime | None = None) -> tuple[Path, Path]:
        """Issue a server certificate, for localhost and 127.0.0.1 unless named; return its and its key's path (PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        builder = _certificate(subject, self._name, key, not_after)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names or ("localhost", "127.0.0.1", "::1")]),
            critical=False,
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        certificate_path, key_path = self._path("server", "pem"), self._path("server", "key")
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(key, key_path)
        return certificate_path, key_path

    def client(
        self, uid: str, password: str, *, not_after: datetime.datetime | None = None, topics: Sequence[str] = ()
    ) -> Path:
        """Issue a client certificate as Apple does: UID is the topic; return the path of its .p12.

        ``topics`` go into the extension 1.2.840.113635.100.6.3.6, each followed by its kind (``app``).
        """
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.USER_ID, uid),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {uid}"),
            ]
        )
        builder = _certificate(subject, self._name, key, not_after)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        if topics:
            builder = builder.add_extension(x509.UnrecognizedExtension(APNS_TOPICS, _topics(topics)), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        path = self._path("client", "p12")
        encryption = serialization.BestAvailableEncryption(password.encode())
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(uid.encode(), key, certificate, [self.certificate], encryption)
        )
        return path

    def _path(self, stem: str, suffix: str) -> Path:
        return self._folder / f"{stem}-{next(self._numbers)}.{suffix}"


def unpacked(p12: Path, password: str) -> Path:
    """Write what a .p12 holds as PEM beside it: certificate and key in one file."""
    key, certificate, _ = pkcs12.load_key_and_certificates(p12.read_bytes(), password.encode())
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    assert certificate is not None
    path = p12.with_suffix(".pem")
    _write_key(key, path)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + path.read_bytes())
    return path


def ec_key(path: Path) -> Path:
    """Write a new P-256 key as Apple hands out its .p8 files (PKCS#8, PEM)."""
    return _write_key(ec.generate_private_key(ec.SECP256R1()), path)


def rsa_key(path: Path) -> Path:
    """Write a new RSA key as Google puts it into a service account (PKCS#8, PEM)."""
    return _write_key(rsa.generate_private_key(public_exponent=65537, key_size=2048), path)


def _write_key(key: _Key, path: Path) -> Path:
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: _Key, not_after: datetime.datetime | None = None
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    not_after = not_after or now + 30 * _DAY
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=min(now, not_after) - _DAY,
        not_valid_after=not_after,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _topics(topics: Sequence[str]) -> bytes:
    """Write SEQUENCE { UTF8String topic, SEQUENCE { UTF8String kind } … } in DER."""
    kind = _der(0x30, _der(0x0C, b"app"))
    return _der(0x30, b"".join(_der(0x0C, topic.encode()) + kind for topic in topics))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content
