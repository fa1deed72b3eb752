"""What doveadm's HTTP API answers when the configuration is checked: whether it is there, and takes our key."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from oxpushctl.config.check import Wishes, has_error, told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS, DOVEADM_SECRET
from oxpushctl.config.mailboxes import lacking_for_doveadm
from oxpushctl.config.own import TLS_CA
from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable
from oxpushctl.listeners.doveadm_http import Endpoint, tls_context

# Somebody waits for the check, and doveadm is asked to do nothing.
_CONNECT_S = 3.0
_ANSWER_S = 5.0
_AT_ONCE = 10


async def check_doveadm(configuration: Configuration, wishes: Wishes) -> list[Finding]:
    """Ask each end-point for nothing, with our key; say what stands in the way."""
    settings = configuration.settings
    secret = settings[DOVEADM_SECRET]
    rows = (DOVEADM_ENABLED, DOVEADM_SECRET, DOVEADM_ENDPOINTS, TLS_CA)
    if wishes.is_offline or secret is None or lacking_for_doveadm(settings) or has_error(configuration, *rows):
        return []
    ca = settings[TLS_CA]
    try:
        tls = tls_context(None if ca is None else configuration.etc / ca)
    except ConfigurationError as error:
        return [told(configuration, Severity.WARNING, "OXP751", DOVEADM_ENDPOINTS, str(error))]
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(url: str) -> Finding | None:
        async with places, aclosing(Endpoint(url, secret, tls, connect_s=_CONNECT_S, answer_s=_ANSWER_S)) as endpoint:
            try:
                await endpoint.prove()
            except NotReachable as error:
                return told(configuration, Severity.WARNING, "OXP751", DOVEADM_ENDPOINTS, str(error))
            except NotPermitted as error:
                return told(configuration, Severity.WARNING, "OXP752", DOVEADM_SECRET, str(error))
        return None

    found = await asyncio.gather(*(ask(url) for url in dict.fromkeys(settings[DOVEADM_ENDPOINTS])))
    return [finding for finding in found if finding is not None]
