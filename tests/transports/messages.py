"""Messages as the message generators write them."""

from __future__ import annotations

from oxpushctl.model import Message, PushUser, Subscription

IPHONE = "a1" * 32
ANDROID = "dVx_7:APA91b-example_token"
APNS_OPTIONS = {
    "apns-push-type": "alert",
    "apns-priority": "10",
    "apns-expiration": "1800000000",
    "apns-collapse-id": "4f1d",
}
FCM_OPTIONS = {"priority": "HIGH", "ttl": "14400s"}
ID = "5b1f0c2e-7d3a-4c57-9a51-0f9c8e6a2b10"


def apns_message(client: str = "mail", token: str = IPHONE, payload: bytes = b'{"aps":{}}') -> Message:
    """Return a message for an iPhone."""
    return _message("apn", client, token, payload, APNS_OPTIONS)


def fcm_message(client: str = "mail", token: str = ANDROID, **options: str) -> Message:
    """Return a message for an Android device."""
    return _message("gcm", client, token, b'{"subject":"\\u2709"}', {**FCM_OPTIONS, **options})


def _message(transport: str, client: str, token: str, payload: bytes, options: dict[str, str]) -> Message:
    subscription = Subscription(PushUser(1, 3), client, transport, token)
    return Message(ID, subscription, payload, options, notification_id="n1")
