"""OXP7xx: what this machine and the network answer."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "OXP701",
        "An address that another program holds",
        "The engine is to listen there, and could not start now. A running engine of ours at the address is fine and "
        "not told of: it is ours if an oxpushctl answers at oxpushctl.admin.listen as well. Another one has another "
        "state folder or admin address. As root, `ss -ltnp` names the programs that listen at ports, `ss -lxp` those "
        "at Unix sockets, `ss -lunp` those that hold UDP ports, as com.openexchange.push.mail.notify.udp_listen_port.",
    ),
    Code(
        "OXP702",
        "An address that nobody can listen at",
        "The host is not an address of this machine, has none, or the port is one below 1024, for which a program "
        "needs the capability CAP_NET_BIND_SERVICE. An address that moves between machines (keepalived) can be "
        "listened at everywhere with the kernel's net.ipv4.ip_nonlocal_bind=1.",
    ),
    Code(
        "OXP703",
        "A socket that cannot be made",
        "The folder of unix:/path is not there or may not be written to, the path is something else than a socket, or "
        "this system user may not look. The check judges for the user that runs it, so run it as the engine's: "
        "`runuser -u oxpushctl -- oxpushctl config check`.",
    ),
    Code(
        "OXP711",
        "A mail server that cannot be reached",
        "com.openexchange.mail.mailServer does not answer at this machine's request. Dovecot's notify requests need "
        "no connection to it, but registrations at Dovecot, IMAP IDLE and tests of passwords do.",
    ),
    Code(
        "OXP712",
        "A mail server that is not reached safely",
        "Passwords are sent over TLS only, and to a server whose certificate is verified: against this system's "
        "authorities and those of oxpushctl.tls.ca, for the very name in com.openexchange.mail.mailServer. imaps:// "
        "and port 993 speak TLS from the first byte on, anything else by STARTTLS. On this machine, or with "
        "com.openexchange.imap.requireTls=false, a server without STARTTLS is spoken to in clear.",
    ),
    Code(
        "OXP713",
        "Another service instead of a mail server",
        "Something answers at the address of com.openexchange.mail.mailServer, but not as an IMAP server does. Port "
        "143 and 993 are IMAP's; POP3, SMTP, LMTP and ManageSieve have others. A server that waits for TLS says "
        "nothing to whom does not begin it.",
    ),
    Code(
        "OXP714",
        "A log-in that the mail server refuses",
        "The login is that of com.openexchange.mail.loginSource: the directory's login, its mail address, or the part "
        "before the @. With com.openexchange.mail.passwordSource=global the master password opens it, as "
        "login<delimiter>masterUser where oxpushctl.imap.masterUser is set. Dovecot takes a master password from a "
        "master user only: without oxpushctl.imap.masterUser it refuses.",
    ),
    Code(
        "OXP715",
        "A mail server that lets nobody in now",
        "The mail server answered that it cannot, ended the connection, or did not answer in time: its user database "
        "is down, a limit is reached, all its processes are taken. Passwords were not judged. Dovecot's "
        "mail_max_userip_connections counts connections by user and client address, and to it this machine is one "
        "address for all users.",
    ),
    Code(
        "OXP716",
        "A mailbox without METADATA",
        "A user is registered at Dovecot by writing to the METADATA of its mailbox (RFC 5464). Dovecot offers that "
        "where imap_metadata = yes holds for the connection and mail_attribute_dict says where to keep it. Switch it "
        "on for this machine's address only: any mailbox owner who may write METADATA could register as somebody "
        "else.",
    ),
    Code(
        "OXP717",
        "A mailbox without IDLE",
        "com.openexchange.push.imapidle.enabled is true, and IDLE (RFC 2177) is how the mail server would tell of new "
        "mail. A proxy in front of it may hide what the server behind it offers. Some servers tell of it to users "
        "only: --probe-user logs one in.",
    ),
    Code(
        "OXP718",
        "A mailbox that opens",
        "--probe-user was let in, and the mail server offers what the enabled implementations need.",
    ),
    Code(
        "OXP721",
        "Credentials that the provider refuses",
        "--probe-providers showed the client's certificate, signing key or service account, and Apple or Google did "
        "not accept it. Every push of the client would be kept until that is mended.",
    ),
    Code(
        "OXP722",
        "A provider that cannot be asked",
        "Apple's hosts are api.push.apple.com and api.sandbox.push.apple.com on port 443, Google's fcm.googleapis.com "
        "and oauth2.googleapis.com. A way out over an HTTP proxy is set in oxpushctl.proxy, or in the environment's "
        "https_proxy. A firewall that looks into TLS has to leave these alone, or its authority be named in "
        "oxpushctl.tls.ca, as that of a gateway of your own in oxpushctl.apns.endpoint.production, "
        "oxpushctl.apns.endpoint.sandbox or oxpushctl.fcm.endpoint. Access tokens come from the token_uri in the "
        "service account's file.",
    ),
    Code(
        "OXP723",
        "A provider that would not take pushes",
        "The credentials as such are accepted, but not for what they are used for: another topic than the "
        "certificate's, a project that does not exist, a quota that is used up.",
    ),
    Code(
        "OXP724",
        "Credentials that the provider accepts",
        "--probe-providers pushed to a device that nobody has, and the provider had nothing else against it.",
    ),
    Code(
        "OXP731",
        "A Redis that cannot be asked",
        "The Redis of oxpushctl.credentials.url keeps the mail passwords, and did not answer, or said that it cannot "
        "now: it is loading, full, or busy with a script. Until it answers no mailbox is opened with a "
        "kept password, and none is kept. With rediss:// its certificate is verified, against this "
        "system's authorities and those of oxpushctl.tls.ca, for the very host in the URL.",
    ),
    Code(
        "OXP732",
        "A Redis that refuses",
        "The Redis of oxpushctl.credentials.url did not take the login and password in the URL, lets the login not do "
        "what is needed, has no such database, or holds another program's data under our names. A login that may do "
        "no more than it must: `ACL SETUSER push on >PASSWORD ~{oxpushctl:credentials}:* +eval +hget +hmget +hset "
        "+hdel +del +zadd +zrem +zrangebylex`. Of a Redis cluster, name the node that has the slot of these keys.",
    ),
    Code(
        "OXP733",
        "A Redis that writes passwords to disk",
        "com.openexchange.push.credstorage.rdb is false so that kept passwords are in memory only, and gone with it. "
        "The Redis of oxpushctl.credentials.url writes snapshots (save) or every change (appendonly) to its disk, "
        'where they, encrypted, also come into its backups. Its redis.conf switches that off: `save ""` and '
        "`appendonly no`. Where they may be on a disk, com.openexchange.push.credstorage.rdb=true needs no Redis.",
    ),
    Code(
        "OXP741",
        "A database that cannot be asked",
        "The database of oxpushctl.database.url has the devices, and did not answer. Without it no engine starts; one "
        "that runs keeps events until it is back.",
    ),
    Code(
        "OXP742",
        "A database that refuses",
        "The database of oxpushctl.database.url did not take the login and password in the URL, lets the login not do "
        "what is needed, has no such schema, or its tables are those of a newer release.",
    ),
    Code(
        "OXP743",
        "Tables that an update would widen",
        "The tables are read as they are, and what does not fit them is refused: an expiry, a client's name, a mail "
        "password (7.x has room for 64 characters, an encrypted one has more than 100). oxpushctl database upgrade "
        "widens them as the middleware's own update tasks do.",
    ),
    Code(
        "OXP744",
        "Another passphrase than that of the kept passwords",
        "com.openexchange.push.credstorage.passcrypt has to be the same on every node. Beside the kept mail passwords "
        "there is a known text under the key of theirs, which the configured one does not open. An engine ends with 78 "
        "then. Where it was changed on purpose, oxpushctl credentials rotate brings the passwords under it.",
    ),
    Code(
        "OXP745",
        "Users of its own beside the middleware's",
        "oxpushctl.users.autoCreate gives ids to users that only the mail server knew. Where the middleware made the "
        "tables, it gives the ids, so nothing starts with both: users come by oxpushctl users add and import there.",
    ),
    Code(
        "OXP751",
        "A doveadm that cannot be asked",
        "com.openexchange.dovecot.doveadm.endpoints are the addresses of doveadm's HTTP API, most often "
        "http://HOST:8080/doveadm/v1: Dovecot has it where its service doveadm has an inet_listener http. Without an "
        "answer users are registered over IMAP, if passwords are at hand, and after an outage each mailbox costs a "
        "log-in. With https:// the certificate is verified, against this system's authorities and those of "
        "oxpushctl.tls.ca.",
    ),
    Code(
        "OXP752",
        "A doveadm that refuses the key",
        "com.openexchange.dovecot.doveadm.apiSecret has to be the doveadm_api_key of the Dovecot servers, to the "
        "letter and the same on all of them. Dovecot reads its own again with `doveadm reload`.",
    ),
    Code(
        "OXP753",
        "A mail server whose datagrams are dropped",
        "oxpushctl.mailnotify.sources does not have the address of com.openexchange.mail.mailServer. Where notifyd "
        "runs on that machine, what it sends is not believed; where it runs on others, behind that address, theirs "
        "are the ones to be named.",
    ),
)
