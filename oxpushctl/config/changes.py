"""What changed between versions of the middleware: old configurations are read as they were meant, and told of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_ENABLED, IDLE_PUSH_MODE, NOTIFY_ENABLED
from oxpushctl.config.properties import ALLOWED_CLIENTS, DELAY_DURATION


class What(enum.Enum):
    """What happened to a key."""

    RENAMED = "renamed"
    REMOVED = "removed"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Change:
    """One key's change in the middleware's ``version``.

    ``now`` is the new key of a renamed one, the new default of one that kept its name, and for a removed one what to
    do; ``before`` the old default.
    """

    key: str
    what: What
    version: str
    now: str
    before: str = ""


_PUSH = "com.openexchange.push."
_APN = "com.openexchange.pns.transport.apn.ios."
_YAML = "the clients' options stand in pns-apns-options.yml now"

CHANGES: tuple[Change, ...] = (
    Change(_PUSH + "imapidle.pushmode", What.RENAMED, "7.6.2", IDLE_PUSH_MODE.key),
    Change(_PUSH + "imapidle.errordelay", What.REMOVED, "7.6.2", "remove the line: back-off after errors is built in"),
    Change(_PUSH + "imapidle.debug", What.REMOVED, "7.6.2", "remove the line: oxpushctl -v logs more"),
    Change(
        _PUSH + "dovecot.endpoint.host",
        What.REMOVED,
        "7.10.4",
        "remove the line: push_notification_driver of Dovecot names the address",
    ),
    Change(
        _APN + "feedbackQueryInterval",
        What.REMOVED,
        "7.10.5",
        "remove the line: over HTTP/2 Apple tells of a token that is gone in the answer to a push",
    ),
    Change(_APN + "keystore", What.REMOVED, "7.8.3", _YAML),
    Change(_APN + "password", What.REMOVED, "7.8.3", _YAML),
    Change(_APN + "production", What.REMOVED, "7.8.3", _YAML),
    Change(DOVECOT_ENABLED.key, What.DEFAULT, "8.13", "false", before="true"),
    Change(IDLE_ENABLED.key, What.DEFAULT, "8.13", "false", before="true"),
    Change(NOTIFY_ENABLED.key, What.DEFAULT, "8.13", "false", before="true"),
    Change(_PUSH + "malpoll.enabled", What.DEFAULT, "8.13", "false", before="true"),
    Change(
        ALLOWED_CLIENTS.key,
        What.DEFAULT,
        "7.10",
        '"USM-EAS*", "open-xchange-mobile-api-facade*"',
        before='"USM-EAS*", "USM-JSON*", "open-xchange-mailapp"',
    ),
    Change(DELAY_DURATION.key, What.DEFAULT, "7.8.3", "1000", before="3000"),
    Change("com.openexchange.pns.timerFrequency", What.DEFAULT, "7.8.3", "500", before="1500"),
    Change("com.openexchange.pns.numProcessorThreads", What.DEFAULT, "8.0", "4", before="10"),
    Change(_PUSH + "imapidle.clusterLock", What.DEFAULT, "7.10", "local in the shipped file", before="hz"),
)

RENAMED = {change.key: change for change in CHANGES if change.what is What.RENAMED}
REMOVED = {change.key: change for change in CHANGES if change.what is What.REMOVED}
# The middleware's default today, where it is not the one here; a bare 8.x installation relies on it.
DEFAULTS_OF_8 = {change.key: change for change in CHANGES if change.what is What.DEFAULT and change.version >= "8"}


def changes_of(key: str) -> tuple[Change, ...]:
    """Return the changes that a key, or what was renamed to it, went through."""
    return tuple(change for change in CHANGES if key in (change.key, change.now))
