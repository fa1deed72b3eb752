"""OXP6xx: Dovecot's own configuration."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "OXP601",
        "A configuration that Dovecot would refuse",
        "The file that --dovecot-config names is what doveconf -n printed, or a dovecot.conf. Each setting and "
        "each { and } is on a line of its own. doveconf -n says what Dovecot makes of it. Blocks more than 50 "
        "deep, and values that grow beyond all measure by what they refer to, are not judged.",
    ),
    Code(
        "OXP602",
        "A part of Dovecot's configuration that cannot be read",
        "An included file is there, but the user that runs oxpushctl may not read it, so that nothing sure can be "
        "said. Run the check as root, or let root write down what Dovecot takes: (umask 077; doveconf -nP > FILE). The "
        "file holds secrets.",
    ),
    Code(
        "OXP603",
        "Dovecot's configuration cannot be asked for",
        "There is a doveconf on this machine, but it failed: most often some of Dovecot's files are readable by "
        "root only. As root, (umask 077; doveconf -nP > FILE) writes the configuration, secrets included, into a "
        "file that nobody else reads, for --dovecot-config FILE.",
    ),
    Code(
        "OXP604",
        "A Dovecot that is not judged",
        "Dovecot is installed on this machine, but it does not look like the one that has the mail: it does not "
        "listen at the mail server's port, or no mail server is named and nobody has begun to set up this Dovecot "
        "for push. --dovecot-config FILE names the configuration that matters.",
    ),
    Code(
        "OXP605",
        "A Dovecot that is too old",
        "The push notification driver ox came with Dovecot 2.2.19; https needs 2.3.",
    ),
    Code(
        "OXP606",
        "Nobody can be registered over IMAP",
        "A user is listened for once the mailbox holds a registration, which is written over IMAP's METADATA. "
        "Switch it on for the addresses that register, and for nobody else: imap_metadata = yes inside protocol "
        "imap inside remote. In hints ⏎ stands for a new line, which Dovecot wants around { and }. Registrations "
        "over doveadm (com.openexchange.push.dovecot.preferDoveadmForMetadata) do without.",
    ),
    Code(
        "OXP607",
        "METADATA for everybody",
        "Whoever may write METADATA can register a mailbox of their own under another user's name, and have that "
        "user's devices told of it. Switch imap_metadata on inside remote { } only, for the addresses that register. "
        "oxpushctl.dovecot.registration=signed is no way out: unsigned registrations, such as the middleware writes, "
        "are then believed no longer, and their pushes are lost.",
    ),
    Code(
        "OXP608",
        "METADATA, but not for us",
        "imap_metadata is on inside of remote { } blocks, none of which has the address that this machine's "
        "log-ins come from: registering fails. Right where only another machine registers.",
    ),
    Code(
        "OXP609",
        "No place for registrations",
        "Registrations are mailbox attributes, which Dovecot keeps only where mail_attribute_dict (2.4: "
        "mail_attribute) says so. It must hold for IMAP, which writes them, and for the deliveries, which read "
        "them.",
    ),
    Code(
        "OXP610",
        "Deliveries without the plugins",
        "Mail arrives over LMTP, or through dovecot-lda. Each needs the plugins notify and push_notification to "
        "tell of it. Set them for both: a way of delivery that nobody thought of is one that nobody hears of. In "
        "2.3, $mail_plugins stands for the plugins set before that line.",
    ),
    Code(
        "OXP611",
        "No driver that calls the intake",
        "push_notification_driver = ox:url=… inside plugin { }, or in 2.4 push_notification ox { }, says where new "
        "mail is told.",
    ),
    Code(
        "OXP612",
        "A driver that is ignored",
        "Dovecot 2.3 reads push_notification_driver, then push_notification_driver2, 3 and so on, and stops at the "
        "first that is not there. There is no push_notification_driver1.",
    ),
    Code(
        "OXP613",
        "A driver that calls somebody else",
        "None of the drivers calls an address at which oxpushctl.intake.listen has this node listen, with the path "
        "of the notify endpoint. Right where a balancer or proxy stands between; otherwise correct the URL. A / in the "
        "login or password ends both, so that the host is another one: write it as % and two hexadecimal digits.",
    ),
    Code(
        "OXP614",
        "A driver with other credentials",
        "The URL carries com.openexchange.rest.services.basic-auth.login and .password. Characters that mean "
        "something in a URL are written as % and two hexadecimal digits, in 2.3 with the % doubled: p@ss is "
        "p%%40ss, in 2.4 p%40ss.",
    ),
    Code(
        "OXP615",
        "A % that begins a variable",
        "Plugin settings of Dovecot 2.3 hold variables such as %u. A % of the URL that is not doubled is taken for "
        "one, and every log-in and delivery of every user fails with an internal error.",
    ),
    Code(
        "OXP616",
        "Dovecot's user names instead of registered ones",
        "Without user_from_metadata Dovecot sends the user's IMAP login. That names a push user only if it is a "
        "login or alias of the directory, and is never believed while registrations are signed.",
    ),
    Code(
        "OXP617",
        "Log-ins that one wrong password slows",
        "After failed log-ins Dovecot lets everybody wait who comes from the same address, and all users' log-ins "
        "come from this machine's: 17 wrong passwords among 300 log-ins took the others from 10 ms to 4 s. "
        "login_trusted_networks excepts addresses; it also trusts them with passwords in clear text, and to name "
        "the client's address.",
    ),
    Code(
        "OXP618",
        "Too few IMAP sessions",
        "An IDLE session stays open for each user, up to 800 from a node, and shares the limit of service imap "
        "with the people who read their mail: process_limit times client_limit. Beyond it log-ins hang.",
    ),
    Code(
        "OXP619",
        "Sessions that do not hibernate",
        "With imap_hibernate_timeout a single process holds the sessions that only wait. imap-hibernate and imap "
        "must be allowed to open each other's sockets: see Dovecot's documentation on hibernation.",
    ),
    Code(
        "OXP620",
        "Credentials that doveconf hides",
        "doveconf -n writes #hidden_use-P_to_show# in the place of the login and password in a driver's URL, so that "
        "they cannot be compared with com.openexchange.rest.services.basic-auth.login and .password. As root, "
        "(umask 077; doveconf -nP > FILE) writes them as they are.",
    ),
)
