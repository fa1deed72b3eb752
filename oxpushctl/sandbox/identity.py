"""Who the sandbox is: the keys and certificates that it hands out and accepts, kept in a folder so that they last.

::

    ca.pem  ca.key          the authority, and what it signs with
    apns.p12                a push certificate and its key, for CERTIFICATE_TOPIC
    AuthKey_<key id>.p8     the key that signs provider tokens
    service-account.key     the key that signs Google's assertions
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from oxpushctl.errors import BadData, MissingFile
from oxpushctl.sandbox import certificates
from oxpushctl.sandbox.files import make_private, write_private

CERTIFICATE_TOPIC = "com.example.mail"
BEARER_TOPIC = "com.example.mail.brand1"
TEAM_ID = "OXSANDBOX1"
KEY_ID = "OXSANDKEY1"
PROJECT_ID = "oxpushctl-sandbox"
CLIENT_EMAIL = f"push@{PROJECT_ID}.iam.gserviceaccount.com"
KEYSTORE_PASSWORD = "sandbox"

CA_FILE = "ca.pem"
KEYSTORE_FILE = "apns.p12"
PROVIDER_KEY_FILE = f"AuthKey_{KEY_ID}.p8"
_CA_KEY_FILE = "ca.key"
_SERVICE_KEY_FILE = "service-account.key"


@dataclass(frozen=True, slots=True)
class Identity:
    """All keys of one sandbox; two sandboxes never accept each other's."""

    ca: x509.Certificate
    ca_key: ec.EllipticCurvePrivateKey = field(repr=False)
    apns_certificate: x509.Certificate
    apns_certificate_key: ec.EllipticCurvePrivateKey = field(repr=False)
    provider_key: ec.EllipticCurvePrivateKey = field(repr=False)
    service_key: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def create(cls) -> Identity:
        """Make a new one, in memory."""
        ca_key, certificate_key = certificates.new_key(), certificates.new_key()
        ca = certificates.authority(ca_key)
        return cls(
            ca=ca,
            ca_key=ca_key,
            apns_certificate=certificates.apns_client(ca, ca_key, certificate_key.public_key(), CERTIFICATE_TOPIC),
            apns_certificate_key=certificate_key,
            provider_key=certificates.new_key(),
            service_key=rsa.generate_private_key(public_exponent=65537, key_size=2048),
        )

    @classmethod
    def kept_in(cls, folder: Path) -> Identity:
        """Read the one in a folder, or make it there when the folder is not there yet.

        Raises ``MissingFile`` when a part of it is gone and ``BadData`` when a part cannot be read.
        """
        if not folder.exists():
            made = cls.create()
            made._write(folder)
            return made
        try:
            return cls._read(folder)
        except FileNotFoundError as error:
            raise MissingFile(f"{error.filename}: is missing (remove {folder} to have new keys made)") from error
        except (ValueError, TypeError) as error:
            raise BadData(f"{folder}: holds a key that cannot be read (remove it to have new keys made)") from error

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate, for those who shall trust the sandbox."""
        return self.ca.public_bytes(serialization.Encoding.PEM)

    @property
    def keystore(self) -> bytes:
        """The push certificate and its key as PKCS#12, locked with ``KEYSTORE_PASSWORD``."""
        return pkcs12.serialize_key_and_certificates(
            CERTIFICATE_TOPIC.encode(),
            self.apns_certificate_key,
            self.apns_certificate,
            [self.ca],
            serialization.BestAvailableEncryption(KEYSTORE_PASSWORD.encode()),
        )

    @property
    def provider_key_pem(self) -> bytes:
        """The provider token's key, in the form of Apple's .p8 files."""
        return _pem(self.provider_key)

    @property
    def service_key_pem(self) -> bytes:
        """The service account's key, as it stands in Google's JSON files."""
        return _pem(self.service_key)

    def server_pem(self, host: str) -> bytes:
        """Issue a certificate for a host, together with its new key: what an SSL context loads."""
        key = certificates.new_key()
        certificate = certificates.server(self.ca, self.ca_key, key.public_key(), host)
        return _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)

    @classmethod
    def _read(cls, folder: Path) -> Identity:
        keystore_key, certificate, _ = pkcs12.load_key_and_certificates(
            (folder / KEYSTORE_FILE).read_bytes(), KEYSTORE_PASSWORD.encode()
        )
        if not isinstance(keystore_key, ec.EllipticCurvePrivateKey) or certificate is None:
            raise TypeError(KEYSTORE_FILE)
        service_key = _load(folder / _SERVICE_KEY_FILE)
        if not isinstance(service_key, rsa.RSAPrivateKey):
            raise TypeError(_SERVICE_KEY_FILE)
        return cls(
            ca=x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes()),
            ca_key=_load_ec(folder / _CA_KEY_FILE),
            apns_certificate=certificate,
            apns_certificate_key=keystore_key,
            provider_key=_load_ec(folder / PROVIDER_KEY_FILE),
            service_key=service_key,
        )

    def _write(self, folder: Path) -> None:
        make_private(folder)
        write_private(folder / CA_FILE, self.ca_pem)
        write_private(folder / _CA_KEY_FILE, _pem(self.ca_key))
        write_private(folder / KEYSTORE_FILE, self.keystore)
        write_private(folder / PROVIDER_KEY_FILE, self.provider_key_pem)
        write_private(folder / _SERVICE_KEY_FILE, self.service_key_pem)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(path: Path) -> object:
    return serialization.load_pem_private_key(path.read_bytes(), password=None)


def _load_ec(path: Path) -> ec.EllipticCurvePrivateKey:
    key = _load(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(path.name)
    return key
