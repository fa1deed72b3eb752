"""What is configured, as ``config show`` prints it: a ``*.properties`` file that could be read again, secrets left out.

::

    # --- pns.properties
    # from pns.properties:3                                  where --sources asks for it
    com.openexchange.pns.delayDuration=2000                  differs from the default
    # com.openexchange.pns.maxDelayDuration=10000 (default)  only with --all
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oxpushctl import __version__
from oxpushctl.config import source, table, writing
from oxpushctl.config.clients import selection
from oxpushctl.config.clients.options import ApnsOptions, ClientOptions, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.property import URL_KINDS, Property
from oxpushctl.config.settings import Origin
from oxpushctl.config.text import SET, masked, printable

_WRONG_KIND = "OXP204"  # of an option that is shown as what is used in its place
# Nothing but a login and a password before the last @, nothing but a host and a path behind it.
_URL_WITH_PASSWORD = re.compile(r"([a-z0-9+]+://[^:/?#@]*):.*@([A-Za-z0-9._\[\]:-]+(?:/[A-Za-z0-9._/-]*)?)")


@dataclass(frozen=True, slots=True)
class Wish:
    """How much to show: also what has its default, and where each value came from."""

    is_all: bool = False
    with_sources: bool = False


def lines(configuration: Configuration, wish: Wish) -> Iterator[str]:
    """Yield what is configured, each line printable and no longer than its value."""
    yield f"# oxpushctl {__version__}: {'everything' if wish.is_all else 'what differs from the default'}"
    yield f"# etc folder:   {printable(str(configuration.etc))}"
    yield f"# state folder: {printable(str(configuration.state))}"
    names, troubles = _names(configuration), _troubles(configuration)
    for file in dict.fromkeys(row.file for row in table.TABLE):
        named = ((row, name) for row in table.TABLE if row.file == file for name in names[row.key])
        shown = [line for row, name in named for line in _named(configuration, row, name, troubles[name], wish)]
        if shown:
            yield from ("", f"# --- {file}", *shown)
    yield from ("", "# --- clients")
    for client in configuration.clients:
        yield from _client(configuration, client, wish)
    if not configuration.clients:
        yield "# none is configured: nothing is pushed"
    if configuration.facade_clients:
        served = ", ".join(sorted(configuration.facade_clients))
        yield f"# further clients that get mail pushes: {printable(served)}"


def _names(configuration: Configuration) -> dict[str, list[str]]:
    """Return under which names each row may have a value: its key, and it with the qualifiers that are set."""
    names = {row.key: [row.key] for row in table.TABLE}
    for name in sorted(configuration.settings.origins):
        match = table.find(name)
        if match is not None and name != match.row.key:
            names[match.row.key].append(name)
    return names


def _troubles(configuration: Configuration) -> defaultdict[str, list[Finding]]:
    """Return the errors about each setting, by its name."""
    troubles: defaultdict[str, list[Finding]] = defaultdict(list)
    for found in configuration.findings:
        if found.severity is Severity.ERROR and (match := table.find(found.key)):
            troubles[match.name].append(found)
    return troubles


def _named(
    configuration: Configuration, row: Property[object], name: str, troubles: Sequence[Finding], wish: Wish
) -> Iterator[str]:
    """Yield the lines about one name of a row, what is wrong with it first."""
    shown = _setting(configuration, row, name, wish)
    if shown or troubles:
        yield from (f"# {trouble.code} at {_place(trouble)}: {_words(trouble)}" for trouble in troubles)
        yield from shown or [_default(configuration, row)]


def _setting(configuration: Configuration, row: Property[object], name: str, wish: Wish) -> list[str]:
    """Return the lines about one name; none if it has its default and that is not asked for."""
    settings = configuration.settings
    origin = settings.origins.get(name)
    if origin is None:
        return [_default(configuration, row)] if wish.is_all else []
    match = table.find(name)
    qualifiers = [part for part in (match.client, match.topic) if part] if match else []
    parsed = settings.qualified(row, *qualifiers)
    is_default = name == row.key and parsed == row.default
    if is_default and not wish.is_all:
        return []
    text = writing.value(row, parsed)
    notes = [f"from {printable(str(origin))}"] if wish.with_sources else []
    if wish.is_all and not qualifiers:
        notes.append("which is the default" if is_default else f"default: {writing.default_in_words(row)}")
    line = writing.assignment(name, text)
    if source.holds_secret(row, text):
        line = f"# {writing.assignment(name, _masked(row, text))}"
    elif masked(text) != text:
        line = f"# {writing.assignment(name, masked(text))}"
    return [*([f"# {'; '.join(notes)}"] if notes else []), line]


def _default(configuration: Configuration, row: Property[object]) -> str:
    text = writing.default(row, configuration.state)
    if text or not row.default_text:
        return f"# {writing.assignment(row.key, text)} ({'default' if text else 'default: not set'})"
    return f"# {writing.assignment(row.key, '')} (default: {row.default_text})"


def _masked(row: Property[object], text: str) -> str:
    """Return what may be shown of a secret: of a URL all but its password, where that is sure to be all."""
    if row.kind in URL_KINDS and (match := _URL_WITH_PASSWORD.fullmatch(text)):
        return f"{match[1]}:{SET}@{match[2]}"
    return SET


def _place(found: Finding) -> str:
    return printable(":".join(str(part) for part in (found.file, found.line) if part)) or "no file"


def _words(found: Finding) -> str:
    return printable(f"{found.message} ({found.hint})" if found.hint else found.message)


def _client(configuration: Configuration, client: ClientOptions, wish: Wish) -> Iterator[str]:
    """Yield a client: where it is configured, whether it is in service, and its options."""
    transport = transport_of(client)
    yield printable(f"# {client.client}, {transport}, {client.origin}: {_state(configuration, client)}")
    for found in configuration.client_errors:
        if found.client == client.client and found.transport in ("", transport):
            yield f"#   {found.code} at {_place(found)}: {_words(found)}"
    for name, text in _options(client).items():
        yield printable(f"#   {name}: {text}{_option_note(configuration, client, name, wish)}")


def _option_note(configuration: Configuration, client: ClientOptions, name: str, wish: Wish) -> str:
    """Say where an option's value came from, or that it stands for one that is not of the option's kind."""
    written = client.written.get(name)
    if written is None:
        return ""
    wrong = (found for found in configuration.client_errors if found.code == _WRONG_KIND)
    if any(Origin(found.file, found.line, found.column) == written.origin for found in wrong):
        return f"  (in place of what {written.origin} says)"
    return f"  ({written.origin})" if wish.with_sources else ""


def _state(configuration: Configuration, client: ClientOptions) -> str:
    if not client.is_enabled:
        return "switched off by enabled: false"
    if configuration.has_error(client):
        return "out of service"
    if not selection.is_switched_on(client, configuration.settings):
        return f"not used, {selection.deciding_switch(client, configuration.settings)} is not true"
    return "in service"


def _options(client: ClientOptions) -> dict[str, str]:
    """Return the options of a client that have a value, as a YAML file spells them."""
    if isinstance(client, ApnsOptions):
        options = {
            "authtype": client.authtype,
            "topic": client.topic,
            "keystore": client.keystore,
            "password": None if client.password is None else SET,
            "privatekey": client.privatekey,
            "keyid": client.keyid,
            "teamid": client.teamid,
            "production": str(client.is_production).lower(),
        }
    else:
        options = {"keyPath": client.key_path}
    return {name: str(value) for name, value in options.items() if value is not None}
