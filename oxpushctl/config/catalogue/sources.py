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
        "The property belongs to the middleware alone, or to listeners, which this version of oxpushctl does not run. "
        "It is accepted and checked; config explain KEY says who heeds it.",
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
        "OXP110",
        "A key with an old name",
        "The middleware renamed the property. It is read under its old name, too, but nobody will look for that.",
    ),
    Code(
        "OXP111",
        "A key that was removed",
        "The property belonged to an older version of the middleware. It has no effect, neither there nor here.",
    ),
)
