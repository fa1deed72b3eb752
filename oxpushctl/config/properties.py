"""THE table: every property that is known, with its default, its customary file and what it does."""

from __future__ import annotations

from oxpushctl.config import inert
from oxpushctl.config.property import (
    ADDRESSES,
    BOOLEAN,
    DURATION,
    ENDPOINT,
    MILLISECONDS,
    PATTERNS,
    PROXY_URL,
    TEXT,
    URL,
    Property,
    choice,
)

PNS_FILE = "pns.properties"
SERVER_FILE = "server.properties"
FACADE_FILE = "pns-mobile-api-facade.properties"
PUSH_FILE = "mail-push.properties"
OWN_FILE = "oxpushctl.properties"

DELAY_DURATION = Property(
    "com.openexchange.pns.delayDuration",
    MILLISECONDS,
    1000,
    PNS_FILE,
    "How long identical notifications are swallowed after the first one left.",
    is_reloadable=True,
)
MAX_DELAY_DURATION = Property(
    "com.openexchange.pns.maxDelayDuration",
    MILLISECONDS,
    10000,
    PNS_FILE,
    "How far repeats may extend that time; 0 means without bound.",
    since="7.10.0",
    is_reloadable=True,
)
APN_ENABLED = Property(
    "com.openexchange.pns.transport.apn.ios.enabled",
    BOOLEAN,
    False,
    PNS_FILE,
    "Whether pushes go to Apple's APNs.",
    is_reloadable=True,
    qualifiers=("client", "topic"),
)
APNS_HTTP2_ENABLED = Property(
    "com.openexchange.pns.transport.apns_http2.ios.enabled",
    BOOLEAN,
    False,
    PNS_FILE,
    "Whether pushes go to Apple's APNs for the clients of pns-apns_http2-options.yml.",
    is_reloadable=True,
    qualifiers=("client", "topic"),
)
GCM_ENABLED = Property(
    "com.openexchange.pns.transport.gcm.enabled",
    BOOLEAN,
    False,
    PNS_FILE,
    "Whether pushes go to Google's FCM.",
    is_reloadable=True,
    qualifiers=("client", "topic"),
)

BADGE_ENABLED = Property(
    "com.openexchange.pns.mobile.api.facade.apn.badge.enabled",
    BOOLEAN,
    True,
    FACADE_FILE,
    "Whether the app icon on iOS shows the number of unseen mails.",
    is_reloadable=True,
)
SOUND_ENABLED = Property(
    "com.openexchange.pns.mobile.api.facade.apn.sound.enabled",
    BOOLEAN,
    True,
    FACADE_FILE,
    "Whether a push makes a sound on iOS.",
    is_reloadable=True,
)
SOUND_FILENAME = Property(
    "com.openexchange.pns.mobile.api.facade.apn.sound.filename",
    TEXT,
    "default",
    FACADE_FILE,
    "Name of the sound file inside the iOS app; default is the system's sound.",
    is_reloadable=True,
)

REST_LOGIN: Property[str | None] = Property(
    "com.openexchange.rest.services.basic-auth.login",
    TEXT,
    None,
    SERVER_FILE,
    "The login that Dovecot's notify requests carry.",
    is_reloadable=True,
)
REST_PASSWORD: Property[str | None] = Property(
    "com.openexchange.rest.services.basic-auth.password",
    TEXT,
    None,
    SERVER_FILE,
    "The password that Dovecot's notify requests carry.",
    is_reloadable=True,
    is_secret=True,
)
ALLOWED_CLIENTS = Property(
    "com.openexchange.push.allowedClients",
    PATTERNS,
    ("USM-EAS*", "open-xchange-mobile-api-facade*"),
    PUSH_FILE,
    "The clients whose users get mail listeners: ids with the wildcards * and ?; empty allows every client.",
    has_effect=False,
    aliases=("com.openexchange.push.allowedClient",),
)
CREDSTORAGE_ENABLED = Property(
    "com.openexchange.push.credstorage.enabled",
    BOOLEAN,
    False,
    PUSH_FILE,
    "Whether mail passwords are stored, for installations without a master password.",
    has_effect=False,
)
PASSCRYPT: Property[str | None] = Property(
    "com.openexchange.push.credstorage.passcrypt",
    TEXT,
    None,
    PUSH_FILE,
    "The passphrase that all members share: stored mail passwords are encrypted with it.",
    is_secret=True,
)

INTAKE_LISTEN = Property(
    "oxpushctl.intake.listen",
    ADDRESSES,
    ("127.0.0.1:8019",),
    OWN_FILE,
    "Where Dovecot's notify requests arrive: host:port, [::1]:port or unix:/path, comma-separated.",
)
ADMIN_LISTEN: Property[tuple[str, ...] | None] = Property(
    "oxpushctl.admin.listen",
    ADDRESSES,
    None,
    OWN_FILE,
    "What the commands, Prometheus and the status page reach; STATE is the state folder.",
    default_text="unix:STATE/admin.sock",
)
NODE: Property[str | None] = Property(
    "oxpushctl.node", TEXT, None, OWN_FILE, "This node's name in the cluster.", default_text="the host name"
)
DATABASE_URL: Property[str | None] = Property(
    "oxpushctl.database.url",
    URL,
    None,
    OWN_FILE,
    "Where devices and users are kept, a SQLAlchemy URL; STATE is the state folder.",
    is_secret=True,
    default_text="sqlite:///STATE/oxpushctl.db",
)
OUTBOX = Property(
    "oxpushctl.outbox",
    choice("memory"),
    "memory",
    OWN_FILE,
    "Where accepted events wait until they are sent.",
)
TLS_CERTIFICATE: Property[str | None] = Property(
    "oxpushctl.tls.certificate", TEXT, None, OWN_FILE, "Certificate chain (PEM) for HTTPS on the TCP addresses."
)
TLS_KEY: Property[str | None] = Property("oxpushctl.tls.key", TEXT, None, OWN_FILE, "Private key (PEM) of it.")
TLS_CA: Property[str | None] = Property(
    "oxpushctl.tls.ca",
    TEXT,
    None,
    OWN_FILE,
    "Further certificate authorities (PEM) that outgoing connections trust.",
    is_reloadable=True,
)
PUSH_MAX_AGE = Property(
    "oxpushctl.push.maxAge",
    DURATION,
    4 * 3600.0,
    OWN_FILE,
    "How long a push is worth delivering: our retries, apns-expiration and FCM's ttl.",
    is_reloadable=True,
)
PUSH_CONTENT = Property(
    "oxpushctl.push.content",
    choice("none", "sender", "subject", "full"),
    "subject",
    OWN_FILE,
    "What leaves the house.",
    is_reloadable=True,
    qualifiers=("client",),
)
APNS_PRODUCTION: Property[str] = Property(
    "oxpushctl.apns.endpoint.production",
    ENDPOINT,
    "https://api.push.apple.com:443",
    OWN_FILE,
    "Where pushes of production clients go: https://host:port, HTTP/2.",
    is_reloadable=True,
)
APNS_SANDBOX: Property[str] = Property(
    "oxpushctl.apns.endpoint.sandbox",
    ENDPOINT,
    "https://api.sandbox.push.apple.com:443",
    OWN_FILE,
    "Where pushes of development clients go: https://host:port, HTTP/2.",
    is_reloadable=True,
)
FCM_ENDPOINT: Property[str] = Property(
    "oxpushctl.fcm.endpoint",
    ENDPOINT,
    "https://fcm.googleapis.com:443",
    OWN_FILE,
    "Where pushes for Android go: https://host:port, HTTP/2.",
    is_reloadable=True,
)
ENDPOINTS = (APNS_PRODUCTION, APNS_SANDBOX, FCM_ENDPOINT)
PROXY: Property[str | None] = Property(
    "oxpushctl.proxy",
    PROXY_URL,
    None,
    OWN_FILE,
    "HTTP CONNECT proxy for APNs and FCM: http://host:port.",
    is_reloadable=True,
    is_secret=True,
    default_text="the environment's https_proxy",
)
REGISTRATION = Property(
    "oxpushctl.dovecot.registration",
    choice("signed", "plain", "both"),
    "signed",
    OWN_FILE,
    "Which form of user=U@C is believed when Dovecot sends it back; without a passcrypt: plain.",
    is_reloadable=True,
)

# The switch of each transport, by the name that ApnsOptions.switch has; Google's clients have but one.
SWITCHES = {"apn": APN_ENABLED, "apns_http2": APNS_HTTP2_ENABLED, "gcm": GCM_ENABLED}

TABLE: tuple[Property[object], ...] = (
    *(value for value in globals().values() if isinstance(value, Property)),
    *inert.ROWS,
)
