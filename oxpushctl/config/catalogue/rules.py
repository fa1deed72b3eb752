"""OXP3xx: rules between settings, and the files that they name."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
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
)
