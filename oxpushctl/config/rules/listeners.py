"""Rules about the implementations of permanent push: Dovecot, IMAP IDLE and Cyrus' notifyd."""

from __future__ import annotations

from collections.abc import Iterator

from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import (
    ALLOW_PERMANENT_PUSH,
    DOVECOT_ENABLED,
    IDLE_ACCOUNT,
    IDLE_ENABLED,
    IDLE_FOLDER,
    IDLE_PERMANENT,
    NOTIFY_ENABLED,
)
from oxpushctl.config.own import PUBLIC_LISTEN

_IMPLEMENTATIONS = (DOVECOT_ENABLED, IDLE_ENABLED, NOTIFY_ENABLED)


def _no_implementation(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    is_off = not any(settings[row] for row in _IMPLEMENTATIONS)
    if not is_off or not settings[ALLOW_PERMANENT_PUSH]:
        return
    if has_error(configuration, ALLOW_PERMANENT_PUSH, *_IMPLEMENTATIONS):
        return
    others = f"{IDLE_ENABLED.key} and {NOTIFY_ENABLED.key}"
    if settings.is_set(ALLOW_PERMANENT_PUSH):
        row, message = ALLOW_PERMANENT_PUSH, f"is true, but {DOVECOT_ENABLED.key}, {others} are false: nobody listens"
    else:
        row, message = DOVECOT_ENABLED, f"is false, and so are {others}: nobody listens for new mail"
    hint = f"enable one of them, or set {ALLOW_PERMANENT_PUSH.key}=false"
    yield told(configuration, Severity.WARNING, "OXP318", row, message, hint)


def _idle_for_sessions(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if not settings[IDLE_ENABLED] or not settings[ALLOW_PERMANENT_PUSH]:
        return
    if not settings[IDLE_PERMANENT] and not has_error(configuration, IDLE_PERMANENT):
        # Where apps are served, that may be what is wanted.
        severity = Severity.INFO if settings[PUBLIC_LISTEN] else Severity.WARNING
        message = f"is true, but {IDLE_PERMANENT.key} is not: it listens for nobody without a session"
        yield told(configuration, severity, "OXP319", IDLE_ENABLED, message)


def _idle_elsewhere(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if not settings[IDLE_ENABLED]:
        return
    if settings[IDLE_ACCOUNT] != 0:
        message = f"is {settings[IDLE_ACCOUNT]}: what opens a mailbox without a session opens the primary account only"
        yield told(configuration, Severity.WARNING, "OXP330", IDLE_ACCOUNT, message, "remove the line")
    if settings[IDLE_FOLDER].upper() != IDLE_FOLDER.default:
        message = f"is {settings[IDLE_FOLDER]}: new mail in INBOX is not heard of"
        yield told(configuration, Severity.INFO, "OXP330", IDLE_FOLDER, message)


RULES: tuple[Check, ...] = (_no_implementation, _idle_for_sessions, _idle_elsewhere)
