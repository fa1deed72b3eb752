"""What oxpushctl(1) says besides the commands; backticks stand for bold."""

from __future__ import annotations

DESCRIPTION = """
`oxpushctl` shows new mail on a phone the moment it arrives, although no app is open and nobody is logged in. Dovecot
tells it of each delivery over HTTP. It finds the devices of the user, writes a notification for each, and hands it to
Apple's APNs or Google's FCM.

It reads the configuration and the tables of an Open-Xchange installation as they are. `oxpushctl(5)` describes the
files and every property.

Begin with `oxpushctl config check`, which tells what is wrong, where, and what to do. `oxpushctl demo` shows everything
at work on one machine and needs no configuration.

Data is printed to standard output, everything said to a person to standard error. Lists are tables on a terminal and
tab-separated text in a pipe. Secrets are never arguments.
"""

GLOBAL_OPTIONS = "These stand before the command."

EXIT_CODES = {
    0: "Done.",
    1: "A bug: one line tells of it, `--debug` shows where.",
    78: "The configuration has errors; `oxpushctl config check` tells them.",
    130: "Interrupted.",
}

ENVIRONMENT = (
    ("`OXPUSHCTL_ETC`", "The configuration folder, where `--etc` is not given."),
    (
        "`OXPUSHCTL_<KEY>`",
        "Sets a property, over the files: every character of the key but letters and digits is written as an "
        "underscore, as in `OXPUSHCTL_oxpushctl_push_maxAge`.",
    ),
    ("`CREDENTIALS_DIRECTORY`", "Where systemd puts credentials: a file named after a key holds that secret."),
    (
        "`STATE_DIRECTORY`, `XDG_STATE_HOME`",
        "Where the state folder is: the former as systemd sets it, the latter for users who may not write "
        "`/var/lib/oxpushctl`.",
    ),
    ("`NOTIFY_SOCKET`", "Where systemd is told that the engine is ready, reloads and stops."),
    (
        "`https_proxy`, `no_proxy`",
        "The proxy through which Apple and Google are reached, unless `oxpushctl.proxy` is set.",
    ),
    ("`NO_COLOR`", "No colours on a terminal."),
)

FILES = (
    ("`/opt/open-xchange/etc`", "The configuration, see `oxpushctl(5)`."),
    ("`/var/lib/oxpushctl`", "State: the database, if no other is configured, and the socket of the running engine."),
)

EXAMPLES = (
    (
        "Check a copy of the configuration on a machine without network, and let warnings count:",
        ("$ oxpushctl --etc . config check --offline --strict",),
    ),
    (
        "Explain a property, then a finding:",
        (
            "$ oxpushctl config explain oxpushctl.push.maxAge",
            "$ oxpushctl config explain OXP209",
        ),
    ),
    (
        "Add a user with an iPhone, and send a test push, step by step:",
        (
            "$ oxpushctl users add -c 1 -u 3 --login anna",
            "$ oxpushctl subscriptions add -c 1 -u 3 \\",
            "      -i open-xchange-mobile-api-facade \\",
            "      --transport apn --token 00aa11bb",
            "$ oxpushctl test-push -c 1 -u 3 \\",
            "      -i open-xchange-mobile-api-facade",
        ),
    ),
    (
        "Keep the mail password of a user, once it has opened the mailbox; then try everybody's:",
        (
            "$ oxpushctl credentials set -c 1 -u 3 --verify",
            "$ oxpushctl credentials verify --all",
        ),
    ),
    (
        "After another passphrase was configured, bring the kept passwords under it:",
        ("$ oxpushctl credentials rotate",),
    ),
    (
        "Run the engine with a shorter life of pushes than the files say, logging JSON:",
        (
            "$ oxpushctl -o oxpushctl.push.maxAge=30m \\",
            "      --log-format json run",
        ),
    ),
)

SEE_ALSO = "`oxpushctl(5)`, `dovecot(1)`, `doveconf(1)`, `systemd.service(5)`"
