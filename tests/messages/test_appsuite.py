"""Messages for web sockets: all that is known of a mail, in the middleware's inner form."""

from __future__ import annotations

import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.errors import BadData
from oxpushctl.messages.appsuite import AppSuite
from oxpushctl.model import NEW_MAIL, Message, Notification, Subscription
from oxpushctl.web import engine_io
from tests.engine.parts import ANTON

_LIMIT = 64 * 1024
_MAIL: dict[str, str | int] = {
    "folder": "default0/INBOX",
    "id": "42",
    "cid": "default0/INBOX/42",
    "email": "jane@example.com",
    "displayname": "Jane Doe",
    "subject": "Lunch? 🍝",
    "unread": 3,
    "teaser": "Shall we meet at noon?",
}


def _rendered(data: dict[str, str | int], limit: int = _LIMIT, token: str = "ws::3-1::ui") -> Message:
    notification = Notification(ANTON, NEW_MAIL, data, "0b6f", at=1000.0, expires_at=2000.0, id="f" * 32)
    return AppSuite().render(notification, Subscription(ANTON, "ui", "websocket", token), limit)


def test_message() -> None:
    """A message has all of the notification's data, and its topic as the name of the event."""
    message = _rendered(_MAIL)

    assert orjson.loads(message.payload) == {"name": NEW_MAIL, "args": [_MAIL], "namespace": "/"}
    assert (message.notification_id, message.options) == ("f" * 32, {})
    assert engine_io.event(message.payload) == b"42" + orjson.dumps([NEW_MAIL, _MAIL])


def test_folder_only() -> None:
    """A mail of which no more than the folder is known says just that."""
    assert orjson.loads(_rendered({"folder": "default0/INBOX"}).payload)["args"] == [{"folder": "default0/INBOX"}]


def test_id() -> None:
    """The id is a UUID that stays the same for the same notification and token, and differs for others."""
    first, again, other = (_rendered(_MAIL, token=token).id for token in ("a", "a", "b"))

    assert first == again != other
    assert str(uuid.UUID(first)) == first


@given(
    st.fixed_dictionaries({key: st.text(st.characters(codec="utf-8"), max_size=500) for key in ("subject", "teaser")}),
    st.integers(300, 2000),
)
def test_fits(texts: dict[str, str], limit: int) -> None:
    """Whatever the texts are, a message keeps within the limit, and all else in it is whole."""
    data = {**_MAIL, **texts}

    message = _rendered(data, limit)

    shown = orjson.loads(message.payload)["args"][0]
    assert len(message.payload) <= limit
    assert {key: shown[key] for key in shown if key not in ("subject", "teaser", "displayname")} == {
        key: data[key] for key in data if key not in ("subject", "teaser", "displayname")
    }
    assert all(shown[key] == data[key] or shown[key].endswith("…") or not shown[key] for key in texts)


def test_data_is_not_changed() -> None:
    """What is cut for one device is whole for the next."""
    data = {**_MAIL, "subject": "x" * 1000}

    _rendered(data, 400)

    assert data["subject"] == "x" * 1000


def test_too_large() -> None:
    """Where the rest alone is too large, nothing can be written."""
    with pytest.raises(BadData):
        _rendered({"folder": "x" * 1000}, 400)


def test_serves() -> None:
    """Web sockets are served, for whichever client; nothing else is."""
    served = [(client, transport) for client in ("ui", "x") for transport in ("websocket", "apn", "gcm")]

    assert [pair for pair in served if AppSuite().serves(*pair)] == [("ui", "websocket"), ("x", "websocket")]
