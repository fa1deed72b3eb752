"""What opens a mailbox for a listener that has no session: the master password, a kept one, or doveadm.

Where log-ins take tokens of a live session only, no password does; doveadm registers users at Dovecot without any.
"""

from __future__ import annotations

from dataclasses import dataclass

from oxpushctl.config.listening import (
    DOVEADM_ENABLED,
    DOVEADM_ENDPOINTS,
    DOVEADM_SECRET,
    DOVECOT_ENABLED,
    PREFER_DOVEADM,
)
from oxpushctl.config.properties import (
    AUTH_TYPE,
    CREDSTORAGE_ENABLED,
    MASTER_PASSWORD,
    PASSCRYPT,
    PASSWORD_SOURCE,
)
from oxpushctl.config.property import Property
from oxpushctl.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Password:
    """A password that opens mailboxes: ``switch`` asks for it when ``on``, and ``needed`` has to be set besides."""

    switch: Property[object]
    on: str
    needed: Property[str | None]


MASTER = Password(PASSWORD_SOURCE, "global", MASTER_PASSWORD)
KEPT = Password(CREDSTORAGE_ENABLED, "true", PASSCRYPT)

_DOVEADM: tuple[Property[object], ...] = (DOVEADM_ENABLED, DOVEADM_SECRET, DOVEADM_ENDPOINTS)


def takes_passwords(settings: Settings) -> bool:
    """Tell whether the mail server takes passwords at all, rather than tokens of a live session."""
    return settings[AUTH_TYPE] == "login"


def is_master_wanted(settings: Settings) -> bool:
    """Tell whether the master password is to open mailboxes: the middleware never takes a kept one then."""
    return settings[PASSWORD_SOURCE] == MASTER.on


def wanted_password(settings: Settings) -> Password | None:
    """Return the password that is to open mailboxes; whether what it needs is set is another question."""
    if is_master_wanted(settings):
        return MASTER
    return KEPT if settings[CREDSTORAGE_ENABLED] else None


def lacking_for_doveadm(settings: Settings) -> list[Property[object]]:
    """Return the properties that have to be set before doveadm is used; none when it is usable."""
    return [row for row in _DOVEADM if not settings[row]]


def is_doveadm_first(settings: Settings) -> bool:
    """Tell whether users are registered at Dovecot over doveadm rather than over IMAP."""
    return settings[PREFER_DOVEADM] and not lacking_for_doveadm(settings)


def why_not_kept(settings: Settings) -> str:
    """Say why the password of nobody who subscribes is kept, or nothing where it is.

    What something else opens, or registers without opening, needs no password: none lies about that nobody reads.
    """
    if not settings[CREDSTORAGE_ENABLED]:
        return f"{CREDSTORAGE_ENABLED.key} is false"
    if is_master_wanted(settings):
        return f"the master password opens all mailboxes, since {PASSWORD_SOURCE.key} is {settings[PASSWORD_SOURCE]}"
    if not takes_passwords(settings):
        return f"the mail server takes tokens, not passwords, since {AUTH_TYPE.key} is {settings[AUTH_TYPE]}"
    if settings[DOVECOT_ENABLED] and is_doveadm_first(settings):
        return f"doveadm registers all users without a password, since {PREFER_DOVEADM.key} is true"
    return ""


def keeps_passwords(settings: Settings) -> bool:
    """Tell whether the password of a session is kept when its user subscribes."""
    return not why_not_kept(settings)
