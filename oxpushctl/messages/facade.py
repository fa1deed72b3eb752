"""New-mail messages of the mobile API facade, as its apps for iOS and Android read them.

APNs::

    {"aps":{"alert":{"title":"Lunch?","body":"Jane Doe\\nLunch?"},"badge":3,"sound":"default",
            "category":"new-message-category","thread-id":"default0/INBOX"},
     "cid":"default0/INBOX/42","namespace":"/"}

FCM, the data of a data message, all of it strings::

    {"folder":"default0/INBOX","id":"42","cid":"default0/INBOX/42","email":"jane@example.com","subject":"Lunch?",
     "unread":"3","event_id":"0b6f…"}

How much of a mail may leave the house is said per client by ``oxpushctl.push.content``. A mail without subject is
still shown; one without any words, or a folder of which only a change is known, wakes the app in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from oxpushctl.config.clients.options import is_served
from oxpushctl.config.own import PUSH_CONTENT
from oxpushctl.config.properties import BADGE_ENABLED, SOUND_ENABLED, SOUND_FILENAME
from oxpushctl.config.settings import Settings
from oxpushctl.interfaces import Clock
from oxpushctl.messages.message_id import message_id
from oxpushctl.messages.truncate import fit
from oxpushctl.model import Message, Notification, Subscription

APN = "apn"
GCM = "gcm"

_CATEGORY = "new-message-category"
_NEW_MAIL = "New mail"

# What each level lets out of the house, beside what only says which mail it is.
_WORDS = {
    "none": frozenset[str](),
    "sender": frozenset({"email", "displayname"}),
    "subject": frozenset({"email", "displayname", "subject"}),
    "full": frozenset({"email", "displayname", "subject", "teaser"}),
}
_ALL_WORDS = _WORDS["full"]
# A folder's name stands in a payload up to three times, six bytes a character at worst; without it nothing opens.
_FOLDER_LIMIT = 200


class MobileApiFacade:
    """Writes the messages for the facade's own clients and for those listed in its clients file.

    ``content`` gives the level of a client; ``sound`` is a file name or ``None`` for silence.
    """

    def __init__(
        self,
        clients: Collection[str],
        clock: Clock,
        *,
        content: Callable[[str], str],
        has_badge: bool = True,
        sound: str | None = "default",
    ) -> None:
        self._clients = frozenset(clients)
        self._clock = clock
        self._content = content
        self._has_badge = has_badge
        self._sound = sound

    @classmethod
    def from_settings(cls, settings: Settings, facade_clients: Collection[str], clock: Clock) -> MobileApiFacade:
        """Make the generator that the configuration asks for."""
        return cls(
            facade_clients,
            clock,
            content=lambda client: settings.qualified(PUSH_CONTENT, client),
            has_badge=settings[BADGE_ENABLED],
            sound=settings[SOUND_FILENAME] if settings[SOUND_ENABLED] else None,
        )

    def serves(self, client: str, transport: str) -> bool:
        """Tell whether messages can be written for a client's devices on a transport."""
        return transport in (APN, GCM) and is_served(client, self._clients)

    def render(self, notification: Notification, subscription: Subscription, limit: int) -> Message:
        """Write the message for one device; raise ``BadData`` when ``limit`` is too small for any."""
        words = _WORDS[self._content(subscription.client)]
        write = self._for_apns if subscription.transport == APN else self._for_fcm
        payload, options = write(notification, words, limit)
        return Message(
            id=message_id(notification.id, subscription.token),
            subscription=subscription,
            payload=payload,
            options=options,
            notification_id=notification.id,
        )

    def _for_apns(self, notification: Notification, words: frozenset[str], limit: int) -> tuple[bytes, dict[str, str]]:
        data = notification.data
        mail = _identity(data)
        texts = {key: data[key] for key in data if key in _ALL_WORDS and _text(data, key)}
        is_visible = bool(texts)
        alert = _alert({key: str(texts[key]) for key in texts if key in words}) if is_visible else {}
        document: dict[str, object] = {"aps": self._aps(data.get("unread"), alert, mail.get("folder"), words)}
        if "cid" in mail:
            document["cid"] = mail["cid"]
        elif "folder" in mail:
            document["folder"] = mail["folder"]
        document["namespace"] = "/"
        options = {
            "apns-push-type": "alert" if is_visible else "background",
            "apns-priority": "10" if is_visible else "5",
            "apns-expiration": str(int(notification.expires_at)),
            "apns-collapse-id": notification.mail_id,
        }
        return fit(document, alert, tuple(alert), limit), options

    def _aps(
        self, unread: str | int | None, alert: dict[str, str], folder: str | None, words: frozenset[str]
    ) -> dict[str, object]:
        if not alert:
            return {"content-available": 1}
        aps: dict[str, object] = {"alert": alert}
        if self._has_badge and isinstance(unread, int) and unread >= 0:
            aps["badge"] = unread
        if self._sound is not None:
            aps["sound"] = self._sound
        aps["category"] = _CATEGORY
        if folder is not None:
            aps["thread-id"] = folder
        if not words:
            aps["mutable-content"] = 1  # the app may fetch the words itself and put them in
        return aps

    def _for_fcm(self, notification: Notification, words: frozenset[str], limit: int) -> tuple[bytes, dict[str, str]]:
        data = notification.data
        strings = _identity(data)
        strings.update((key, str(data[key])) for key in data if key == "unread" or key in words)
        strings["event_id"] = notification.mail_id
        ttl_s = max(0, int(notification.expires_at - self._clock.now()))
        return fit(strings, strings, words, limit), {"priority": "HIGH", "ttl": f"{ttl_s}s"}


def _text(data: Mapping[str, str | int], key: str) -> str:
    """Return a text of the message data, blank or missing as an empty one."""
    value = data.get(key)
    return value if isinstance(value, str) and not value.isspace() else ""


def _identity(data: Mapping[str, str | int]) -> dict[str, str]:
    """Return which mail it is, in words that only its mailbox understands: ``folder``, ``id`` and ``cid``."""
    folder, number = _text(data, "folder"), _text(data, "id")
    if not folder or len(folder) > _FOLDER_LIMIT:
        return {}
    if not number:
        return {"folder": folder}
    return {"folder": folder, "id": number, "cid": f"{folder}/{number}"}


def _alert(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the title and, where there is more to say, the body of a visible message."""
    sender = texts.get("displayname") or texts.get("email") or ""
    subject = texts.get("subject", "")
    lines = [sender, subject] if sender and subject else []
    body = "\n".join(line for line in (*lines, texts.get("teaser", "")) if line)
    alert = {"title": subject or sender or _NEW_MAIL}
    if body:
        alert["body"] = body
    return alert
