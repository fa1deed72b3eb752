"""Rules about addresses: where requests arrive, and where pushes go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.hosts import host_of, is_this_machine
from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS
from oxpushctl.config.own import (
    ADMIN_LISTEN,
    ADMIN_LOGIN,
    ADMIN_PASSWORD,
    APNS_PRODUCTION,
    APNS_SANDBOX,
    ENDPOINTS,
    FCM_ENDPOINT,
    INTAKE_LISTEN,
    PUBLIC_LISTEN,
    TLS_CERTIFICATE,
    TLS_KEY,
)
from oxpushctl.config.properties import DELAY_DURATION, KNOWN_PROXIES, MAX_DELAY_DURATION, REST_LOGIN, REST_PASSWORD
from oxpushctl.config.property import socket_path

# Apple: https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
_HOSTS = {
    APNS_PRODUCTION.key: ("api.push.apple.com",),
    APNS_SANDBOX.key: ("api.sandbox.push.apple.com", "api.development.push.apple.com"),
    FCM_ENDPOINT.key: ("fcm.googleapis.com",),
}


def _rest_credentials(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    missing = [row for row in (REST_LOGIN, REST_PASSWORD) if not settings[row]]
    if missing and not has_error(configuration, REST_LOGIN, REST_PASSWORD):
        message = "is not set: the notify endpoint refuses all requests"
        yield told(configuration, Severity.WARNING, "OXP305", missing[0], message, "set login and password")


def _admin_socket(configuration: Configuration) -> Iterator[Finding]:
    if configuration.settings[ADMIN_LISTEN] or has_error(configuration, ADMIN_LISTEN):
        return
    (address,) = configuration.admin_listen
    try:
        socket_path(address)
    except ValueError:
        message = f"is not set, and the path of {address} is too long for a socket"
        yield told(configuration, Severity.ERROR, "OXP314", ADMIN_LISTEN, message, "set it to another address")


def _plain_http(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    if settings[TLS_CERTIFICATE] or settings[TLS_KEY] or has_error(configuration, TLS_CERTIFICATE, TLS_KEY):
        return
    pair = f"set {TLS_CERTIFICATE.key} and {TLS_KEY.key}"
    if far := _reached_by_others(settings[INTAKE_LISTEN]):
        message = f"takes plain HTTP at {far}: password, senders and subjects cross the network readable"
        hint = f"{pair}, which Dovecot can use from 2.3 on"
        yield told(configuration, Severity.INFO, "OXP327", INTAKE_LISTEN, message, hint)
    if far := _reached_by_others(settings[PUBLIC_LISTEN]):
        message = f"takes plain HTTP at {far}: passwords and sessions cross the network readable"
        # Whoever has proxies has TLS end there, and may keep what is between to itself.
        is_proxied = bool(settings[KNOWN_PROXIES])
        severity = Severity.INFO if is_proxied else Severity.WARNING
        hint = pair if is_proxied else f"{pair}, or listen on this machine only, behind a proxy that has them"
        yield told(configuration, severity, "OXP327", PUBLIC_LISTEN, message, hint)
    if (far := _reached_by_others(settings[ADMIN_LISTEN])) and settings[ADMIN_LOGIN] and settings[ADMIN_PASSWORD]:
        message = f"takes plain HTTP at {far}: the password that commands send crosses the network readable"
        yield told(configuration, Severity.WARNING, "OXP327", ADMIN_LISTEN, message, pair)


def _reached_by_others(addresses: Sequence[str] | None) -> str:
    """Name the addresses that other machines reach."""
    return ", ".join(address for address in addresses or () if not is_this_machine(host_of(address)))


def _plain_requests(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    for url in settings[DOVEADM_ENDPOINTS] if settings[DOVEADM_ENABLED] else ():
        if url.startswith("http:") and not is_this_machine(host_of(url)):
            message = f"uses plain HTTP to {host_of(url)}: the secret crosses the network readable"
            yield told(configuration, Severity.INFO, "OXP327", DOVEADM_ENDPOINTS, message)


def _endpoints(configuration: Configuration) -> Iterator[Finding]:
    for row in ENDPOINTS:
        host = host_of(configuration.settings[row]).lower()
        if host in _HOSTS[row.key]:
            continue
        whose = next((key for key, hosts in _HOSTS.items() if host in hosts), None)
        if whose:
            yield told(configuration, Severity.WARNING, "OXP329", row, f"is set to what {whose} is for: {host}")
        else:
            provider = "Google" if row is FCM_ENDPOINT else "Apple"
            message = f"sends pushes to {host}, which is not {provider}'s: right for a sandbox or a gateway only"
            yield told(configuration, Severity.INFO, "OXP328", row, message)


def _delays(configuration: Configuration) -> Iterator[Finding]:
    delay_ms = configuration.settings[DELAY_DURATION]
    max_delay_ms = configuration.settings[MAX_DELAY_DURATION]
    if 0 < max_delay_ms < delay_ms and not has_error(configuration, DELAY_DURATION, MAX_DELAY_DURATION):
        row = DELAY_DURATION if configuration.settings.is_set(DELAY_DURATION) else MAX_DELAY_DURATION
        message = f"delayDuration is {delay_ms} ms, which is more than maxDelayDuration, {max_delay_ms} ms"
        yield told(configuration, Severity.ERROR, "OXP308", row, message)


RULES: tuple[Check, ...] = (_rest_credentials, _admin_socket, _plain_http, _plain_requests, _endpoints, _delays)
