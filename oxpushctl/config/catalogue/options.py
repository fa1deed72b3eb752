"""OXP2xx: client options."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
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
        "with authtype jwt. FCM wants keyPath, the path of a Google service account's JSON. In a package's "
        "CLIENT.properties they are apnKeystoreFile and apnPassword, apnPrivatekeyFile, apnKeyId and apnTeamId, and "
        "fcmKeyPath.",
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
        "of them is on for it: that one is used. Where a package has options for both switches, and both are on, those "
        "that begin with apn are used.",
    ),
    Code(
        "OXP211",
        "An unknown key among packaged options",
        "CLIENT.properties of a package knows apnKeystoreFile, apnPassword, apnPrivatekeyFile, apnKeyId, apnTeamId, "
        "apnTopic and apnProduction, the same with apnsHttp2 instead of apn, and fcmKeyPath. Mind the case: any other "
        "key has no effect.",
    ),
    Code(
        "OXP212",
        "Options that a package overrules",
        "A package delivers this client's options, in the folder that oxpushctl.pns.packaged names. They win as a "
        "whole, as with the middleware: nothing of the YAML section counts, and what is wrong with it does no harm. "
        "Remove the section or, to use it, the package's file.",
    ),
    Code(
        "OXP213",
        "A client that is switched off",
        "enabled: false takes the client out of service on this transport, whatever the properties say. Remove the "
        "line to bring it back, or the whole section if the app is gone.",
    ),
    Code(
        "OXP214",
        "Options files of 7.x beside those of 8.x",
        "The middleware reads pns-apns-options.yml, pns-apns_http2-options.yml and pns-gcm-options.yml until 7.10, and "
        "from 8.0 on the folder pushClientConfig only. Here both are read, so that clients that were left behind in an "
        "old file are still served.",
    ),
    Code(
        "OXP215",
        "An option without a value",
        "The name of the option is there and nothing behind it, so the option has its default.",
    ),
    Code(
        "OXP216",
        "A push client of another module",
        "The folder pushClientConfig also has the clients of the middleware's other modules, such as Drive. This one "
        "is none of the mobile API facade's, no setting names it, and com.openexchange.push.allowedClients does not "
        "allow it, so nobody pushes mail to it: what is wrong with it does no harm here.",
    ),
)
