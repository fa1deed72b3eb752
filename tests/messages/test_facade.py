"""Messages of the mobile API facade: what a phone shows, and what leaves the house for it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config.settings import Settings
from oxpushctl.messages.facade import MobileApiFacade
from oxpushctl.model import NEW_MAIL, Message, Notification, PushUser, Subscription
from tests.engine.parts import HandClock

_ANTON = PushUser(context=1, user=3)
_APP = "open-xchange-mobile-api-facade"
_MAIL_ID = "0b6f" * 8
_MAIL: dict[str, str | int] = {
    "folder": "default0/INBOX",
    "id": "42",
    "cid": "default0/INBOX/42",
    "email": "jane@example.com",
    "displayname": "Jane Doe",
    "subject": "Lunch?",
    "unread": 3,
    "teaser": "Shall we meet at noon?",
}
_NO_KEYS: Mapping[str, object] = {}
_NOW = 1_700_000_000.0
_EXPIRES = _NOW + 14_400.9


def _mail(*missing: str, **changes: str | int) -> Notification:
    data = {key: value for key, value in (_MAIL | changes).items() if key not in missing}
    return Notification(_ANTON, NEW_MAIL, data, _MAIL_ID, at=_NOW, expires_at=_EXPIRES, id="f" * 32)


def _render(
    notification: Notification, transport: str, content: str = "subject", keys: Mapping[str, object] = _NO_KEYS
) -> Message:
    facade = MobileApiFacade.from_settings(Settings({"oxpushctl.push.content": content, **keys}), [], HandClock(_NOW))
    return facade.render(notification, Subscription(_ANTON, _APP, transport, "token"), 4096)


def _shown(
    notification: Notification, content: str = "subject", keys: Mapping[str, object] = _NO_KEYS
) -> dict[str, Any]:
    payload: dict[str, Any] = orjson.loads(_render(notification, "apn", content, keys).payload)
    return payload


def _data(notification: Notification, content: str = "subject") -> dict[str, str]:
    data: dict[str, str] = orjson.loads(_render(notification, "gcm", content).payload)
    return data


def test_apns_message() -> None:
    """A new mail on iOS: title, body, badge, sound, category, and which mail it is."""
    message = _render(_mail(), "apn")

    assert orjson.loads(message.payload) == {
        "aps": {
            "alert": {"title": "Lunch?", "body": "Jane Doe\nLunch?"},
            "badge": 3,
            "sound": "default",
            "category": "new-message-category",
            "thread-id": "default0/INBOX",
        },
        "cid": "default0/INBOX/42",
        "namespace": "/",
    }
    assert message.options == {
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": "1700014400",
        "apns-collapse-id": _MAIL_ID,
    }


def test_fcm_message() -> None:
    """A new mail on Android: data of strings alone, at once, for as long as it is worth it, never collapsed."""
    message = _render(_mail(), "gcm")

    assert orjson.loads(message.payload) == {
        "folder": "default0/INBOX",
        "id": "42",
        "cid": "default0/INBOX/42",
        "email": "jane@example.com",
        "displayname": "Jane Doe",
        "subject": "Lunch?",
        "unread": "3",
        "event_id": _MAIL_ID,
    }
    assert message.options == {"priority": "HIGH", "ttl": "14400s"}


def test_fcm_message_too_late() -> None:
    """A message that has expired asks for no time, not for a negative one."""
    facade = MobileApiFacade.from_settings(Settings({}), [], HandClock(_EXPIRES + 5))
    message = facade.render(_mail(), Subscription(_ANTON, _APP, "gcm", "token"), 4096)

    assert message.options["ttl"] == "0s"


_ALERTS = {
    "none": {"title": "New mail"},
    "sender": {"title": "Jane Doe"},
    "subject": {"title": "Lunch?", "body": "Jane Doe\nLunch?"},
    "full": {"title": "Lunch?", "body": "Jane Doe\nLunch?\nShall we meet at noon?"},
}


@pytest.mark.parametrize("content", _ALERTS)
def test_content_on_ios(content: str) -> None:
    """Each level shows what it names; without words the app may put them in itself."""
    shown = _shown(_mail(), content)

    assert shown["aps"]["alert"] == _ALERTS[content]
    assert shown["aps"].get("mutable-content") == (1 if content == "none" else None)
    assert shown["cid"] == "default0/INBOX/42"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("none", set()),
        ("sender", {"email", "displayname"}),
        ("subject", {"email", "displayname", "subject"}),
        ("full", {"email", "displayname", "subject", "teaser"}),
    ],
)
def test_content_on_android(content: str, words: set[str]) -> None:
    """Each level sends what it names, and always which mail it is."""
    assert set(_data(_mail(), content)) == {"folder", "id", "cid", "unread", "event_id"} | words


@pytest.mark.parametrize("transport", ["apn", "gcm"])
@pytest.mark.parametrize(
    ("content", "secrets"),
    [
        ("none", {"jane@example.com", "Jane Doe", "Lunch?", "Shall"}),
        ("sender", {"Lunch?", "Shall"}),
        ("subject", {"Shall"}),
    ],
)
@pytest.mark.parametrize("missing", [(), ("subject",), ("displayname", "email"), ("subject", "displayname", "email")])
def test_nothing_leaves_below_its_level(
    transport: str, content: str, secrets: set[str], missing: tuple[str, ...]
) -> None:
    """Whatever a mail lacks, nothing of a higher level fills the gap."""
    message = _render(_mail(*missing), transport, content)

    assert [secret for secret in secrets if secret.encode() in message.payload] == []


@pytest.mark.parametrize(
    ("missing", "content", "alert"),
    [
        (("subject",), "subject", {"title": "Jane Doe"}),
        (("subject",), "full", {"title": "Jane Doe", "body": "Shall we meet at noon?"}),
        (("displayname",), "subject", {"title": "Lunch?", "body": "jane@example.com\nLunch?"}),
        (("displayname", "email"), "subject", {"title": "Lunch?"}),
        (("displayname", "email"), "full", {"title": "Lunch?", "body": "Shall we meet at noon?"}),
        (("displayname", "email"), "sender", {"title": "New mail"}),
        (("displayname", "email", "subject"), "full", {"title": "New mail", "body": "Shall we meet at noon?"}),
        (("displayname", "email", "subject"), "subject", {"title": "New mail"}),
    ],
)
def test_mail_that_lacks_words(missing: tuple[str, ...], content: str, alert: dict[str, str]) -> None:
    """A mail without subject or sender is still visible, as well as it can be."""
    assert _shown(_mail(*missing), content)["aps"]["alert"] == alert


@pytest.mark.parametrize("content", ["none", "full"])
@pytest.mark.parametrize(
    ("notification", "where"),
    [
        (_mail("displayname", "email", "subject", "teaser"), {"cid": "default0/INBOX/42"}),
        (_mail("displayname", "email", "teaser", subject=" "), {"cid": "default0/INBOX/42"}),
        (_mail("displayname", "email", "subject", "teaser", "id", "cid"), {"folder": "default0/INBOX"}),
    ],
)
def test_no_words_at_all(content: str, notification: Notification, where: dict[str, str]) -> None:
    """With no words the app is woken in the background, as Apple demands with priority 5, and nothing is shown."""
    message = _render(notification, "apn", content)

    assert orjson.loads(message.payload) == {"aps": {"content-available": 1}, **where, "namespace": "/"}
    assert (message.options["apns-push-type"], message.options["apns-priority"]) == ("background", "5")


def test_uid_unknown() -> None:
    """Without a uid no ``cid`` is invented; iOS learns the folder."""
    notification = _mail("id", "cid")
    shown, data = _shown(notification), _data(notification)

    assert (shown.get("cid"), shown["folder"]) == (None, "default0/INBOX")
    assert (data.get("cid"), data["event_id"]) == (None, _MAIL_ID)


@pytest.mark.parametrize(("changes", "badge"), [({"unread": 0}, 0), ({"unread": 7}, 7), ({"unread": -1}, None)])
def test_badge(changes: dict[str, int], badge: int | None) -> None:
    """The badge is the number of unseen mails, 0 included."""
    assert _shown(_mail(**changes))["aps"].get("badge") == badge


def test_unread_left_out() -> None:
    """Where the engine left the number out there is no badge."""
    assert "badge" not in _shown(_mail("unread"))["aps"]


def test_badge_and_sound_off() -> None:
    """Both can be switched off, and the sound be another."""
    prefix = "com.openexchange.pns.mobile.api.facade.apn."
    off = _shown(_mail(), keys={prefix + "badge.enabled": False, prefix + "sound.enabled": False})
    other = _shown(_mail(), keys={prefix + "sound.filename": "bell.caf"})

    assert {"badge", "sound"} & set(off["aps"]) == set()
    assert other["aps"]["sound"] == "bell.caf"


def test_content_per_client() -> None:
    """A client's own level counts for it, the common one for the others."""
    brand = f"{_APP}-brand1"
    levels = Settings({"oxpushctl.push.content": "full", f"oxpushctl.push.content.{brand}": "none"})
    facade = MobileApiFacade.from_settings(levels, [], HandClock(_NOW))
    shown = {
        client: orjson.loads(facade.render(_mail(), Subscription(_ANTON, client, "apn", "t"), 4096).payload)
        for client in (_APP, brand)
    }

    assert {client: payload["aps"]["alert"] for client, payload in shown.items()} == {
        _APP: _ALERTS["full"],
        brand: _ALERTS["none"],
    }


@pytest.mark.parametrize(
    ("client", "transport", "expected"),
    [
        (_APP, "apn", True),
        (_APP, "gcm", True),
        (f"{_APP}-brand1", "apn", True),
        ("mycompany-facade", "gcm", True),
        ("open-xchange-appsuite", "apn", False),
        ("mycompany", "apn", False),
        (_APP, "websocket", False),
        (_APP, "apns_http2", False),
    ],
)
def test_serves(client: str, transport: str, expected: bool) -> None:
    """The facade's own clients, its brands, and those listed; on the two transports that phones have."""
    facade = MobileApiFacade.from_settings(Settings({}), ["mycompany-facade"], HandClock())

    assert facade.serves(client, transport) == expected


def test_message_id() -> None:
    """A repeat to the same token has the same UUID; another token or notification has another."""
    facade = MobileApiFacade.from_settings(Settings({}), [], HandClock(_NOW))
    tokens = [Subscription(_ANTON, _APP, "apn", token) for token in ("a", "b")]
    ids = [facade.render(_mail(), device, 4096).id for device in (*tokens, *tokens)]
    other = Notification(_ANTON, NEW_MAIL, _MAIL, _MAIL_ID, at=_NOW, expires_at=_EXPIRES, id="e" * 32)

    assert ids[:2] == ids[2:]
    assert len({*ids, facade.render(other, tokens[0], 4096).id}) == 3
    assert all(str(uuid.UUID(value)) == value and uuid.UUID(value).version == 8 for value in ids)
    assert all(uuid.UUID(value).variant == uuid.RFC_4122 for value in ids)


_long = st.text(st.characters(codec="utf-8"), max_size=3000) | st.sampled_from(["🎉" * 5000, "\x01" * 5000])


@given(
    words=st.fixed_dictionaries({}, optional=dict.fromkeys(("email", "displayname", "subject", "teaser"), _long)),
    folder=st.text(st.characters(codec="utf-8"), max_size=400),
    content=st.sampled_from(["none", "sender", "subject", "full"]),
    transport=st.sampled_from(["apn", "gcm"]),
)
def test_payload_fits(words: dict[str, str], folder: str, content: str, transport: str) -> None:
    """Whatever a mail says, its payload is JSON of at most 4096 bytes, and FCM's data are strings."""
    notification = _mail("cid", "email", "displayname", "subject", "teaser", folder=folder)
    notification = Notification(
        _ANTON, NEW_MAIL, {**notification.data, **words}, _MAIL_ID, at=_NOW, expires_at=_EXPIRES
    )
    message = _render(notification, transport, content)

    assert len(message.payload) <= 4096
    payload = orjson.loads(message.payload)
    assert transport == "apn" or all(isinstance(value, str) for value in payload.values())


def test_long_subject() -> None:
    """Of a subject that is too long the beginning is shown, with an ellipsis, and the payload is used well."""
    message = _render(_mail(subject="日本" * 2000), "apn")
    alert = orjson.loads(message.payload)["aps"]["alert"]

    assert 4000 < len(message.payload) <= 4096
    assert alert["title"].startswith("日本日本")
    assert alert["title"].endswith("…")
    assert alert["body"].startswith("Jane Doe\n日本")
