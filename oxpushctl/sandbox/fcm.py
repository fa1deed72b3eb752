"""Google's side: ``POST /v1/projects/<project>/messages:send`` as FCM's HTTP v1 judges it.

Source: Google, "Method: projects.messages.send", "ErrorCode" (FcmError) and "BadRequest" (google.rpc).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace

import orjson

from oxpushctl.sandbox.exchange import Answer, Json, Request, parse_object
from oxpushctl.sandbox.identity import PROJECT_ID
from oxpushctl.sandbox.oauth import AccessTokens
from oxpushctl.sandbox.provider import NO_DEVICE, Received, Refusal

_PATH = re.compile(r"/v1/projects/([^/]+)/messages:send")
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_MAX_PAYLOAD = 4096
_MAX_TTL_S = 2419200  # four weeks
_TARGETS = ("token", "topic", "condition", "fid")
_MESSAGE_FIELDS = frozenset((*_TARGETS, "name", "data", "notification", "android", "webpush", "apns", "fcm_options"))
_ANDROID_FIELDS = frozenset(
    (
        "collapse_key",
        "priority",
        "ttl",
        "restricted_package_name",
        "data",
        "notification",
        "fcm_options",
        "direct_boot_ok",
    )
)
# Google's own keys in a data message: "Message data keys reserved".
_RESERVED_KEYS = ("from", "message_type", "collapse_key")
_RESERVED_PREFIXES = ("google.", "gcm.")
_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_BAD_TOKEN = Refusal(
    400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", "message.token"
)
_TOO_BIG = Refusal(400, "INVALID_ARGUMENT", "Android message is too big", "message")
_GONE = Refusal(404, "UNREGISTERED", "Requested entity was not found.")
_SCRIPTED = {
    400: _BAD_TOKEN,
    403: Refusal(403, "SENDER_ID_MISMATCH", "SenderId mismatch"),
    404: _GONE,
    410: _GONE,
    413: _TOO_BIG,
    429: Refusal(429, "QUOTA_EXCEEDED", "Quota exceeded for quota metric 'Message send requests'."),
    500: Refusal(500, "INTERNAL", "Internal error encountered."),
    503: Refusal(503, "UNAVAILABLE", "The service is currently unavailable."),
}
_DEFAULT_RETRY_AFTER_S = 60


class Fcm:
    """Judges pushes as Google would; any token but zeros is a device, since only the script knows dead ones."""

    name = "fcm"

    def __init__(self, access_tokens: AccessTokens) -> None:
        self._access_tokens = access_tokens

    def receive(self, request: Request) -> Received:
        """Read a push: the credentials first, then the message's form."""
        path = _PATH.fullmatch(request.path)
        project = path[1] if path else ""
        body = parse_object(request.body)
        message = body.get("message") if body else None
        payload = message if isinstance(message, dict) else {}
        token = payload.get("token") or payload.get("fid")  # Google is moving from the one to the other
        received = Received(
            id=f"projects/{project}/messages/0:{secrets.randbelow(10**16):016d}%{secrets.token_hex(8)}",
            token=token if isinstance(token, str) else "",
            project=project,
            authentication="bearer" if request.bearer is not None else "",
            payload=payload,
            is_rehearsal=bool(body and body.get("validate_only") is True),
        )
        return replace(received, refusal=next(self._faults(request, received, body), None))

    def refusal(self, status: int) -> Refusal:
        """Return what a scripted status stands for; 410 is 404 ``UNREGISTERED`` at Google."""
        return _SCRIPTED[status]

    def answer(self, received: Received, refusal: Refusal | None, *, at: float, number: int | None) -> Answer:
        """Answer with the message's name, or with Google's error object; Google tells no time of death."""
        headers = {"content-type": "application/json; charset=UTF-8"}
        if refusal is None:
            return Answer(200, headers, orjson.dumps({"name": received.id}))
        if refusal.status in (429, 500, 503):
            seconds = _DEFAULT_RETRY_AFTER_S if number is None and refusal.status == 429 else number
            headers |= {} if seconds is None else {"retry-after": str(seconds)}
        return Answer(refusal.status, headers, orjson.dumps(_error_object(refusal)))

    def _faults(self, request: Request, received: Received, body: Mapping[str, Json] | None) -> Iterator[Refusal]:
        if request.method != "POST" or not received.project:
            yield Refusal(404, "NOT_FOUND", "The requested URL was not found on this server.")
        if not self._access_tokens.is_valid(request.bearer):
            yield Refusal(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
                "other valid authentication credential.",
            )
        if received.project != PROJECT_ID:
            yield Refusal(
                403,
                "PERMISSION_DENIED",
                "Permission 'cloudmessaging.messages.create' denied on resource "
                f"'//cloudresourcemanager.googleapis.com/projects/{received.project}' (or it may not exist).",
            )
        if body is None:
            yield _invalid("Invalid JSON payload received.", "")
        else:
            yield from _body_faults(body)
        if received.token == NO_DEVICE:
            yield _BAD_TOKEN


def _body_faults(body: Mapping[str, Json]) -> Iterator[Refusal]:
    yield from _unknown(body, frozenset(("message", "validate_only")), "")
    if not isinstance(body.get("validate_only", False), bool):
        yield _wrong("validate_only", "TYPE_BOOL")
    message = body.get("message")
    if not isinstance(message, dict):
        yield _invalid("The message is not set.", "message")
        return
    yield from _unknown(message, _MESSAGE_FIELDS, "message")
    targets = [name for name in _TARGETS if message.get(name)]
    if len(targets) != 1:
        yield _invalid("Exactly one of fid, token, topic or condition is required", "message")
    for name in targets:
        if not isinstance(message[name], str):
            yield _wrong(f"message.{name}", "TYPE_STRING")
    yield from _data_faults(message.get("data", {}), "message.data")
    yield from _android_faults(message.get("android", {}))
    if _payload_size(message) > _MAX_PAYLOAD:
        yield _TOO_BIG


def _data_faults(data: Json, where: str) -> Iterator[Refusal]:
    if not isinstance(data, dict):
        yield _wrong(where, "map")
        return
    for index, (key, value) in enumerate(data.items()):
        if not isinstance(value, str):
            yield _wrong(f"{where}[{index}].value", "TYPE_STRING")
        if key in _RESERVED_KEYS or key.startswith(_RESERVED_PREFIXES):
            yield _invalid(f"Invalid data payload key: {key}", f"{where}[{key}]")


def _android_faults(android: Json) -> Iterator[Refusal]:
    if not isinstance(android, dict):
        yield _wrong("message.android", "type.googleapis.com/google.firebase.fcm.v1.AndroidConfig")
        return
    yield from _unknown(android, _ANDROID_FIELDS, "message.android")
    if str(android.get("priority", "NORMAL")).upper() not in ("NORMAL", "HIGH"):
        yield _wrong("message.android.priority", "type.googleapis.com/google.firebase.fcm.v1.AndroidMessagePriority")
    ttl = re.fullmatch(r"([0-9]{1,12})(\.[0-9]{1,9})?s", str(android.get("ttl", "0s")))
    if ttl is None:
        yield _wrong("message.android.ttl", "type.googleapis.com/google.protobuf.Duration")
    elif int(ttl[1]) > _MAX_TTL_S:
        yield _invalid("Invalid value for time-to-live: must be between 0 and 2419200 seconds", "message.android.ttl")
    if not isinstance(android.get("collapse_key", ""), str):
        yield _wrong("message.android.collapse_key", "TYPE_STRING")
    yield from _data_faults(android.get("data", {}), "message.android.data")


def _payload_size(message: Mapping[str, Json]) -> int:
    """Count what Google counts: the bytes of the keys and values of data and notification."""
    maps = (message.get("data"), message.get("notification"))
    return sum(
        len(key.encode()) + len(value.encode())
        for each in maps
        if isinstance(each, dict)
        for key, value in each.items()
        if isinstance(value, str)
    )


def _unknown(value: Mapping[str, Json], known: frozenset[str], where: str) -> Iterator[Refusal]:
    for name in value:
        if name not in known:
            place = f" at '{where}'" if where else ""
            yield _invalid(f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.', where)


def _wrong(field: str, kind: str) -> Refusal:
    return _invalid(f"Invalid value at '{field}' ({kind})", field)


def _invalid(message: str, field: str) -> Refusal:
    return Refusal(400, "INVALID_ARGUMENT", message, field)


def _error_object(refusal: Refusal) -> dict[str, Json]:
    """Write Google's error: the word that counts stands in ``details``, the field at fault beside it."""
    details: list[Json] = []
    if refusal.reason == "UNAUTHENTICATED":
        details.append({"@type": _ERROR_INFO, "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED", "domain": "googleapis.com"})
    elif refusal.reason not in ("PERMISSION_DENIED", "NOT_FOUND"):
        details.append({"@type": _FCM_ERROR, "errorCode": refusal.reason})
    if refusal.field:
        violation: Json = {"field": refusal.field, "description": refusal.message}
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [violation]})
    status = _STATUS_NAMES[refusal.status]
    return {"error": {"code": refusal.status, "message": refusal.message, "status": status, "details": details}}
