"""What oxpushctl(5) says besides the tables; backticks stand for bold."""

from __future__ import annotations

BEFORE_OPTIONS = (
    (
        "Description",
        """
`oxpushctl` reads the configuration of an Open-Xchange installation as it is, version 7.8 to 7.10 or 8.x, and settings
of its own, whose keys begin with `oxpushctl`. This page describes where settings may stand, every property, the
options of clients, and the findings of `oxpushctl config check`. The commands are described in `oxpushctl(1)`.

Each property and each finding has a page of its own as well: `oxpushctl config explain KEY` or `CODE`.
""",
    ),
    (
        "Where settings stand",
        """
The configuration folder is named by `--etc`, else by the environment variable `OXPUSHCTL_ETC`, else it is
`/opt/open-xchange/etc`. In it every file `*.properties` is read, but none in folders below. A property may stand in
any of them. This page names it under the file that it customarily stands in, where people look for it. A key that
stands in two files with different values is an error; twice in one file, the last line wins, as in Java.

The files have the syntax of Java properties: `key=value` or `key: value`, comments begin with `#` or `!`, a backslash
at the end of a line continues it. In a key, a colon is written `\\:`. They are read as ISO-8859-1 with `\\uXXXX`
escapes, as the middleware does; a file that is valid UTF-8 is read as that, and the check tells of it.

Whoever comes later in this list wins: the defaults; the files; the environment; `-o KEY=VALUE` on the command line. In
the environment a property is called `OXPUSHCTL_` and its key, in which every character but letters and digits is
written as an underscore: `OXPUSHCTL_oxpushctl_push_maxAge`. `oxpushctl config show --sources` tells where each value
came from.

Durations of the middleware are numbers of milliseconds. Those of our own properties have a unit:
500ms, 5s, 10m, 4h or 30d. Lists are separated by commas. Relative paths are relative to the configuration folder.

A property that may be followed by `.<client>` or `.<client>.<topic>` can be set for one client, or for one topic of
it; the longest name that is set decides. For example:

  oxpushctl.push.content=subject
  oxpushctl.push.content.our-own-mail-app=none

What the middleware's config cascade (`contextSets`, contexts and users) may vary is not evaluated here: the value of
the files counts for everybody, and the check says so.
""",
    ),
    (
        "Secrets",
        """
Instead of a secret, its file may be named: `KEY.file=/path` beside or instead of any property that this page calls a
secret. The file holds the secret as UTF-8 text; blanks around it are cut off. Of systemd's credentials a file is taken
that has the key for its name:

  LoadCredential=oxpushctl.database.url:/etc/db-url

The environment takes secrets, with a warning: other processes may read it. `-o` refuses them. No command prints a
secret, and none is logged; `oxpushctl config show` says `(set)`. Files that hold secrets should be readable only by
the user that `oxpushctl` runs as.
""",
    ),
    (
        "Clients",
        """
A client is an app, known by its id, such as open-xchange-mobile-api-facade. How Apple or Google is asked to reach it
is told by its options. They stand in `pns-apns-options.yml` and `pns-apns_http2-options.yml` for Apple and
`pns-gcm-options.yml` for Google, as with version 7.x of the middleware, or in files `*.yml` of the folder
`pushClientConfig`, as with 8.x. There each client has a `_type`, and its id the ending `-ios` or `-android`, which is
no part of the app's id. A package may bring options, too: `CLIENT.properties` in the folder `oxpushctl.pns.packaged`.
A client found there wins as a whole over the YAML files.

In the YAML files options stand below the id of their client, and values are taken as they are written: a password of
digits needs no quotes. An error in one client's options takes that client out of service, and the others run. A client
is reached only while the transport's switch is on, too: `com.openexchange.pns.transport.apn.ios.enabled`,
`com.openexchange.pns.transport.apns_http2.ios.enabled` or `com.openexchange.pns.transport.gcm.enabled`.

Mail pushes are written for every client whose id begins with open-xchange-mobile-api-facade, and for those that
`pns-mobile-api-facade-clients.yml` lists.
""",
    ),
    ("Options of clients", "Paths are relative to the configuration folder, those in a package to its folder."),
)

BEFORE_PROPERTIES = (
    (
        "Properties",
        """
A change takes effect when `oxpushctl run` starts again, unless it says here that a reload applies it: SIGHUP.
""",
    ),
)

BEFORE_REMOVED = (
    (
        "Properties of older versions",
        """
Renamed properties are read under their old names, too, and the check tells the new one. These have no effect any more:
""",
    ),
)

BEFORE_CODES = (
    (
        "Findings",
        """
`oxpushctl config check` prints a line for each finding: `FILE:LINE:COLUMN: severity CODE KEY: message (hint)`. With
`-f json` they are objects with these fields and the `scope`, which `oxpushctl(1)` describes.

An `error` is a mistake: its scope says what does not run because of it, the whole engine, one client or one user. A
`warning` is something that is probably not meant, and an `info` is worth knowing. `oxpushctl run` refuses to start only
for errors of the scope engine; it says which clients are out of service and serves the others.

These are the codes; `oxpushctl config explain CODE` says more. Their meaning does not change between versions.
""",
    ),
)

FILES = (
    ("`/opt/open-xchange/etc`", "The configuration folder, unless told otherwise."),
    (
        "`/var/lib/oxpushctl`",
        "The state folder, in this page called STATE, with the database and the admin socket. systemd's "
        "`$STATE_DIRECTORY` names another one; a user who may not write there has `~/.local/state/oxpushctl`.",
    ),
    ("`/usr/share/open-xchange/push-certificates`", "Client options that a package delivers."),
)

SEE_ALSO = "`oxpushctl(1)`, `doveconf(1)`, `systemd.exec(5)`"
