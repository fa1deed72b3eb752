"""Rules about kept passwords: whether any is kept, and where."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.hosts import is_this_machine
from oxpushctl.config.listening import CREDSTORAGE_RDB, DOVEADM_ENABLED, DOVECOT_ENABLED, PREFER_DOVEADM
from oxpushctl.config.mailboxes import keeps_passwords, takes_passwords, why_not_kept
from oxpushctl.config.own import CREDENTIALS_URL
from oxpushctl.config.properties import AUTH_TYPE, CREDSTORAGE_ENABLED, PASSCRYPT, PASSWORD_SOURCE

_DECIDING = (PASSWORD_SOURCE, AUTH_TYPE, DOVECOT_ENABLED, PREFER_DOVEADM, DOVEADM_ENABLED)


def _never_kept(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if not settings[CREDSTORAGE_ENABLED] or keeps_passwords(settings) or has_error(configuration, *_DECIDING):
        return
    # That the mail server takes none is a finding of its own.
    if takes_passwords(settings):
        message = f"is true, but no password is kept: {why_not_kept(settings)}"
        yield told(configuration, Severity.INFO, "OXP342", CREDSTORAGE_ENABLED, message)


def _in_memory(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    deciding = (CREDSTORAGE_RDB, CREDENTIALS_URL, PASSCRYPT, *_DECIDING)
    if not settings[PASSCRYPT] or has_error(configuration, *deciding):
        return
    if keeps_passwords(settings) and not settings[CREDSTORAGE_RDB] and not settings[CREDENTIALS_URL]:
        message = f"is false, and {CREDENTIALS_URL.key} is not set: kept passwords are gone when the engine stops"
        hint = f"set {CREDSTORAGE_RDB.key}=true, or name a Redis"
        yield told(configuration, Severity.INFO, "OXP341", CREDSTORAGE_RDB, message, hint)


def _plain_redis(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    url = settings[CREDENTIALS_URL]
    if url is None or not settings[CREDSTORAGE_ENABLED] or settings[CREDSTORAGE_RDB]:
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "redis" and not is_this_machine(host):
        message = f"uses no TLS to {host}: what it logs in with crosses the network readable"
        yield told(configuration, Severity.INFO, "OXP327", CREDENTIALS_URL, message, "use rediss://")


RULES: tuple[Check, ...] = (_never_kept, _in_memory, _plain_redis)
