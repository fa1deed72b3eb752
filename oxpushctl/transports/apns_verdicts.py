"""APNs' answers and what they mean to us.

Source: Apple, "Handling notification responses from APNs", tables of status codes and of reason strings. An answer
other than 200 carries ``{"reason": "…", "timestamp": <ms>}``; the time stamp comes with 410 only: since when the
token is dead.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson

from oxpushctl.model import Outcome, Scope, Verdict
from oxpushctl.transports.verdicts import Ruling, retry_after_s

RENEWABLE = frozenset({"ExpiredProviderToken", "MissingProviderToken"})

_OUR_BUG = Ruling(Verdict.REJECTED, advice="A bug in oxpushctl: please report it together with this reason.")
_APPLE_DOWN = Ruling(
    Verdict.UNREACHABLE,
    Scope.CLIENT,
    "Apple is in trouble (developer.apple.com/system-status); pushes are kept and tried again.",
)
_GOES_ON = Ruling(Verdict.UNREACHABLE, advice="Apple closed this connection; the push goes out on another.")


def _topic(scope: Scope, advice: str) -> Ruling:
    return Ruling(Verdict.REJECTED, scope, advice)


def _refused(advice: str) -> Ruling:
    return Ruling(Verdict.UNREACHABLE, Scope.CLIENT, advice, are_credentials_refused=True)


_RULINGS: Mapping[tuple[int, str], Ruling] = {
    (410, "Unregistered"): Ruling(
        Verdict.TOKEN_GONE, Scope.DEVICE, "The app was removed or took another token: nothing to do."
    ),
    (410, "ExpiredToken"): Ruling(
        Verdict.TOKEN_GONE, Scope.DEVICE, "The token has expired, the app will bring another: nothing to do."
    ),
    # What every token gets when sandbox and production are mixed up.
    (400, "BadDeviceToken"): Ruling(
        Verdict.TOKEN_GONE,
        Scope.DEVICE,
        "If many devices get this, production: does not match how the app was built.",
        is_doubtful=True,
    ),
    (400, "DeviceTokenNotForTopic"): _topic(
        Scope.DEVICE, "The token is another app's: compare topic: with the app's bundle id."
    ),
    (400, "TopicDisallowed"): _topic(
        Scope.CLIENT, "The certificate or key may not push to this topic: compare topic: with the app's bundle id."
    ),
    (400, "BadTopic"): _topic(Scope.CLIENT, "topic: must be the app's bundle id."),
    (400, "MissingTopic"): _topic(Scope.CLIENT, "Set topic: to the app's bundle id."),
    (400, "BadCollapseId"): _OUR_BUG,
    (400, "BadExpirationDate"): _OUR_BUG,
    (400, "BadMessageId"): _OUR_BUG,
    (400, "BadPriority"): _OUR_BUG,
    (400, "DuplicateHeaders"): _OUR_BUG,
    (400, "InvalidPushType"): _OUR_BUG,
    (400, "MissingDeviceToken"): _OUR_BUG,
    (400, "PayloadEmpty"): _OUR_BUG,
    (404, "BadPath"): _OUR_BUG,
    (405, "MethodNotAllowed"): _OUR_BUG,
    (413, "PayloadTooLarge"): _OUR_BUG,
    (403, "ExpiredProviderToken"): _refused("Apple finds our token too old: set this machine's clock right (NTP)."),
    (403, "MissingProviderToken"): _refused(
        "Apple saw neither certificate nor token: check authtype, keystore and privatekey."
    ),
    (403, "InvalidProviderToken"): _refused(
        "Check that privatekey is the .p8 of keyid, that teamid is its team, that the key was not revoked, "
        "and this machine's clock."
    ),
    (403, "BadCertificate"): _refused("Apple does not accept the certificate: make a new one and set keystore."),
    (403, "BadCertificateEnvironment"): _refused(
        "The certificate is for Apple's other environment: change production: or the certificate."
    ),
    (403, "UnrelatedKeyIdInToken"): _refused("The key id does not go with this connection: check keyid and teamid."),
    (403, "BadEnvironmentKeyIdInToken"): _refused(
        "The key is for Apple's other environment: change production: or the key."
    ),
    (403, "Forbidden"): _refused("Apple does not let us: check the certificate or key in the developer account."),
    (429, "TooManyRequests"): Ruling(
        Verdict.THROTTLED, Scope.DEVICE, "Too many pushes to this device in a row; it is tried again later."
    ),
    (429, "TooManyProviderTokenUpdates"): Ruling(
        Verdict.THROTTLED,
        Scope.CLIENT,
        "Something else makes tokens with this key (Apple takes a new one every 20 minutes): give it a key of its own.",
    ),
    (500, "InternalServerError"): _APPLE_DOWN,
    (503, "ServiceUnavailable"): _APPLE_DOWN,
    (503, "Shutdown"): _GOES_ON,
    (400, "IdleTimeout"): _GOES_ON,
}


def judge(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
    """Return what an answer of APNs means; header names are in lower case, ``now`` is in epoch seconds."""
    if status == HTTPStatus.OK:
        return Outcome(Verdict.DELIVERED, status=status, provider_id=headers.get("apns-id", ""))
    reason, timestamp_ms = _read(body)
    ruling = _RULINGS.get((status, reason)) or _by_status(status)
    return ruling.outcome(
        reason or f"status {status}",
        status=status,
        retry_after_s=retry_after_s(headers.get("retry-after"), now),
        gone_since_ms=timestamp_ms if status == HTTPStatus.GONE else None,
    )


def _read(body: bytes) -> tuple[str, int | None]:
    """Return reason and time stamp of a body, as far as it has them."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", None
    if not isinstance(answer, dict):
        return "", None
    reason, timestamp = answer.get("reason"), answer.get("timestamp")
    return (
        reason if isinstance(reason, str) else "",
        timestamp if type(timestamp) is int and timestamp > 0 else None,
    )


def _by_status(status: int) -> Ruling:
    """Return what an answer without a known reason means: never that a device is gone for sure."""
    match status:
        case HTTPStatus.GONE:
            return Ruling(Verdict.TOKEN_GONE, Scope.DEVICE, "The token is said to be dead.", is_doubtful=True)
        case HTTPStatus.FORBIDDEN | HTTPStatus.UNAUTHORIZED:
            return _refused("Apple refuses our certificate or key: check it in the developer account.")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Ruling(Verdict.THROTTLED, Scope.DEVICE, "Too many pushes; it is tried again later.")
        case _ if 400 <= status < 500 and status != HTTPStatus.REQUEST_TIMEOUT:
            return Ruling(Verdict.REJECTED, advice="A reason that oxpushctl does not know; the device is kept.")
        case _:
            return _APPLE_DOWN
