"""Google's checks: credentials, project and the form of a message, with Google's error bodies."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import orjson
import pytest

from oxpushctl.sandbox.exchange import Answer, Json
from oxpushctl.sandbox.fcm import Fcm
from oxpushctl.sandbox.identity import PROJECT_ID, Identity
from oxpushctl.sandbox.oauth import AccessTokens
from oxpushctl.sandbox.sandbox import Sandbox
from tests.sandbox.provider_requests import assertion, fcm, token_request

_URI = "https://127.0.0.1:1/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GOOD: dict[str, Json] = {
    "token": "phone",
    "data": {"subject": "Lunch?"},
    "android": {"priority": "HIGH", "ttl": "14400s"},
}


def _exchange(tokens: AccessTokens, signed: str, grant_type: str = _GRANT) -> Answer:
    return tokens.exchange(token_request(urlencode({"grant_type": grant_type, "assertion": signed})), _URI)


def _access(identity: Identity) -> tuple[Fcm, str]:
    tokens = AccessTokens(identity)
    answer = _exchange(tokens, assertion(identity, _URI))
    return Fcm(tokens), orjson.loads(answer.body)["access_token"]


def _error(identity: Identity, body: object) -> dict[str, Json]:
    google, token = _access(identity)
    received = google.receive(fcm(body, token))
    answer = google.answer(received, received.refusal, at=0, number=None)
    error: dict[str, Json] = orjson.loads(answer.body)["error"]
    assert error["code"] == answer.status
    return error


def test_assertion_is_exchanged(identity: Identity) -> None:
    """A good assertion yields a bearer token that lives an hour."""
    body = orjson.loads(_exchange(AccessTokens(identity), assertion(identity, _URI)).body)
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"iss": "somebody@example.com"}, "invalid_grant"),
        ({"aud": "https://example.com/token"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"exp": 9999999999}, "invalid_grant"),
        ({"iat": "now"}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/userinfo.email"}, "invalid_scope"),
    ],
)
def test_assertion_that_is_wrong(identity: Identity, claims: dict[str, Json], error: str) -> None:
    """Issuer, audience, lifetime and scope of an assertion are checked."""
    answer = _exchange(AccessTokens(identity), assertion(identity, _URI, **claims))
    assert (answer.status, orjson.loads(answer.body)["error"]) == (400, error)


def test_assertion_with_google_as_audience(identity: Identity) -> None:
    """Google's own libraries name Google's endpoint, wherever token_uri points."""
    signed = assertion(identity, "https://oauth2.googleapis.com/token")
    assert _exchange(AccessTokens(identity), signed).status == 200


@pytest.mark.parametrize("signed", ["", "a.b.c", "a.b", "é.b.c", "a" * 100])
def test_assertion_that_is_none(identity: Identity, signed: str) -> None:
    """What is no signed token is refused as one with a bad signature."""
    answer = _exchange(AccessTokens(identity), signed)
    assert orjson.loads(answer.body)["error_description"] == "Invalid JWT Signature."


def test_assertion_signed_by_another_key(identity: Identity) -> None:
    """A service account of another sandbox is refused."""
    answer = _exchange(AccessTokens(identity), assertion(Identity.create(), _URI))
    assert orjson.loads(answer.body)["error"] == "invalid_grant"


def test_other_grant_type(identity: Identity) -> None:
    """Nothing but an assertion is exchanged."""
    answer = _exchange(AccessTokens(identity), assertion(identity, _URI), "password")
    assert orjson.loads(answer.body)["error"] == "unsupported_grant_type"


def test_access_token_after_an_hour(identity: Identity) -> None:
    """An access token ends by itself."""
    now = [1_700_000_000.0]
    tokens = AccessTokens(identity, clock=lambda: now[0])
    signed = assertion(identity, _URI, iat=1_700_000_000, exp=1_700_003_600)
    token = orjson.loads(_exchange(tokens, signed).body)["access_token"]
    assert tokens.is_valid(token)
    now[0] += 3600
    assert not tokens.is_valid(token)


def test_access_tokens_taken_back(identity: Identity) -> None:
    """Google may end a token before its time."""
    tokens = AccessTokens(identity)
    token = orjson.loads(_exchange(tokens, assertion(identity, _URI)).body)["access_token"]
    tokens.revoke_all()
    refusal = Fcm(tokens).receive(fcm({"message": _GOOD}, token)).refusal
    assert (refusal and refusal.reason) == "UNAUTHENTICATED"


def test_good_message(identity: Identity) -> None:
    """A data message for a token is taken, and named after its project."""
    google, token = _access(identity)
    received = google.receive(fcm({"validate_only": False, "message": _GOOD}, token))
    assert (received.refusal, received.token, received.payload) == (None, "phone", _GOOD)
    assert received.id.startswith(f"projects/{PROJECT_ID}/messages/")


@pytest.mark.parametrize("token", [None, "", "ya29.unknown"])
def test_message_without_access_token(identity: Identity, token: str | None) -> None:
    """Without a token from here nothing is taken."""
    google, _ = _access(identity)
    received = google.receive(fcm({"message": _GOOD}, token))
    answer = google.answer(received, received.refusal, at=0, number=None)
    assert (answer.status, orjson.loads(answer.body)["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_message_for_another_project(identity: Identity) -> None:
    """A service account may push in its own project only."""
    google, token = _access(identity)
    refusal = google.receive(fcm({"message": _GOOD}, token, "another")).refusal
    assert refusal is not None
    assert (refusal.status, refusal.reason) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"data": {"unread": 3}}, "message.data[0].value"),
        ({"data": {"from": "me"}}, "message.data[from]"),
        ({"data": {"google.x": "y"}}, "message.data[google.x]"),
        ({"data": []}, "message.data"),
        ({"android": {"priority": "URGENT"}}, "message.android.priority"),
        ({"android": {"ttl": 14400}}, "message.android.ttl"),
        ({"android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"android": {"colour": "red"}}, "message.android"),
        ({"android": "x"}, "message.android"),
        ({"topic": "news"}, "message"),
        ({"token": 7}, "message.token"),
        ({"subject": "x"}, "message"),
        ({"data": {"subject": "é" * 2045}}, "message"),
    ],
)
def test_faulty_message(identity: Identity, change: dict[str, Json], field: str) -> None:
    """A fault is an INVALID_ARGUMENT that names its field."""
    error = _error(identity, {"message": _GOOD | change})
    assert error["status"] == "INVALID_ARGUMENT"
    violation = {"field": field, "description": error["message"]}
    assert error["details"] == [
        {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "INVALID_ARGUMENT"},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]},
    ]


def test_token_that_nobody_has(identity: Identity) -> None:
    """Zeros are no registration token, of which only good credentials are told."""
    error = _error(identity, {"message": {**_GOOD, "token": "0" * 64}, "validate_only": True})
    assert (error["code"], "message.token" in str(error["details"])) == (400, True)


def test_payload_at_the_limit(identity: Identity) -> None:
    """4096 bytes of keys and values are taken."""
    google, token = _access(identity)
    message = _GOOD | {"data": {"subject": "é" * 2044 + "x"}}
    assert google.receive(fcm({"message": message}, token)).refusal is None


@pytest.mark.parametrize("body", [[], {}, {"message": []}, {"message": {}}, {"message": _GOOD, "more": 1}])
def test_body_without_message(identity: Identity, body: object) -> None:
    """What holds no message is an INVALID_ARGUMENT, never a failure."""
    assert _error(identity, body)["status"] == "INVALID_ARGUMENT"


async def test_rehearsal_reaches_no_phone(sandbox: Sandbox) -> None:
    """validate_only is checked and answered, and shown nowhere."""
    signed = assertion(sandbox.identity, f"{sandbox.url}/token")
    form = urlencode({"grant_type": _GRANT, "assertion": signed})
    token = json.loads((await sandbox.handle(token_request(form))).body)["access_token"]
    answer = await sandbox.handle(fcm({"validate_only": True, "message": _GOOD | {"token": "410"}}, token))
    assert (answer.status, sandbox.pushes) == (200, ())
