"""From a mail event to the notification that devices subscribe to: pure."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

from oxpushctl.model import NEW_MAIL, MailEvent, Notification

# The middleware names folders by account: `default0` is the primary one (reference: message data of the Dovecot push).
PRIMARY_ACCOUNT = "default0"


def mail_id(event: MailEvent) -> str:
    """Return 32 hexadecimal digits that every repeat of the same mail shares and that tell nothing about it.

    A uid of 0 names no mail (Dovecot's Maildir did not learn it), so the event's own id takes its place.
    """
    if not event.uid:
        return event.id
    user = event.user
    name = f"{user.context}/{user.user}/{event.uidvalidity}/{event.uid}/{event.folder}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def notification_of(event: MailEvent, max_age_s: float) -> Notification:
    """Turn a new mail into a notification with the middleware's message data; it keeps the event's id."""
    folder = f"{PRIMARY_ACCOUNT}/{event.folder}"
    data: dict[str, str | int] = {"folder": folder}
    if event.uid:
        data["id"] = str(event.uid)
        data["cid"] = f"{folder}/{event.uid}"
    if event.sender is not None:
        if event.sender.email:
            data["email"] = event.sender.email
        if event.sender.name:
            data["displayname"] = event.sender.name
    if event.subject:
        data["subject"] = event.subject
    if event.unseen is not None and event.unseen >= 0:
        data["unread"] = event.unseen
    if event.snippet:
        data["teaser"] = event.snippet
    return Notification(
        user=event.user,
        topic=NEW_MAIL,
        data=data,
        mail_id=mail_id(event),
        at=event.at,
        expires_at=event.at + max_age_s,
        id=event.id,
    )


def without_unread(notification: Notification) -> Notification:
    """Drop the number of unseen mails: late, it would set a badge back to what is no longer true."""
    return replace(notification, data={key: value for key, value in notification.data.items() if key != "unread"})
