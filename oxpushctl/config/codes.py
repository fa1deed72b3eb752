"""The catalogue of findings: stable codes, and a page about each in ``catalogue``."""

from __future__ import annotations

from oxpushctl.config.catalogue import credentials, dovecot, options, rules, sources, stores, world
from oxpushctl.config.catalogue.code import Code

CATALOGUE: dict[str, Code] = {
    row.code: row for module in (sources, options, rules, credentials, stores, dovecot, world) for row in module.CODES
}


def is_syntax(code: str) -> bool:
    """Tell whether a finding is about one text by itself: its syntax, its key or its kind."""
    return code < "OXP3"
