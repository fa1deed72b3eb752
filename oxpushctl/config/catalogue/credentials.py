"""OXP4xx: certificates and keys."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
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
