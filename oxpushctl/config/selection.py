"""One client, one set of options: select among the files that configure it, and tell when they contradict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.options import ApnsOptions, ClientOptions
from oxpushctl.config.options_reader import UNIFIED_FOLDER
from oxpushctl.config.properties import APNS_HTTP2_ENABLED, SWITCHES
from oxpushctl.config.settings import Settings
from oxpushctl.model import NEW_MAIL


def transport_of(client: ClientOptions) -> str:
    """Return the id of the transport that a client's options are for."""
    return "apn" if isinstance(client, ApnsOptions) else "gcm"


def switch_of(client: ClientOptions) -> str:
    """Return the name of the switch that turns a client's options on."""
    return client.switch if isinstance(client, ApnsOptions) else "gcm"


def is_switched_on(client: ClientOptions, settings: Settings) -> bool:
    """Tell whether new mail goes out over a client's transport."""
    return settings.qualified(SWITCHES[switch_of(client)], client.client, NEW_MAIL)


def is_unified(client: ClientOptions) -> bool:
    """Tell whether a client comes from the 8.x folder, where both of Apple's switches serve."""
    return client.origin.file.startswith(UNIFIED_FOLDER)


def select(clients: Iterable[ClientOptions], settings: Settings) -> tuple[tuple[ClientOptions, ...], list[Finding]]:
    """Return one set of options a client and transport; an enabled one is preferred to those that are not."""
    groups: defaultdict[tuple[str, str], list[ClientOptions]] = defaultdict(list)
    for client in clients:
        groups[client.client, transport_of(client)].append(_with_switch(client, settings))
    selected: list[ClientOptions] = []
    findings: list[Finding] = []
    for group in groups.values():
        enabled = [client for client in group if client.is_enabled]
        if len(enabled) <= 1:
            selected.append((enabled or group)[0])
            continue
        switched_on = [client for client in enabled if is_switched_on(client, settings)]
        chosen = switched_on[0] if len(switched_on) == 1 else enabled[0]
        others = [client for client in enabled if client is not chosen]
        selected.append(chosen)
        findings += _tell(chosen, others, is_clear=len(switched_on) == 1)
    return tuple(selected), findings


def _tell(chosen: ClientOptions, others: Sequence[ClientOptions], *, is_clear: bool) -> Iterable[Finding]:
    for other in others:
        yield Finding(
            Severity.INFO if is_clear else Severity.ERROR,
            Reach.CLIENT,
            "OXP210" if is_clear else "OXP202",
            f"is also configured at {chosen.origin}" + (", which is used: its switch is on" if is_clear else ""),
            "" if is_clear else "keep one of the two",
            key=other.client,
            client=other.client,
            transport=transport_of(other),
        ).at(other.origin)


def _with_switch(client: ClientOptions, settings: Settings) -> ClientOptions:
    if not isinstance(client, ApnsOptions) or not is_unified(client) or is_switched_on(client, settings):
        return client
    if settings.qualified(APNS_HTTP2_ENABLED, client.client, NEW_MAIL):
        return replace(client, switch="apns_http2")
    return client
