"""Requests as Apple's and Google's clients send them, with signed tokens made without the sandbox's code."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from oxpushctl.sandbox import identity
from oxpushctl.sandbox.exchange import Json, Request
from oxpushctl.sandbox.identity import Identity

ALERT: dict[str, Json] = {"aps": {"alert": {"title": "Jane Doe", "body": "Lunch?"}, "badge": 3}, "cid": "1"}
APNS_HEADERS = {"apns-topic": identity.CERTIFICATE_TOPIC, "apns-push-type": "alert", "apns-priority": "10"}


def jwt(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, header: Mapping[str, Json], claims: object) -> str:
    signed = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{signed}.{_base64(signature)}"


def provider_token(
    sender: Identity, *, kid: str = identity.KEY_ID, iss: str = identity.TEAM_ID, age_s: float = 0
) -> str:
    header: dict[str, Json] = {"alg": "ES256", "kid": kid}
    return jwt(sender.provider_key, header, {"iss": iss, "iat": int(time.time() - age_s)})


def assertion(sender: Identity, token_uri: str, **claims: Json) -> str:
    now = int(time.time())
    usual: dict[str, Json] = {
        "iss": identity.CLIENT_EMAIL,
        "aud": token_uri,
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "iat": now,
        "exp": now + 3600,
    }
    return jwt(sender.service_key, {"alg": "RS256", "typ": "JWT"}, usual | claims)


def apns(
    sender: Identity,
    token: str = "phone",
    payload: Json | bytes = None,
    *,
    is_certified: bool = True,
    method: str = "POST",
    path: str = "/3/device/",
    more: tuple[tuple[str, str], ...] = (),
    **headers: str | None,
) -> Request:
    """Make a good push; headers are replaced by ``apns_topic="…"``, and left out by ``apns_topic=None``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = tuple((name, value) for name, value in (APNS_HEADERS | named).items() if value is not None)
    body = payload if isinstance(payload, bytes) else json.dumps(ALERT if payload is None else payload).encode()
    return Request(method, path + token, (*fields, *more), body, sender.apns_certificate if is_certified else None)


def fcm(body: object, access_token: str | None, project: str = identity.PROJECT_ID) -> Request:
    headers = () if access_token is None else (("authorization", f"Bearer {access_token}"),)
    return Request("POST", f"/v1/projects/{project}/messages:send", headers, json.dumps(body).encode())


def token_request(form: str) -> Request:
    return Request("POST", "/token", (("content-type", "application/x-www-form-urlencoded"),), form.encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
