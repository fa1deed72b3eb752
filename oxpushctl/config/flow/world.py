"""What the world answered, where the decision flow asks: findings about Dovecot and the mail server, by their codes.

``config flow`` asks nobody and has none of them; ``config check`` has those that it was asked for.
"""

from __future__ import annotations

from collections.abc import Collection

from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity

_NO_PLACE = "OXP609"  # neither way of registering does without
_NO_METADATA = "OXP606"
# Right where another machine registers.
_METADATA_FOR_OTHERS = ("OXP608", "OXP716")
_MAIL_SERVER = ("OXP711", "OXP712", "OXP713", "OXP714", "OXP715")
_NO_IDLE = "OXP717"
_DOVEADM = ("OXP751", "OXP752")
_DELIVERIES = ("OXP605", "OXP610", "OXP611", "OXP612", "OXP613", "OXP614", "OXP615", "OXP616")


def against_registering(configuration: Configuration, *, is_over_imap: bool) -> str:
    """Return the codes of what keeps mailboxes from being registered at Dovecot; empty if nothing is known of."""
    return _found(configuration, (_NO_METADATA, _NO_PLACE) if is_over_imap else (_NO_PLACE,))


def about_registering(configuration: Configuration, *, is_over_imap: bool) -> str:
    """Return where to read on about registering, or nothing."""
    return _see(_found(configuration, _METADATA_FOR_OTHERS if is_over_imap else ()))


def about_log_in(configuration: Configuration, *, is_for_idle: bool) -> str:
    """Return where to read on about the mail server, or nothing."""
    return _see(_found(configuration, (*_MAIL_SERVER, _NO_IDLE) if is_for_idle else _MAIL_SERVER))


def about_doveadm(configuration: Configuration) -> str:
    """Return where to read on about doveadm, or nothing."""
    return _see(_found(configuration, _DOVEADM))


def against_deliveries(configuration: Configuration) -> str:
    """Say that Dovecot would tell nobody of new mail, with the codes; empty if nothing is known of."""
    codes = _found(configuration, _DELIVERIES, Severity.ERROR)
    return f"no push arrives: Dovecot's own configuration has errors, see {codes}" if codes else ""


def _found(configuration: Configuration, codes: Collection[str], severity: Severity | None = None) -> str:
    found = {each.code for each in configuration.findings if severity in (None, each.severity)}
    return ", ".join(sorted(found.intersection(codes)))


def _see(codes: str) -> str:
    return f"see {codes}" if codes else ""
