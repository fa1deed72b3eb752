"""Google's token endpoint: a signed assertion is exchanged for an access token (RFC 7523 section 2.1)."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

import orjson

from oxpushctl.sandbox import jwt
from oxpushctl.sandbox.exchange import Answer, Json, Request
from oxpushctl.sandbox.identity import CLIENT_EMAIL, Identity

TOKEN_PATH = "/token"
_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Google's libraries name its own endpoint as audience wherever `token_uri` points, and Google takes both.
_GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
_SCOPES = frozenset(
    (
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    )
)
_LIFETIME_S = 3600
_CLOCK_SKEW_S = 60
_LIMIT = 1000


class AccessTokens:
    """The access tokens given out; each lives an hour, the oldest of too many is forgotten."""

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.time) -> None:
        self._service_key = identity.service_key.public_key()
        self._clock = clock
        self._valid_until: OrderedDict[str, float] = OrderedDict()

    def is_valid(self, token: str | None) -> bool:
        """Tell whether an access token was given out here and still lives."""
        return token is not None and self._valid_until.get(token, 0) > self._clock()

    def revoke_all(self) -> None:
        """Forget all tokens, as if their time were over."""
        self._valid_until.clear()

    def exchange(self, request: Request, token_uri: str) -> Answer:
        """Answer a request for a token with one, or with an OAuth error object (RFC 6749 section 5.2)."""
        if request.method != "POST":
            return _refused("invalid_request", "Only POST is allowed.")
        form = parse_qs(request.body.decode("utf-8", "replace"))
        grant_type, assertion = form.get("grant_type", [""])[0], form.get("assertion", [""])[0]
        if grant_type != _GRANT_TYPE:
            return _refused("unsupported_grant_type", f"Invalid grant_type: {grant_type}")
        token = jwt.verified_rs256(assertion, self._service_key)
        if token is None:
            return _refused("invalid_grant", "Invalid JWT Signature.")
        if fault := self._fault(token, token_uri):
            return _refused("invalid_grant", fault)
        if _SCOPES.isdisjoint(str(token.claims.get("scope", "")).split()):
            return _refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        access_token = f"ya29.{secrets.token_urlsafe(32)}"
        self._valid_until[access_token] = self._clock() + _LIFETIME_S
        while len(self._valid_until) > _LIMIT:
            self._valid_until.popitem(last=False)
        return _answer(200, {"access_token": access_token, "expires_in": _LIFETIME_S - 1, "token_type": "Bearer"})

    def _fault(self, token: jwt.Jwt, token_uri: str) -> str:
        if token.claims.get("iss") != CLIENT_EMAIL:
            return "Invalid grant: account not found"
        if token.claims.get("aud") not in (token_uri, _GOOGLE_AUDIENCE):
            return "Invalid JWT: Failed audience check."
        issued_at, expires_at, now = token.moment("iat"), token.moment("exp"), self._clock()
        is_timely = (
            issued_at is not None
            and expires_at is not None
            and issued_at <= now + _CLOCK_SKEW_S
            and now < expires_at <= issued_at + _LIFETIME_S
        )
        return (
            ""
            if is_timely
            else (
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim."
            )
        )


def _refused(error: str, description: str) -> Answer:
    return _answer(400, {"error": error, "error_description": description})


def _answer(status: int, body: dict[str, Json]) -> Answer:
    headers = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}
    return Answer(status, headers, orjson.dumps(body))
