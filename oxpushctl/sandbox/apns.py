"""Apple's side: ``POST /3/device/<token>`` with the checks, statuses and reasons of APNs.

Source: Apple, "Sending notification requests to APNs" and "Handling notification responses from APNs".
"""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal
from urllib.parse import unquote

import orjson

from oxpushctl.sandbox import certificates, jwt
from oxpushctl.sandbox.exchange import Answer, Request, parse_object
from oxpushctl.sandbox.identity import BEARER_TOPIC, CERTIFICATE_TOPIC, KEY_ID, TEAM_ID, Identity
from oxpushctl.sandbox.provider import NO_DEVICE, Received, Refusal

Authentication = Literal["certificate", "bearer", "either"]

_PREFIX = "/3/device/"
_PUSH_TYPES = frozenset(
    (
        "alert",
        "background",
        "complication",
        "controls",
        "fileprovider",
        "liveactivity",
        "location",
        "mdm",
        "pushtotalk",
        "voip",
        "widgets",
    )
)
_PRIORITIES = ("1", "5", "10")
_MAX_COLLAPSE_ID = 64
_MAX_PAYLOAD = 4096
_MAX_VOIP_PAYLOAD = 5120
_TOKEN_LIFETIME_S = 3600
_CLOCK_SKEW_S = 60
_SCRIPTED = {
    400: "BadDeviceToken",
    403: "InvalidProviderToken",
    404: "BadPath",
    410: "Unregistered",
    413: "PayloadTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


class Apns:
    """Judges pushes as Apple would; any token but zeros is a device, since only the script knows dead ones."""

    name = "apns"

    def __init__(self, identity: Identity, accepts: Authentication, clock: Callable[[], float] = time.time) -> None:
        self._provider_key = identity.provider_key.public_key()
        self._accepts = accepts
        self._clock = clock

    def receive(self, request: Request) -> Received:
        """Read a push; the checks follow each other as Apple's errors suggest: path, credentials, headers, payload."""
        headers = {name: value for name, value in request.headers if name.startswith("apns-")}
        received = Received(
            id=headers.get("apns-id") or str(uuid.uuid4()).upper(),
            token=unquote(request.path.removeprefix(_PREFIX)) if request.path.startswith(_PREFIX) else "",
            topic=headers.get("apns-topic")
            or (certificates.topic_of(request.certificate) if request.certificate else ""),
            authentication=self._authentication(request),
            headers=headers,
            payload=parse_object(request.body) or {},
        )
        return replace(received, refusal=next(self._faults(request, received), None))

    def refusal(self, status: int) -> Refusal:
        """Return Apple's first reason for a status."""
        return Refusal(status, _SCRIPTED[status])

    def answer(self, received: Received, refusal: Refusal | None, *, at: float, number: int | None) -> Answer:
        """Answer with the ``apns-id``, and with the reason as JSON; 410 tells since when, in milliseconds."""
        headers = {"apns-id": received.id}
        if refusal is None:
            return Answer(200, headers)
        body: dict[str, str | int] = {"reason": refusal.reason}
        if refusal.status == 410:
            body["timestamp"] = int(at * 1000) if number is None else number
        elif number is not None:
            headers["retry-after"] = str(number)
        return Answer(refusal.status, {**headers, "content-type": "application/json"}, orjson.dumps(body))

    def _authentication(self, request: Request) -> str:
        if request.bearer is not None and self._accepts != "certificate":
            return "bearer"
        return "certificate" if request.certificate is not None and self._accepts != "bearer" else ""

    def _faults(self, request: Request, received: Received) -> Iterator[Refusal]:
        if not request.path.startswith(_PREFIX):
            yield Refusal(404, "BadPath")
        if request.method != "POST":
            yield Refusal(405, "MethodNotAllowed")
        if not received.token:
            yield Refusal(400, "MissingDeviceToken")
        yield from self._credential_faults(request, received)
        yield from _header_faults(request, received)
        yield from _payload_faults(request, received)
        if received.token == NO_DEVICE:
            yield Refusal(400, "BadDeviceToken")

    def _credential_faults(self, request: Request, received: Received) -> Iterator[Refusal]:
        if received.authentication == "bearer":
            token = jwt.verified_es256(request.bearer or "", self._provider_key)
            is_ours = token and token.header.get("kid") == KEY_ID and token.claims.get("iss") == TEAM_ID
            age_s = self._clock() - (token.moment("iat") or math.inf) if token else 0.0
            if not is_ours or age_s < -_CLOCK_SKEW_S:
                yield Refusal(403, "InvalidProviderToken")
            elif age_s > _TOKEN_LIFETIME_S:
                yield Refusal(403, "ExpiredProviderToken")
        elif received.authentication == "":
            yield Refusal(403, "BadCertificate" if self._accepts == "certificate" else "MissingProviderToken")


def _header_faults(request: Request, received: Received) -> Iterator[Refusal]:
    """Yield what is wrong with the headers: <https://developer.apple.com/documentation/usernotifications>."""
    headers = received.headers
    repeated = Counter(name for name, _ in request.headers if name.startswith("apns-"))
    if any(count > 1 for count in repeated.values()):
        yield Refusal(400, "DuplicateHeaders")
    if not _is_uuid(received.id):
        yield Refusal(400, "BadMessageId")
    if not _is_number(headers.get("apns-expiration", "0")):
        yield Refusal(400, "BadExpirationDate")
    priority, push_type = headers.get("apns-priority", "10"), headers.get("apns-push-type", "alert")
    if priority not in _PRIORITIES or (push_type == "background" and priority != "5"):
        yield Refusal(400, "BadPriority")
    if not received.topic:
        yield Refusal(400, "MissingTopic")
    if received.topic not in _topics(received.authentication):
        yield Refusal(400, "TopicDisallowed")
    if len(headers.get("apns-collapse-id", "").encode()) > _MAX_COLLAPSE_ID:
        yield Refusal(400, "BadCollapseId")
    if push_type not in _PUSH_TYPES:
        yield Refusal(400, "InvalidPushType")


def _payload_faults(request: Request, received: Received) -> Iterator[Refusal]:
    limit = _MAX_VOIP_PAYLOAD if received.headers.get("apns-push-type") == "voip" else _MAX_PAYLOAD
    if len(request.body) > limit:
        yield Refusal(413, "PayloadTooLarge")
    # Apple has no reason of its own for what is not a JSON object.
    if not received.payload:
        yield Refusal(400, "PayloadEmpty")


def _topics(authentication: str) -> frozenset[str]:
    """Return what may be pushed to: a certificate stands for one app, a key for all apps of its team."""
    of_certificate = {CERTIFICATE_TOPIC, f"{CERTIFICATE_TOPIC}.voip", f"{CERTIFICATE_TOPIC}.complication"}
    return frozenset(of_certificate if authentication == "certificate" else {*of_certificate, BEARER_TOPIC})


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
