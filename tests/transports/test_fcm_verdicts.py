"""Every row of Google's table, and what it does not say."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.model import Outcome, Scope, Verdict
from oxpushctl.transports.fcm_verdicts import is_renewable, judge

NOW = 1_800_000_000.0
MESSAGE, DEVICE, CLIENT = Scope.MESSAGE, Scope.DEVICE, Scope.CLIENT
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"


def body(status: str, *details: object) -> bytes:
    return orjson.dumps({"error": {"code": 0, "status": status, "message": "…", "details": details}})


def fcm_error(code: str) -> dict[str, str]:
    return {"@type": FCM_ERROR, "errorCode": code}


@pytest.mark.parametrize(
    ("status", "rpc_status", "code", "verdict", "scope"),
    [
        (404, "NOT_FOUND", "UNREGISTERED", Verdict.TOKEN_GONE, DEVICE),
        (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", Verdict.TOKEN_GONE, DEVICE),
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", Verdict.REJECTED, MESSAGE),
        (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", Verdict.UNREACHABLE, CLIENT),
        (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", Verdict.THROTTLED, CLIENT),
        (500, "INTERNAL", "INTERNAL", Verdict.UNREACHABLE, CLIENT),
        (503, "UNAVAILABLE", "UNAVAILABLE", Verdict.UNREACHABLE, CLIENT),
    ],
)
def test_each_error_code_of_googles(status: int, rpc_status: str, code: str, verdict: Verdict, scope: Scope) -> None:
    """The code in the details counts, not the general status."""
    outcome = judge(status, {}, body(rpc_status, fcm_error(code)), NOW)
    assert (outcome.verdict, outcome.scope, outcome.reason) == (verdict, scope, code)
    assert outcome.is_doubtful == (code == "SENDER_ID_MISMATCH")
    assert outcome.are_credentials_refused == (code == "THIRD_PARTY_AUTH_ERROR")
    assert outcome.advice.endswith(".")


@pytest.mark.parametrize(("status", "code"), [(401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED")])
def test_google_refuses_us(status: int, code: str) -> None:
    """Without a code of FCM's the general status counts; another access token may help."""
    outcome = judge(status, {}, body(code), NOW)
    assert (outcome.verdict, outcome.scope, outcome.reason) == (Verdict.UNREACHABLE, CLIENT, code)
    assert (outcome.are_credentials_refused, is_renewable(outcome)) == (True, True)


def test_a_violation_of_the_token_field() -> None:
    """INVALID_ARGUMENT about message.token blames the device, in doubt."""
    violation = {"@type": BAD_REQUEST, "fieldViolations": [{"field": "message.token", "description": "Invalid"}]}
    outcome = judge(400, {}, body("INVALID_ARGUMENT", fcm_error("INVALID_ARGUMENT"), violation), NOW)
    assert (outcome.verdict, outcome.scope, outcome.is_doubtful) == (Verdict.TOKEN_GONE, DEVICE, True)


def test_a_violation_of_another_field() -> None:
    """INVALID_ARGUMENT about anything else keeps the device."""
    violation = {"@type": BAD_REQUEST, "fieldViolations": [{"field": "message.data[0].value"}]}
    assert judge(400, {}, body("INVALID_ARGUMENT", violation), NOW).verdict is Verdict.REJECTED


def test_the_quota_of_one_device() -> None:
    """One flooded phone has a wait of its own and never throttles the project."""
    failure = {"@type": QUOTA_FAILURE, "violations": [{"description": "Device message rate exceeded"}]}
    outcome = judge(429, {}, body("RESOURCE_EXHAUSTED", fcm_error("QUOTA_EXCEEDED"), failure), NOW)
    assert (outcome.verdict, outcome.scope, outcome.retry_after_s) == (Verdict.THROTTLED, DEVICE, 60.0)


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (429, None, 60.0),
        (429, "5", 60.0),
        (429, "90", 90.0),
        (429, "Fri, 15 Jan 2027 08:02:00 GMT", 120.0),
        (503, None, 10.0),
        (500, "3", 10.0),
        (503, "30", 30.0),
        (503, "garbage", 10.0),
        (400, "30", None),
    ],
)
def test_how_long_google_wants_us_to_wait(status: int, retry_after: str | None, expected: float | None) -> None:
    """A minute at least for 429, ten seconds for 5xx, longer when Retry-After says so."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    assert judge(status, headers, b"", NOW).retry_after_s == expected


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.REJECTED),
        (404, Verdict.REJECTED),
        (410, Verdict.REJECTED),
        (401, Verdict.UNREACHABLE),
        (403, Verdict.UNREACHABLE),
        (408, Verdict.UNREACHABLE),
        (429, Verdict.THROTTLED),
        (302, Verdict.UNREACHABLE),
        (502, Verdict.UNREACHABLE),
    ],
)
@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b'{"error":"x"}', b'{"error":{"details":[1,{"@type":2},{"@type":"%s"}]}}', b"\xff"],
)
def test_an_answer_without_a_known_code(status: int, verdict: Verdict, content: bytes) -> None:
    """The status decides, and a device is never gone."""
    outcome = judge(status, {}, content, NOW)
    assert (outcome.verdict, outcome.reason) == (verdict, f"status {status}")


@pytest.mark.parametrize(
    ("content", "expected"), [(b'{"name":"projects/p/messages/1"}', "projects/p/messages/1"), (b"", ""), (b"7", "")]
)
def test_a_delivery_carries_googles_name(content: bytes, expected: str) -> None:
    """200 is delivered, whatever the body."""
    assert judge(200, {}, content, NOW) == Outcome(Verdict.DELIVERED, status=200, provider_id=expected)


_JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["@type", "errorCode", "violations", "x"]), inner),
    max_leaves=8,
)


@given(st.integers(100, 599), st.dictionaries(st.sampled_from(["status", "details", "message"]), _JSON))
def test_any_error_is_an_outcome(status: int, error: dict[str, object]) -> None:
    """Whatever shape an error has, it is judged."""
    assert judge(status, {}, json.dumps({"error": error}).encode(), NOW).status == status
