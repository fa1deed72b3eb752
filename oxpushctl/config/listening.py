"""Properties that decide which mailboxes are listened to, and how: the implementations of permanent push."""

from __future__ import annotations

from oxpushctl.config.properties import PUSH_FILE
from oxpushctl.config.property import (
    BOOLEAN,
    HTTP_URLS,
    MILLISECONDS,
    NATURAL,
    PORT,
    POSITIVE_MILLISECONDS,
    TEXT,
    Effect,
    Property,
    choice,
)

DOVECOT_FILE = "dovecot-push.properties"
DOVEADM_FILE = "doveadm.properties"
IDLE_FILE = "push_imapidle.properties"
NOTIFY_FILE = "push_mailnotify.properties"

ALLOW_PERMANENT_PUSH = Property(
    "com.openexchange.push.allowPermanentPush",
    BOOLEAN,
    True,
    PUSH_FILE,
    "Whether this node runs permanent listeners, those that need no session.",
    effect=Effect.JUDGED,
)
CREDSTORAGE_RDB = Property(
    "com.openexchange.push.credstorage.rdb",
    BOOLEAN,
    False,
    PUSH_FILE,
    "Whether kept mail passwords are in the database rather than in cluster memory, where they are gone once the last "
    "member stops.",
)

DOVECOT_ENABLED = Property(
    "com.openexchange.push.dovecot.enabled",
    BOOLEAN,
    True,
    DOVECOT_FILE,
    "Whether Dovecot tells of new mail, over HTTP. Of the implementations that are enabled Dovecot comes first.",
    since="7.10.4",
    effect=Effect.KEEPING,
    is_reloadable=True,
    is_cascaded=True,
)
PREFER_DOVEADM = Property(
    "com.openexchange.push.dovecot.preferDoveadmForMetadata",
    BOOLEAN,
    False,
    DOVECOT_FILE,
    "Whether users are registered at Dovecot over doveadm's HTTP API rather than over IMAP.",
    since="7.10.4",
    effect=Effect.KEEPING,
)
DOVEADM_ENABLED = Property(
    "com.openexchange.dovecot.doveadm.enabled",
    BOOLEAN,
    False,
    DOVEADM_FILE,
    "Whether doveadm's HTTP API may be used. It needs no user's password.",
    since="7.10.4",
    effect=Effect.KEEPING,
)
DOVEADM_SECRET: Property[str | None] = Property(
    "com.openexchange.dovecot.doveadm.apiSecret",
    TEXT,
    None,
    DOVEADM_FILE,
    "The doveadm_api_key of the Dovecot servers.",
    since="7.10.4",
    effect=Effect.KEEPING,
    is_secret=True,
)
DOVEADM_ENDPOINTS: Property[tuple[str, ...]] = Property(
    "com.openexchange.dovecot.doveadm.endpoints",
    HTTP_URLS,
    (),
    DOVEADM_FILE,
    "Where doveadm's HTTP API is, whole addresses, comma-separated.",
    since="7.10.4",
    effect=Effect.KEEPING,
    aliases=("com.openexchange.dovecot.doveadm.endpoints.default",),
    overriding_alias="com.openexchange.dovecot.doveadm.endpoints.default",
    example="http://mail.example.com:8080/doveadm/v1",
)
DOVEADM_CONNECTIONS = Property(
    "com.openexchange.dovecot.doveadm.endpoints.totalConnections",
    NATURAL,
    100,
    DOVEADM_FILE,
    "Connections to all of the end-points at a time.",
    since="7.10.4",
    effect=Effect.NONE,
)
DOVEADM_CONNECTIONS_EACH = Property(
    "com.openexchange.dovecot.doveadm.endpoints.maxConnectionsPerRoute",
    NATURAL,
    0,
    DOVEADM_FILE,
    "Connections to one end-point at a time; 0 shares all of them out evenly.",
    since="7.10.4",
    effect=Effect.NONE,
)
DOVEADM_READ_TIMEOUT = Property(
    "com.openexchange.dovecot.doveadm.endpoints.readTimeout",
    MILLISECONDS,
    10000,
    DOVEADM_FILE,
    "How long an answer of doveadm is waited for.",
    since="7.10.4",
    effect=Effect.JUDGED,
)
DOVEADM_CONNECT_TIMEOUT = Property(
    "com.openexchange.dovecot.doveadm.endpoints.connectTimeout",
    MILLISECONDS,
    3000,
    DOVEADM_FILE,
    "How long a connection to doveadm is waited for.",
    since="7.10.4",
    effect=Effect.JUDGED,
)
DOVEADM_CHECK_INTERVAL = Property(
    "com.openexchange.dovecot.doveadm.endpoints.checkInterval",
    MILLISECONDS,
    60000,
    DOVEADM_FILE,
    "How often an end-point that failed is looked at.",
    since="7.10.4",
    effect=Effect.JUDGED,
)
DOVEADM_PROXY_DELIMITER: Property[str | None] = Property(
    "com.openexchange.dovecot.doveadm.proxyDelimiter",
    TEXT,
    None,
    DOVEADM_FILE,
    "Where a login is cut off before it is named to doveadm.",
    since="7.10.4",
    effect=Effect.JUDGED,
    is_reloadable=True,
    is_cascaded=True,
)

IDLE_ENABLED = Property(
    "com.openexchange.push.imapidle.enabled",
    BOOLEAN,
    False,
    IDLE_FILE,
    "Whether IMAP IDLE sessions tell of new mail, one a user. Second choice, after Dovecot.",
    since="7.10.4",
    effect=Effect.JUDGED,
    is_reloadable=True,
    is_cascaded=True,
)
IDLE_PERMANENT = Property(
    "com.openexchange.push.imapidle.supportsPermanentListeners",
    BOOLEAN,
    False,
    IDLE_FILE,
    "Whether IDLE sessions run for users without a session, too.",
    effect=Effect.JUDGED,
    is_reloadable=True,
)
IDLE_FOLDER = Property(
    "com.openexchange.push.imapidle.folder",
    TEXT,
    "INBOX",
    IDLE_FILE,
    "The folder that is watched.",
    effect=Effect.JUDGED,
)
IDLE_ACCOUNT = Property(
    "com.openexchange.push.imapidle.accountId",
    NATURAL,
    0,
    IDLE_FILE,
    "The mail account that is watched; 0 is the primary one.",
    effect=Effect.JUDGED,
)
IDLE_DELAY = Property(
    "com.openexchange.push.imapidle.delay",
    POSITIVE_MILLISECONDS,
    5000,
    IDLE_FILE,
    "The least time between two log-ins of a session; the middleware pauses so long after each push.",
    effect=Effect.JUDGED,
)
IDLE_PUSH_MODE = Property(
    "com.openexchange.push.imapidle.pushMode",
    choice("newmail", "always"),
    "always",
    IDLE_FILE,
    "What is worth a push to the middleware: new mail, or every change. Here only new mail is.",
    effect=Effect.JUDGED,
)

NOTIFY_ENABLED = Property(
    "com.openexchange.push.mail.notify.enabled",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether datagrams of Cyrus' notifyd tell of new mail. Third choice, after Dovecot and IMAP IDLE.",
    since="7.10.4",
    effect=Effect.JUDGED,
    is_reloadable=True,
    is_cascaded=True,
)
NOTIFY_HOST = Property(
    "com.openexchange.push.mail.notify.udp_listen_host",
    TEXT,
    "localhost",
    NOTIFY_FILE,
    "The address, or multicast group, at which datagrams arrive.",
    effect=Effect.JUDGED,
)
NOTIFY_PORT = Property(
    "com.openexchange.push.mail.notify.udp_listen_port",
    PORT,
    23420,
    NOTIFY_FILE,
    "The UDP port at which datagrams arrive.",
    effect=Effect.JUDGED,
)
NOTIFY_MULTICAST = Property(
    "com.openexchange.push.mail.notify.udp_listen_multicast",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether udp_listen_host is a multicast group to join.",
    effect=Effect.JUDGED,
)
NOTIFY_DELIMITER: Property[str | None] = Property(
    "com.openexchange.push.mail.notify.imap_login_delimiter",
    TEXT,
    None,
    NOTIFY_FILE,
    "Where a received user name is cut off.",
    effect=Effect.JUDGED,
)
NOTIFY_OX_LOGIN = Property(
    "com.openexchange.push.mail.notify.use_ox_login",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether users are also known by their login.",
    effect=Effect.JUDGED,
)
NOTIFY_FULL_ADDRESS = Property(
    "com.openexchange.push.mail.notify.use_full_email_address",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether users are known by whole addresses rather than the part before the @.",
    effect=Effect.JUDGED,
)
NOTIFY_DELAY = Property(
    "com.openexchange.push.mail.notify.delay_millis",
    MILLISECONDS,
    5000,
    NOTIFY_FILE,
    "How long datagrams for one user are collected before they become one push.",
    effect=Effect.JUDGED,
)
