"""Rules about what opens the mailboxes: the mail server, the master password, kept passwords and doveadm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.hosts import host_of, is_imaps, is_this_machine
from oxpushctl.config.listening import (
    ALLOW_PERMANENT_PUSH,
    CREDSTORAGE_RDB,
    DOVEADM_ENABLED,
    DOVEADM_ENDPOINTS,
    DOVEADM_SECRET,
    DOVECOT_ENABLED,
    IDLE_ENABLED,
    IDLE_PERMANENT,
    PREFER_DOVEADM,
)
from oxpushctl.config.properties import (
    AUTH_PROXY_DELIMITER,
    AUTH_TYPE,
    CREDSTORAGE_ENABLED,
    MAIL_SERVER_URL,
    MASTER_PASSWORD,
    MASTER_USER,
    PASSCRYPT,
    PASSWORD_SOURCE,
    REGISTRATION,
    REQUIRE_TLS,
)
from oxpushctl.config.property import Property

if TYPE_CHECKING:
    from oxpushctl.config.reading import Configuration

_GLOBAL = f"{PASSWORD_SOURCE.key}=global"


def _mail_server(configuration: Configuration) -> Iterator[Finding]:
    if configuration.settings[MAIL_SERVER_URL] or has_error(configuration, MAIL_SERVER_URL):
        return
    message = "is not set: no mailbox is ever logged in to; Dovecot's notify requests work all the same"
    hint = "name the IMAP server, such as imaps://mail.example.com"
    yield told(configuration, Severity.WARNING, "OXP315", MAIL_SERVER_URL, message, hint)


def _clear_text(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    server = settings[MAIL_SERVER_URL]
    if server is None or settings[REQUIRE_TLS] or is_imaps(server) or is_this_machine(host_of(server)):
        return
    message = f"is false: whoever sits between here and {host_of(server)} can read every password"
    yield told(configuration, Severity.WARNING, "OXP325", REQUIRE_TLS, message, "remove the line, or use imaps://")


def _master_password(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if _is_global(configuration) and not settings[MASTER_PASSWORD] and not has_error(configuration, MASTER_PASSWORD):
        message = f"is global, but {MASTER_PASSWORD.key} is not set"
        hint = f"put it into a file and set {MASTER_PASSWORD.key}.file=/path"
        yield told(configuration, Severity.ERROR, "OXP316", PASSWORD_SOURCE, message, hint)


def _passcrypt(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if settings[PASSCRYPT] or has_error(configuration, PASSCRYPT, REGISTRATION):
        return
    if settings[CREDSTORAGE_ENABLED]:
        message = f"is true, but {PASSCRYPT.key} is not set"
        hint = "set it to the same text on every node"
        yield told(configuration, Severity.ERROR, "OXP309", CREDSTORAGE_ENABLED, message, hint)
    elif settings.is_set(REGISTRATION) and settings[REGISTRATION] != "plain":
        message = f"is {settings[REGISTRATION]}, but {PASSCRYPT.key} is not set: registrations are plain"
        yield told(configuration, Severity.WARNING, "OXP311", REGISTRATION, message)
    elif not settings.is_set(REGISTRATION):
        message = f"is not set, nor is {PASSCRYPT.key}: registrations are plain"
        hint = f"set a passcrypt to have them signed, or {REGISTRATION.key}=plain if that is what you want"
        yield told(configuration, Severity.INFO, "OXP311", REGISTRATION, message, hint)


def _nobody_logs_in(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    rows = (PASSWORD_SOURCE, CREDSTORAGE_ENABLED, DOVEADM_ENABLED, DOVECOT_ENABLED, IDLE_ENABLED, IDLE_PERMANENT)
    if not settings[MAIL_SERVER_URL] or not settings[ALLOW_PERMANENT_PUSH] or has_error(configuration, *rows):
        return
    if _is_global(configuration) or settings[CREDSTORAGE_ENABLED]:
        return
    needs_login = [
        name
        for name, is_needed in (
            ("Dovecot", settings[DOVECOT_ENABLED] and not settings[DOVEADM_ENABLED]),
            ("IMAP IDLE", settings[IDLE_ENABLED] and settings[IDLE_PERMANENT]),
        )
        if is_needed
    ]
    if needs_login:
        who = " and ".join(needs_login)
        message = f"has no log-in for {who} without a session: neither a master password nor kept ones are set up"
        hint = f"set {DOVEADM_ENABLED.key}=true"
        if _takes_passwords(configuration):
            hint = f"set {_GLOBAL}, or {CREDSTORAGE_ENABLED.key}=true"
        yield told(configuration, Severity.WARNING, "OXP317", MAIL_SERVER_URL, message, hint)


def _tokens_only(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if _takes_passwords(configuration):
        return
    useless = [
        written
        for row, is_used, written in (
            (PASSWORD_SOURCE, _is_global(configuration), "the master password"),
            (CREDSTORAGE_ENABLED, settings[CREDSTORAGE_ENABLED], "kept passwords"),
        )
        if is_used and not has_error(configuration, row)
    ]
    if useless:
        message = (
            f"is {settings[AUTH_TYPE]}: the mail server takes tokens of live sessions, not {' and '.join(useless)}"
        )
        hint = "" if settings[DOVEADM_ENABLED] else f"permanent listeners need {DOVEADM_ENABLED.key}=true"
        yield told(configuration, Severity.WARNING, "OXP323", AUTH_TYPE, message, hint)


def _doveadm(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if has_error(configuration, DOVEADM_ENABLED):
        return
    if not settings[DOVEADM_ENABLED]:
        if settings[PREFER_DOVEADM]:
            message = f"is true, but {DOVEADM_ENABLED.key} is not: users are registered over IMAP"
            yield told(configuration, Severity.WARNING, "OXP322", PREFER_DOVEADM, message)
        return
    rows: tuple[Property[str | None] | Property[tuple[str, ...]], ...] = (DOVEADM_SECRET, DOVEADM_ENDPOINTS)
    missing = [row.key for row in rows if not settings[row] and not has_error(configuration, row)]
    if missing:
        message = f"is true, but {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not set: it is not used"
        yield told(configuration, Severity.WARNING, "OXP321", DOVEADM_ENABLED, message)


def _without_effect(configuration: Configuration) -> Iterator[Finding]:
    """What somebody set for a use that another setting rules out."""
    settings = configuration.settings
    is_master_used = _is_global(configuration) or has_error(configuration, PASSWORD_SOURCE)
    for row, is_used, wanted, severity in (
        (MASTER_PASSWORD, is_master_used, f"without {_GLOBAL}", Severity.INFO),
        (MASTER_USER, is_master_used, f"without {_GLOBAL}", Severity.WARNING),
        (AUTH_PROXY_DELIMITER, settings[MASTER_USER], f"without {MASTER_USER.key}", Severity.INFO),
        (CREDSTORAGE_RDB, settings[CREDSTORAGE_ENABLED], f"without {CREDSTORAGE_ENABLED.key}=true", Severity.INFO),
    ):
        if settings[row] and not is_used:
            yield told(configuration, severity, "OXP324", row, f"is of no use {wanted}")


RULES: tuple[Check, ...] = (
    _mail_server,
    _clear_text,
    _master_password,
    _passcrypt,
    _nobody_logs_in,
    _tokens_only,
    _doveadm,
    _without_effect,
)


def _is_global(configuration: Configuration) -> bool:
    return configuration.settings[PASSWORD_SOURCE] == "global"


def _takes_passwords(configuration: Configuration) -> bool:
    """Tell whether the mail server takes passwords at all, rather than tokens of a live session."""
    return configuration.settings[AUTH_TYPE] == "login"
