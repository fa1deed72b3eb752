"""One client, one set of options: select among the files that configure it, and tell when they contradict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from oxpushctl.config import table
from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.check import about
from oxpushctl.config.clients.options import (
    FACADE_CLIENTS_FILE,
    UNIFIED_FOLDER,
    ApnsOptions,
    ClientOptions,
    is_nearly_facade,
    is_served,
    switch_of,
    transport_of,
)
from oxpushctl.config.clients.reader import OptionsReading
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.properties import ALLOWED_CLIENTS, APNS_HTTP2_ENABLED, SWITCHES
from oxpushctl.config.settings import Settings
from oxpushctl.model import NEW_MAIL

_OTHER_ID = "OXP207"  # says already that no mail app belongs to the id


def is_switched_on(client: ClientOptions, settings: Settings) -> bool:
    """Tell whether new mail goes out over a client's transport."""
    return settings.qualified(SWITCHES[switch_of(client)], client.client, NEW_MAIL)


def deciding_switch(client: ClientOptions, settings: Settings) -> str:
    """Return which key decides whether new mail goes out over a client's transport, and where it is set, if it is."""
    name = settings.deciding(SWITCHES[switch_of(client)], client.client, NEW_MAIL)
    is_of_client = name != SWITCHES[switch_of(client)].key
    return f"{name} ({settings.origins[name]})" if is_of_client else name


def is_unified(client: ClientOptions) -> bool:
    """Tell whether a client comes from the 8.x folder, where both of Apple's switches serve."""
    return client.origin.file.startswith(UNIFIED_FOLDER)


def select(clients: Iterable[ClientOptions], settings: Settings) -> tuple[tuple[ClientOptions, ...], list[Finding]]:
    """Return one set of options a client and transport.

    What a package delivers is preferred to the YAML files, and what is enabled to what is not.
    """
    groups: defaultdict[tuple[str, str], list[ClientOptions]] = defaultdict(list)
    for client in clients:
        groups[client.client, transport_of(client)].append(_with_switch(client, settings))
    selected: list[ClientOptions] = []
    findings: list[Finding] = []
    for group in groups.values():
        packaged = [client for client in group if client.is_packaged]
        findings += (_overruled(client, packaged[0]) for client in group if packaged and not client.is_packaged)
        chosen, told = _selected(packaged or group, settings)
        selected.append(chosen)
        findings += told
    return tuple(selected), [*findings, *_of_two_generations(selected)]


def of_mail(reading: OptionsReading, settings: Settings) -> tuple[list[ClientOptions], list[Finding]]:
    """Return the clients of the options files, and their findings, without those of the middleware's other modules.

    The 8.x folder is shared with these: what is wrong with a client of theirs is none of ours.
    """
    told_of = {found.client for found in reading.findings if found.file.startswith(UNIFIED_FOLDER)}
    unified = {client.client for client in reading.clients if is_unified(client)} | told_of
    elsewhere = {client.client for client in reading.clients if not is_unified(client)}
    elsewhere |= {found.client for found in reading.findings if not found.file.startswith(UNIFIED_FOLDER)}
    # An error in the facade's list may be what keeps a client out of it: one about the file any.
    if "" in elsewhere:
        return reading.clients, reading.findings
    named = {match.client for match in map(table.find, settings.origins) if match is not None}
    patterns = settings[ALLOWED_CLIENTS]
    allowed = {client for client in unified if patterns and is_allowed(client, patterns)}
    served = {client for client in unified if is_served(client, reading.facade_clients) or is_nearly_facade(client)}
    foreign = unified - {""} - elsewhere - named - allowed - served
    findings = [found for found in reading.findings if found.client not in foreign or found.code == _OTHER_ID]
    of_others = {client.client: client for client in reversed(reading.clients) if client.client in foreign}
    message = "no mail app uses this client, so it is left alone"
    hint = f"one that is to get mail pushes belongs into {FACADE_CLIENTS_FILE}"
    findings += (about(client, Severity.INFO, "OXP216", message, hint) for client in of_others.values())
    return [client for client in reading.clients if client.client not in foreign], findings


def harmless(findings: Iterable[Finding], packaged: Collection[ClientOptions]) -> Iterator[Finding]:
    """Yield findings about the YAML files; what they say of clients that a package delivers is not in use."""
    overruled = {(client.client, transport_of(client)) for client in packaged}
    for found in findings:
        is_overruled = (found.client, found.transport) in overruled
        yield replace(found, severity=Severity.INFO) if is_overruled else found


def _selected(group: Sequence[ClientOptions], settings: Settings) -> tuple[ClientOptions, list[Finding]]:
    findings = [_switched_off(client) for client in group if not client.is_enabled]
    enabled = [client for client in group if client.is_enabled]
    if len(enabled) <= 1:
        return (enabled or group)[0], findings
    switched_on = [client for client in enabled if is_switched_on(client, settings)]
    chosen = switched_on[0] if len(switched_on) == 1 else enabled[0]
    # A package has a set for each of Apple's switches: only where both are on is one of no use.
    rivals = switched_on if chosen.is_packaged else enabled
    others = [client for client in rivals if client is not chosen]
    is_clear = len(switched_on) == 1 or chosen.is_packaged
    return chosen, [*findings, *(_contradiction(chosen, other, is_clear=is_clear) for other in others)]


def _contradiction(chosen: ClientOptions, other: ClientOptions, *, is_clear: bool) -> Finding:
    message = f"is also configured at {chosen.origin}"
    if not is_clear:
        return about(other, Severity.ERROR, "OXP202", message, "keep one of the two")
    why = ": its switch is on" if not chosen.is_packaged else ""
    return about(other, Severity.INFO, "OXP210", f"{message}, which is used{why}")


def _overruled(client: ClientOptions, packaged: ClientOptions) -> Finding:
    message = f"is not used: {packaged.origin.file} delivers this client's options"
    return about(client, Severity.INFO, "OXP212", message)


def _switched_off(client: ClientOptions) -> Finding:
    return about(client, Severity.INFO, "OXP213", "the client is switched off here", option="enabled")


def _of_two_generations(clients: Iterable[ClientOptions]) -> Iterator[Finding]:
    """Tell of each 7.x file that has clients in use beside those of the 8.x folder."""
    in_yaml = [client for client in clients if client.is_enabled and not client.is_packaged]
    unified = next((client for client in in_yaml if is_unified(client)), None)
    if unified is None:
        return
    first = {client.origin.file: client for client in reversed(in_yaml) if not is_unified(client)}
    for client in first.values():
        both = f"has clients, and so has {unified.origin.file}"
        message = f"{both}: the middleware 8.x reads the folder only, here both are read"
        hint = f"move its clients to {UNIFIED_FOLDER}, or remove those that were left behind"
        yield replace(about(client, Severity.WARNING, "OXP214", message, hint), key="", client="")


def _with_switch(client: ClientOptions, settings: Settings) -> ClientOptions:
    if not isinstance(client, ApnsOptions) or not client.is_for_both or is_switched_on(client, settings):
        return client
    if settings.qualified(APNS_HTTP2_ENABLED, client.client, NEW_MAIL):
        return replace(client, switch="apns_http2")
    return client
