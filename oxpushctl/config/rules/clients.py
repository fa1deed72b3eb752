"""Rules about the clients: options and switches that fit each other, and apps that are told of new mail."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from oxpushctl.config import table, writing
from oxpushctl.config.allowed_clients import is_allowed, widened
from oxpushctl.config.check import Check, about, has_error, told
from oxpushctl.config.clients import selection
from oxpushctl.config.clients.options import (
    FACADE_CLIENT,
    FACADE_CLIENTS_FILE,
    is_nearly_facade,
    is_served,
    switch_of,
    transport_of,
)
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.properties import ALLOWED_CLIENTS, SWITCHES, TRANSPORT_OF
from oxpushctl.config.property import Effect
from oxpushctl.config.text import shortened

_SUGGESTIONS = 20  # what is meant is looked for so often only: each time it is compared with every client
# What stands in no id: it comes from a comma that was forgotten, or from a line that ends in a backslash too many.
_LONGEST_LIST = 400  # characters of patterns in a hint
_NO_PATTERN = re.compile(r'[\s"=,;]')


def _clients_switched_off(configuration: Configuration) -> Iterator[Finding]:
    misread = {name for name, row in SWITCHES.items() if has_error(configuration, row)}
    for client in configuration.clients:
        name = switch_of(client)
        is_off = client.is_enabled and not selection.is_switched_on(client, configuration.settings)
        if is_off and name not in misread:
            deciding = selection.deciding_switch(client, configuration.settings)
            yield about(client, Severity.WARNING, "OXP303", f"is configured, but {deciding} is not true")


def _switches_without_client(configuration: Configuration) -> Iterator[Finding]:
    # Of Apple's two switches the one that has no client may be on in place of the other, which is told at the client.
    transports = {transport_of(client) for client in configuration.clients if client.is_enabled}
    for row in SWITCHES.values():
        transport = TRANSPORT_OF[row.key]
        if configuration.settings[row] and transport not in transports and not _are_broken(configuration, transport):
            yield told(configuration, Severity.WARNING, "OXP304", row, "is true, but no client is configured for it")


def _no_client(configuration: Configuration) -> Iterator[Finding]:
    """Told unless a finding says why: a client lost to an error, a switch or another setting that waits for one."""
    if configuration.client_errors or any(client.is_enabled for client in configuration.clients):
        return
    if has_error(configuration, *SWITCHES.values()) or any(configuration.settings[row] for row in SWITCHES.values()):
        return
    if any(_qualified_clients(configuration)):
        return
    message, hint = (
        "no client is configured: nothing is pushed",
        "configure one in pns-apns-options.yml or pns-gcm-options.yml",
    )
    if configuration.clients:
        message, hint = "all clients are switched off in their options: nothing is pushed", "set enabled to true"
    yield Finding(Severity.WARNING, Reach.ENGINE, "OXP326", message, hint)


def _qualified_clients(configuration: Configuration) -> Iterator[Finding]:
    everywhere, by_transport = _known_clients(configuration)
    unknown = 0
    for name, origin in configuration.settings.origins.items():
        match = table.find(name)
        if match is None or not match.client or match.row.effect is Effect.NONE:
            continue
        transport = TRANSPORT_OF.get(match.row.key)
        hint = ""
        if match.client not in everywhere:
            message = f"no options file has a client {shortened(match.client)}"
            unknown += 1
            close = difflib.get_close_matches(match.client, everywhere, n=1) if unknown <= _SUGGESTIONS else []
            hint = f"did you mean {close[0]}?" if close else ""
        elif transport and match.client not in by_transport[transport] and _is_true(configuration, match):
            message = f"is true, but no options file for this transport has a client {shortened(match.client)}"
        else:
            continue
        yield Finding(Severity.WARNING, Reach.ENGINE, "OXP310", message, hint, key=name).at(origin)


def _clients_without_messages(configuration: Configuration) -> Iterator[Finding]:
    # An error in the list may be what keeps a client out of it: one about the file any, one about a client that one.
    lost = {found.client for found in configuration.client_errors if found.file == FACADE_CLIENTS_FILE}
    for client in configuration.clients:
        if not client.is_enabled or is_served(client.client, configuration.facade_clients):
            continue
        if not lost & {"", client.client}:
            message = f"gets no mail pushes: it is not in {FACADE_CLIENTS_FILE}"
            hint = f"did you mean {FACADE_CLIENT}?" if is_nearly_facade(client.client) else ""
            yield about(client, Severity.WARNING, "OXP312", message, hint)


def _every_client_allowed(configuration: Configuration) -> Iterator[Finding]:
    patterns = configuration.settings[ALLOWED_CLIENTS]
    everybody = next((pattern for pattern in patterns if not pattern.strip("*")), "")
    if everybody or not patterns:
        what = f"has the pattern {shortened(everybody)}" if everybody else "is empty"
        yield told(configuration, Severity.WARNING, "OXP306", ALLOWED_CLIENTS, f"{what}: every client is allowed")


def _impossible_patterns(configuration: Configuration) -> Iterator[Finding]:
    patterns = configuration.settings[ALLOWED_CLIENTS]
    broken = [pattern for pattern in patterns if _NO_PATTERN.search(pattern)]
    pieces = tuple(piece for pattern in patterns for piece in _NO_PATTERN.split(pattern) if piece)
    mended = writing.value(ALLOWED_CLIENTS, widened(pieces, _refused(configuration, pieces)))
    # A = is none of somebody's who forgot a comma.
    is_clear = "=" not in "".join(broken) and len(mended) <= _LONGEST_LIST
    hint = f"set it to {mended}" if is_clear else "put commas between patterns"
    for pattern in broken:
        message = f"has the pattern {shortened(pattern)}, which no client's id can match"
        yield told(configuration, Severity.WARNING, "OXP332", ALLOWED_CLIENTS, message, hint)


def _clients_not_allowed(configuration: Configuration) -> Iterator[Finding]:
    if has_error(configuration, ALLOWED_CLIENTS):
        return
    patterns = configuration.settings[ALLOWED_CLIENTS]
    refused = _refused(configuration, patterns)
    if refused and not any(_NO_PATTERN.search(pattern) for pattern in patterns):
        message = f"does not allow {', '.join(refused)}: users of that app are not listened for"
        hint = f"set it to {writing.value(ALLOWED_CLIENTS, widened(patterns, refused))}"
        yield told(configuration, Severity.WARNING, "OXP320", ALLOWED_CLIENTS, message, hint)


def _refused(configuration: Configuration, patterns: Sequence[str]) -> list[str]:
    """Return the clients that get mail pushes, but are allowed by none of the patterns."""
    enabled = {client.client for client in configuration.clients if client.is_enabled}
    served = {client for client in enabled if is_served(client, configuration.facade_clients)}
    return sorted(client for client in served if not is_allowed(client, patterns))


RULES: tuple[Check, ...] = (
    _clients_switched_off,
    _switches_without_client,
    _no_client,
    _qualified_clients,
    _clients_without_messages,
    _every_client_allowed,
    _impossible_patterns,
    _clients_not_allowed,
)


def _known_clients(configuration: Configuration) -> tuple[set[str], dict[str, set[str]]]:
    """Return the ids that any options file has, and those of each transport."""
    # A client may be lost to what is wrong with its options; a finding about one of its properties proves nothing.
    lost = [found for found in configuration.findings if found.client and table.find(found.key) is None]
    by_transport: dict[str, set[str]] = {
        transport: {client.client for client in configuration.clients if transport_of(client) == transport}
        | {found.client for found in lost if found.transport in ("", transport)}
        for transport in TRANSPORT_OF.values()
    }
    return set().union(configuration.facade_clients, *by_transport.values()), by_transport


def _is_true(configuration: Configuration, match: table.Match) -> bool:
    qualifiers = (match.client, match.topic) if match.topic else (match.client,)
    return configuration.settings.qualified(match.row, *qualifiers) is True


def _are_broken(configuration: Configuration, transport: str) -> bool:
    """Tell whether a client of a transport may have been lost to an error."""
    return any(found.transport in ("", transport) for found in configuration.client_errors)
