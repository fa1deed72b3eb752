"""What a check of the configuration is, whoever brings it: the rules between settings, each part, and the world.

``rules`` has those of the first kind; ``oxpushctl.checks`` knows the parts, which bring checks of their own: what can
be told from the configuration and the files that it names (``Check``), and what only the network or another program
tells (``WorldCheck``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.config import table
from oxpushctl.config.clients.options import ClientOptions, key_of, place_of, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.property import Property
from oxpushctl.config.settings import Origin


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whom to log in as at the mail server; ``password`` opens that mailbox, ``None``: the master password does."""

    login: str
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a check of the world is asked for.

    ``dovecot_config`` is a file of Dovecot's configuration, or what ``doveconf -n`` printed; ``None``: ask the program,
    where it is at hand. ``mailbox`` is logged in to, and ``are_providers_probed`` has each client's credentials tried.
    ``is_offline``: ask neither the network nor another program; files are read all the same.
    """

    dovecot_config: Path | None = None
    mailbox: Mailbox | None = None
    are_providers_probed: bool = False
    is_offline: bool = False


Check = Callable[[Configuration], Iterable[Finding]]
WorldCheck = Callable[[Configuration, Wishes], Awaitable[Iterable[Finding]]]


_UNREADABLE = frozenset({"OXP001", "OXP002", "OXP008"})


def is_lost(findings: Iterable[Finding], *rows: Property[object]) -> bool:
    """Tell whether one of the properties may stand in a file that cannot be read: its own, or one of any name."""
    files = {
        found.file
        for found in findings
        if found.code in _UNREADABLE and not found.key and found.reach is Reach.ENGINE and "/" not in found.file
    }
    return bool(files & {row.file for row in rows} or files - {row.file for row in table.TABLE})


def has_error(configuration: Configuration, *rows: Property[object]) -> bool:
    """Tell whether an error about one of the properties was found already, or it was lost with its whole file."""
    if is_lost(configuration.findings, *(row for row in rows if not configuration.settings.is_set(row))):
        return True
    matches = (table.find(found.key) for found in configuration.findings if found.severity is Severity.ERROR)
    return any(match is not None and match.row in rows for match in matches)


def told(
    configuration: Configuration, severity: Severity, code: str, row: Property[object], message: str, hint: str = ""
) -> Finding:
    """Return a finding about a property, at the place where it is set."""
    origin = configuration.settings.origin(row) or Origin("")
    return Finding(severity, Reach.ENGINE, code, message, hint, key=row.key).at(origin)


def about(
    client: ClientOptions, severity: Severity, code: str, message: str, hint: str = "", option: str = ""
) -> Finding:
    """Return a finding about a client, at its section, or about one of its options."""
    return Finding(
        severity,
        Reach.CLIENT,
        code,
        message,
        hint,
        key=key_of(client, option) if option else client.client,
        client=client.client,
        transport=transport_of(client),
    ).at(place_of(client, option))
