"""Properties that the middleware reads and this version accepts without effect: nothing here listens to mailboxes yet.

A row moves to ``properties.py`` when a part reads it.
"""

from __future__ import annotations

from oxpushctl.config.property import BOOLEAN, MAIL_SERVER, MILLISECONDS, NATURAL, TEXT, Kind, Property, choice

_PUSH = "com.openexchange.push."
_PNS = "com.openexchange.pns."
_MAIL = "com.openexchange.mail."
_DOVECOT = "com.openexchange.push.dovecot."
_IDLE = "com.openexchange.push.imapidle."
_NOTIFY = "com.openexchange.push.mail.notify."

_PUSH_FILE = "mail-push.properties"
_PNS_FILE = "pns.properties"
_MAIL_FILE = "mail.properties"
_DOVECOT_FILE = "dovecot-push.properties"
_IDLE_FILE = "push_imapidle.properties"
_NOTIFY_FILE = "push_mailnotify.properties"


def _row(  # the columns of Property that differ here
    key: str,
    kind: Kind[object],
    default: object,
    file: str,
    doc: str,
    *,
    since: str = "",
    is_secret: bool = False,
    qualifiers: tuple[str, ...] = (),
) -> Property[object]:
    return Property(
        key, kind, default, file, doc, since=since, is_secret=is_secret, qualifiers=qualifiers, has_effect=False
    )


ROWS: tuple[Property[object], ...] = (
    _row(_PUSH + "allowPermanentPush", BOOLEAN, True, _PUSH_FILE, "Whether this node runs permanent listeners."),
    _row(
        _PUSH + "credstorage.rdb",
        BOOLEAN,
        False,
        _PUSH_FILE,
        "Whether mail passwords are stored in the database rather than in cluster memory.",
    ),
    _row(
        _PUSH + "rescheduleOnRegistration",
        BOOLEAN,
        False,
        _PUSH_FILE,
        "Whether every registration spreads the permanent listeners anew.",
    ),
    _row(_PUSH + "reschedule.delayDuration", MILLISECONDS, 5000, _PUSH_FILE, "How long spreading anew is put off."),
    _row(_PUSH + "reschedule.timerFrequency", MILLISECONDS, 2000, _PUSH_FILE, "How often that is looked at."),
    _row(
        _MAIL + "passwordSource",
        choice("session", "global"),
        "session",
        _MAIL_FILE,
        "What opens a mailbox: the user's own password (session) or the master password (global).",
    ),
    _row(_MAIL + "masterPassword", TEXT, None, _MAIL_FILE, "The password that opens every mailbox.", is_secret=True),
    _row(
        _MAIL + "mailServer",
        MAIL_SERVER,
        None,
        _MAIL_FILE,
        "The IMAP server: host, host:port, imap://host:port or imaps://host:port.",
    ),
    _row(
        _MAIL + "loginSource",
        choice("login", "mail", "name"),
        "login",
        _MAIL_FILE,
        "What users log in with at the mail server: their login, mail address, or the part before the @.",
    ),
    _row(
        _MAIL + "authProxyDelimiter",
        TEXT,
        None,
        _MAIL_FILE,
        "What stands between the user's and the master user's login.",
    ),
    _row(_DOVECOT + "enabled", BOOLEAN, True, _DOVECOT_FILE, "Whether Dovecot tells of new mail.", since="7.10.4"),
    _row(
        _DOVECOT + "stateless",
        BOOLEAN,
        True,
        _DOVECOT_FILE,
        "Whether registrations at Dovecot live without a listener in memory.",
        since="7.10.4",
    ),
    _row(
        _DOVECOT + "clusterLock",
        choice("hz", "db", "none"),
        "hz",
        _DOVECOT_FILE,
        "The lock that listeners with a state take; here leases do that work.",
    ),
    _row(
        _DOVECOT + "preferDoveadmForMetadata",
        BOOLEAN,
        False,
        _DOVECOT_FILE,
        "Whether users are registered over doveadm's HTTP API rather than over IMAP.",
        since="7.10.4",
    ),
    _row(_IDLE + "enabled", BOOLEAN, False, _IDLE_FILE, "Whether IMAP IDLE sessions tell of new mail."),
    _row(
        _IDLE + "supportsPermanentListeners",
        BOOLEAN,
        False,
        _IDLE_FILE,
        "Whether IDLE sessions run for users without a session.",
    ),
    _row(_IDLE + "folder", TEXT, "INBOX", _IDLE_FILE, "The folder that is watched."),
    _row(_IDLE + "accountId", NATURAL, 0, _IDLE_FILE, "The mail account that is watched; 0 is the primary one."),
    _row(_IDLE + "delay", MILLISECONDS, 5000, _IDLE_FILE, "The pause after each push."),
    _row(_IDLE + "pushMode", choice("newmail", "always"), "always", _IDLE_FILE, "What is worth a push."),
    _row(_IDLE + "checkPeriodic", BOOLEAN, False, _IDLE_FILE, "Whether sessions are also looked after by a timer."),
    _row(
        _IDLE + "clusterLock",
        choice("hz", "db", "local", "none"),
        "hz",
        _IDLE_FILE,
        "The lock that a listener takes; here leases do that work.",
    ),
    _row(
        _IDLE + "clusterLock.validateSessionExistence",
        BOOLEAN,
        False,
        _IDLE_FILE,
        "Whether a lock is broken when its session is gone.",
    ),
    _row(_NOTIFY + "enabled", BOOLEAN, False, _NOTIFY_FILE, "Whether datagrams of Cyrus' notifyd tell of new mail."),
    _row(_NOTIFY + "udp_listen_host", TEXT, "localhost", _NOTIFY_FILE, "The address, or multicast group, listened on."),
    _row(_NOTIFY + "udp_listen_port", NATURAL, 23420, _NOTIFY_FILE, "The UDP port listened on."),
    _row(_NOTIFY + "udp_listen_multicast", BOOLEAN, False, _NOTIFY_FILE, "Whether that address is a multicast group."),
    _row(
        _NOTIFY + "imap_login_delimiter",
        TEXT,
        None,
        _NOTIFY_FILE,
        "Where the received user name is cut off.",
    ),
    _row(_NOTIFY + "use_ox_login", BOOLEAN, False, _NOTIFY_FILE, "Whether users are also known by their login."),
    _row(
        _NOTIFY + "use_full_email_address",
        BOOLEAN,
        False,
        _NOTIFY_FILE,
        "Whether users are known by whole addresses rather than the part before the @.",
    ),
    _row(_NOTIFY + "delay_millis", MILLISECONDS, 5000, _NOTIFY_FILE, "How long datagrams are collected."),
    _row(
        _PNS + "timerFrequency",
        MILLISECONDS,
        500,
        _PNS_FILE,
        "How often the middleware looks for what is due; here each push leaves when it is due.",
    ),
    _row(_PNS + "numProcessorThreads", NATURAL, 4, _PNS_FILE, "Threads of the middleware's push service."),
    _row(_PNS + "numMaxProcessorThreads", NATURAL, 100, _PNS_FILE, "Their upper bound."),
    _row(_PNS + "maxProcessorTasks", NATURAL, 65536, _PNS_FILE, "Tasks that wait for these threads."),
    _row(
        _PNS + "transport.websocket.enabled",
        BOOLEAN,
        True,
        _PNS_FILE,
        "Whether pushes go to App Suite's user interface over web sockets.",
        qualifiers=("client", "topic"),
    ),
)
