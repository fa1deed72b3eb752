"""Apple's checks, each with Apple's status and reason."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from oxpushctl.sandbox import identity as names
from oxpushctl.sandbox.apns import Apns, Authentication
from oxpushctl.sandbox.exchange import Request
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.provider import Refusal
from tests.sandbox.provider_requests import ALERT, apns, provider_token

_UUID = "7d5c1a9e-41f8-4f57-8a2e-0a2d4f6b8c0e"


def _refusal(identity: Identity, request: Request, accepts: Authentication = "either") -> Refusal | None:
    return Apns(identity, accepts).receive(request).refusal


def test_good_push_with_certificate(identity: Identity) -> None:
    """A push as Apple wants it is taken, and known by its certificate."""
    received = Apns(identity, "either").receive(apns(identity, "8f1c", apns_id=_UUID))
    assert (received.refusal, received.id, received.token) == (None, _UUID, "8f1c")
    assert (received.authentication, received.topic) == ("certificate", names.CERTIFICATE_TOPIC)
    assert received.payload == ALERT


def test_good_push_with_provider_token(identity: Identity) -> None:
    """A provider token stands for all apps of its team."""
    request = apns(
        identity, is_certified=False, apns_topic=names.BEARER_TOPIC, authorization=f"bearer {provider_token(identity)}"
    )
    received = Apns(identity, "either").receive(request)
    assert (received.refusal, received.authentication) == (None, "bearer")


def test_certificate_alone_names_the_topic(identity: Identity) -> None:
    """Without a topic the certificate's own counts."""
    received = Apns(identity, "either").receive(apns(identity, apns_topic=None))
    assert (received.refusal, received.topic) == (None, names.CERTIFICATE_TOPIC)


def test_push_without_id_gets_one(identity: Identity) -> None:
    """Apple makes an id for a push that brings none."""
    received = Apns(identity, "either").receive(apns(identity))
    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", received.id)


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"path": "/3/devices/"}, 404, "BadPath"),
        ({"path": "/"}, 404, "BadPath"),
        ({"method": "GET"}, 405, "MethodNotAllowed"),
        ({"token": ""}, 400, "MissingDeviceToken"),
        ({"more": (("apns-topic", "x"),)}, 400, "DuplicateHeaders"),
        ({"apns_id": "42"}, 400, "BadMessageId"),
        ({"apns_id": "{7d5c1a9e41f84f578a2e0a2d4f6b8c0e}"}, 400, "BadMessageId"),
        ({"apns_expiration": "tomorrow"}, 400, "BadExpirationDate"),
        ({"apns_expiration": "-1"}, 400, "BadExpirationDate"),
        ({"apns_priority": "7"}, 400, "BadPriority"),
        ({"apns_push_type": "background"}, 400, "BadPriority"),
        ({"apns_push_type": "background", "apns_priority": None}, 400, "BadPriority"),
        ({"apns_push_type": "shout"}, 400, "InvalidPushType"),
        ({"apns_topic": "com.example.other"}, 400, "TopicDisallowed"),
        ({"apns_topic": names.BEARER_TOPIC}, 400, "TopicDisallowed"),
        ({"apns_collapse_id": "x" * 65}, 400, "BadCollapseId"),
        ({"payload": b""}, 400, "PayloadEmpty"),
        ({"payload": {}}, 400, "PayloadEmpty"),
        ({"payload": b"{not json"}, 400, "PayloadEmpty"),
        ({"payload": {"x": "y" * 4090}}, 413, "PayloadTooLarge"),
    ],
)
def test_faulty_push(identity: Identity, change: dict[str, Any], status: int, reason: str) -> None:
    """Each fault has Apple's status and reason."""
    assert _refusal(identity, apns(identity, **change)) == Refusal(status, reason)


@pytest.mark.parametrize(
    "change",
    [
        {"apns_push_type": "background", "apns_priority": "5"},
        {"apns_push_type": None, "apns_priority": None},
        {"apns_expiration": "0"},
        {"apns_collapse_id": "x" * 64},
        {"payload": {"x": "y" * 4087}},
        {"apns_push_type": "voip", "apns_topic": f"{names.CERTIFICATE_TOPIC}.voip", "payload": {"x": "y" * 5000}},
    ],
)
def test_push_at_the_limit(identity: Identity, change: dict[str, Any]) -> None:
    """What Apple just allows is taken."""
    assert _refusal(identity, apns(identity, **change)) is None


def test_provider_token_without_topic(identity: Identity) -> None:
    """A provider token names no topic, so the header has to."""
    authorization = f"bearer {provider_token(identity)}"
    request = apns(identity, is_certified=False, apns_topic=None, authorization=authorization)
    assert _refusal(identity, request) == Refusal(400, "MissingTopic")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({"kid": "OTHERKEY01"}, "InvalidProviderToken"),
        ({"iss": "OTHERTEAM1"}, "InvalidProviderToken"),
        ({"age_s": 3700}, "ExpiredProviderToken"),
        ({"age_s": -600}, "InvalidProviderToken"),
    ],
)
def test_provider_token_of_somebody_else(identity: Identity, token: dict[str, Any], reason: str) -> None:
    """Key, team and age of a provider token are checked."""
    authorization = f"bearer {provider_token(identity, **token)}"
    request = apns(identity, is_certified=False, authorization=authorization)
    assert _refusal(identity, request) == Refusal(403, reason)


def test_provider_token_signed_by_another_key(identity: Identity) -> None:
    """A good form without a good signature is worth nothing."""
    authorization = f"bearer {provider_token(Identity.create())}"
    request = apns(identity, is_certified=False, authorization=authorization)
    assert _refusal(identity, request) == Refusal(403, "InvalidProviderToken")


@pytest.mark.parametrize(
    ("accepts", "is_certified", "is_signed", "reason"),
    [
        ("either", False, False, "MissingProviderToken"),
        ("bearer", True, False, "MissingProviderToken"),
        ("certificate", False, True, "BadCertificate"),
        ("either", True, False, None),
        ("either", False, True, None),
        ("bearer", True, True, None),
        ("certificate", True, True, None),
    ],
)
def test_credentials_that_are_asked_for(
    identity: Identity, accepts: Authentication, is_certified: bool, is_signed: bool, reason: str | None
) -> None:
    """The sandbox can be told to take certificates, provider tokens, or either."""
    authorization = f"bearer {provider_token(identity)}" if is_signed else None
    refusal = _refusal(identity, apns(identity, is_certified=is_certified, authorization=authorization), accepts)
    assert (refusal and refusal.reason) == reason


def test_gone_tells_since_when(identity: Identity) -> None:
    """Only 410 carries a time stamp, in milliseconds."""
    apple = Apns(identity, "either")
    received = apple.receive(apns(identity))
    gone = apple.answer(received, apple.refusal(410), at=1700000000.5, number=None)
    bad = apple.answer(received, apple.refusal(400), at=1700000000.5, number=None)
    assert orjson.loads(gone.body) == {"reason": "Unregistered", "timestamp": 1700000000500}
    assert orjson.loads(bad.body) == {"reason": "BadDeviceToken"}


def test_token_that_nobody_has(identity: Identity) -> None:
    """Zeros are no device of Apple's, of which only good credentials are told."""
    assert _refusal(identity, apns(identity, "0" * 64)) == Refusal(400, "BadDeviceToken")
    unknown = apns(identity, "0" * 64, is_certified=False)
    assert _refusal(identity, unknown) == Refusal(403, "MissingProviderToken")
