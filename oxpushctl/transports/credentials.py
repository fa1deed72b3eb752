"""Keys that Apple and Google know us by: loading them, and saying what is wrong with them.

What is loaded is usable; what is not raises ``UnusableCredentials``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from oxpushctl.config.files import read_file
from oxpushctl.errors import ConfigurationError, MissingFile

_LARGEST_FILE = 1 << 20  # bytes
_PROJECT_ID = re.compile(r"[a-z0-9.:-]{1,100}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NEW_P8 = "download a key for APNs (.p8) from the developer account, Certificates, Identifiers & Profiles, Keys"
_NEW_ACCOUNT = "generate a new private key in the Firebase console, Project settings, Service accounts"


class UnusableCredentials(ConfigurationError):
    """Credentials that do not do; ``code`` is the finding's, ``option`` the client option at fault."""

    def __init__(self, code: str, option: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.option = option
        self.hint = hint


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A team's key for APNs provider tokens."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    keyid: str
    teamid: str

    @property
    def fingerprint(self) -> bytes:
        """What tells this key from others, whatever key id is written beside it."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, text: bytes) -> bytes:
        """Return the ES256 signature (RFC 7518, 3.4): r and s as 32 bytes each, always the same ones (RFC 6979)."""
        signature = self.key.sign(text, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A Google service account: whom it speaks for and where its access tokens come from."""

    project_id: str
    client_email: str
    token_uri: str
    key_id: str
    key: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, text: bytes) -> bytes:
        """Return the RS256 signature (RFC 7518, 3.3)."""
        return self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def read_credentials(path: Path, option: str) -> bytes:
    """Return the bytes of a file that an option names."""
    try:
        return read_file(path, _LARGEST_FILE)
    except MissingFile as error:
        message = f"{path} {error}"
        raise UnusableCredentials("OXP401", option, message, "check the path and its permissions") from error


def load_signing_key(path: Path, keyid: str, teamid: str) -> SigningKey:
    """Load the .p8 file that Apple handed out: PKCS#8, PEM, P-256, without a password."""
    content = read_credentials(path, "privatekey")
    try:
        key = serialization.load_pem_private_key(content, None)
    except TypeError as error:
        message, hint = f"{path} is protected by a password", "remove it: openssl pkey -in FILE -out NEW"
        raise UnusableCredentials("OXP409", "privatekey", message, hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        message = f"{path} is not a private key in PEM form"
        raise UnusableCredentials("OXP409", "privatekey", message, _NEW_P8) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        message = f"{path} is {_kind(key)}, and Apple wants one on the curve P-256"
        raise UnusableCredentials("OXP410", "privatekey", message, _NEW_P8)
    return SigningKey(key, keyid, teamid)


def load_service_account(path: Path) -> ServiceAccount:
    """Load the JSON file of a Google service account."""
    fields = _service_account_fields(path)
    project_id, token_uri = fields["project_id"], fields["token_uri"]
    if not _PROJECT_ID.fullmatch(project_id):
        raise _broken(path, "project_id is not the id of a project")
    if not _is_safe(token_uri):
        raise _broken(path, "token_uri is not an https address")
    try:
        key = serialization.load_pem_private_key(fields["private_key"].encode(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        message = f"private_key in {path} cannot be used"
        raise UnusableCredentials("OXP413", "keyPath", message, _NEW_ACCOUNT) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        message = f"private_key in {path} is {_kind(key)}, and Google wants an RSA key"
        raise UnusableCredentials("OXP413", "keyPath", message, _NEW_ACCOUNT)
    return ServiceAccount(project_id, fields["client_email"], token_uri, fields["private_key_id"], key)


def _service_account_fields(path: Path) -> dict[str, str]:
    try:
        account = orjson.loads(read_credentials(path, "keyPath"))
    except orjson.JSONDecodeError as error:
        message = f"{path} is not JSON: {error.msg} in line {error.lineno}"
        raise UnusableCredentials("OXP411", "keyPath", message, _NEW_ACCOUNT) from error
    if not isinstance(account, dict) or account.get("type") != "service_account":
        raise UnusableCredentials(
            "OXP412", "keyPath", f"{path} is {_other_file(account)}, not a service account", _NEW_ACCOUNT
        )
    fields = {}
    for name in ("project_id", "client_email", "token_uri", "private_key_id", "private_key"):
        value = account.get(name)
        if not isinstance(value, str) or not value:
            raise _broken(path, f"{name} is missing")
        fields[name] = value
    return fields


def _other_file(account: object) -> str:
    """Name what people take for a service account."""
    if not isinstance(account, dict):
        return "a JSON file of another kind"
    if "project_info" in account:
        return "the google-services.json of an Android app"
    kind = account.get("type")
    return f"of type {kind}" if isinstance(kind, str) and kind.isidentifier() else "a JSON file of another kind"


def _broken(path: Path, what: str) -> UnusableCredentials:
    return UnusableCredentials("OXP411", "keyPath", f"{path}: {what}", _NEW_ACCOUNT)


def _is_safe(uri: str) -> bool:
    """Tell whether an assertion may be sent there: encrypted, or without leaving this machine."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


def _kind(key: PrivateKeyTypes) -> str:
    match key:
        case rsa.RSAPrivateKey():
            return f"an RSA key ({key.key_size} bits)"
        case ec.EllipticCurvePrivateKey():
            return f"a key on the curve {key.curve.name}"
        case _:
            return "a key of another kind"
