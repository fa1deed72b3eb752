"""What stands in a row of the outbox: an event or a message, sealed so that only this node can read it.

::

    ┌─────────┬────────────────┬───────────────┬─────────────────────────────┬────────────┐
    │ version │ salt of a run  │ serial number │ JSON, encrypted             │ tag        │
    │ 1 byte  │ 16 bytes       │ 8 bytes       │                             │ 16 bytes   │
    └─────────┴────────────────┴───────────────┴─────────────────────────────┴────────────┘

AES-256-GCM (NIST SP 800-38D); each run of the engine has a key of its own, HKDF-SHA256 (RFC 5869) of the node's key
and the salt, so that a serial number is never used twice with one key. What kind of row it is, is authenticated.

An older and a newer program read each other's records: keys that are not known are left out, keys that are missing
have their defaults. Only what an older one would misunderstand gets another version.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from oxpushctl.errors import BadData
from oxpushctl.model import Address, Entry, MailEvent, Notification, PushUser, Subscription

KEY_BYTES = 32
VERSION = 1

EVENT, ENTRY, HEARD = b"event", b"entry", b"heard"

_SALT_BYTES, _SERIAL_BYTES = 16, 8
_HEAD_BYTES = 1 + _SALT_BYTES + _SERIAL_BYTES
_MOST_RUNS = 64


class NewerRecord(BadData):
    """A record that a newer version wrote: it is kept for that."""


class Sealer:
    """Seals and opens rows with a node's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._ciphers: dict[bytes, AESGCM] = {}
        self._salt = os.urandom(_SALT_BYTES)
        self._cipher = self._of_run(self._salt)
        self._head = bytes([VERSION]) + self._salt
        self._serial = 0

    def seal(self, kind: bytes, content: object) -> bytes:
        """Return the row of some JSON."""
        self._serial += 1
        serial = self._serial.to_bytes(_SERIAL_BYTES)
        return self._head + serial + self._cipher.encrypt(_nonce(serial), _dumped(content), kind)

    def open(self, kind: bytes, row: bytes) -> Any:
        """Return the JSON of a row.

        Raise ``NewerRecord``, or ``BadData`` for what is damaged or was sealed with another key.
        """
        if row[:1] > bytes([VERSION]):
            raise NewerRecord(f"a record of version {row[0]}, this program knows {VERSION}")
        salt, serial = row[1 : 1 + _SALT_BYTES], row[1 + _SALT_BYTES : _HEAD_BYTES]
        try:
            return orjson.loads(self._of_run(salt).decrypt(_nonce(serial), row[_HEAD_BYTES:], kind))
        except (InvalidTag, ValueError) as error:
            raise BadData("a record that is damaged, or sealed with another key") from error

    def _of_run(self, salt: bytes) -> AESGCM:
        cipher = self._ciphers.get(salt)
        if cipher is None:
            if len(self._ciphers) >= _MOST_RUNS:
                self._ciphers.clear()
            derived = HKDF(SHA256(), KEY_BYTES, salt, b"oxpushctl outbox").derive(self._key)
            cipher = self._ciphers[salt] = AESGCM(derived)
        return cipher


def event_record(event: MailEvent) -> Mapping[str, object]:
    """Return an event as JSON."""
    sender = event.sender
    return {
        "context": event.user.context,
        "user": event.user.user,
        "folder": event.folder,
        "uidvalidity": event.uidvalidity,
        "uid": event.uid,
        "sender": None if sender is None else [sender.name, sender.email],
        "subject": event.subject,
        "snippet": event.snippet,
        "unseen": event.unseen,
        "heard_by": event.heard_by,
        "at": event.at,
        "id": event.id,
    }


def read_event(record: Mapping[str, Any]) -> MailEvent:
    """Return the event of a record; raise ``BadData`` for one that lacks what makes an event."""
    try:
        sender = record.get("sender")
        return MailEvent(
            PushUser(record["context"], record["user"]),
            record["folder"],
            record.get("uidvalidity", 0),
            record.get("uid", 0),
            None if sender is None else Address(sender[0], sender[1]),
            record.get("subject", ""),
            record.get("snippet", ""),
            record.get("unseen"),
            record.get("heard_by", ""),
            record["at"],
            record["id"],
        )
    except (KeyError, TypeError, IndexError) as error:
        raise BadData("a record that is no event") from error


def entry_record(entry: Entry) -> Mapping[str, object]:
    """Return a message that waits as JSON."""
    notification, subscription = entry.notification, entry.subscription
    return {
        "context": notification.user.context,
        "user": notification.user.user,
        "topic": notification.topic,
        "data": dict(notification.data),
        "mail_id": notification.mail_id,
        "at": notification.at,
        "expires_at": notification.expires_at,
        "priority": notification.priority,
        "id": notification.id,
        "more": notification.more,
        "client": subscription.client,
        "transport": subscription.transport,
        "token": subscription.token,
        "topics": subscription.topics,
        "expires_ms": subscription.expires_ms,
        "changed_ms": subscription.changed_ms,
        "subscription": subscription.id.hex(),
        "attempts": entry.attempts,
    }


def read_entry(record: Mapping[str, Any]) -> Entry:
    """Return the message of a record; raise ``BadData`` for one that lacks what makes a message."""
    try:
        user = PushUser(record["context"], record["user"])
        notification = Notification(
            user,
            record["topic"],
            record["data"],
            record["mail_id"],
            record["at"],
            record["expires_at"],
            record.get("priority", "high"),
            record["id"],
            more=record.get("more", 0),
        )
        subscription = Subscription(
            user,
            record["client"],
            record["transport"],
            record["token"],
            tuple(record.get("topics", ())),
            record.get("expires_ms"),
            record.get("changed_ms", 0),
            bytes.fromhex(record["subscription"]),
        )
        return Entry(notification, subscription, record.get("attempts", 0))
    except (KeyError, TypeError, ValueError) as error:
        raise BadData("a record that is no message") from error


def _nonce(serial: bytes) -> bytes:
    return serial.rjust(12, b"\0")


def _dumped(content: object) -> bytes:
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:  # half a character, as a mail server may send it
        return orjson.dumps(_whole(content))


def _whole(content: Any) -> Any:
    if isinstance(content, str):
        return content.encode("utf-8", "replace").decode()
    if isinstance(content, Mapping):
        return {key: _whole(value) for key, value in content.items()}
    return [_whole(each) for each in content] if isinstance(content, list | tuple) else content
