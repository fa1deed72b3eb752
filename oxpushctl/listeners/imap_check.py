"""What the mail server answers when the configuration is checked: whether it is there, and lets a user in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing

from oxpushctl.config.check import Mailbox, Wishes, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_ENABLED
from oxpushctl.config.own import MASTER_USER, TLS_CA
from oxpushctl.config.properties import (
    AUTH_PROXY_DELIMITER,
    LOGIN_SOURCE,
    MAIL_SERVER_URL,
    MASTER_PASSWORD,
    REQUIRE_TLS,
)
from oxpushctl.listeners.dovecot_case import registers_over_imap
from oxpushctl.listeners.imap import ImapConnection, ImapDoor
from oxpushctl.listeners.imap_troubles import (
    LogInRefused,
    NotAnImapServer,
    ServerBusy,
    ServerUnreachable,
    ServerUntrusted,
    TakesNoPasswords,
)
from oxpushctl.listeners.mail_server import LogIn, MailServer, master_log_in

# Somebody waits for the check. A refused log-in takes Dovecot two seconds, a user's first one a little more.
_CONNECT_S = 5.0
_ANSWER_S = 8.0

_CODES: dict[type[Exception], str] = {
    ServerUnreachable: "OXP711",
    ServerUntrusted: "OXP712",
    NotAnImapServer: "OXP713",
    LogInRefused: "OXP714",
    TakesNoPasswords: "OXP714",
    ServerBusy: "OXP715",
}


async def check_mail_server(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Connect to the mail server and, where a mailbox is given, log in to it; say what stands in the way."""
    settings = configuration.settings
    if wishes.is_offline or has_error(configuration, MAIL_SERVER_URL, REQUIRE_TLS, TLS_CA):
        return []
    server = MailServer.from_settings(settings, configuration.etc)
    if server is None:
        return [] if wishes.mailbox is None else [_warning(configuration, "OXP714", "is not set: nobody is logged in")]
    try:
        door = ImapDoor(server, connect_s=_CONNECT_S, answer_s=_ANSWER_S)
        async with aclosing(await door.connect()) as connection:
            if wishes.mailbox is None:
                return list(_not_offered_yet(configuration, server, connection.capabilities))
            return await _logged_in(configuration, wishes.mailbox, connection)
    except (ServerUnreachable, ServerBusy, LogInRefused) as error:
        return [_warning(configuration, _CODES[type(error)], error.reason, error.hint)]


async def _logged_in(configuration: Configuration, mailbox: Mailbox, connection: ImapConnection) -> list[Finding]:
    log_in, hint = _log_in(configuration, mailbox)
    if log_in is None:
        message = f"nobody is logged in as {mailbox.login!r}: no password is given, and there is no master password"
        return [_warning(configuration, "OXP714", message)]
    try:
        await connection.log_in(log_in)
    except LogInRefused as error:
        return [_warning(configuration, "OXP714", error.reason, error.hint or hint)]
    lacking = list(_lacking(configuration, log_in, connection.capabilities))
    if lacking:
        return lacking
    offered = [word for word in ("METADATA", "IDLE") if word in connection.capabilities]
    message = f"{log_in.name!r} is let in and offered {' and '.join(offered) or 'neither METADATA nor IDLE'}"
    return [told(configuration, Severity.INFO, "OXP718", MAIL_SERVER_URL, message)]


def _log_in(configuration: Configuration, mailbox: Mailbox) -> tuple[LogIn | None, str]:
    """Return what the mailbox is opened with, and what to look at when that is refused."""
    settings = configuration.settings
    if mailbox.password is not None:
        hint = f"check the login ({LOGIN_SOURCE.key} is {settings[LOGIN_SOURCE]}) and the password that was given"
        return LogIn(mailbox.login, mailbox.password), hint
    rows = (MASTER_PASSWORD, MASTER_USER, AUTH_PROXY_DELIMITER) if settings[MASTER_USER] else (MASTER_PASSWORD,)
    names = ", ".join(row.key for row in rows)
    hint = f"check {names}, and the login: {LOGIN_SOURCE.key} is {settings[LOGIN_SOURCE]}"
    if not settings[MASTER_USER]:
        hint += f"; Dovecot takes a master password from a master user only: name it in {MASTER_USER.key}"
    return master_log_in(mailbox.login, settings), hint


def _lacking(configuration: Configuration, log_in: LogIn, offered: frozenset[str]) -> Iterator[Finding]:
    """Say what an enabled implementation needs and the user is not offered."""
    settings = configuration.settings
    if settings[DOVECOT_ENABLED] and registers_over_imap(configuration) and "METADATA" not in offered:
        message = f"{log_in.name!r} is let in, but not offered METADATA: Dovecot takes no registration"
        hint = "Dovecot: imap_metadata = yes within protocol imap of a remote {} with this machine's address"
        yield _warning(configuration, "OXP716", message, hint)
    if settings[IDLE_ENABLED] and "IDLE" not in offered:
        message = f"{log_in.name!r} is let in, but not offered IDLE: nothing tells of new mail"
        yield _warning(configuration, "OXP717", message, "let the mail server offer IDLE to this machine's address")


def _not_offered_yet(configuration: Configuration, server: MailServer, offered: frozenset[str]) -> Iterator[Finding]:
    """Tell of a server that does not offer IDLE to a stranger: only a log-in shows what users are offered."""
    if configuration.settings[IDLE_ENABLED] and "IDLE" not in offered:
        message = f"{server} does not offer IDLE before a log-in; it may do so afterwards"
        hint = "--probe-user U@C logs a user in, and tells"
        yield told(configuration, Severity.INFO, "OXP717", MAIL_SERVER_URL, message, hint)


def _warning(configuration: Configuration, code: str, message: str, hint: str = "") -> Finding:
    return told(configuration, Severity.WARNING, code, MAIL_SERVER_URL, message, hint)
