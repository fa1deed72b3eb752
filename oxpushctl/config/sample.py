"""A first configuration, as ``config sample`` writes it: every property and option, explained and commented out.

::

    ## How long identical notifications …              what it means
    ## milliseconds; takes effect on reload
    # com.openexchange.pns.delayDuration=1000           its default, or an example where it has none
    com.openexchange.rest.services.basic-auth.login=…   what has to be set

Whatever single line of a ``*.properties`` file loses its ``#``, it stays valid.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from oxpushctl.config import table, writing
from oxpushctl.config.clients import option_table
from oxpushctl.config.clients.options import (
    APNS_FILE,
    FACADE_CLIENT,
    FACADE_CLIENTS_FILE,
    GCM_FILE,
)
from oxpushctl.config.own import OWN_FILE
from oxpushctl.config.properties import PNS_FILE, REST_LOGIN, REST_PASSWORD, SERVER_FILE
from oxpushctl.config.property import Effect, Property

_WIDTH = 110
_HOW_TO_READ = (
    "A line with ## explains; one with # is a default, or an example where there is none. Remove the # to set it."
)
_ABOUT = {
    SERVER_FILE: "Dovecot tells of new mail over HTTP. These lines go into its configuration (2.3), without the ##; "
    "LOGIN and PASSWORD are the values below, and 127.0.0.1 is the machine that oxpushctl runs on:",
    PNS_FILE: f"The push services: switch on those that {APNS_FILE} and {GCM_FILE} have clients for.",
    OWN_FILE: "What the middleware has no property for. STATE is the state folder: $STATE_DIRECTORY, or "
    "/var/lib/oxpushctl.",
}
_DOVECOT = """\
mail_attribute_dict = file:%h/dovecot-attributes
mail_plugins = $mail_plugins notify push_notification
remote 127.0.0.1 {
  protocol imap {
    imap_metadata = yes
  }
}
plugin {
  push_notification_driver = ox:url=http://LOGIN:PASSWORD@127.0.0.1:8019/preliminary/http-notify/v1/notify \
user_from_metadata
}
"""
# What follows the introduction as it is, to be copied.
_VERBATIM = {SERVER_FILE: _DOVECOT}
_ABOUT_YAML = {
    APNS_FILE: "The apps on iOS: one section a client, named for its id. An installation of 8.x has them in "
    "pushClientConfig/*.yml instead, which is read as well.",
    GCM_FILE: "The apps on Android: one section a client, named for its id. An installation of 8.x has them in "
    "pushClientConfig/*.yml instead, which is read as well.",
    FACADE_CLIENTS_FILE: f"The clients that get mail pushes, besides those whose id begins with {FACADE_CLIENT}.",
}
# Each section's options with example values; those of the table are explained where they stand first.
_SECTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    APNS_FILE: {
        FACADE_CLIENT: ("enabled", "authtype", "privatekey", "keyid", "teamid", "topic", "production"),
        f"{FACADE_CLIENT}-brand": ("enabled", "authtype", "keystore", "password", "topic", "production"),
    },
    GCM_FILE: {FACADE_CLIENT: ("enabled", "keyPath")},
    FACADE_CLIENTS_FILE: {"our-own-mail-app": ("enabled", "description")},
}
_EXAMPLES = {
    (f"{FACADE_CLIENT}-brand", "authtype"): "certificate",
    (f"{FACADE_CLIENT}-brand", "password"): '"the password of mail.p12"',
    ("our-own-mail-app", "description"): "the app of the house",
}


def files(rest_login: str, rest_password: str) -> dict[str, str]:
    """Return the files of a sample by their names, ASCII; login and password are those of Dovecot's requests."""
    given = {REST_LOGIN.key: rest_login, REST_PASSWORD.key: rest_password}
    names = dict.fromkeys(row.file for row in table.TABLE)
    sample = {name: _joined(_properties(name, given)) for name in names}
    return sample | {name: _joined(_options(name)) for name in _SECTIONS}


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _properties(file: str, given: Mapping[str, str]) -> Iterator[str]:
    if about := _ABOUT.get(file):
        yield from (*_explained(about), "##")
    if verbatim := _VERBATIM.get(file):
        yield from (*(f"##   {line}" for line in verbatim.splitlines()), "##")
    yield from _explained(_HOW_TO_READ)
    for row in table.TABLE:
        if row.file == file:
            yield from ("", *_explained(row.doc), *_explained(_facts(row, row.key in given)), _line(row, given))


def _line(row: Property[object], given: Mapping[str, str]) -> str:
    if text := given.get(row.key):
        return writing.assignment(row.key, text)
    # Nothing after the equals sign is what unset means, too.
    return f"# {writing.assignment(row.key, writing.value(row, row.default) or row.example)}"


def _facts(row: Property[object], is_given: bool) -> str:
    """Return in one sentence what the line itself does not show."""
    topic = "; colons of the topic are written \\:" if "topic" in row.qualifiers else ""
    facts = (
        row.kind.wanted,
        f"default: {row.default_text}" if row.default_text else "",
        "set here, unset by default" if is_given else "",
        "an example, unset by default" if row.example and not row.default and not is_given else "",
        "KEY.file=/path takes it from a file of its own" if row.is_secret else "",
        f"may be followed by {''.join(f'.<{each}>' for each in row.qualifiers)}{topic}" if row.qualifiers else "",
        f"since {row.since}" if row.since else "",
        "takes effect on reload" if row.is_reloadable and row.effect is not Effect.NONE else "",
        "" if row.effect is Effect.ENGINE else f"heeded by {row.effect.value}",
    )
    return "; ".join(fact for fact in facts if fact)


def _options(file: str) -> Iterator[str]:
    yield from (*_explained(_ABOUT_YAML[file]), "##", *_explained(_HOW_TO_READ))
    explained: set[str] = set()
    for client, names in _SECTIONS[file].items():
        yield from ("", f"# {client}:")
        for name in names:
            option = option_table.find(name)
            assert option is not None  # noqa: S101  # the sections above name options of the table
            if name not in explained:
                yield from _explained(option.doc)
                explained.add(name)
            text = _EXAMPLES.get((client, name)) or option.example or option.default
            yield f"#   {name}: {text}"


def _explained(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent="## ", subsequent_indent="## ", break_long_words=False, break_on_hyphens=False
    )
