"""The options of a client, as the YAML files and packages spell them: what ``config explain`` and the samples say.

``reader`` reads the YAML files, and ``packaged`` what a package delivers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oxpushctl.config.clients.options import (
    APNS_FILE,
    APNS_HTTP2_FILE,
    FACADE_CLIENTS_FILE,
    GCM_FILE,
    UNIFIED_FOLDER,
)

UNIFIED_FILES = f"{UNIFIED_FOLDER}/*.yml"
APNS_FILES = f"{APNS_FILE}, {APNS_HTTP2_FILE}; {UNIFIED_FILES} (_type: apn)"
FCM_FILES = f"{GCM_FILE}; {UNIFIED_FILES} (_type: fcm)"


@dataclass(frozen=True, slots=True)
class OptionRow:
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


OPTIONS: tuple[OptionRow, ...] = (
    OptionRow(
        "enabled",
        (APNS_FILES, FCM_FILES, FACADE_CLIENTS_FILE),
        "true or false",
        "true",
        "Whether the client is used; false takes it out of service and keeps its options.",
    ),
    OptionRow(
        "_type",
        (UNIFIED_FILES,),
        "apn or fcm",
        "none: it must be set",
        "Whose push service the client is for: Apple's or Google's. The id of the client ends in -ios or -android "
        "accordingly.",
        example="apn",
    ),
    OptionRow(
        "authtype",
        (APNS_FILES,),
        "certificate or jwt",
        "jwt where privatekey is set, else certificate",
        "How Apple knows who pushes: by a certificate (keystore and password), which has to be renewed each year, or "
        "by tokens signed with a key (privatekey, keyid, teamid and topic), which does not expire.",
        example="jwt",
    ),
    OptionRow(
        "topic",
        (APNS_FILES,),
        "text",
        "the certificate's; with authtype jwt it must be set",
        "The bundle id of the app, as Apple knows it.",
        packaged="apnTopic",
        example="com.example.mail",
    ),
    OptionRow(
        "keystore",
        (APNS_FILES,),
        "path, relative to the etc folder",
        "none: authtype certificate needs it",
        "The push certificate and its private key, as a PKCS#12 (.p12) or PEM file.",
        packaged="apnKeystoreFile",
        example="apn/mail.p12",
    ),
    OptionRow(
        "password",
        (APNS_FILES,),
        "text; an unquoted number is one, too",
        "none",
        "The password of the keystore.",
        packaged="apnPassword",
        is_secret=True,
    ),
    OptionRow(
        "privatekey",
        (APNS_FILES,),
        "path, relative to the etc folder",
        "none: authtype jwt needs it",
        "The .p8 file with the signing key that Apple handed out once.",
        packaged="apnPrivatekeyFile",
        example="apn/AuthKey_ABC123DEFG.p8",
    ),
    OptionRow(
        "keyid",
        (APNS_FILES,),
        "text of ten characters",
        "none: authtype jwt needs it",
        "The id of the signing key; it stands in the name of its file.",
        packaged="apnKeyId",
        example="ABC123DEFG",
    ),
    OptionRow(
        "teamid",
        (APNS_FILES,),
        "text of ten characters",
        "none: authtype jwt needs it",
        "The id of the developer account's team.",
        packaged="apnTeamId",
        example="DEF123GHIJ",
    ),
    OptionRow(
        "production",
        (APNS_FILES,),
        "true or false",
        "true",
        "Which of Apple's two environments the app was built for: apps of TestFlight and the App Store are production.",
        packaged="apnProduction",
    ),
    OptionRow(
        "keyPath",
        (FCM_FILES,),
        "path, relative to the etc folder",
        "none: it must be set",
        "The JSON file of a Google service account that may send pushes: Firebase console, Project settings, Service "
        "accounts.",
        packaged="fcmKeyPath",
        example="fcm/service-account.json",
    ),
    OptionRow(
        "key",
        (FCM_FILES,),
        "nothing any more",
        "none",
        "The legacy server key, whose protocol Google switched off in 2024: set keyPath instead (OXP209).",
        packaged="gcmKey",
        is_secret=True,
    ),
    OptionRow(
        "description",
        (FACADE_CLIENTS_FILE,),
        "text",
        "none",
        "Words for whoever reads the file.",
    ),
)


def find(name: str) -> OptionRow | None:
    """Return the option of that name, in a YAML file or in a package, where it may be for Apple's other switch."""
    packaged = re.sub("^apnsHttp2(?=[A-Z])", "apn", name)
    return next((each for each in OPTIONS if name and (name == each.name or packaged == each.packaged)), None)
