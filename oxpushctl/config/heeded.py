"""Which findings the engine of this version minds: those about what it does, not about what listeners would."""

from __future__ import annotations

from oxpushctl.config import table
from oxpushctl.config.finding import Finding
from oxpushctl.config.own import PUBLIC_LISTEN
from oxpushctl.config.properties import CREDSTORAGE_ENABLED
from oxpushctl.config.property import Effect
from oxpushctl.config.settings import Settings

_OF_LISTENERS = frozenset({"OXP317"})
# About log-ins at the mail server, which the engine tries for whoever comes to the public address only.
_OF_LOG_INS = frozenset({"OXP315", "OXP325"})


def is_heeded(found: Finding, settings: Settings) -> bool:
    """Tell whether a finding is about what an engine with these settings does."""
    match = table.find(found.key)
    if match is not None and match.row.effect is not Effect.ENGINE:
        return False
    if found.code in _OF_LOG_INS:
        return settings[PUBLIC_LISTEN] is not None or settings[CREDSTORAGE_ENABLED]
    return found.code not in _OF_LISTENERS
