"""The sandbox's own certificate authority: what Apple issues to app makers, and what its servers show."""

from __future__ import annotations

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

APPLE_TOPICS = x509.ObjectIdentifier("1.2.840.113635.100.6.3.6")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_LIFETIME = datetime.timedelta(days=3650)
_UTF8_STRING, _SEQUENCE = 0x0C, 0x30


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a key on the curve that Apple uses throughout, P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Issue the certificate of the authority itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "oxpushctl sandbox authority")])
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def server(
    issuer: x509.Certificate, issuer_key: ec.EllipticCurvePrivateKey, public_key: ec.EllipticCurvePublicKey, host: str
) -> x509.Certificate:
    """Issue what the provider port shows: valid for this machine and for the host that it listens on."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "oxpushctl sandbox")])
    alternatives = [_general_name(name) for name in dict.fromkeys((*_LOOPBACK_NAMES, host))]
    return (
        _leaf(name, issuer, public_key, ExtendedKeyUsageOID.SERVER_AUTH)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def apns_client(
    issuer: x509.Certificate, issuer_key: ec.EllipticCurvePrivateKey, public_key: ec.EllipticCurvePublicKey, topic: str
) -> x509.Certificate:
    """Issue a push certificate as Apple does: the topic as UID, all topics in an extension of Apple's own.

    The extension is a sequence of pairs: a topic, and a sequence that holds what it is for.
    """
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, topic),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {topic}"),
        ]
    )
    pairs = b"".join(
        _der(_UTF8_STRING, each.encode()) + _der(_SEQUENCE, _der(_UTF8_STRING, purpose.encode()))
        for each, purpose in ((topic, "app"), (f"{topic}.voip", "voip"), (f"{topic}.complication", "complication"))
    )
    return (
        _leaf(name, issuer, public_key, ExtendedKeyUsageOID.CLIENT_AUTH)
        .add_extension(x509.UnrecognizedExtension(APPLE_TOPICS, _der(_SEQUENCE, pairs)), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def topic_of(certificate: x509.Certificate) -> str:
    """Return the topic that a push certificate was issued for, empty if for none."""
    attributes = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    return str(attributes[0].value) if attributes else ""


def _leaf(
    name: x509.Name, issuer: x509.Certificate, public_key: ec.EllipticCurvePublicKey, purpose: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(name, issuer.subject, public_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )


def _builder(name: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _der(tag: int, content: bytes) -> bytes:
    """Encode one ASN.1 value: tag, length, content; lengths from 128 on are written as a count and its bytes."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
