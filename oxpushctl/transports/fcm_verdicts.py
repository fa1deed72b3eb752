"""FCM's answers and what they mean to us.

Source: Google, "FCM REST v1: ErrorCode" and "FCM error codes". An answer other than 200 looks like this; the code
that counts is in ``details``, ``status`` is the general one of google.rpc.Code::

    {"error": {"code": 404, "status": "NOT_FOUND", "message": "…", "details": [
        {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED"},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "message.token"}]}]}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from oxpushctl.model import Outcome, Scope, Verdict
from oxpushctl.transports.verdicts import Ruling, retry_after_s

_FCM_ERROR = "google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "google.rpc.BadRequest"
_QUOTA_FAILURE = "google.rpc.QuotaFailure"

_GOOGLE_DOWN = Ruling(
    Verdict.UNREACHABLE,
    Scope.CLIENT,
    "Google is in trouble (status.firebase.google.com); pushes are kept and tried again.",
    least_wait_s=10.0,
)
_BAD_TOKEN = Ruling(
    Verdict.TOKEN_GONE,
    Scope.DEVICE,
    "Google does not know such a token: the app must register again.",
    is_doubtful=True,
)
_QUOTA = Ruling(
    Verdict.THROTTLED,
    Scope.CLIENT,
    "The project's quota is used up: see Quotas of fcm.googleapis.com in the Google Cloud console.",
    least_wait_s=60.0,
)
_DEVICE_QUOTA = Ruling(
    Verdict.THROTTLED, Scope.DEVICE, "Too many pushes to this device; it is tried again later.", least_wait_s=60.0
)


def _refused(advice: str) -> Ruling:
    return Ruling(Verdict.UNREACHABLE, Scope.CLIENT, advice, are_credentials_refused=True)


_RULINGS: Mapping[tuple[int, str], Ruling] = {
    (404, "UNREGISTERED"): Ruling(
        Verdict.TOKEN_GONE, Scope.DEVICE, "The app was removed or took another token: nothing to do."
    ),
    # The token of another project, or all of them when the project is ours but wrong.
    (403, "SENDER_ID_MISMATCH"): Ruling(
        Verdict.TOKEN_GONE,
        Scope.DEVICE,
        "If many devices get this, keyPath: is the service account of another Firebase project than the app's.",
        is_doubtful=True,
    ),
    (400, "INVALID_ARGUMENT"): Ruling(
        Verdict.REJECTED, advice="Google does not take this message; the device is kept. Please report it."
    ),
    (401, "UNAUTHENTICATED"): _refused("Google refuses our access token: check the service account and its project."),
    (403, "PERMISSION_DENIED"): _refused(
        "Give the service account the role Firebase Cloud Messaging API Admin and enable that API in its project."
    ),
    (401, "THIRD_PARTY_AUTH_ERROR"): _refused(
        "The Firebase project lacks valid Apple or web push credentials for this token: set them in its console."
    ),
    (429, "QUOTA_EXCEEDED"): _QUOTA,
    (500, "INTERNAL"): _GOOGLE_DOWN,
    (503, "UNAVAILABLE"): _GOOGLE_DOWN,
}
_AUTHORIZATION = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def judge(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
    """Return what an answer of FCM means; header names are in lower case, ``now`` is in epoch seconds."""
    if status == HTTPStatus.OK:
        name = _mapping(_parsed(body)).get("name")
        return Outcome(Verdict.DELIVERED, status=status, provider_id=name if isinstance(name, str) else "")
    complaint = _read(body)
    return _ruling(status, complaint).outcome(
        complaint.code or f"status {status}",
        status=status,
        retry_after_s=retry_after_s(headers.get("retry-after"), now),
    )


def is_renewable(outcome: Outcome) -> bool:
    """Tell whether another access token may help: an answer 401 or 403 that is not about the device."""
    return outcome.are_credentials_refused and outcome.status in _AUTHORIZATION


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What an error body says, as far as it is understood."""

    code: str = ""
    is_about_token: bool = False
    is_about_device_quota: bool = False


def _ruling(status: int, complaint: _Complaint) -> Ruling:
    if status == HTTPStatus.BAD_REQUEST and complaint.code == "INVALID_ARGUMENT" and complaint.is_about_token:
        return _BAD_TOKEN
    if status == HTTPStatus.TOO_MANY_REQUESTS and complaint.is_about_device_quota:
        return _DEVICE_QUOTA
    return _RULINGS.get((status, complaint.code)) or _by_status(status)


def _by_status(status: int) -> Ruling:
    """Return what an answer without a known code means: never that a device is gone."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return _refused("Google refuses us: check the service account, its roles and its project.")
        case HTTPStatus.NOT_FOUND:
            return Ruling(
                Verdict.REJECTED, advice="Google knows no such project: check project_id of the service account."
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            return _QUOTA
        case _ if 400 <= status < 500 and status != HTTPStatus.REQUEST_TIMEOUT:
            return Ruling(Verdict.REJECTED, advice="An error that oxpushctl does not know; the device is kept.")
        case _:
            return _GOOGLE_DOWN


def _read(body: bytes) -> _Complaint:
    error = _mapping(_mapping(_parsed(body)).get("error"))
    code = error.get("status")
    is_about_token = is_about_device_quota = False
    for detail in _mappings(error.get("details")):
        kind = str(detail.get("@type")).rpartition("/")[2]
        if kind == _FCM_ERROR:
            code = detail.get("errorCode", code)
        elif kind == _BAD_REQUEST:
            violations = _mappings(detail.get("fieldViolations"))
            is_about_token |= any(violation.get("field") == "message.token" for violation in violations)
        elif kind == _QUOTA_FAILURE:
            # "Device message rate exceeded", beside those of the project and of a topic
            violations = _mappings(detail.get("violations"))
            is_about_device_quota |= any("device" in str(each.get("description")).lower() for each in violations)
    return _Complaint(code if isinstance(code, str) else "", is_about_token, is_about_device_quota)


def _parsed(body: bytes) -> object:
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return parsed


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())
