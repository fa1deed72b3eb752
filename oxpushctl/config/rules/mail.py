"""Rules about what opens the mailboxes: the mail server, the master password, kept passwords and doveadm."""

from __future__ import annotations

from collections.abc import Iterator

from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.hosts import is_this_machine
from oxpushctl.config.listening import (
    ALLOW_PERMANENT_PUSH,
    DOVEADM_ENABLED,
    DOVECOT_ENABLED,
    IDLE_ENABLED,
    IDLE_PERMANENT,
    PREFER_DOVEADM,
)
from oxpushctl.config.mailboxes import (
    KEPT,
    MASTER,
    is_master_wanted,
    lacking_for_doveadm,
    takes_passwords,
    wanted_password,
)
from oxpushctl.config.own import PUBLIC_LISTEN, REGISTRATION
from oxpushctl.config.properties import (
    AUTH_TYPE,
    CREDSTORAGE_ENABLED,
    MAIL_SERVER_URL,
    MASTER_PASSWORD,
    PASSCRYPT,
    PASSWORD_SOURCE,
    REQUIRE_TLS,
)
from oxpushctl.config.settings import Settings

_MASTER_ON = f"{MASTER.switch.key}={MASTER.on}"
_KEPT_ON = f"{KEPT.switch.key}={KEPT.on}"


def _mail_server(configuration: Configuration) -> Iterator[Finding]:
    if configuration.settings[MAIL_SERVER_URL] or has_error(configuration, MAIL_SERVER_URL):
        return
    settings = configuration.settings
    message = "is not set: no mailbox is ever logged in to; Dovecot's notify requests work all the same"
    if settings[PUBLIC_LISTEN]:
        message = f"is not set: nobody can log in at {PUBLIC_LISTEN.key}"
    elif not settings[ALLOW_PERMANENT_PUSH]:
        return  # Then nothing ever logs in.
    hint = "name the IMAP server, such as imaps://mail.example.com"
    yield told(configuration, Severity.WARNING, "OXP315", MAIL_SERVER_URL, message, hint)


def _clear_text(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    server = settings[MAIL_SERVER_URL]
    if server is None or settings[REQUIRE_TLS] or server.is_imaps or is_this_machine(server.host):
        return
    message = f"is false: whoever sits between here and {server.host} can read every password"
    yield told(configuration, Severity.WARNING, "OXP325", REQUIRE_TLS, message, "remove the line, or use imaps://")


def _master_password(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if is_master_wanted(settings) and not settings[MASTER_PASSWORD] and not has_error(configuration, MASTER_PASSWORD):
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
        hint = f"set {REGISTRATION.key}=plain if that is what you want"
        yield told(configuration, Severity.INFO, "OXP311", REGISTRATION, message, hint)


def _nobody_logs_in(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    rows = (PASSWORD_SOURCE, CREDSTORAGE_ENABLED, DOVECOT_ENABLED, IDLE_ENABLED, IDLE_PERMANENT)
    if not settings[MAIL_SERVER_URL] or not settings[ALLOW_PERMANENT_PUSH] or has_error(configuration, *rows):
        return
    if wanted_password(settings):
        return
    needs_login = [
        name
        for name, is_needed in (
            ("Dovecot", settings[DOVECOT_ENABLED] and not _is_doveadm_usable(configuration)),
            ("IMAP IDLE", settings[IDLE_ENABLED] and settings[IDLE_PERMANENT]),
        )
        if is_needed
    ]
    if needs_login:
        who = " and ".join(needs_login)
        message = f"has no log-in for {who} without a session: neither a master password nor kept ones are set up"
        hint = f"set {_MASTER_ON}, or {_KEPT_ON}" if takes_passwords(settings) else _with_doveadm(settings)
        yield told(configuration, Severity.WARNING, "OXP317", MAIL_SERVER_URL, message, hint)


def _tokens_only(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if takes_passwords(settings):
        return
    useless = [
        written
        for row, is_used, written in (
            (PASSWORD_SOURCE, is_master_wanted(settings), "the master password"),
            (CREDSTORAGE_ENABLED, settings[CREDSTORAGE_ENABLED], "kept passwords"),
            (PUBLIC_LISTEN, settings[PUBLIC_LISTEN], f"the passwords that are typed at {PUBLIC_LISTEN.key}"),
        )
        if is_used and not has_error(configuration, row)
    ]
    if useless:
        *others, last = useless
        unfit = f"{', '.join(others)} and {last}" if others else last
        message = f"is {settings[AUTH_TYPE]}: the mail server takes tokens of live sessions, not {unfit}"
        is_usable = _is_doveadm_usable(configuration)
        hint = "" if is_usable else f"permanent listeners need doveadm: {_with_doveadm(settings)}"
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
    missing = [row.key for row in lacking_for_doveadm(settings) if not has_error(configuration, row)]
    if missing:
        message = f"is true, but {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not set: it is not used"
        yield told(configuration, Severity.WARNING, "OXP321", DOVEADM_ENABLED, message)


RULES: tuple[Check, ...] = (
    _mail_server,
    _clear_text,
    _master_password,
    _passcrypt,
    _nobody_logs_in,
    _tokens_only,
    _doveadm,
)


def _is_doveadm_usable(configuration: Configuration) -> bool:
    """Tell whether doveadm is usable, or will be once the errors are mended that are told."""
    return all(has_error(configuration, row) for row in lacking_for_doveadm(configuration.settings))


def _with_doveadm(settings: Settings) -> str:
    """Say how Dovecot serves without a log-in."""
    lacking = [f"{row.key}=true" if row is DOVEADM_ENABLED else row.key for row in lacking_for_doveadm(settings)]
    return f"set {' and '.join(lacking)}" if lacking else "without one only Dovecot serves, with doveadm"
