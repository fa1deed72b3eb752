"""OXP0xx and OXP1xx: how files and other sources read; keys and kinds of properties."""

from __future__ import annotations

from oxpushctl.config.catalogue.code import Code

CODES: tuple[Code, ...] = (
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
        "read as UTF-8 here, but the middleware would see other characters. Written as \\uXXXX both see the same. A "
        "byte order mark, which some editors put before the first line, is no blank to Java: it belongs to that key.",
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
        "is that of the key, and keys of oxpushctl bring their own prefix: OXPUSHCTL_oxpushctl_node. A client's id is "
        "one that an options file has.",
    ),
    Code(
        "OXP006",
        "A secret in the environment",
        "The environment of a process is inherited by its children and may be read by other processes. Put the secret "
        "into a file and set KEY.file=/path, or let systemd hand it over: LoadCredential=KEY:/path.",
    ),
    Code(
        "OXP007",
        "A folder that is named like a file",
        "The *.properties directly in the etc folder are read; what is in a folder, whatever its name, is not.",
    ),
    Code(
        "OXP008",
        "A *.properties file that is no text",
        "The file holds NUL characters. An editor that saves UTF-16 writes one beside every letter, so that no key is "
        "what it looks like, neither here nor to the middleware. Save it as ISO-8859-1 or UTF-8.",
    ),
    Code(
        "OXP101",
        "An unknown key",
        "All keys that begin like this one are known, and it is not among them: it has no effect. Mind the case.",
    ),
    Code(
        "OXP102",
        "A key in an unusual file",
        "A key may stand in any *.properties, but whoever looks for it looks in its customary file first, or in "
        "oxpushctl.properties.",
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
        "The property belongs to the middleware alone. It is accepted and checked, and nothing here needs it; config "
        "explain KEY says what does its work.",
    ),
    Code(
        "OXP107",
        "One setting under two names",
        "com.openexchange.push.allowedClients and allowedClient are the same setting, and so are KEY and KEY.file. "
        "Keep one of the two. A key's old name beside its new one does no harm: the new one is used.",
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
        "OXP110",
        "A key with an old name",
        "The middleware renamed the property. It is read under its old name, too, but nobody will look for that.",
    ),
    Code(
        "OXP111",
        "A key that was removed",
        "The property belonged to an older version of the middleware. It has no effect, neither there nor here.",
    ),
    Code(
        "OXP112",
        "A key in a context set",
        "The files in contextSets give the contexts that have certain tags other values than *.properties, in the "
        "middleware's config cascade. oxpushctl knows no tags and does not evaluate these files: for such contexts the "
        "middleware may do otherwise. Keys that are not part of the cascade have no effect there.",
    ),
    Code(
        "OXP113",
        "A default that another version changed",
        "This is the configuration of a middleware of the generation 8.x, and it leaves the key out. Defaults here are "
        "those of 7.10: set the key, and both do the same.",
    ),
    Code(
        "OXP114",
        "A switch for a topic that is never pushed",
        "….enabled.CLIENT.TOPIC is asked for with the topic of a push as it is, such as ox:mail:new for new mail, so "
        "another topic, or a wildcard as * or ox:mail:*, decides nothing. In a file its colons are written \\:.",
    ),
    Code(
        "OXP115",
        "A context set that cannot be read",
        "A file in contextSets is not readable, or not the YAML that the middleware expects there: names of sets, and "
        "below each keys and values. Nothing here depends on it, but which keys have other values for some contexts "
        "is not known.",
    ),
    Code(
        "OXP116",
        "A line that became a part of the one before",
        "A line that ends in a backslash is continued by the next one. Here the next one is a setting of its own, "
        "which is lost that way: remove the backslash, or put the rest of the value between the two.",
    ),
    Code(
        "OXP117",
        "A value that means the default",
        "The middleware takes the default in place of a value that makes no sense here, such as a pause of 0 ms, and "
        "so does oxpushctl. Without the line everybody sees what holds.",
    ),
)
