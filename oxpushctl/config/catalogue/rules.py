"""OXP3xx: rules between settings, and the files that they name."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "OXP301",
        "A client's file is not there",
        "A keystore, private key or service account is named that does not exist, or one below a folder that is closed "
        "to whoever runs the check. Relative paths are relative to the etc folder.",
    ),
    Code(
        "OXP302",
        "A file or folder is not there",
        "A property names a file or folder that does not exist, or one below a folder that is closed to whoever runs "
        "the check. Relative paths are relative to the etc folder.",
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
        "OXP315",
        "No mail server",
        "com.openexchange.mail.mailServer names the IMAP server at which push users are registered and listened for: "
        "imaps://mail.example.com. It judges the passwords of whoever logs in at oxpushctl.public.listen, too. Without "
        "it nobody can; Dovecot's notify requests work all the same.",
    ),
    Code(
        "OXP316",
        "A master password that is not set",
        "With com.openexchange.mail.passwordSource=global every mailbox is opened with "
        "com.openexchange.mail.masterPassword. Put it into a file that only the service may read, and name that with "
        "com.openexchange.mail.masterPassword.file.",
    ),
    Code(
        "OXP317",
        "Nobody can be logged in for",
        "A permanent listener has no session whose password it could use. It needs the master password "
        "(com.openexchange.mail.passwordSource=global), kept passwords "
        "(com.openexchange.push.credstorage.enabled=true) or, for Dovecot only, doveadm "
        "(com.openexchange.dovecot.doveadm.enabled=true, apiSecret and endpoints), which needs no password.",
    ),
    Code(
        "OXP318",
        "Permanent listeners without an implementation",
        "This node is to run permanent listeners, but com.openexchange.push.dovecot.enabled, "
        "com.openexchange.push.imapidle.enabled and com.openexchange.push.mail.notify.enabled are all false. Enable "
        "one of them; on a node that is not to listen set com.openexchange.push.allowPermanentPush=false.",
    ),
    Code(
        "OXP319",
        "IMAP IDLE for sessions only",
        "Unless com.openexchange.push.imapidle.supportsPermanentListeners is true, IMAP IDLE listens only for users "
        "who have a web socket open at oxpushctl.public.listen, and of a client that "
        "com.openexchange.push.allowedClients allows: open-xchange-appsuite, most likely.",
    ),
    Code(
        "OXP320",
        "An app that is not among the allowed clients",
        "com.openexchange.push.allowedClients decides for which apps mailboxes are listened to. The app's options are "
        "there, but no pattern matches its id, so nobody listens for its users. Patterns are compared with the whole "
        "id; * stands for any characters, as in open-xchange-mobile-api-facade*.",
    ),
    Code(
        "OXP321",
        "doveadm without its secret or addresses",
        "com.openexchange.dovecot.doveadm.enabled wants apiSecret, the doveadm_api_key of the Dovecot servers, and "
        "endpoints, their addresses. With one of them missing doveadm is not used, just as by the middleware, which "
        "starts all the same.",
    ),
    Code(
        "OXP322",
        "doveadm is preferred, but off",
        "com.openexchange.push.dovecot.preferDoveadmForMetadata takes effect together with "
        "com.openexchange.dovecot.doveadm.enabled=true. Without it users are registered over IMAP.",
    ),
    Code(
        "OXP323",
        "Passwords where only tokens are taken",
        "With com.openexchange.mail.authType=xoauth2 or oauthbearer the mail server takes tokens, which live sessions "
        "have and permanent listeners do not. Neither kept passwords nor a master password help, and nobody logs in at "
        "oxpushctl.public.listen with one; Dovecot can be told of push users over doveadm instead "
        "(com.openexchange.dovecot.doveadm.enabled).",
    ),
    Code(
        "OXP324",
        "A setting that another one leaves without use",
        "The master password and master user belong to com.openexchange.mail.passwordSource=global, "
        "com.openexchange.mail.authProxyDelimiter to oxpushctl.imap.masterUser, "
        "com.openexchange.push.credstorage.rdb to com.openexchange.push.credstorage.enabled=true, and "
        "oxpushctl.credentials.url to that with com.openexchange.push.credstorage.rdb=false. "
        "com.openexchange.server.knownProxies, oxpushctl.sessions and oxpushctl.users.autoCreate are about those who "
        "come to oxpushctl.public.listen, oxpushctl.users.context about users that autoCreate makes, and "
        "oxpushctl.admin.login about those who come to a port of oxpushctl.admin.listen. Most likely the other line is "
        "missing.",
    ),
    Code(
        "OXP325",
        "A mail server without TLS",
        "With com.openexchange.imap.requireTls=false log-ins at another machine go ahead when STARTTLS is not offered, "
        "and whoever can suppress the offer reads every password, the master password first.",
    ),
    Code(
        "OXP326",
        "No client",
        "Nothing is pushed before the options of an app are there: pns-apns-options.yml for Apple, pns-gcm-options.yml "
        "for Google, or the folder pushClientConfig, each with the app's id, such as open-xchange-mobile-api-facade. "
        "Then switch the transport on in pns.properties. oxpushctl config sample writes all of these files.",
    ),
    Code(
        "OXP327",
        "Plain HTTP across the network",
        "Requests to the notify endpoint carry a password, and the sender and subject of every mail; those of mail "
        "apps at oxpushctl.public.listen their users' passwords; those of commands at a port of oxpushctl.admin.listen "
        "its password; requests to doveadm carry its secret, and those to the Redis of oxpushctl.credentials.url its "
        "login. On an address that other machines reach, give the engine a certificate (oxpushctl.tls.certificate; "
        "Dovecot's driver knows https from 2.3 on), put a proxy that has one before it "
        "(com.openexchange.server.knownProxies), or keep that network to these servers. To Redis TLS is rediss://.",
    ),
    Code(
        "OXP328",
        "A provider's stand-in",
        "Pushes go to another host than Apple's or Google's. That is right for the sandbox, for tests and for a "
        "gateway that passes them on; nothing else reaches a phone.",
    ),
    Code(
        "OXP329",
        "Endpoints of providers mixed up",
        "Apple's address for development builds is set for production, the other way round, or Apple's for Google. "
        "Apple answers BadDeviceToken for every device of the other environment, which looks as if all of them were "
        "gone.",
    ),
    Code(
        "OXP330",
        "IMAP IDLE watches something else than the inbox",
        "com.openexchange.push.imapidle.folder and accountId choose what is watched. New mail arrives in the INBOX of "
        "the primary account (0), and only that account can be opened without a session; the middleware 7.x watched "
        "account 0 whatever was set.",
    ),
    Code(
        "OXP331",
        "A secret that everybody can read",
        "The file holds a password, passphrase or private key, and its mode lets every user of this machine read it. "
        "Mode 0640 with the group of the service is usual, 0600 if the service owns the file: chmod o-r FILE. Whoever "
        "may have read it still knows the secret: consider a new one.",
    ),
    Code(
        "OXP332",
        "A pattern that matches no client",
        "Patterns of com.openexchange.push.allowedClients are separated by commas, and each may stand between double "
        "quotes. With a comma forgotten two of them become one, which matches nobody.",
    ),
    Code(
        "OXP334",
        "An admin port without a login",
        "What answers at oxpushctl.admin.listen may read and change what the engine keeps. A socket is protected by "
        "its mode. A TCP address is open to every user of this machine, if not of others, so requests to it have to "
        "carry oxpushctl.admin.login and oxpushctl.admin.password: set both, the password in a file that only the "
        "service may read (oxpushctl.admin.password.file). Without them nothing starts.",
    ),
    Code(
        "OXP335",
        "A database in a folder that is not there",
        "oxpushctl.database.url names a SQLite file below a folder that does not exist. The first command that writes "
        "makes it, for whoever runs that: if that is root, the engine cannot write there. Make it beforehand, as the "
        "engine's user.",
    ),
    Code(
        "OXP336",
        "Devices are kept apart from the middleware",
        "This is the configuration of a middleware, and oxpushctl.database.url is not set: subscriptions, "
        "registrations and users are those of a SQLite file in the state folder, which begins empty. To go on with the "
        "middleware's devices name its database: mysql://LOGIN:PASSWORD@HOST/SCHEMA.",
    ),
    Code(
        "OXP337",
        "Half of an admin login",
        "oxpushctl.admin.login and oxpushctl.admin.password belong together. An empty password is none.",
    ),
    Code(
        "OXP338",
        "Strangers at the admin address",
        "What commands use must not be reached by whoever has a mail app, so oxpushctl.public.listen and "
        "oxpushctl.admin.listen may not share an address. Each may share one with oxpushctl.intake.listen.",
    ),
    Code(
        "OXP339",
        "Everybody is a proxy",
        "Whoever stands in com.openexchange.server.knownProxies is believed when it names the address of a mail app "
        "(X-Forwarded-For). With 0.0.0.0/0 or ::/0 that is everybody: who guesses passwords takes another address for "
        "each, and is never slowed down. Name the addresses that your proxies connect from.",
    ),
    Code(
        "OXP340",
        "Sessions that end otherwise than it says",
        "A session ends when no request used it for oxpushctl.sessions.idle, and oxpushctl.sessions.maxAge after the "
        "log-in at the latest. An idle time that is longer than that never ends one, and with 0 no session is of use.",
    ),
    Code(
        "OXP341",
        "Passwords that are kept until the engine stops",
        "With com.openexchange.push.credstorage.rdb=false and without oxpushctl.credentials.url kept passwords are in "
        "the engine's memory, and nowhere on a disk. When it stops they are gone; the app of each user has to log in "
        "and subscribe again, or `oxpushctl credentials set` or `import` brings them back.",
    ),
    Code(
        "OXP342",
        "Storage for passwords that nobody needs",
        "com.openexchange.push.credstorage.enabled is true, but something else opens the mailboxes: the master "
        "password (com.openexchange.mail.passwordSource=global), or Dovecot is told of push users over doveadm "
        "(com.openexchange.push.dovecot.preferDoveadmForMetadata), which needs none. Then no user's password is kept. "
        "That is as it should be; false says the same.",
    ),
    Code(
        "OXP343",
        "A proxy that is not known",
        "oxpushctl.public.listen is an address of this machine only, so a proxy on it brings the apps, and they all "
        "come from its address. Where that does not stand in com.openexchange.server.knownProxies, what it says about "
        "them (X-Forwarded-For) is not believed, and one user's wrong passwords slow down the log-ins of all.",
    ),
    Code(
        "OXP344",
        "Multicast that is none",
        "com.openexchange.push.mail.notify.udp_listen_host is the address that datagrams are received at, or, with "
        "com.openexchange.push.mail.notify.udp_listen_multicast=true, the group that is joined: 224.0.0.0 to "
        "239.255.255.255, or an IPv6 address that begins with ff.",
    ),
    Code(
        "OXP345",
        "Datagrams that nobody believes",
        "Anybody can send a datagram, so only those from oxpushctl.mailnotify.sources are believed: by default from "
        "this machine. Where Cyrus runs elsewhere its addresses have to be named, as 10.1.0.7 or 10.1.0.0/16.",
    ),
    Code(
        "OXP346",
        "IDLE sessions asked too often, or too seldom",
        "oxpushctl.imapidle.renew is how long a session may hear nothing at all before it is asked whether it is still "
        "alive. Below a minute many sessions keep the mail server busy and awake. Above 29 minutes the server may end "
        "a session that it takes for dead (RFC 2177), and firewalls forget the connection long before.",
    ),
    Code(
        "OXP347",
        "No IDLE session may be opened",
        "oxpushctl.imapidle.maxSessions limits the IDLE sessions of this node. With 0 there are none, and everybody "
        "who depends on them is listed as over-limit.",
    ),
    Code(
        "OXP348",
        "Catching up with nothing",
        "oxpushctl.catchup.max is how many of the newest mails of a user are pushed after a time in which nobody "
        "listened. With 0 the mailboxes are asked all the same; oxpushctl.catchup.enabled=false spares them that.",
    ),
    Code(
        "OXP349",
        "Log-ins that several users share",
        "com.openexchange.mail.loginSource=name logs in with what stands before the @ of a user's mail address, and "
        "mail with all of it. Where two users of the directory come to the same log-in, the master password would open "
        "one mailbox for both, and one would read the other's mail. Such users are not listened for: "
        "`oxpushctl listpushusers --all` names them.",
    ),
)
