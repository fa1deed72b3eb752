"""Rules between settings, and about the files that they name."""

from __future__ import annotations

from itertools import chain

from oxpushctl.config.check import Check
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding
from oxpushctl.config.rules import clients, files, hearing, keeping, listeners, mail, network, public, unused

_RULES: tuple[Check, ...] = (
    *network.RULES,
    *files.RULES,
    *public.RULES,
    *mail.RULES,
    *keeping.RULES,
    *listeners.RULES,
    *hearing.RULES,
    *clients.RULES,
    *unused.RULES,
)


def found(configuration: Configuration) -> list[Finding]:
    """Return what contradicts, is missing or leads nowhere; a setting with an error of its own is left out."""
    return list(chain.from_iterable(rule(configuration) for rule in _RULES))
