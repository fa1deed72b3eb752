"""Rules about how the implementations hear: addresses, intervals and limits, and users that share a log-in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.hosts import is_this_machine
from oxpushctl.config.listening import (
    IDLE_ENABLED,
    NOTIFY_ENABLED,
    NOTIFY_HOST,
    NOTIFY_MULTICAST,
)
from oxpushctl.config.mailboxes import is_master_wanted
from oxpushctl.config.own import (
    CATCHUP_ENABLED,
    CATCHUP_MAX,
    IDLE_RENEW,
    IDLE_SESSIONS,
    MASTER_USER,
    NOTIFY_SOURCES,
)
from oxpushctl.config.properties import LOGIN_SOURCE

_SHORTEST_RENEW_S, _LONGEST_RENEW_S = 60.0, 29 * 60.0


def _multicast(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if not settings[NOTIFY_ENABLED] or has_error(configuration, NOTIFY_HOST, NOTIFY_MULTICAST):
        return
    host = settings[NOTIFY_HOST]
    if settings[NOTIFY_MULTICAST] and not _is_group(host):
        message = f"is true, but {NOTIFY_HOST.key} is {host}: that is no multicast group"
        hint = f"name one, such as 239.0.0.1, or set {NOTIFY_MULTICAST.key}=false"
        yield told(configuration, Severity.ERROR, "OXP344", NOTIFY_MULTICAST, message, hint)
    elif not settings[NOTIFY_MULTICAST] and _is_group(host):
        message = f"is {host}, a multicast group, but {NOTIFY_MULTICAST.key} is false"
        yield told(configuration, Severity.ERROR, "OXP344", NOTIFY_HOST, message, f"set {NOTIFY_MULTICAST.key}=true")


def _nobody_is_believed(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if not settings[NOTIFY_ENABLED] or has_error(configuration, NOTIFY_HOST, NOTIFY_SOURCES):
        return
    host = settings[NOTIFY_HOST]
    if is_this_machine(host) or any(not network.is_loopback for network in settings[NOTIFY_SOURCES]):
        return
    message = f"has addresses of this machine only, and {NOTIFY_HOST.key} is {host}: no other server's are believed"
    yield told(configuration, Severity.WARNING, "OXP345", NOTIFY_SOURCES, message, "name the mail servers")


def _renewal(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if not settings[IDLE_ENABLED] or _SHORTEST_RENEW_S <= settings[IDLE_RENEW] <= _LONGEST_RENEW_S:
        return
    seconds = settings[IDLE_RENEW]
    message = f"is {seconds:g} s: each IDLE session is asked so often whether it is alive"
    if seconds > _LONGEST_RENEW_S:
        message = f"is {seconds:g} s: a mail server may end a session after half an hour (RFC 2177)"
    yield told(configuration, Severity.WARNING, "OXP346", IDLE_RENEW, message, "set it to 9m, say")


def _no_sessions(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if settings[IDLE_ENABLED] and settings[IDLE_SESSIONS] == 0:
        message = f"is 0, and {IDLE_ENABLED.key} is true: not one session is opened"
        yield told(configuration, Severity.WARNING, "OXP347", IDLE_SESSIONS, message)


def _catching_up(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if settings[CATCHUP_ENABLED] and settings[CATCHUP_MAX] == 0 and not has_error(configuration, CATCHUP_ENABLED):
        message = f"is 0, and {CATCHUP_ENABLED.key} is true: mailboxes are asked, and nothing is pushed"
        hint = f"set {CATCHUP_ENABLED.key}=false"
        yield told(configuration, Severity.WARNING, "OXP348", CATCHUP_MAX, message, hint)


def _shared_names(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if is_master_wanted(settings) and settings[LOGIN_SOURCE] != "login" and not has_error(configuration, LOGIN_SOURCE):
        message = f"is {settings[LOGIN_SOURCE]}: users whose log-ins are the same by that are not listened for"
        hint = f"such as anna@a.example and anna@b.example; login tells them apart, also with {MASTER_USER.key}"
        yield told(configuration, Severity.INFO, "OXP349", LOGIN_SOURCE, message, hint)


RULES: tuple[Check, ...] = (
    _multicast,
    _nobody_is_believed,
    _renewal,
    _no_sessions,
    _catching_up,
    _shared_names,
)


def _is_group(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_multicast
    except ValueError:
        return False
