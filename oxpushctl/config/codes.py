"""The catalogue of findings: a stable code, its title, and what to know about it.

OXP0xx how files and other sources read · OXP1xx keys and kinds of properties · OXP2xx client options ·
OXP3xx rules between settings, and the files they name · OXP4xx certificates and keys · OXP5xx stores.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding: ``text`` explains it in sentences for the operator."""

    code: str
    title: str
    text: str


_ROWS = (
    Code(
        "OXP001",
        "A file cannot be read",
        "The file is there, but it is not a regular file, too large, or the user that runs oxpushctl may not read it. "
        "Since a key may stand in any *.properties, one that cannot be read stops everything; an options file takes "
        "only its own clients out of service.",
    ),
    Code(
        "OXP002",
        "A malformed \\u escape",
        "In *.properties a \\u is followed by four hexadecimal digits. Java refuses the whole file otherwise. "
        "A backslash itself is written twice: C:\\\\users.",
    ),
    Code(
        "OXP003",
        "A *.properties file in UTF-8",
        "Java reads *.properties as ISO-8859-1. This file has characters beyond ASCII and is valid UTF-8, so it is "
        "read as UTF-8 here, but the middleware would see other characters. Written as \\uXXXX both see the same.",
    ),
    Code(
        "OXP004",
        "An environment variable that can mean several keys",
        "In OXPUSHCTL_<KEY> every character but letters and digits is written as _, so that two keys may share a "
        "name, as those of the clients my-app and my.app do. Set the one that you mean in a file or with -o.",
    ),
    Code(
        "OXP005",
        "An environment variable that is no property",
        "Variables that begin with OXPUSHCTL_ set properties: OXPUSHCTL_com_openexchange_pns_delayDuration. The case "
        "is that of the key; a client's id must be one that an options file has.",
    ),
    Code(
        "OXP006",
        "A secret in the environment",
        "The environment of a process is inherited by its children and may be read by other processes. Put the secret "
        "into a file and set KEY.file=/path, or let systemd hand it over: LoadCredential=KEY:/path.",
    ),
    Code(
        "OXP101",
        "An unknown key",
        "All keys that begin like this one are known, and it is not among them: it has no effect. Mind the case.",
    ),
    Code(
        "OXP102",
        "A key in an unusual file",
        "A key may stand in any *.properties, but whoever looks for it looks in its customary file first.",
    ),
    Code(
        "OXP103",
        "A key twice in one file",
        "As in Java the last line wins. Remove the other one: somebody will edit the wrong line one day.",
    ),
    Code(
        "OXP104",
        "A key in two files, with the same value",
        "Both agree for now. Keep one, so that they cannot disagree later.",
    ),
    Code(
        "OXP105",
        "A key in two files, with different values",
        "Which one the middleware takes depends on the order in which it finds the files. Keep the one that you mean.",
    ),
    Code(
        "OXP106",
        "A property without effect",
        "The property belongs to the middleware, or to a part that this version of oxpushctl does not have. It is "
        "accepted and checked, and nothing reads it.",
    ),
    Code(
        "OXP107",
        "One setting under two names",
        "com.openexchange.push.allowedClients and allowedClient are the same setting, and so are KEY and KEY.file. "
        "Keep one of the two.",
    ),
    Code(
        "OXP108",
        "A secret's file cannot be read",
        "KEY.file, or systemd's LoadCredential, names a file that holds the secret: UTF-8 text, blanks around it are "
        "cut off. It is not there, empty, or the user that runs oxpushctl may not read it.",
    ),
    Code(
        "OXP109",
        "A value of the wrong kind",
        "config explain KEY says what is wanted. The middleware's own durations are numbers of milliseconds; those of "
        "oxpushctl have a unit: 500ms, 5s, 10m, 4h, 30d. Lines that another source overrides are checked as well.",
    ),
    Code(
        "OXP201",
        "An options file that is no YAML of client options",
        "The file maps client ids to options. Indent with blanks, never with tabs, and put values between quotes that "
        "begin with a character such as * & ! % @ or that hold a colon. Nothing of a file with a syntax error is used; "
        "the clients of other files run.",
    ),
    Code(
        "OXP202",
        "A client or option twice",
        "A client is configured once: one section of one file. With two it would be chance which one counts.",
    ),
    Code(
        "OXP203",
        "An unknown option",
        "Nobody reads this option, so what it was meant to say would be ignored. The client is out of service until "
        "the option is corrected or removed.",
    ),
    Code(
        "OXP204",
        "An option of the wrong kind",
        "enabled and production are true or false, authtype is certificate or jwt, all others are texts.",
    ),
    Code(
        "OXP205",
        "A missing option",
        "APNs wants a keystore (and its password) with authtype certificate, and privatekey, keyid, teamid and topic "
        "with authtype jwt. FCM wants keyPath, the path of a Google service account's JSON.",
    ),
    Code(
        "OXP206",
        "A push client without a known type",
        "Each client of pushClientConfig/*.yml has a _type: apn for Apple, fcm for Google.",
    ),
    Code(
        "OXP207",
        "A push client that no mail app belongs to",
        "In pushClientConfig/*.yml the id is that of the app followed by -ios or -android. Mail pushes never use "
        "clients with other ids; other modules of the middleware do.",
    ),
    Code(
        "OXP208",
        "A secret kept by Kubernetes",
        "keystoreId and privatekeyId name Kubernetes secrets, which oxpushctl does not ask for. Mount the secret as a "
        "file and name that with keystore or privatekey.",
    ),
    Code(
        "OXP209",
        "A legacy FCM server key",
        "Google switched the protocol of these keys off in 2024. In the Firebase console, project settings, service "
        "accounts, create a private key: a JSON file. Name its path with keyPath and remove key.",
    ),
    Code(
        "OXP210",
        "A client in both APNs files",
        "pns-apns-options.yml and pns-apns_http2-options.yml both configure this client, and the switch of only one "
        "of them is on for it: that one is used.",
    ),
    Code(
        "OXP301",
        "A client's file is not there",
        "A keystore, private key or service account is named that does not exist. Relative paths are relative to the "
        "etc folder.",
    ),
    Code(
        "OXP302",
        "A file is not there",
        "A property names a certificate or key that does not exist. Relative paths are relative to the etc folder.",
    ),
    Code(
        "OXP303",
        "A client whose transport is off",
        "The client has its options, but no push leaves before its transport is switched on.",
    ),
    Code(
        "OXP304",
        "A transport without clients",
        "The transport is switched on, but no client is configured and enabled for it.",
    ),
    Code(
        "OXP305",
        "No login for Dovecot's requests",
        "Requests to the notify endpoint carry com.openexchange.rest.services.basic-auth.login and .password. Unless "
        "both are set the endpoint refuses all of them with 403, and no mail is ever heard of.",
    ),
    Code(
        "OXP306",
        "Every client is allowed",
        "An empty com.openexchange.push.allowedClients does not mean nobody, but everybody.",
    ),
    Code(
        "OXP307",
        "Half of a TLS identity",
        "oxpushctl.tls.certificate and oxpushctl.tls.key belong together.",
    ),
    Code(
        "OXP308",
        "A delay beyond its maximum",
        "com.openexchange.pns.delayDuration is larger than maxDelayDuration. The middleware refuses every push then. "
        "0 as maxDelayDuration is no bound.",
    ),
    Code(
        "OXP309",
        "Stored passwords without a passphrase",
        "With com.openexchange.push.credstorage.enabled=true mail passwords are encrypted with "
        "com.openexchange.push.credstorage.passcrypt, which must be set, to the same text on every node.",
    ),
    Code(
        "OXP310",
        "A setting of a client that is not configured",
        "The key ends in the id of a client that no options file has: most likely a misspelling. Ids are exact.",
    ),
    Code(
        "OXP311",
        "Signed registrations without a passphrase",
        "The signature is derived from com.openexchange.push.credstorage.passcrypt. Without it registrations are "
        "plain, and the owner of a mailbox can write another user's into it.",
    ),
    Code(
        "OXP312",
        "A client that nobody writes messages for",
        "New mail is told to clients of the mobile API facade: those whose id begins with "
        "open-xchange-mobile-api-facade, and those listed in pns-mobile-api-facade-clients.yml.",
    ),
    Code(
        "OXP313",
        "A TLS identity that cannot be used",
        "oxpushctl.tls.certificate names a PEM file with the server's certificate and those of the authorities "
        "between, oxpushctl.tls.key one with its private key, without a password. One of them holds something "
        "else, the user that runs oxpushctl may not read it, or the key is that of another certificate.",
    ),
    Code(
        "OXP314",
        "A state folder too deep for a socket",
        "The commands reach the engine at a socket in the state folder, and the path of a socket has at most 107 "
        "bytes. Set oxpushctl.admin.listen to a shorter one, such as unix:/run/oxpushctl/admin.sock.",
    ),
    Code(
        "OXP401",
        "Credentials that cannot be read",
        "The file that keystore, privatekey or keyPath names is there, but it is not a regular file, too large, or "
        "the user that runs oxpushctl may not read it.",
    ),
    Code(
        "OXP402",
        "A keystore that the password does not open",
        "The password of a .p12 is the one that was chosen when it was exported. A file that was damaged on its way, "
        "such as by a transfer as text, cannot be told from one with another password.",
    ),
    Code(
        "OXP403",
        "A keystore without a usable certificate and key",
        "keystore names a PKCS#12 (.p12) or PEM file that holds the push certificate and its private key. A .cer file "
        "holds no key: export both together from the Mac that asked for the certificate.",
    ),
    Code(
        "OXP404",
        "A push certificate that is not valid now",
        "Apple refuses every push of the client. Renew the certificate in the developer account and export it again, "
        "or change to authtype jwt, whose keys do not expire.",
    ),
    Code(
        "OXP405",
        "A push certificate that expires soon",
        "Push certificates live for a year, and this one ends within 30 days. The old and the new one work side by "
        "side, so renew it now. With authtype jwt there is nothing to renew.",
    ),
    Code(
        "OXP406",
        "No topic to push to",
        "topic is the app's bundle id, such as com.example.mail: letters, digits, dots and hyphens. With a certificate "
        "it may be left out, unless that names none.",
    ),
    Code(
        "OXP407",
        "A topic that the certificate is not for",
        "Apple answers TopicDisallowed or DeviceTokenNotForTopic to every push. The certificate lists the topics that "
        "it is for: its UID and those of an extension of Apple's.",
    ),
    Code(
        "OXP408",
        "A certificate for Apple's other environment",
        "A development certificate works with production: false only, an old production certificate with production: "
        "true only. The app's build decides which of the two is right: TestFlight and App Store are production.",
    ),
    Code(
        "OXP409",
        "A signing key that cannot be used",
        "privatekey names the .p8 file that Apple handed out once: a private key in PEM form, without a password.",
    ),
    Code(
        "OXP410",
        "A signing key of the wrong kind",
        "Apple's keys for push are elliptic curve keys on P-256. A file with an RSA key is something else: a TLS key, "
        "or a part of a certificate.",
    ),
    Code(
        "OXP411",
        "A broken service account",
        "keyPath names the JSON file of a Google service account with project_id, client_email, token_uri, "
        "private_key_id and private_key, as the Firebase console wrote it.",
    ),
    Code(
        "OXP412",
        "Another file instead of a service account",
        "google-services.json belongs into the Android app, and a file of type authorized_user to a person. What is "
        "wanted has the type service_account: Firebase console, Project settings, Service accounts.",
    ),
    Code(
        "OXP413",
        "A service account without a usable key",
        "private_key of the service account is an RSA key in PEM form; in JSON its lines end in \\n. Download a new "
        "one rather than repairing it.",
    ),
    Code(
        "OXP414",
        "Certificate authorities that cannot be used",
        "oxpushctl.tls.ca names a PEM file with at least one certificate, and nothing reaches a server that it should "
        "vouch for.",
    ),
)

CATALOGUE: dict[str, Code] = {row.code: row for row in _ROWS}


def is_syntax(code: str) -> bool:
    """Tell whether a finding is about one text by itself: its syntax, its key or its kind."""
    return code < "OXP3"
