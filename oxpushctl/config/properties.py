"""Properties of the push service, the intake and mail access.

``listening``, ``own`` and ``inert`` have the others, ``table`` all of them.
"""

from __future__ import annotations

from oxpushctl.config.mail_address import MailAddress
from oxpushctl.config.property import (
    BOOLEAN,
    MAIL_SERVER,
    MILLISECONDS,
    NETWORKS,
    PATTERNS,
    TEXT,
    Network,
    Property,
    choice,
)

PNS_FILE = "pns.properties"
SERVER_FILE = "server.properties"
FACADE_FILE = "pns-mobile-api-facade.properties"
PUSH_FILE = "mail-push.properties"
MAIL_FILE = "mail.properties"
IMAP_FILE = "imap.properties"
WEBSOCKETS_FILE = "websockets.properties"

DELAY_DURATION = Property(
    "com.openexchange.pns.delayDuration",
    MILLISECONDS,
    1000,
    PNS_FILE,
    "How long identical notifications are swallowed after the first one left. The middleware waits this long before "
    "each push; here the first one leaves at once.",
    is_reloadable=True,
)
MAX_DELAY_DURATION = Property(
    "com.openexchange.pns.maxDelayDuration",
    MILLISECONDS,
    10000,
    PNS_FILE,
    "How far repeats may extend com.openexchange.pns.delayDuration; 0 means without bound.",
    since="7.10.0",
    is_reloadable=True,
)
APN_ENABLED = Property(
    "com.openexchange.pns.transport.apn.ios.enabled",
    BOOLEAN,
    False,
    PNS_FILE,
    "Whether pushes go to Apple's APNs. Followed by a client's id it is that client's switch, followed by a client's "
    "id and a topic that client's for the topic; the longest name that is set decides.",
    is_reloadable=True,
    is_cascaded=True,
    qualifiers=("client", "topic"),
)
APNS_HTTP2_ENABLED = Property(
    "com.openexchange.pns.transport.apns_http2.ios.enabled",
    BOOLEAN,
    False,
    PNS_FILE,
    "Whether pushes go to Apple's APNs for the clients of pns-apns_http2-options.yml; for those of pushClientConfig "
    "either of Apple's two switches will do.",
    since="7.10.0",
    is_reloadable=True,
    is_cascaded=True,
    qualifiers=("client", "topic"),
)
GCM_ENABLED = Property(
    "com.openexchange.pns.transport.gcm.enabled",
    BOOLEAN,
    False,
    PNS_FILE,
    "Whether pushes go to Google's FCM. Followed by a client's id it is that client's switch, followed by a client's "
    "id and a topic that client's for the topic; the longest name that is set decides.",
    is_reloadable=True,
    is_cascaded=True,
    qualifiers=("client", "topic"),
)
WEBSOCKET_ENABLED = Property(
    "com.openexchange.pns.transport.websocket.enabled",
    BOOLEAN,
    True,
    PNS_FILE,
    "Whether pushes go to App Suite's user interface over web sockets. Followed by a client's id it is that client's "
    "switch, followed by a client's id and a topic that client's for the topic; the longest name that is set decides.",
    is_reloadable=True,
    is_cascaded=True,
    qualifiers=("client", "topic"),
)
WEBSOCKETS_ENABLED = Property(
    "com.openexchange.websockets.enabled",
    BOOLEAN,
    True,
    WEBSOCKETS_FILE,
    "Whether oxpushctl.public.listen accepts web sockets of App Suite's user interface; those that are open stay open.",
    is_reloadable=True,
    is_cascaded=True,
)

BADGE_ENABLED = Property(
    "com.openexchange.pns.mobile.api.facade.apn.badge.enabled",
    BOOLEAN,
    True,
    FACADE_FILE,
    "Whether the app icon on iOS shows the number of unseen mails.",
    is_reloadable=True,
    is_cascaded=True,
)
SOUND_ENABLED = Property(
    "com.openexchange.pns.mobile.api.facade.apn.sound.enabled",
    BOOLEAN,
    True,
    FACADE_FILE,
    "Whether a push makes a sound on iOS.",
    is_reloadable=True,
    is_cascaded=True,
)
SOUND_FILENAME = Property(
    "com.openexchange.pns.mobile.api.facade.apn.sound.filename",
    TEXT,
    "default",
    FACADE_FILE,
    "Name of the sound file inside the iOS app; default is the system's sound, and so is a file that the app lacks.",
    is_reloadable=True,
    is_cascaded=True,
)

REST_LOGIN: Property[str | None] = Property(
    "com.openexchange.rest.services.basic-auth.login",
    TEXT,
    None,
    SERVER_FILE,
    "The login that Dovecot's notify requests carry. Unless login and password are set, all of them are refused.",
    is_reloadable=True,
    example="dovecot",
)
REST_PASSWORD: Property[str | None] = Property(
    "com.openexchange.rest.services.basic-auth.password",
    TEXT,
    None,
    SERVER_FILE,
    "The password that Dovecot's notify requests carry. Unless login and password are set, all of them are refused.",
    is_reloadable=True,
    is_secret=True,
)
KNOWN_PROXIES: Property[tuple[Network, ...]] = Property(
    "com.openexchange.server.knownProxies",
    NETWORKS,
    (),
    SERVER_FILE,
    "The proxies in front of oxpushctl.public.listen: addresses and networks, comma-separated. Their X-Forwarded-For "
    "is believed, and the address that they name is the one that wrong passwords slow down.",
    is_reloadable=True,
    example="127.0.0.1, 10.1.0.0/16",
)
ALLOWED_CLIENTS = Property(
    "com.openexchange.push.allowedClients",
    PATTERNS,
    ("USM-EAS*", "open-xchange-mobile-api-facade*"),
    PUSH_FILE,
    "The clients whose users get mail listeners: ids with the wildcards * and ?, case ignored; empty allows every "
    "client. It decides which users are listened for, not which devices are pushed to.",
    aliases=("com.openexchange.push.allowedClient",),
)
CREDSTORAGE_ENABLED = Property(
    "com.openexchange.push.credstorage.enabled",
    BOOLEAN,
    False,
    PUSH_FILE,
    "Whether the mail passwords of push users are kept, encrypted, for installations without a master password.",
)
PASSCRYPT: Property[str | None] = Property(
    "com.openexchange.push.credstorage.passcrypt",
    TEXT,
    None,
    PUSH_FILE,
    "The passphrase that all members share: kept mail passwords are encrypted with it, and registrations at Dovecot "
    "signed with a key derived from it.",
    is_secret=True,
)

MAIL_SERVER_URL: Property[MailAddress | None] = Property(
    "com.openexchange.mail.mailServer",
    MAIL_SERVER,
    None,
    MAIL_FILE,
    "The IMAP server: host, host:port, imap://host:port (STARTTLS is required, except on this machine or where "
    "com.openexchange.imap.requireTls is false) or imaps://host:port (which port 993 implies). Unset: nobody logs in "
    "anywhere; Dovecot's notify requests work all the same.",
    is_cascaded=True,
    example="imaps://mail.example.com",
)
PASSWORD_SOURCE = Property(
    "com.openexchange.mail.passwordSource",
    choice("session", "global"),
    "session",
    MAIL_FILE,
    "What opens a mailbox: the user's own password (session) or the master password (global).",
    is_reloadable=True,
    is_cascaded=True,
)
MASTER_PASSWORD: Property[str | None] = Property(
    "com.openexchange.mail.masterPassword",
    TEXT,
    None,
    MAIL_FILE,
    "The password that opens every mailbox, with com.openexchange.mail.passwordSource=global.",
    is_reloadable=True,
    is_cascaded=True,
    is_secret=True,
)
LOGIN_SOURCE = Property(
    "com.openexchange.mail.loginSource",
    choice("login", "mail", "name"),
    "login",
    MAIL_FILE,
    "What users log in with at the mail server: their stored login (login), their mail address (mail), or the part of "
    "it before the @ (name).",
    is_cascaded=True,
)
AUTH_PROXY_DELIMITER: Property[str | None] = Property(
    "com.openexchange.mail.authProxyDelimiter",
    TEXT,
    None,
    MAIL_FILE,
    "What stands between the user's and the master user's login in a master log-in.",
    is_reloadable=True,
    default_text="* where oxpushctl.imap.masterUser is set",
)
AUTH_TYPE = Property(
    "com.openexchange.mail.authType",
    choice("login", "xoauth2", "oauthbearer"),
    "login",
    MAIL_FILE,
    "How sessions log in at the mail server. With xoauth2 and oauthbearer it takes only tokens of a live session: kept "
    "passwords are of no use, and permanent listeners need doveadm.",
    since="7.8.4",
    is_cascaded=True,
)
REQUIRE_TLS = Property(
    "com.openexchange.imap.requireTls",
    BOOLEAN,
    True,
    IMAP_FILE,
    "Whether a mail server that offers no STARTTLS is refused; on this machine it never is.",
    since="8.12",
    is_cascaded=True,
)


# The switch of each transport, by the name that ApnsOptions.switch has; Google's clients have but one.
SWITCHES = {"apn": APN_ENABLED, "apns_http2": APNS_HTTP2_ENABLED, "gcm": GCM_ENABLED}
# The transport that each of them switches, by its key.
TRANSPORT_OF = {APN_ENABLED.key: "apn", APNS_HTTP2_ENABLED.key: "apn", GCM_ENABLED.key: "gcm"}
