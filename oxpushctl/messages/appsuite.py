"""Messages for App Suite's user interface and whoever else listens on a web socket.

::

    {"name":"ox:mail:new","args":[{"folder":"default0/INBOX","id":"42","cid":"default0/INBOX/42",
     "email":"jane@example.com","displayname":"Jane Doe","subject":"Lunch?","unread":3,"teaser":"at noon"}],
     "namespace":"/"}

It is the middleware's inner form, from which the web sockets make the event of Socket.IO. It has all that is known of
the mail, whatever ``oxpushctl.push.content`` says: nothing leaves the house, it goes to the user's own browser, which
shows that mail anyway, over the connection of its session.
"""

from __future__ import annotations

from typing import Any

from oxpushctl.messages.message_id import message_id
from oxpushctl.messages.truncate import fit
from oxpushctl.model import Message, Notification, Subscription

_TRANSPORT = "websocket"
_NAMESPACE = "/"
_TEXTS = ("subject", "teaser", "displayname")


class AppSuite:
    """Writes the messages for web sockets, whichever client they are of."""

    def serves(self, _client: str, transport: str) -> bool:
        """Tell whether messages can be written for a client's devices on a transport."""
        return transport == _TRANSPORT

    def render(self, notification: Notification, subscription: Subscription, limit: int) -> Message:
        """Write the message for one device; raise ``BadData`` when ``limit`` is too small for any."""
        data: dict[str, Any] = dict(notification.data)
        document = {"name": notification.topic, "args": [data], "namespace": _NAMESPACE}
        payload = fit(document, data, _TEXTS, limit)
        return Message(
            id=message_id(notification.id, subscription.token),
            subscription=subscription,
            payload=payload,
            options={},
            notification_id=notification.id,
        )
