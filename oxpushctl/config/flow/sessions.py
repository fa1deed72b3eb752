"""Listeners that are bound to a session: whether users with a web socket are heard although none is permanent."""

from __future__ import annotations

from collections.abc import Sequence

from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_ENABLED, NOTIFY_ENABLED
from oxpushctl.config.mailboxes import takes_passwords
from oxpushctl.config.own import PUBLIC_LISTEN
from oxpushctl.config.properties import (
    ALLOWED_CLIENTS,
    MAIL_SERVER_URL,
    WEBSOCKET_ENABLED,
    WEBSOCKETS_ENABLED,
)
from oxpushctl.config.property import Property
from oxpushctl.model import NEW_MAIL

APP_SUITE = "open-xchange-appsuite"

_IMPLEMENTATIONS: Sequence[tuple[str, Property[bool]]] = (
    ("dovecot", DOVECOT_ENABLED),
    ("imapidle", IDLE_ENABLED),
    ("mailnotify", NOTIFY_ENABLED),
)


def while_connected(configuration: Configuration) -> str:
    """Say that App Suite's users are heard while they have it open; nothing where they are not.

    Its password opens the mailbox then, so the mail server has to be there and to take passwords.
    """
    settings = configuration.settings
    implementation = next((name for name, row in _IMPLEMENTATIONS if settings[row]), None)
    is_served = (
        settings[PUBLIC_LISTEN]
        and settings[MAIL_SERVER_URL]
        and takes_passwords(settings)
        and settings[WEBSOCKETS_ENABLED]
        and settings.qualified(WEBSOCKET_ENABLED, APP_SUITE, NEW_MAIL)
        and is_allowed(APP_SUITE, settings[ALLOWED_CLIENTS])
    )
    if implementation is None or not is_served or configuration.engine_errors:
        return ""
    return f"{implementation} listens for users of {APP_SUITE} as long as they have a web socket open"
