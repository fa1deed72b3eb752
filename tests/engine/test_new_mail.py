"""From mail event to notification."""

from __future__ import annotations

from dataclasses import replace

from oxpushctl.engine.new_mail import mail_id, notification_of, without_unread
from oxpushctl.model import Address
from tests.engine.parts import BERTA, mail


def test_data_has_the_middleware_s_keys() -> None:
    """A complete event gives every field under the name that apps know."""
    assert notification_of(mail(uid=42), 60.0).data == {
        "folder": "default0/INBOX",
        "id": "42",
        "cid": "default0/INBOX/42",
        "email": "anna@example.com",
        "displayname": "Anna",
        "subject": "Lunch?",
        "unread": 2,
        "teaser": "at noon",
    }


def test_what_is_unknown_is_left_out() -> None:
    """No From, no subject, no text, no uid, no count: only the folder is told."""
    bare = replace(mail(uid=0, subject=""), sender=None, snippet="", unseen=None)
    assert notification_of(bare, 60.0).data == {"folder": "default0/INBOX"}


def test_address_without_name() -> None:
    """An address alone gives no display name."""
    event = replace(mail(), sender=Address("", "anna@example.com"))
    assert "displayname" not in notification_of(event, 60.0).data


def test_repeats_of_a_mail_share_its_id() -> None:
    """Dovecot repeats a request that was answered late: the phone shows the mail once."""
    assert mail_id(mail()) == mail_id(mail())


def test_different_mails_have_different_ids() -> None:
    """User, folder, uidvalidity and uid each make a difference."""
    events = [
        mail(),
        mail(uid=2),
        mail(user=BERTA),
        replace(mail(), uidvalidity=18),
        replace(mail(), folder="INBOX/x"),
    ]
    assert len({mail_id(event) for event in events}) == len(events)


def test_mails_without_uid_are_never_the_same() -> None:
    """Uid 0 names no mail, so two of them must not replace each other on the phone."""
    assert mail_id(mail(uid=0)) != mail_id(mail(uid=0))


def test_late_notification_says_nothing_of_unread() -> None:
    """Everything but the count stays."""
    notification = notification_of(mail(), 60.0)
    assert without_unread(notification).data == {k: v for k, v in notification.data.items() if k != "unread"}
