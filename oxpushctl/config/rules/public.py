"""Rules about who may come in: mail apps at the public address, proxies before it, commands at the admin address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oxpushctl.config import writing
from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.hosts import host_of, is_this_machine
from oxpushctl.config.own import ADMIN_LISTEN, ADMIN_LOGIN, ADMIN_PASSWORD, PUBLIC_LISTEN, SESSION_IDLE, SESSION_MAX_AGE
from oxpushctl.config.properties import KNOWN_PROXIES

_SOCKET = "unix:"
_Place = tuple[str, int] | Path


def _admin_login(configuration: Configuration) -> Iterator[Finding]:
    """A socket is protected by its mode, a TCP address by a login that requests to it carry."""
    settings = configuration.settings
    if has_error(configuration, ADMIN_LOGIN, ADMIN_PASSWORD):
        return
    given = [row for row in (ADMIN_LOGIN, ADMIN_PASSWORD) if settings[row]]
    if given == [ADMIN_LOGIN, ADMIN_PASSWORD]:
        return
    if given:
        other = ADMIN_PASSWORD if given == [ADMIN_LOGIN] else ADMIN_LOGIN
        yield told(configuration, Severity.ERROR, "OXP337", given[0], f"is set without {other.key}", f"set {other.key}")
        return
    open_to_all = [address for address in settings[ADMIN_LISTEN] or () if not address.startswith(_SOCKET)]
    if open_to_all:
        message = f"has {', '.join(open_to_all)}, but {ADMIN_LOGIN.key} and {ADMIN_PASSWORD.key} are not set"
        hint = "set both, or use the default, a socket in the state folder"
        yield told(configuration, Severity.ERROR, "OXP334", ADMIN_LISTEN, message, hint)


def _public_is_admin(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if has_error(configuration, ADMIN_LISTEN):
        return
    admin = {_place(address) for address in configuration.admin_listen}
    shared = [address for address in settings[PUBLIC_LISTEN] or () if _place(address) in admin]
    if shared:
        message = f"has {', '.join(shared)}, where {ADMIN_LISTEN.key} is: strangers would reach what commands use"
        yield told(configuration, Severity.ERROR, "OXP338", PUBLIC_LISTEN, message, "use another address for one")


def _place(address: str) -> _Place:
    """Return where an address is, however it is written."""
    if address.startswith(_SOCKET):
        return Path(address.removeprefix(_SOCKET))
    return host_of(address).lower(), int(address.rpartition(":")[2])


def _any_proxy(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    everybody = [str(network) for network in settings[KNOWN_PROXIES] if network.prefixlen == 0]
    if settings[PUBLIC_LISTEN] and everybody:
        message = f"has {' and '.join(everybody)}: everybody may say to come from any address"
        hint = "name your proxies only"
        yield told(configuration, Severity.WARNING, "OXP339", KNOWN_PROXIES, message, hint)


def _unknown_proxy(configuration: Configuration) -> Iterator[Finding]:
    """Nothing but a proxy on this machine brings apps to an address of the loopback."""
    settings = configuration.settings
    # Whoever comes through a socket is taken for a proxy anyway.
    ports = [address for address in settings[PUBLIC_LISTEN] or () if not address.startswith(_SOCKET)]
    if has_error(configuration, KNOWN_PROXIES) or settings[KNOWN_PROXIES] or not ports:
        return
    if all(is_this_machine(host_of(address)) for address in ports):
        message = f"is of this machine only, and {KNOWN_PROXIES.key} is not set: all apps have the proxy's address"
        hint = f"set {KNOWN_PROXIES.key}={KNOWN_PROXIES.example.partition(',')[0]} if a proxy there brings the apps"
        yield told(configuration, Severity.INFO, "OXP343", PUBLIC_LISTEN, message, hint)


def _sessions(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if not settings[PUBLIC_LISTEN] or has_error(configuration, SESSION_IDLE, SESSION_MAX_AGE):
        return
    idle_s, max_age_s = settings[SESSION_IDLE], settings[SESSION_MAX_AGE]
    for row, seconds in ((SESSION_IDLE, idle_s), (SESSION_MAX_AGE, max_age_s)):
        if not seconds:
            message = "is 0: every session has ended before its first request"
            yield told(configuration, Severity.WARNING, "OXP340", row, message, "set it to 1h, say")
            return
    if idle_s > max_age_s:
        idle, max_age = writing.duration(idle_s), writing.duration(max_age_s)
        row, message = SESSION_IDLE, f"is {idle}, longer than {SESSION_MAX_AGE.key}, {max_age}: it ends no session"
        if not settings.is_set(SESSION_IDLE):
            row, message = SESSION_MAX_AGE, f"is {max_age}, shorter than {SESSION_IDLE.key}, {idle}, which ends none"
        yield told(configuration, Severity.WARNING, "OXP340", row, message)


RULES: tuple[Check, ...] = (_admin_login, _public_is_admin, _any_proxy, _unknown_proxy, _sessions)
