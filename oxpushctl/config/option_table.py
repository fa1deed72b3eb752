"""The options of a client, as the YAML files and packages spell them: what ``config explain`` and the samples say.

``options_reader`` reads the YAML files, and ``packaged`` what a package delivers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

APNS_FILES = "pns-apns-options.yml, pns-apns_http2-options.yml; pushClientConfig/*.yml (_type: apn)"
FCM_FILES = "pns-gcm-options.yml; pushClientConfig/*.yml (_type: fcm)"
UNIFIED_FILES = "pushClientConfig/*.yml"
FACADE_FILES = "pns-mobile-api-facade-clients.yml"


@dataclass(frozen=True, slots=True)
class ClientOption:
    """One option: ``files`` are those that may have it, ``packaged`` its name in a package's CLIENT.properties.

    ``default`` says what holds where it is missing.
    """

    name: str
    files: tuple[str, ...]
    wanted: str
    default: str
    doc: str
    packaged: str = ""
    example: str = ""
    is_secret: bool = False


OPTIONS: tuple[ClientOption, ...] = (
    ClientOption(
        "enabled",
        (APNS_FILES, FCM_FILES, FACADE_FILES),
        "true or false",
        "true",
        "Whether the client is used; false takes it out of service and keeps its options.",
    ),
    ClientOption(
        "_type",
        (UNIFIED_FILES,),
        "apn or fcm",
        "none: it must be set",
        "Whose push service the client is for: Apple's or Google's. The id of the client ends in -ios or -android "
        "accordingly.",
        example="apn",
    ),
    ClientOption(
        "authtype",
        (APNS_FILES,),
        "certificate or jwt",
        "jwt where privatekey is set, else certificate",
        "How Apple knows who pushes: by a certificate (keystore and password), which has to be renewed each year, or "
        "by tokens signed with a key (privatekey, keyid, teamid and topic), which does not expire.",
        example="jwt",
    ),
    ClientOption(
        "topic",
        (APNS_FILES,),
        "text",
        "the certificate's; with authtype jwt it must be set",
        "The bundle id of the app, as Apple knows it.",
        packaged="apnTopic",
        example="com.example.mail",
    ),
    ClientOption(
        "keystore",
        (APNS_FILES,),
        "path, relative to the etc folder",
        "none: authtype certificate needs it",
        "The push certificate and its private key, as a PKCS#12 (.p12) or PEM file.",
        packaged="apnKeystoreFile",
        example="apn/mail.p12",
    ),
    ClientOption(
        "password",
        (APNS_FILES,),
        "text; an unquoted number is one, too",
        "none",
        "The password of the keystore.",
        packaged="apnPassword",
        is_secret=True,
    ),
    ClientOption(
        "privatekey",
        (APNS_FILES,),
        "path, relative to the etc folder",
        "none: authtype jwt needs it",
        "The .p8 file with the signing key that Apple handed out once.",
        packaged="apnPrivatekeyFile",
        example="apn/AuthKey_ABC123DEFG.p8",
    ),
    ClientOption(
        "keyid",
        (APNS_FILES,),
        "text of ten characters",
        "none: authtype jwt needs it",
        "The id of the signing key; it stands in the name of its file.",
        packaged="apnKeyId",
        example="ABC123DEFG",
    ),
    ClientOption(
        "teamid",
        (APNS_FILES,),
        "text of ten characters",
        "none: authtype jwt needs it",
        "The id of the developer account's team.",
        packaged="apnTeamId",
        example="DEF123GHIJ",
    ),
    ClientOption(
        "production",
        (APNS_FILES,),
        "true or false",
        "true",
        "Which of Apple's two environments the app was built for: apps of TestFlight and the App Store are production.",
        packaged="apnProduction",
    ),
    ClientOption(
        "keyPath",
        (FCM_FILES,),
        "path, relative to the etc folder",
        "none: it must be set",
        "The JSON file of a Google service account that may send pushes: Firebase console, Project settings, Service "
        "accounts.",
        packaged="fcmKeyPath",
        example="fcm/service-account.json",
    ),
    ClientOption(
        "key",
        (FCM_FILES,),
        "nothing any more",
        "none",
        "The legacy server key, whose protocol Google switched off in 2024: set keyPath instead (OXP209).",
        packaged="gcmKey",
        is_secret=True,
    ),
    ClientOption(
        "description",
        (FACADE_FILES,),
        "text",
        "none",
        "Words for whoever reads the file.",
    ),
)


def find(name: str) -> ClientOption | None:
    """Return the option of that name, in a YAML file or in a package, where it may be for Apple's other switch."""
    packaged = re.sub("^apnsHttp2(?=[A-Z])", "apn", name)
    return next((each for each in OPTIONS if name and (name == each.name or packaged == each.packaged)), None)
