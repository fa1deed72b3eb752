"""Signed tokens (RFC 7519) as Apple and Google receive them: read, and believed only with a good signature."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from oxpushctl.sandbox.exchange import Json, parse_object

_ES256_HALF = 32


@dataclass(frozen=True, slots=True)
class Jwt:
    """A token whose signature is good."""

    header: dict[str, Json]
    claims: dict[str, Json]

    def moment(self, claim: str) -> float | None:
        """Return a claim that is a time, in epoch seconds."""
        value = self.claims.get(claim)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def verified_es256(token: str, key: ec.EllipticCurvePublicKey) -> Jwt | None:
    """Return a token that the key signed with ES256 (RFC 7518 section 3.4: r and s, 32 bytes each)."""

    def verify(signature: bytes, signed: bytes) -> None:
        if len(signature) != 2 * _ES256_HALF:
            raise InvalidSignature
        r, s = (int.from_bytes(half, "big") for half in (signature[:_ES256_HALF], signature[_ES256_HALF:]))
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))

    return _verified(token, "ES256", verify)


def verified_rs256(token: str, key: rsa.RSAPublicKey) -> Jwt | None:
    """Return a token that the key signed with RS256 (RFC 7518 section 3.3)."""
    return _verified(
        token, "RS256", lambda signature, signed: key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    )


def _verified(token: str, algorithm: str, verify: Callable[[bytes, bytes], None]) -> Jwt | None:
    try:
        header, claims, signature = token.encode("ascii").split(b".")
        verify(_decoded(signature), header + b"." + claims)
        jwt_header, jwt_claims = parse_object(_decoded(header)), parse_object(_decoded(claims))
    except (ValueError, InvalidSignature):
        return None
    if jwt_header is None or jwt_claims is None or jwt_header.get("alg") != algorithm:
        return None
    return Jwt(jwt_header, jwt_claims)


def _decoded(part: bytes) -> bytes:
    """Decode base64url without padding; raise ``ValueError`` for what is not (``binascii.Error`` is one)."""
    if len(part) % 4 == 1:
        raise binascii.Error
    return base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
