"""Every row of Apple's table, and what it does not say."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.model import Outcome, Scope, Verdict
from oxpushctl.transports.apns_verdicts import judge

NOW = 1_800_000_000.0
GONE, REJECTED, THROTTLED, UNREACHABLE = (
    Verdict.TOKEN_GONE,
    Verdict.REJECTED,
    Verdict.THROTTLED,
    Verdict.UNREACHABLE,
)
MESSAGE, DEVICE, CLIENT = Scope.MESSAGE, Scope.DEVICE, Scope.CLIENT


def judged(status: int, reason: str, **headers: str) -> Outcome:
    return judge(status, headers, orjson.dumps({"reason": reason}), NOW)


@pytest.mark.parametrize(
    ("status", "reason", "verdict", "scope"),
    [
        (410, "Unregistered", GONE, DEVICE),
        (410, "ExpiredToken", GONE, DEVICE),
        (400, "BadDeviceToken", GONE, DEVICE),
        (400, "DeviceTokenNotForTopic", REJECTED, DEVICE),
        (400, "TopicDisallowed", REJECTED, CLIENT),
        (400, "BadTopic", REJECTED, CLIENT),
        (400, "MissingTopic", REJECTED, CLIENT),
        (400, "BadCollapseId", REJECTED, MESSAGE),
        (400, "BadExpirationDate", REJECTED, MESSAGE),
        (400, "BadMessageId", REJECTED, MESSAGE),
        (400, "BadPriority", REJECTED, MESSAGE),
        (400, "DuplicateHeaders", REJECTED, MESSAGE),
        (400, "InvalidPushType", REJECTED, MESSAGE),
        (400, "MissingDeviceToken", REJECTED, MESSAGE),
        (400, "PayloadEmpty", REJECTED, MESSAGE),
        (404, "BadPath", REJECTED, MESSAGE),
        (405, "MethodNotAllowed", REJECTED, MESSAGE),
        (413, "PayloadTooLarge", REJECTED, MESSAGE),
        (403, "ExpiredProviderToken", UNREACHABLE, CLIENT),
        (403, "MissingProviderToken", UNREACHABLE, CLIENT),
        (403, "InvalidProviderToken", UNREACHABLE, CLIENT),
        (403, "BadCertificate", UNREACHABLE, CLIENT),
        (403, "BadCertificateEnvironment", UNREACHABLE, CLIENT),
        (403, "UnrelatedKeyIdInToken", UNREACHABLE, CLIENT),
        (403, "BadEnvironmentKeyIdInToken", UNREACHABLE, CLIENT),
        (403, "Forbidden", UNREACHABLE, CLIENT),
        (429, "TooManyRequests", THROTTLED, DEVICE),
        (429, "TooManyProviderTokenUpdates", THROTTLED, CLIENT),
        (500, "InternalServerError", UNREACHABLE, CLIENT),
        (503, "ServiceUnavailable", UNREACHABLE, CLIENT),
        (503, "Shutdown", UNREACHABLE, MESSAGE),
        (400, "IdleTimeout", UNREACHABLE, MESSAGE),
    ],
)
def test_each_reason_of_apples(status: int, reason: str, verdict: Verdict, scope: Scope) -> None:
    """Each reason has its verdict and reach, Apple's word, and advice; only 403 blames our credentials."""
    outcome = judged(status, reason)
    assert (outcome.verdict, outcome.scope) == (verdict, scope)
    assert (outcome.reason, outcome.status) == (reason, status)
    assert outcome.advice.endswith(".")
    assert outcome.are_credentials_refused == (status == 403)
    assert outcome.is_doubtful == (reason == "BadDeviceToken")


@pytest.mark.parametrize(
    ("status", "verdict", "scope"),
    [
        (410, GONE, DEVICE),
        (400, REJECTED, MESSAGE),
        (404, REJECTED, MESSAGE),
        (418, REJECTED, MESSAGE),
        (401, UNREACHABLE, CLIENT),
        (403, UNREACHABLE, CLIENT),
        (408, UNREACHABLE, CLIENT),
        (429, THROTTLED, DEVICE),
        (302, UNREACHABLE, CLIENT),
        (500, UNREACHABLE, CLIENT),
        (502, UNREACHABLE, CLIENT),
        (599, UNREACHABLE, CLIENT),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"reason":7}', b'{"reason":"FromTheFuture"}', b"\xff"])
def test_an_answer_without_a_known_reason(status: int, verdict: Verdict, scope: Scope, body: bytes) -> None:
    """The status decides, and a device is never gone for certain."""
    outcome = judge(status, {}, body, NOW)
    assert (outcome.verdict, outcome.scope) == (verdict, scope)
    assert outcome.is_doubtful == (status == 410)
    assert outcome.reason in ("FromTheFuture", f"status {status}")


def test_a_dead_token_under_another_status_is_kept() -> None:
    """Only 410 makes Unregistered a dead token: a confused gateway wipes no user base."""
    assert judged(400, "Unregistered").verdict is REJECTED


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1799999999000", 1_799_999_999_000),
        ("true", None),
        ("-1", None),
        ("1e3", None),
        ('"1799"', None),
        ("null", None),
    ],
)
def test_since_when_a_token_is_dead(timestamp: str, expected: int | None) -> None:
    """The time stamp of 410 is passed on in milliseconds, anything but a positive whole number is none."""
    body = b'{"reason":"Unregistered","timestamp":' + timestamp.encode() + b"}"
    assert judge(410, {}, body, NOW).gone_since_ms == expected


def test_a_delivery_carries_apples_id() -> None:
    """200 is delivered, under the id that Apple answers with."""
    assert judge(200, {"apns-id": "5B1F"}, b"", NOW) == Outcome(Verdict.DELIVERED, status=200, provider_id="5B1F")


def test_a_wait_counts_where_it_is_sent_again() -> None:
    """Retry-After is passed on for what is repeated, and for nothing else."""
    headers = {"retry-after": "30"}
    waits = [judge(status, headers, b"", NOW).retry_after_s for status in (429, 503, 400, 410)]
    assert waits == [30.0, 30.0, None, None]


@given(st.integers(100, 599), st.binary())
def test_any_answer_is_an_outcome(status: int, body: bytes) -> None:
    """Whatever comes, it is judged."""
    assert judge(status, {}, body, NOW).status == status
