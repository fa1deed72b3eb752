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
    is_reloadable=True,
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
    "Whether mailboxes are registered at Dovecot, which then tells of new mail over HTTP. Of the implementations that "
    "are enabled Dovecot comes first.",
    since="7.10.4",
    is_reloadable=True,
    is_cascaded=True,
)
PREFER_DOVEADM = Property(
    "com.openexchange.push.dovecot.preferDoveadmForMetadata",
    BOOLEAN,
    False,
    DOVECOT_FILE,
    "Whether users are registered at Dovecot over doveadm's HTTP API rather than over IMAP. Where doveadm may be used "
    "it registers those as well that no password opens.",
    since="7.10.4",
)
DOVEADM_ENABLED = Property(
    "com.openexchange.dovecot.doveadm.enabled",
    BOOLEAN,
    False,
    DOVEADM_FILE,
    "Whether doveadm's HTTP API may be used. It needs no user's password: it registers users at Dovecot, and looks "
    "into many mailboxes at a time after an outage.",
    since="7.10.4",
)
DOVEADM_SECRET: Property[str | None] = Property(
    "com.openexchange.dovecot.doveadm.apiSecret",
    TEXT,
    None,
    DOVEADM_FILE,
    "The doveadm_api_key of the Dovecot servers.",
    since="7.10.4",
    is_secret=True,
)
DOVEADM_ENDPOINTS: Property[tuple[str, ...]] = Property(
    "com.openexchange.dovecot.doveadm.endpoints",
    HTTP_URLS,
    (),
    DOVEADM_FILE,
    "Where doveadm's HTTP API is, whole addresses, comma-separated.",
    since="7.10.4",
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
    "How long an answer of doveadm is waited for; 0 is the default here.",
    since="7.10.4",
)
DOVEADM_CONNECT_TIMEOUT = Property(
    "com.openexchange.dovecot.doveadm.endpoints.connectTimeout",
    MILLISECONDS,
    3000,
    DOVEADM_FILE,
    "How long a connection to doveadm is waited for; 0 is the default here.",
    since="7.10.4",
)
DOVEADM_CHECK_INTERVAL = Property(
    "com.openexchange.dovecot.doveadm.endpoints.checkInterval",
    MILLISECONDS,
    60000,
    DOVEADM_FILE,
    "How long an end-point that failed is not asked again, where there is another.",
    since="7.10.4",
)
DOVEADM_PROXY_DELIMITER: Property[str | None] = Property(
    "com.openexchange.dovecot.doveadm.proxyDelimiter",
    TEXT,
    None,
    DOVEADM_FILE,
    "Where a login is cut off before it is named to doveadm.",
    since="7.10.4",
    is_reloadable=True,
    is_cascaded=True,
)

IDLE_ENABLED = Property(
    "com.openexchange.push.imapidle.enabled",
    BOOLEAN,
    False,
    IDLE_FILE,
    "Whether IMAP IDLE sessions tell of new mail, one a user. Second choice, for those whom Dovecot does not serve.",
    since="7.10.4",
    is_reloadable=True,
    is_cascaded=True,
)
IDLE_PERMANENT = Property(
    "com.openexchange.push.imapidle.supportsPermanentListeners",
    BOOLEAN,
    False,
    IDLE_FILE,
    "Whether IDLE sessions run for users without a session, too; else only while a user has a web socket open.",
    is_reloadable=True,
)
IDLE_FOLDER = Property(
    "com.openexchange.push.imapidle.folder",
    TEXT,
    "INBOX",
    IDLE_FILE,
    "The folder that is watched.",
)
IDLE_ACCOUNT = Property(
    "com.openexchange.push.imapidle.accountId",
    NATURAL,
    0,
    IDLE_FILE,
    "The mail account that is watched; here it is the primary one, 0, whatever is set.",
    is_reloadable=True,
)
IDLE_DELAY = Property(
    "com.openexchange.push.imapidle.delay",
    POSITIVE_MILLISECONDS,
    5000,
    IDLE_FILE,
    "The least time between two log-ins of a session; the middleware pauses so long after each push.",
    is_reloadable=True,
)
IDLE_PUSH_MODE = Property(
    "com.openexchange.push.imapidle.pushMode",
    choice("newmail", "always"),
    "always",
    IDLE_FILE,
    "What is worth a push to the middleware: new mail, or every change. Here only new mail is.",
    is_reloadable=True,
)

NOTIFY_ENABLED = Property(
    "com.openexchange.push.mail.notify.enabled",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether datagrams of Cyrus' notifyd tell of new mail, as far as oxpushctl.mailnotify.sources believes them. Third "
    "choice, after Dovecot and IMAP IDLE.",
    since="7.10.4",
    is_reloadable=True,
    is_cascaded=True,
)
NOTIFY_HOST = Property(
    "com.openexchange.push.mail.notify.udp_listen_host",
    TEXT,
    "localhost",
    NOTIFY_FILE,
    "The address, or multicast group, at which datagrams arrive.",
)
NOTIFY_PORT = Property(
    "com.openexchange.push.mail.notify.udp_listen_port",
    PORT,
    23420,
    NOTIFY_FILE,
    "The UDP port at which datagrams arrive.",
)
NOTIFY_MULTICAST = Property(
    "com.openexchange.push.mail.notify.udp_listen_multicast",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether udp_listen_host is a multicast group to join, on every network interface.",
)
NOTIFY_DELIMITER: Property[str | None] = Property(
    "com.openexchange.push.mail.notify.imap_login_delimiter",
    TEXT,
    None,
    NOTIFY_FILE,
    "Where a received user name is cut off: a character or more, as in login*folder.",
)
NOTIFY_OX_LOGIN = Property(
    "com.openexchange.push.mail.notify.use_ox_login",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether users are also known by their login.",
)
NOTIFY_FULL_ADDRESS = Property(
    "com.openexchange.push.mail.notify.use_full_email_address",
    BOOLEAN,
    False,
    NOTIFY_FILE,
    "Whether users are known by whole addresses rather than the part before the @.",
)
NOTIFY_DELAY = Property(
    "com.openexchange.push.mail.notify.delay_millis",
    MILLISECONDS,
    5000,
    NOTIFY_FILE,
    "How long datagrams for one user are collected before they become one push.",
)
