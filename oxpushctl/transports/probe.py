"""Whether Apple and Google accept the clients' credentials: each is tried with a device that nobody has.

A token of zeros was never handed out. Who shows good credentials is told so (``BadDeviceToken``, ``INVALID_ARGUMENT``
about the token), anybody else what is wrong with them; Google is besides asked to deliver nothing (``validate_only``).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import aclosing

from oxpushctl.config.check import Wishes, about, has_error
from oxpushctl.config.clients.options import ApnsOptions, ClientOptions, FcmOptions
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import APNS_PRODUCTION, APNS_SANDBOX, ENDPOINTS, FCM_ENDPOINT, PROXY, TLS_CA
from oxpushctl.config.property import Property
from oxpushctl.config.settings import Settings
from oxpushctl.interfaces import Transport
from oxpushctl.model import Message, Outcome, PushUser, Scope, Subscription, Verdict
from oxpushctl.transports.apns import ApnsTransport
from oxpushctl.transports.fcm import FcmTransport

NO_DEVICE = "0" * 64
_DEADLINE_S = 10.0
_NOBODY = PushUser(0, 0)
_PROVIDERS = {"apn": "Apple", "gcm": "Google"}
# How the transports begin what they say about the way to a provider, and OpenSSL about an authority.
_NO_TOKEN = "no access token from "
_GOOGLE_TOKENS = "https://oauth2.googleapis.com/"
_UNTRUSTED = "its certificate is not trusted"
_UNKNOWN_AUTHORITY = ("self-signed", "self signed", "issuer certificate")
_PUSHES: Mapping[str, tuple[bytes, Mapping[str, str]]] = {  # transport → payload and options
    "apn": (
        b'{"aps":{"content-available":1}}',
        {"apns-push-type": "background", "apns-priority": "5", "apns-expiration": "0"},
    ),
    "gcm": (b"{}", {"validate_only": "true"}),
}


async def check_providers(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Try the credentials of every usable client, all at the same time, and say what the providers think of them."""
    is_told = has_error(configuration, TLS_CA, PROXY, *ENDPOINTS)
    if wishes.is_offline or not wishes.are_providers_probed or is_told:
        return []
    settings, etc, clients = configuration.settings, configuration.etc, configuration.usable_clients
    apns = [client for client in clients if isinstance(client, ApnsOptions)]
    fcm = [client for client in clients if isinstance(client, FcmOptions)]
    async with (
        aclosing(ApnsTransport.from_settings(settings, apns, etc)) as to_apple,
        aclosing(FcmTransport.from_settings(settings, fcm, etc)) as to_google,
    ):
        tried: list[tuple[ClientOptions, Transport]] = []
        tried += ((client, to_apple) for client in apns)
        tried += ((client, to_google) for client in fcm)
        return await asyncio.gather(*(_tried(client, transport, settings) for client, transport in tried))


async def _tried(client: ClientOptions, transport: Transport, settings: Settings) -> Finding:
    subscription = Subscription(_NOBODY, client.client, transport.name, NO_DEVICE)
    payload, options = _PUSHES[transport.name]
    message = Message(str(uuid.uuid4()), subscription, payload, options, notification_id="")
    try:
        async with asyncio.timeout(_DEADLINE_S):
            outcome = await transport.send(message)
    except TimeoutError:
        outcome = Outcome(Verdict.UNREACHABLE, reason=f"no answer within {_DEADLINE_S:g} s")
    return _finding(client, _PROVIDERS[transport.name], outcome, settings)


def _finding(client: ClientOptions, provider: str, outcome: Outcome, settings: Settings) -> Finding:
    is_about_device = outcome.verdict is Verdict.THROTTLED and outcome.scope is Scope.DEVICE
    if outcome.verdict in (Verdict.DELIVERED, Verdict.TOKEN_GONE) or is_about_device:
        return about(client, Severity.INFO, "OXP724", f"{provider} accepts the credentials")
    if outcome.are_credentials_refused:
        code, message = "OXP721", f"{provider} refuses the credentials: {outcome.reason}"
    elif outcome.verdict is Verdict.UNREACHABLE:
        code, message = "OXP722", f"{provider} cannot be asked: {outcome.reason}"
    else:
        code, message = "OXP723", f"{provider} would not take pushes: {outcome.reason}"
    # What is said of an attempt without an answer is about pushes that wait.
    is_unanswered = outcome.status is None and not outcome.are_credentials_refused
    hint = _way_hint(client, outcome.reason, settings) if is_unanswered else outcome.advice
    return about(client, Severity.WARNING, code, message, hint)


def _way_hint(client: ClientOptions, reason: str, settings: Settings) -> str:
    """Say what to look at where no answer came: whom we trust, an address that somebody set, or the network."""
    if _UNTRUSTED in reason:
        if any(words in reason for words in _UNKNOWN_AUTHORITY):
            return f"name the file of the authority's certificate in {TLS_CA.key}; a firewall may have put it there"
        return (
            f"check that it is the right server, its certificate and this machine's clock: {_address(client, reason)}"
        )
    if row := _own_endpoint(client, reason, settings):
        return f"check {row}, network and firewall, and {PROXY.key}"
    return f"check network and firewall, and {PROXY.key}"


def _own_endpoint(client: ClientOptions, reason: str, settings: Settings) -> str:
    """Return what holds the address that was asked, where it is not the provider's own; else nothing."""
    if _NO_TOKEN in reason:
        return "" if f"{_NO_TOKEN}{_GOOGLE_TOKENS}" in reason else _address(client, reason)
    row = _endpoint(client)
    return "" if settings[row] == row.default else row.key


def _address(client: ClientOptions, reason: str) -> str:
    """Return what names the address that was asked."""
    return "token_uri in the service account's file" if _NO_TOKEN in reason else _endpoint(client).key


def _endpoint(client: ClientOptions) -> Property[str]:
    if isinstance(client, FcmOptions):
        return FCM_ENDPOINT
    return APNS_PRODUCTION if client.is_production else APNS_SANDBOX
