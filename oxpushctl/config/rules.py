"""Rules between settings, and about the files that they name."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from oxpushctl.config import rules_clients, rules_files, rules_listeners, rules_mail, rules_network
from oxpushctl.config.finding import Finding

if TYPE_CHECKING:
    from oxpushctl.config.check import Check
    from oxpushctl.config.reading import Configuration

_RULES: tuple[Check, ...] = (
    *rules_network.RULES,
    *rules_files.RULES,
    *rules_mail.RULES,
    *rules_listeners.RULES,
    *rules_clients.RULES,
)


def found(configuration: Configuration) -> list[Finding]:
    """Return what contradicts, is missing or leads nowhere; a setting with an error of its own is left out."""
    return list(chain.from_iterable(rule(configuration) for rule in _RULES))
