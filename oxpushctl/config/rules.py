"""Rules between settings, and the files that they name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from oxpushctl.config import selection, table
from oxpushctl.config.check import Check, about, has_error, told
from oxpushctl.config.files import exists
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.options_reader import FACADE_CLIENTS_FILE
from oxpushctl.config.properties import (
    ADMIN_LISTEN,
    ALLOWED_CLIENTS,
    CREDSTORAGE_ENABLED,
    DELAY_DURATION,
    MAX_DELAY_DURATION,
    PASSCRYPT,
    REGISTRATION,
    REST_LOGIN,
    REST_PASSWORD,
    SWITCHES,
    TLS_CA,
    TLS_CERTIFICATE,
    TLS_KEY,
)
from oxpushctl.config.property import Effect, socket_path

if TYPE_CHECKING:
    from oxpushctl.config.reading import Configuration

FACADE_CLIENT = "open-xchange-mobile-api-facade"


def found(configuration: Configuration) -> list[Finding]:
    """Return what contradicts, is missing or leads nowhere; a setting with an error of its own is left out."""
    return list(chain.from_iterable(rule(configuration) for rule in _RULES))


def _rest_credentials(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    missing = [row for row in (REST_LOGIN, REST_PASSWORD) if not settings[row]]
    if missing and not has_error(configuration, REST_LOGIN, REST_PASSWORD):
        message = "is not set: the notify endpoint refuses all requests"
        yield told(configuration, Severity.WARNING, "OXP305", missing[0], message, "set login and password")


def _allowed_clients(configuration: Configuration) -> Iterator[Finding]:
    if not configuration.settings[ALLOWED_CLIENTS]:
        yield told(configuration, Severity.WARNING, "OXP306", ALLOWED_CLIENTS, "is empty: every client is allowed")


def _tls_identity(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    for row, other in ((TLS_CERTIFICATE, TLS_KEY), (TLS_KEY, TLS_CERTIFICATE)):
        if settings[row] and not settings[other] and not has_error(configuration, other):
            yield told(configuration, Severity.ERROR, "OXP307", row, f"is set without {other.key}")


def _named_files(configuration: Configuration) -> Iterator[Finding]:
    for row in (TLS_CERTIFICATE, TLS_KEY, TLS_CA):
        name = configuration.settings[row]
        if name and not exists(configuration.etc / name):
            message = f"there is no file {configuration.etc / name}"
            yield told(configuration, Severity.ERROR, "OXP302", row, message)


def _admin_socket(configuration: Configuration) -> Iterator[Finding]:
    if configuration.settings[ADMIN_LISTEN] or has_error(configuration, ADMIN_LISTEN):
        return
    (address,) = configuration.admin_listen
    try:
        socket_path(address)
    except ValueError:
        message = f"is not set, and the path of {address} is too long for a socket"
        yield told(configuration, Severity.ERROR, "OXP314", ADMIN_LISTEN, message, "set it to another address")


def _delays(configuration: Configuration) -> Iterator[Finding]:
    delay_ms = configuration.settings[DELAY_DURATION]
    max_delay_ms = configuration.settings[MAX_DELAY_DURATION]
    if 0 < max_delay_ms < delay_ms and not has_error(configuration, DELAY_DURATION, MAX_DELAY_DURATION):
        row = DELAY_DURATION if configuration.settings.is_set(DELAY_DURATION) else MAX_DELAY_DURATION
        message = f"delayDuration is {delay_ms} ms, which is more than maxDelayDuration, {max_delay_ms} ms"
        yield told(configuration, Severity.ERROR, "OXP308", row, message)


def _passcrypt(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if settings[PASSCRYPT] or has_error(configuration, PASSCRYPT):
        return
    if settings[CREDSTORAGE_ENABLED]:
        message = f"is true, but {PASSCRYPT.key} is not set"
        yield told(configuration, Severity.ERROR, "OXP309", CREDSTORAGE_ENABLED, message)
    if settings.is_set(REGISTRATION) and settings[REGISTRATION] != "plain":
        message = f"is {settings[REGISTRATION]}, but {PASSCRYPT.key} is not set: registrations are plain"
        yield told(configuration, Severity.WARNING, "OXP311", REGISTRATION, message)


def _clients_switched_off(configuration: Configuration) -> Iterator[Finding]:
    for client in configuration.clients:
        row = SWITCHES[selection.switch_of(client)]
        is_off = client.is_enabled and not selection.is_switched_on(client, configuration.settings)
        if is_off and not has_error(configuration, row):
            yield about(client, "OXP303", f"is configured, but {row.key} is not true")


def _switches_without_client(configuration: Configuration) -> Iterator[Finding]:
    enabled = [client for client in configuration.clients if client.is_enabled]
    switches = {selection.switch_of(client) for client in enabled}
    if "apn" in switches and any(selection.is_unified(client) for client in enabled):
        switches.add("apns_http2")
    for name, row in SWITCHES.items():
        if configuration.settings[row] and name not in switches and not _are_options_broken(configuration, name):
            yield told(configuration, Severity.WARNING, "OXP304", row, "is true, but no client is configured for it")


def _qualified_clients(configuration: Configuration) -> Iterator[Finding]:
    broken = {finding.client for finding in configuration.findings}
    known = {client.client for client in configuration.clients} | configuration.facade_clients | broken
    for name, origin in configuration.settings.origins.items():
        match = table.find(name)
        if match is None or not match.client or match.row.effect is Effect.NONE or match.client in known:
            continue
        close = difflib.get_close_matches(match.client, known, n=1)
        yield Finding(
            Severity.WARNING,
            Reach.ENGINE,
            "OXP310",
            f"no options file has a client {match.client}",
            f"did you mean {close[0]}?" if close else "",
            key=name,
        ).at(origin)


def _clients_without_messages(configuration: Configuration) -> Iterator[Finding]:
    if any(finding.file == FACADE_CLIENTS_FILE for finding in configuration.findings):
        return
    for client in configuration.clients:
        is_served = client.client.startswith(FACADE_CLIENT) or client.client in configuration.facade_clients
        if client.is_enabled and not is_served:
            yield about(client, "OXP312", f"gets no mail pushes: it is not in {FACADE_CLIENTS_FILE}")


_RULES: tuple[Check, ...] = (
    _rest_credentials,
    _allowed_clients,
    _tls_identity,
    _named_files,
    _admin_socket,
    _delays,
    _passcrypt,
    _clients_switched_off,
    _switches_without_client,
    _qualified_clients,
    _clients_without_messages,
)


def _are_options_broken(configuration: Configuration, switch: str) -> bool:
    """Tell whether a client that would be switched on may have been lost to an error."""
    transports = ("", "gcm") if switch == "gcm" else ("", "apn")
    return any(
        found.severity is Severity.ERROR and found.reach is Reach.CLIENT and found.transport in transports
        for found in configuration.findings
    )
