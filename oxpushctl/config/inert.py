"""Properties of the middleware that nothing here needs: accepted, checked for their kind, told to be inert."""

from __future__ import annotations

from oxpushctl.config.listening import DOVECOT_FILE, IDLE_FILE
from oxpushctl.config.properties import MAIL_FILE, PNS_FILE, PUSH_FILE
from oxpushctl.config.property import BOOLEAN, MILLISECONDS, NATURAL, TEXT, Effect, Kind, Property, choice, choice_or

_PUSH = "com.openexchange.push."
_PNS = "com.openexchange.pns."
_DOVECOT = "com.openexchange.push.dovecot."
_IDLE = "com.openexchange.push.imapidle."
_MALPOLL = "com.openexchange.push.malpoll."
_ARGON = "com.openexchange.crypto.argon."

_MALPOLL_FILE = "malpoll.properties"
_PUSH_MS_FILE = "push-ms.properties"
_CRYPTO_FILE = "crypto.properties"


def _row(  # the columns of Property that differ here
    key: str,
    kind: Kind[object],
    default: object,
    file: str,
    doc: str,
    *,
    since: str = "",
    is_reloadable: bool = False,
    is_cascaded: bool = False,
    aliases: tuple[str, ...] = (),
    qualifiers: tuple[str, ...] = (),
) -> Property[object]:
    return Property(
        key,
        kind,
        default,
        file,
        doc,
        since=since,
        is_reloadable=is_reloadable,
        is_cascaded=is_cascaded,
        aliases=aliases,
        qualifiers=qualifiers,
        effect=Effect.NONE,
    )


ROWS: tuple[Property[object], ...] = (
    _row(
        _PUSH + "rescheduleOnRegistration",
        BOOLEAN,
        False,
        PUSH_FILE,
        "Whether every registration spreads the permanent listeners of the middleware anew. Here a registration starts "
        "one listener, and moves none.",
        is_cascaded=True,
    ),
    _row(
        _PUSH + "reschedule.delayDuration",
        MILLISECONDS,
        5000,
        PUSH_FILE,
        "How long the middleware puts spreading anew off. Here listeners follow leases.",
    ),
    _row(
        _PUSH + "reschedule.timerFrequency",
        MILLISECONDS,
        2000,
        PUSH_FILE,
        "How often the middleware looks whether spreading anew is due. Here listeners follow leases.",
    ),
    _row(
        _DOVECOT + "stateless",
        BOOLEAN,
        True,
        DOVECOT_FILE,
        "Whether registrations at Dovecot live without a listener in the middleware's memory. Here they always do.",
        since="7.10.4",
    ),
    _row(
        _DOVECOT + "clusterLock",
        choice("hz", "db", "none"),
        "hz",
        DOVECOT_FILE,
        "The lock that the middleware's listeners with a state take. Here leases do that work.",
    ),
    _row(
        _IDLE + "clusterLock",
        choice_or("none", "hz", "db", "local", "none"),
        "hz",
        IDLE_FILE,
        "The lock that a listener of the middleware takes. Here leases do that work.",
    ),
    _row(
        _IDLE + "clusterLock.validateSessionExistence",
        BOOLEAN,
        False,
        IDLE_FILE,
        "Whether a lock of the middleware's is broken when its session is gone. Here leases do that work.",
    ),
    _row(
        _IDLE + "checkPeriodic",
        BOOLEAN,
        False,
        IDLE_FILE,
        "Whether a timer of the middleware looks after IDLE sessions. Here each is looked after all the time.",
    ),
    _row(
        _MALPOLL + "enabled",
        BOOLEAN,
        False,
        _MALPOLL_FILE,
        "Whether the middleware polls mailboxes of live sessions. Here no mailbox is polled.",
        since="7.10.4",
        is_cascaded=True,
    ),
    _row(_MALPOLL + "period", MILLISECONDS, 300000, _MALPOLL_FILE, "How often the middleware polls a mailbox."),
    _row(_MALPOLL + "global", BOOLEAN, True, _MALPOLL_FILE, "Whether one timer polls all mailboxes."),
    _row(
        _MALPOLL + "concurrentglobal",
        BOOLEAN,
        True,
        _MALPOLL_FILE,
        "Whether that timer polls several at a time. The middleware's own page spells it so, its code the other way.",
        aliases=(_MALPOLL + "concurrentGlobal",),
    ),
    _row(_MALPOLL + "folder", TEXT, "INBOX", _MALPOLL_FILE, "The folder that the middleware polls."),
    _row(
        _PUSH + "ms.delayDuration",
        MILLISECONDS,
        120000,
        _PUSH_MS_FILE,
        "How long the middleware collects changes before it tells its other nodes; new mail it tells at once.",
    ),
    _row(
        _PUSH + "ms.maxDelayDuration",
        MILLISECONDS,
        600000,
        _PUSH_MS_FILE,
        "How far further changes may extend that time.",
    ),
    _row(
        _PNS + "timerFrequency",
        MILLISECONDS,
        500,
        PNS_FILE,
        "How often the middleware looks for pushes that are due. Here each push leaves when it is due.",
        is_reloadable=True,
    ),
    _row(
        _PNS + "numProcessorThreads",
        NATURAL,
        10,
        PNS_FILE,
        "Threads of the middleware's push service. Here one event loop does that work.",
        is_reloadable=True,
    ),
    _row(
        _PNS + "numMaxProcessorThreads",
        NATURAL,
        100,
        PNS_FILE,
        "The most threads of the middleware's push service. Here one event loop does that work.",
        since="8.0",
        is_reloadable=True,
    ),
    _row(
        _PNS + "maxProcessorTasks",
        NATURAL,
        65536,
        PNS_FILE,
        "The most tasks that wait for the middleware's threads. Here every queue has a bound of its own.",
        is_reloadable=True,
    ),
    _row(
        _PNS + "transport.wns.enabled",
        BOOLEAN,
        False,
        PNS_FILE,
        "Whether pushes go to Microsoft's WNS. The middleware's transport sends nothing, and there is none here.",
        is_cascaded=True,
        qualifiers=("client", "topic"),
    ),
    _row(
        _PNS + "transport.webhooks.enabled",
        BOOLEAN,
        True,
        PNS_FILE,
        "Whether the middleware calls web hooks. There are none here.",
        since="8.18",
        is_cascaded=True,
        qualifiers=("client", "topic"),
    ),
    _row(
        _ARGON + "memory",
        NATURAL,
        15360,
        _CRYPTO_FILE,
        "Memory that deriving a key for newly kept passwords takes, in KiB (the middleware's own page says bytes).",
        since="8.0",
    ),
    _row(
        _ARGON + "iterations",
        NATURAL,
        2,
        _CRYPTO_FILE,
        "Passes that deriving a key for newly kept passwords takes.",
        since="8.0",
    ),
    _row(
        _ARGON + "lanes",
        NATURAL,
        1,
        _CRYPTO_FILE,
        "Lanes that deriving a key for newly kept passwords has.",
        since="8.0",
    ),
    _row(
        "com.openexchange.mail.mailServerSource",
        choice("user", "global"),
        "user",
        MAIL_FILE,
        "Whether the middleware asks each user's own mail server or the one of com.openexchange.mail.mailServer. Here "
        "the latter serves all users.",
    ),
    _row(
        "com.openexchange.mail.defaultSeparator",
        TEXT,
        "/",
        MAIL_FILE,
        "What stands between the folders of a path in pushes of the middleware. Here it is always a slash.",
    ),
)
