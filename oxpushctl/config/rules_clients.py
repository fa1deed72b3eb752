"""Rules about the clients: options and switches that fit each other, and apps that are told of new mail."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from oxpushctl.config import selection, table
from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.check import Check, about, has_error, told
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.options_reader import FACADE_CLIENTS_FILE
from oxpushctl.config.properties import ALLOWED_CLIENTS, SWITCHES
from oxpushctl.config.property import Effect

if TYPE_CHECKING:
    from oxpushctl.config.reading import Configuration

FACADE_CLIENT = "open-xchange-mobile-api-facade"
# What stands in no id: it comes from a comma that was forgotten, or from a line that ends in a backslash too many.
_NO_PATTERN = re.compile(r'[\s"=,;]')
_SHOWN = 60
_TRANSPORT_OF = {row.key: "gcm" if name == "gcm" else "apn" for name, row in SWITCHES.items()}


def _clients_switched_off(configuration: Configuration) -> Iterator[Finding]:
    misread = {name for name, row in SWITCHES.items() if has_error(configuration, row)}
    for client in configuration.clients:
        name = selection.switch_of(client)
        row = SWITCHES[name]
        is_off = client.is_enabled and not selection.is_switched_on(client, configuration.settings)
        if is_off and name not in misread:
            yield about(client, "OXP303", f"is configured, but {row.key} is not true")


def _switches_without_client(configuration: Configuration) -> Iterator[Finding]:
    # Of Apple's two switches the one that has no client may be on in place of the other, which is told at the client.
    transports = {selection.transport_of(client) for client in configuration.clients if client.is_enabled}
    for row in SWITCHES.values():
        transport = _TRANSPORT_OF[row.key]
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
    message, hint = "no client is configured: nothing is pushed", "write pns-apns-options.yml or pns-gcm-options.yml"
    if configuration.clients:
        message, hint = "all clients are switched off in their options: nothing is pushed", "set enabled to true"
    yield Finding(Severity.WARNING, Reach.ENGINE, "OXP326", message, hint)


def _qualified_clients(configuration: Configuration) -> Iterator[Finding]:
    everywhere, by_transport = _known_clients(configuration)
    for name, origin in configuration.settings.origins.items():
        match = table.find(name)
        if match is None or not match.client or match.row.effect is Effect.NONE:
            continue
        transport = _TRANSPORT_OF.get(match.row.key)
        hint = ""
        if match.client not in everywhere:
            message = f"no options file has a client {match.client}"
            close = difflib.get_close_matches(match.client, everywhere, n=1)
            hint = f"did you mean {close[0]}?" if close else ""
        elif transport and match.client not in by_transport[transport] and _is_true(configuration, match):
            message = f"is true, but no options file for this transport has a client {match.client}"
        else:
            continue
        yield Finding(Severity.WARNING, Reach.ENGINE, "OXP310", message, hint, key=name).at(origin)


def _clients_without_messages(configuration: Configuration) -> Iterator[Finding]:
    if any(finding.file == FACADE_CLIENTS_FILE for finding in configuration.findings):
        return
    for client in configuration.clients:
        if client.is_enabled and not _is_served(configuration, client.client):
            yield about(client, "OXP312", f"gets no mail pushes: it is not in {FACADE_CLIENTS_FILE}")


def _every_client_allowed(configuration: Configuration) -> Iterator[Finding]:
    if not configuration.settings[ALLOWED_CLIENTS]:
        yield told(configuration, Severity.WARNING, "OXP306", ALLOWED_CLIENTS, "is empty: every client is allowed")


def _impossible_patterns(configuration: Configuration) -> Iterator[Finding]:
    for pattern in configuration.settings[ALLOWED_CLIENTS]:
        if _NO_PATTERN.search(pattern):
            shown = pattern if len(pattern) <= _SHOWN else pattern[:_SHOWN] + "…"
            message = f"has the pattern {shown}, which no client's id can match"
            yield told(
                configuration, Severity.WARNING, "OXP332", ALLOWED_CLIENTS, message, "put commas between patterns"
            )


def _clients_not_allowed(configuration: Configuration) -> Iterator[Finding]:
    if has_error(configuration, ALLOWED_CLIENTS):
        return
    patterns = configuration.settings[ALLOWED_CLIENTS]
    served = {c.client for c in configuration.clients if c.is_enabled and _is_served(configuration, c.client)}
    refused = sorted(client for client in served if not is_allowed(client, patterns))
    if refused:
        message = f"does not allow {', '.join(refused)}: users of that app are not listened for"
        wanted = {f"{FACADE_CLIENT}*" if client.startswith(FACADE_CLIENT) else client for client in refused}
        hint = "set it to " + ", ".join(f'"{pattern}"' for pattern in (*patterns, *sorted(wanted)))
        yield told(configuration, Severity.WARNING, "OXP320", ALLOWED_CLIENTS, message, hint)


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


def _is_served(configuration: Configuration, client: str) -> bool:
    """Tell whether the mobile API facade writes messages for a client."""
    return client.startswith(FACADE_CLIENT) or client in configuration.facade_clients


def _known_clients(configuration: Configuration) -> tuple[set[str], dict[str, set[str]]]:
    """Return the ids that any options file has, and those of each transport."""
    # A client may be lost to what is wrong with its options; a finding about one of its properties proves nothing.
    lost = [found for found in configuration.findings if found.client and table.find(found.key) is None]
    by_transport: dict[str, set[str]] = {
        transport: {client.client for client in configuration.clients if selection.transport_of(client) == transport}
        | {found.client for found in lost if found.transport in ("", transport)}
        for transport in _TRANSPORT_OF.values()
    }
    return set().union(configuration.facade_clients, *by_transport.values()), by_transport


def _is_true(configuration: Configuration, match: table.Match) -> bool:
    qualifiers = (match.client, match.topic) if match.topic else (match.client,)
    return configuration.settings.qualified(match.row, *qualifiers) is True


def _are_broken(configuration: Configuration, transport: str) -> bool:
    """Tell whether a client of a transport may have been lost to an error."""
    return any(found.transport in ("", transport) for found in configuration.client_errors)
