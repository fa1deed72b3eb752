"""Under which names doveadm knows mailboxes: those that open them, without what a proxy in front adds."""

from __future__ import annotations

from oxpushctl.config.listening import DOVEADM_PROXY_DELIMITER
from oxpushctl.config.settings import Settings


def name_of(login: str, settings: Settings) -> str:
    """Return what stands before the delimiter of com.openexchange.dovecot.doveadm.proxyDelimiter, if any does."""
    delimiter = settings[DOVEADM_PROXY_DELIMITER]
    at = login.find(delimiter) if delimiter else -1
    return login[:at] if at > 0 else login
