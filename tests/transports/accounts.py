"""Service accounts as the Firebase console writes them."""

from __future__ import annotations

import functools
from pathlib import Path

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

EMAIL = "push@example-project.iam.gserviceaccount.com"


@functools.cache
def account_key() -> rsa.RSAPrivateKey:
    """Return the key of all throw-away accounts; making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def write_account(path: Path, **changes: object) -> Path:
    """Write a service account with some fields changed, ``None`` leaves one out."""
    pem = account_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fields = {
        "type": "service_account",
        "project_id": "example-project",
        "private_key_id": "0123abcd",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "token_uri": "https://oauth2.googleapis.com/token",
        **changes,
    }
    path.write_bytes(orjson.dumps({name: value for name, value in fields.items() if value is not None}))
    return path
