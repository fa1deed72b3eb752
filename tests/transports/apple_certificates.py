"""Push certificates with extensions of the test's choice."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

from oxpushctl.transports.certificates import PushCertificate

MAIL = "com.example.mail"
FOR_SANDBOX = ObjectIdentifier("1.2.840.113635.100.6.3.1")
FOR_PRODUCTION = ObjectIdentifier("1.2.840.113635.100.6.3.2")
DAY = datetime.timedelta(days=1)


def self_signed(
    *extensions: x509.ExtensionType,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    starts_in: datetime.timedelta = -DAY,
) -> PushCertificate:
    """Return a certificate for ``MAIL`` that lives for 90 days."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, MAIL)])
    start = datetime.datetime.now(datetime.UTC) + starts_in
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), start, start + 90 * DAY
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return PushCertificate.of((builder.sign(key, hashes.SHA256()),), key)


def mark(oid: ObjectIdentifier) -> x509.UnrecognizedExtension:
    """Return an extension that only has to be there: NULL."""
    return x509.UnrecognizedExtension(oid, b"\x05\x00")
