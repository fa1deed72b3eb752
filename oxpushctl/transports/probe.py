"""Whether Apple and Google accept the clients' credentials: each is tried with a device that nobody has.

A token of zeros was never handed out. Who shows good credentials is told so (``BadDeviceToken``, ``INVALID_ARGUMENT``
about the token), anybody else what is wrong with them; Google is besides asked to deliver nothing (``validate_only``).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace

from oxpushctl.config.check import Wishes, about, has_error
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.options import ApnsOptions, ClientOptions, FcmOptions
from oxpushctl.config.properties import ENDPOINTS, PROXY, TLS_CA
from oxpushctl.config.reading import Configuration
from oxpushctl.interfaces import Transport
from oxpushctl.model import Message, Outcome, PushUser, Scope, Subscription, Verdict
from oxpushctl.transports.apns import ApnsTransport
from oxpushctl.transports.fcm import FcmTransport

NO_DEVICE = "0" * 64
_DEADLINE_S = 10.0
_NOBODY = PushUser(0, 0)
_PROVIDERS = {"apn": "Apple", "gcm": "Google"}
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
        return await asyncio.gather(*(_tried(client, transport) for client, transport in tried))


async def _tried(client: ClientOptions, transport: Transport) -> Finding:
    subscription = Subscription(_NOBODY, client.client, transport.name, NO_DEVICE)
    payload, options = _PUSHES[transport.name]
    message = Message(str(uuid.uuid4()), subscription, payload, options, notification_id="")
    try:
        async with asyncio.timeout(_DEADLINE_S):
            outcome = await transport.send(message)
    except TimeoutError:
        outcome = Outcome(Verdict.UNREACHABLE, reason=f"no answer within {_DEADLINE_S:g} s")
    return _finding(client, _PROVIDERS[transport.name], outcome)


def _finding(client: ClientOptions, provider: str, outcome: Outcome) -> Finding:
    is_about_device = outcome.verdict is Verdict.THROTTLED and outcome.scope is Scope.DEVICE
    if outcome.verdict in (Verdict.DELIVERED, Verdict.TOKEN_GONE) or is_about_device:
        return about(client, "OXP724", f"{provider} accepts the credentials", Severity.INFO)
    if outcome.are_credentials_refused:
        code, message = "OXP721", f"{provider} refuses the credentials: {outcome.reason}"
    elif outcome.verdict is Verdict.UNREACHABLE:
        code, message = "OXP722", f"{provider} cannot be asked: {outcome.reason}"
    else:
        code, message = "OXP723", f"{provider} would not take pushes: {outcome.reason}"
    # What is said of an attempt without an answer is about pushes that wait.
    is_unanswered = outcome.status is None and not outcome.are_credentials_refused
    hint = f"check network and firewall, and {PROXY.key}" if is_unanswered else outcome.advice
    return replace(about(client, code, message), hint=hint)
