"""The client certificate that Apple knows an app's push server by: loading it and reading what Apple wrote into it.

A push certificate's subject has the app's bundle id as UID; these extensions are Apple's::

    1.2.840.113635.100.6.3.1   for the sandbox         1.2.840.113635.100.6.3.2   for production
    1.2.840.113635.100.6.3.6   SEQUENCE { UTF8String topic, SEQUENCE { UTF8String kind … } … }
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID, ObjectIdentifier

from oxpushctl.transports.credentials import UnusableCredentials, read_credentials

_FOR_SANDBOX = ObjectIdentifier("1.2.840.113635.100.6.3.1")
_FOR_PRODUCTION = ObjectIdentifier("1.2.840.113635.100.6.3.2")
_TOPICS = ObjectIdentifier("1.2.840.113635.100.6.3.6")
_SEQUENCE, _UTF8_STRING = 0x30, 0x0C
_EXPORT = "export certificate and private key together as .p12 from Keychain Access"


# What cryptography raises when it comes to a field: it reads a certificate no earlier than it is asked.
_MALFORMED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class PushCertificate:
    """A certificate chain, the client's own first, its private key, and what Apple wrote into it.

    ``topics`` are what it may push to: its UID first, then those of the extension.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes = field(repr=False)
    not_before: datetime.datetime
    not_after: datetime.datetime
    topics: tuple[str, ...]
    is_for_sandbox: bool
    is_for_production: bool

    @classmethod
    def of(cls, chain: tuple[x509.Certificate, ...], key: PrivateKeyTypes) -> PushCertificate:
        """Read the first certificate of a chain; a malformed one raises any of ``_MALFORMED``."""
        own = chain[0]
        uids = [str(attribute.value) for attribute in own.subject.get_attributes_for_oid(NameOID.USER_ID)]
        extensions = {extension.oid: extension.value for extension in own.extensions}
        listed = extensions.get(_TOPICS)
        more = _topics(listed.value) if isinstance(listed, x509.UnrecognizedExtension) else ()
        return cls(
            chain,
            key,
            own.not_valid_before_utc,
            own.not_valid_after_utc,
            tuple(dict.fromkeys([*uids, *more])),
            is_for_sandbox=_FOR_SANDBOX in extensions,
            is_for_production=_FOR_PRODUCTION in extensions,
        )

    @property
    def fingerprint(self) -> bytes:
        """What tells this certificate from others."""
        return self.chain[0].fingerprint(hashes.SHA256())

    def serves(self, *, is_production: bool) -> bool:
        """Tell whether it is for that environment; one that names none is taken for both."""
        own, other = self.is_for_production, self.is_for_sandbox
        if not is_production:
            own, other = other, own
        return own or not other

    def pem(self, password: bytes) -> bytes:
        """Return chain and key as PEM, the key encrypted."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password),
        )
        return key + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.chain)


def load_certificate(path: Path, password: str | None) -> PushCertificate:
    """Load a keystore, PKCS#12 or PEM, that holds the certificate and its private key."""
    content = read_credentials(path, "keystore")
    try:
        with warnings.catch_warnings():
            # cryptography warns of what it reads all the same, and names our source: BER, as macOS exports a .p12.
            warnings.simplefilter("ignore")
            return _read(content, path, password)
    except _MALFORMED as error:
        raise UnusableCredentials("OXP403", "keystore", f"the certificate in {path} is damaged", _EXPORT) from error


def _read(content: bytes, path: Path, password: str | None) -> PushCertificate:
    # PFX ::= SEQUENCE { version INTEGER (3), … } (RFC 7292, 4): by this a wrong password is told from a wrong file
    if content[:1] == bytes([_SEQUENCE]) and b"\x02\x01\x03" in content[2:10]:
        key, certificates = _read_pkcs12(content, path, password)
    elif b"-----BEGIN " in content:
        key, certificates = _read_pem(content, path, password)
    else:
        raise UnusableCredentials("OXP403", "keystore", f"{path} is neither PKCS#12 nor PEM", _EXPORT)
    own = [each for each in certificates if key is not None and _belongs(each, key)]
    if key is None or not own:
        what = "no private key" if key is None else "no certificate for its private key"
        raise UnusableCredentials("OXP403", "keystore", f"{path} holds {what}", _EXPORT)
    return PushCertificate.of((own[0], *(each for each in certificates if each != own[0])), key)


def _belongs(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):  # an authority's, with a key that is not ours to understand
        return False


_Content = tuple[PrivateKeyTypes | None, Sequence[x509.Certificate]]


def _read_pkcs12(content: bytes, path: Path, password: str | None) -> _Content:
    try:
        store = pkcs12.load_pkcs12(content, (password or "").encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _wrong_password(path, password) from error
    certificates = [*([store.cert] if store.cert else []), *store.additional_certs]
    return store.key, [each.certificate for each in certificates]


def _read_pem(content: bytes, path: Path, password: str | None) -> _Content:
    if b"PRIVATE KEY-----" not in content:
        return None, []
    is_encrypted = b"ENCRYPTED" in content
    if is_encrypted and not password:
        raise _wrong_password(path, None)
    try:
        key = serialization.load_pem_private_key(content, (password or "").encode() if is_encrypted else None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        if is_encrypted:
            raise _wrong_password(path, password) from error
        raise UnusableCredentials("OXP403", "keystore", f"the key in {path} cannot be used", _EXPORT) from error
    try:
        return key, x509.load_pem_x509_certificates(content)
    except ValueError:
        return key, []


def _wrong_password(path: Path, password: str | None) -> UnusableCredentials:
    if password:
        message = f"the password does not open {path}, or the file is damaged"
        return UnusableCredentials("OXP402", "password", message, "set the password that was chosen at export")
    message = f"{path} is protected and no password is set"
    return UnusableCredentials("OXP402", "password", message, "set password to the one that was chosen at export")


def _topics(der: bytes) -> Iterator[str]:
    """Yield the strings of the outermost sequence; what is malformed ends it."""
    for tag, content in _elements(der):
        if tag == _SEQUENCE:
            for inner_tag, inner in _elements(content):
                if inner_tag == _UTF8_STRING:
                    yield inner.decode(errors="replace")


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the DER elements that stand one after the other (X.690, 8.1)."""
    at = 0
    while at + 2 <= len(der):
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(der[at : at + count], "big")
            at += count
        yield tag, der[at : at + size]
        at += size
