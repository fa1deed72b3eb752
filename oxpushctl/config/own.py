"""Properties of our own: where we listen and keep things, and what the middleware has no word for.

``properties`` and ``listening`` have those of the middleware, ``table`` all of them.
"""

from __future__ import annotations

import ipaddress

from oxpushctl.config.property import (
    ADDRESSES,
    BOOLEAN,
    CONTEXT_ID,
    DURATION,
    ENDPOINT,
    NATURAL,
    NETWORKS,
    PATH,
    PROXY_URL,
    REDIS_URL,
    TEXT,
    URL,
    Network,
    Property,
    choice,
)

OWN_FILE = "oxpushctl.properties"

INTAKE_LISTEN = Property(
    "oxpushctl.intake.listen",
    ADDRESSES,
    ("127.0.0.1:8019",),
    OWN_FILE,
    "Where Dovecot's notify requests arrive: host:port, [::1]:port or unix:/path, comma-separated.",
)
PUBLIC_LISTEN: Property[tuple[str, ...] | None] = Property(
    "oxpushctl.public.listen",
    ADDRESSES,
    None,
    OWN_FILE,
    "What mail apps and browsers reach: log-in, log-out, how a device subscribes, and App Suite's web socket. Unset: "
    "nothing is served to them.",
    example="0.0.0.0:8443",
)
SESSION_IDLE: Property[float] = Property(
    "oxpushctl.sessions.idle",
    DURATION,
    3600.0,
    OWN_FILE,
    "How long a session of oxpushctl.public.listen lasts without a request.",
)
SESSION_MAX_AGE: Property[float] = Property(
    "oxpushctl.sessions.maxAge",
    DURATION,
    7 * 86400.0,
    OWN_FILE,
    "How long a session of oxpushctl.public.listen lasts at most.",
)
ADMIN_LISTEN: Property[tuple[str, ...] | None] = Property(
    "oxpushctl.admin.listen",
    ADDRESSES,
    None,
    OWN_FILE,
    "What the commands, Prometheus and the status page reach; STATE is the state folder.",
    default_text="unix:STATE/admin.sock",
)
ADMIN_LOGIN: Property[str | None] = Property(
    "oxpushctl.admin.login",
    TEXT,
    None,
    OWN_FILE,
    "The login that requests to a TCP address of oxpushctl.admin.listen carry.",
    example="admin",
)
ADMIN_PASSWORD: Property[str | None] = Property(
    "oxpushctl.admin.password",
    TEXT,
    None,
    OWN_FILE,
    "The password that requests to a TCP address of oxpushctl.admin.listen carry.",
    is_secret=True,
)
NODE: Property[str | None] = Property(
    "oxpushctl.node", TEXT, None, OWN_FILE, "This node's name in the cluster.", default_text="the host name"
)
DATABASE_URL: Property[str | None] = Property(
    "oxpushctl.database.url",
    URL,
    None,
    OWN_FILE,
    "Where devices and users are kept, a SQLAlchemy URL: sqlite:////var/lib/oxpushctl/oxpushctl.db, "
    "mysql://LOGIN:PASSWORD@HOST/SCHEMA or postgresql://LOGIN:PASSWORD@HOST/DATABASE. STATE is the state folder.",
    is_secret=True,
    default_text="sqlite:///STATE/oxpushctl.db",
)
CREDENTIALS_URL: Property[str | None] = Property(
    "oxpushctl.credentials.url",
    REDIS_URL,
    None,
    OWN_FILE,
    "The Redis that keeps mail passwords, encrypted, where com.openexchange.push.credstorage.rdb is false: "
    "redis://LOGIN:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS. It should write nothing to disk. Unset: they are "
    "in the engine's own memory.",
    is_secret=True,
    default_text="the engine's memory",
)
USERS_AUTO_CREATE = Property(
    "oxpushctl.users.autoCreate",
    BOOLEAN,
    False,
    OWN_FILE,
    "Whether a first log-in that the mail server accepts makes a push user. Refused where the middleware made the "
    "tables: there the ids of users are its own.",
)
USERS_CONTEXT = Property(
    "oxpushctl.users.context",
    CONTEXT_ID,
    1,
    OWN_FILE,
    "The context of users that oxpushctl.users.autoCreate makes.",
)
LOGIN_RATE = Property(
    "oxpushctl.imap.login.rate",
    NATURAL,
    50,
    OWN_FILE,
    "Log-ins a second at the mail server, of listeners and of those who log in at oxpushctl.public.listen together; 0 "
    "sets no limit.",
)
IDLE_SESSIONS = Property(
    "oxpushctl.imapidle.maxSessions",
    NATURAL,
    800,
    OWN_FILE,
    "IDLE sessions of this node at the mail server; users beyond them are not listened for. Dovecot's own limit is "
    "1024, shared with people.",
)
IDLE_RENEW = Property(
    "oxpushctl.imapidle.renew",
    DURATION,
    9 * 60.0,
    OWN_FILE,
    "How long an IDLE session may hear nothing at all before it is asked whether it is still alive. Firewalls and NAT "
    "on the way must not forget a silent connection any sooner.",
)
NOTIFY_SOURCES: Property[tuple[Network, ...]] = Property(
    "oxpushctl.mailnotify.sources",
    NETWORKS,
    (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")),
    OWN_FILE,
    "Whose datagrams are believed: addresses and networks of the mail servers, comma-separated. Anybody can write any "
    "source address into a datagram, so let no others through to the port.",
    example="127.0.0.1, 10.1.0.0/16",
)
CATCHUP_ENABLED = Property(
    "oxpushctl.catchup.enabled",
    BOOLEAN,
    True,
    OWN_FILE,
    "Whether mailboxes are asked, after a time in which nobody listened, for what has arrived meanwhile: over doveadm "
    "many at a time, else by a log-in each.",
    is_reloadable=True,
)
CATCHUP_MAX = Property(
    "oxpushctl.catchup.max",
    NATURAL,
    20,
    OWN_FILE,
    "How many of a user's newest mails are pushed after a time in which nobody listened; what is old becomes one push.",
    is_reloadable=True,
)
OUTBOX = Property(
    "oxpushctl.outbox",
    choice("durable", "memory"),
    "durable",
    OWN_FILE,
    "Where accepted events wait until they are sent: on this node's disk, so that they are still there after a power "
    "failure (durable), or in memory, where they are lost when the process is killed (memory).",
)
OUTBOX_PATH: Property[str | None] = Property(
    "oxpushctl.outbox.path",
    PATH,
    None,
    OWN_FILE,
    "The file of a durable outbox, encrypted with the key in the file beside it whose name ends in .key. Always on a "
    "local disk, each node its own; a relative path is relative to the etc folder. STATE is the state folder.",
    default_text="STATE/outbox.db",
)
TLS_CERTIFICATE: Property[str | None] = Property(
    "oxpushctl.tls.certificate",
    PATH,
    None,
    OWN_FILE,
    "Certificate chain (PEM) with which the TCP addresses serve HTTPS; goes with oxpushctl.tls.key. A relative path is "
    "relative to the etc folder.",
    example="/etc/ssl/certs/push.example.com.pem",
)
TLS_KEY: Property[str | None] = Property(
    "oxpushctl.tls.key",
    PATH,
    None,
    OWN_FILE,
    "Private key (PEM, without a password) of oxpushctl.tls.certificate. A relative path is relative to the etc "
    "folder.",
    example="/etc/ssl/private/push.example.com.pem",
)
TLS_CA: Property[str | None] = Property(
    "oxpushctl.tls.ca",
    PATH,
    None,
    OWN_FILE,
    "Further certificate authorities (PEM) that outgoing connections trust, besides the system's. A relative path is "
    "relative to the etc folder. Redis' connections take another file over with a restart only.",
    is_reloadable=True,
    example="/etc/ssl/certs/our-own-ca.pem",
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
    "What of a mail leaves the house: nothing but that there is one (none), its sender (sender), sender and subject "
    "(subject), or the first words of its text as well (full). Followed by a client's id it is for that client.",
    is_reloadable=True,
    qualifiers=("client",),
)
APNS_PRODUCTION: Property[str] = Property(
    "oxpushctl.apns.endpoint.production",
    ENDPOINT,
    "https://api.push.apple.com:443",
    OWN_FILE,
    "Where pushes of production clients go, over HTTP/2: another address is that of the sandbox or a gateway.",
    is_reloadable=True,
)
APNS_SANDBOX: Property[str] = Property(
    "oxpushctl.apns.endpoint.sandbox",
    ENDPOINT,
    "https://api.sandbox.push.apple.com:443",
    OWN_FILE,
    "Where pushes of development clients go, over HTTP/2: another address is that of the sandbox or a gateway.",
    is_reloadable=True,
)
FCM_ENDPOINT: Property[str] = Property(
    "oxpushctl.fcm.endpoint",
    ENDPOINT,
    "https://fcm.googleapis.com:443",
    OWN_FILE,
    "Where pushes for Android go, over HTTP/2: another address is that of the sandbox or a gateway. Access tokens come "
    "from the token_uri of each service account.",
    is_reloadable=True,
)
ENDPOINTS = (APNS_PRODUCTION, APNS_SANDBOX, FCM_ENDPOINT)
PACKAGED: Property[str] = Property(
    "oxpushctl.pns.packaged",
    PATH,
    "/usr/share/open-xchange/push-certificates",
    OWN_FILE,
    "The folder in which a package delivers client options: CLIENT.properties, which win as a whole over the YAML "
    "files. A relative path is relative to the etc folder.",
    is_reloadable=True,
)
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
MASTER_USER: Property[str | None] = Property(
    "oxpushctl.imap.masterUser",
    TEXT,
    None,
    OWN_FILE,
    "The master user that the master password belongs to, where the mail server has one: log-ins are "
    "login<delimiter>masterUser, the delimiter being com.openexchange.mail.authProxyDelimiter. Unset: the master "
    "password opens the user's own login.",
    is_reloadable=True,
    example="push",
)
REGISTRATION = Property(
    "oxpushctl.dovecot.registration",
    choice("signed", "plain", "both"),
    "signed",
    OWN_FILE,
    "Which form of user=U@C is written into a mailbox's METADATA, and believed when Dovecot sends it back: signed with "
    "a key derived from com.openexchange.push.credstorage.passcrypt, or plain as the middleware writes it; both writes "
    "signed ones and believes either, for a cut-over. Whoever can write METADATA can name another user in the plain "
    "form. Without a passcrypt: plain. After a change all mailboxes are written anew, a few a second.",
    is_reloadable=True,
)
