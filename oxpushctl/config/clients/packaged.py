"""Read the client options that a package delivers: ``CLIENT.properties`` in a folder of its own.

::

    apnKeystoreFile=mail.p12            files are relative to the folder
    apnPassword=…
    apnsHttp2KeystoreFile=mail.p12      the same set again, for the other of Apple's switches
    fcmKeyPath=account.json
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from oxpushctl.config import properties_file
from oxpushctl.config.clients.options import ApnsOptions, ClientOptions, FcmOptions
from oxpushctl.config.clients.reader import OptionsReading
from oxpushctl.config.clients.section import NO_LEGACY_KEY, OptionsSection, meant
from oxpushctl.config.clients.yaml_file import Option, Section
from oxpushctl.config.entry import Entry
from oxpushctl.config.files import is_absent, read_file
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.own import PACKAGED
from oxpushctl.config.properties import SWITCHES, TRANSPORT_OF
from oxpushctl.config.property import BOOLEAN
from oxpushctl.config.settings import Origin, Settings
from oxpushctl.config.source import names_in
from oxpushctl.config.text import is_text
from oxpushctl.errors import MissingFile

_ENDING = ".properties"
_LIMIT = 1024 * 1024
# What a key ends in, and the option of the YAML files that it is.
_APNS = {
    "KeystoreFile": "keystore",
    "Password": "password",
    "Production": "production",
    "PrivatekeyFile": "privatekey",
    "KeyId": "keyid",
    "TeamId": "teamid",
    "Topic": "topic",
}
# What it begins with, and the switch of its transport.
_PREFIXES = {"apn": "apn", "apnsHttp2": "apns_http2"}
_SETS: dict[str, dict[str, str]] = {
    switch: {prefix + ending: option for ending, option in _APNS.items()} for prefix, switch in _PREFIXES.items()
} | {"gcm": {"fcmKeyPath": "keyPath", "gcmKey": "key"}}
_KEYS = frozenset(key for keys in _SETS.values() for key in keys)
# The middleware's own, for its maker's app: what it pushes to with a signing key.
_TOPIC = "com.openxchange.mobile.mailapp2"
_ACCOUNT_HINT = "name the JSON file of a Google service account with fcmKeyPath"


def read_packaged(etc: Path, settings: Settings) -> OptionsReading:
    """Read every client of the folder; that it is not there is worth a word only where somebody named another one."""
    reading = OptionsReading()
    name = settings[PACKAGED]
    if not name:
        return reading
    folder = (etc / name).absolute()
    origin = settings.origin(PACKAGED)
    if is_absent(folder):
        if origin and name != PACKAGED.default:
            message = f"there is no folder {folder}"
            finding = Finding(Severity.ERROR, Reach.CLIENT, "OXP302", message, key=PACKAGED.key)
            reading.findings.append(finding.at(origin))
        return reading
    try:
        names = names_in(folder, _ENDING)
    except MissingFile as error:
        reading.findings.append(Finding(Severity.ERROR, Reach.CLIENT, "OXP001", str(error), file=str(folder)))
        return reading
    for file in names:
        reading.clients.extend(_read(folder / file, reading.findings))
    return reading


def _read(path: Path, findings: list[Finding]) -> Iterable[ClientOptions]:
    """Return one client's options on each transport; none when the file is malformed."""
    client = path.name.removesuffix(_ENDING)
    try:
        client.encode()  # the system's own names need not be text
        data = read_file(path, _LIMIT)
    except (MissingFile, UnicodeEncodeError) as error:
        message = str(error) if isinstance(error, MissingFile) else "its name is no client's id: it is not UTF-8"
        findings.append(Finding(Severity.ERROR, Reach.CLIENT, "OXP001", message, file=str(path), client=client))
        return
    entries, told = properties_file.parse(data, str(path))
    for found in told:
        key = f"{client}.{found.key}" if found.key else client
        findings.append(replace(found, reach=Reach.CLIENT, key=key, client=client))
    if any(found.severity is Severity.ERROR for found in told):
        return
    if not any(entry.text for entry in entries):
        message = "configures nothing: neither a keystore or private key for Apple nor a service account for Google"
        nothing = Finding(Severity.WARNING, Reach.CLIENT, "OXP205", message, key=client, client=client)
        findings.append(nothing.at(Origin(str(path))))
    yield from _clients(path, client, _known(client, entries, findings), findings)


def _known(client: str, entries: Iterable[Entry], findings: list[Finding]) -> dict[str, Entry]:
    """Return the entries that count, by key; tell of the others."""

    def tell(entry: Entry, severity: Severity, code: str, message: str, hint: str = "") -> None:
        key, transport = f"{client}.{entry.key}", _transport_of(entry.key)
        finding = Finding(severity, Reach.CLIENT, code, message, hint, key=key, client=client, transport=transport)
        findings.append(finding.at(entry.origin))

    known: dict[str, Entry] = {}
    for entry in entries:
        if entry.key not in _KEYS:
            close = meant(entry.key, _KEYS)
            tell(entry, Severity.WARNING, "OXP211", "is not known", f"did you mean {close}?" if close else "")
        elif not is_text(entry.text):
            tell(entry, Severity.ERROR, "OXP204", "the value is not text")
        else:
            if earlier := known.get(entry.key):
                message = f"is set twice in this file: this line wins over line {earlier.origin.line}"
                tell(entry, Severity.WARNING, "OXP103", message)
            known[entry.key] = entry
    return known


def _transport_of(key: str) -> str:
    return next((_transport(switch) for switch, keys in _SETS.items() if key in keys), "")


def _transport(switch: str) -> str:
    return TRANSPORT_OF[SWITCHES[switch].key]


def _clients(path: Path, client: str, known: Mapping[str, Entry], findings: list[Finding]) -> Iterable[ClientOptions]:
    sections: dict[str, OptionsSection] = {}
    for switch, keys in _SETS.items():
        options = tuple(_option(keys[key], entry) for key, entry in known.items() if key in keys and entry.text)
        if options:
            section = Section(client, options, options[0].line, options[0].column)
            transport = _transport(switch)
            sections[switch] = OptionsSection(path.parent, str(path), section, client, transport, findings, BOOLEAN)
    yield from _once([_apns(sections[switch], switch) for switch in _PREFIXES.values() if switch in sections])
    if "gcm" in sections:
        yield _fcm(sections["gcm"])


def _option(name: str, entry: Entry) -> Option:
    return Option(name, entry.text, entry.origin.line or 1, entry.origin.column or 1, key=entry.key)


def _once(clients: list[ApnsOptions]) -> list[ApnsOptions]:
    """Let both sets be one where they say the same."""
    first = clients[0] if clients else None
    if first and all(replace(each, switch=first.switch, origin=first.origin) == first for each in clients[1:]):
        return [replace(first, is_for_both=len(clients) > 1)]
    return clients


def _apns(section: OptionsSection, switch: str) -> ApnsOptions:
    """Read options for Apple: a signing key goes before a certificate, as with the middleware."""
    prefix = next(prefix for prefix, name in _PREFIXES.items() if name == switch)
    key_of = {option: prefix + ending for ending, option in _APNS.items()}
    if section.option("privatekey"):
        missing = [key_of[name] for name in ("keyid", "teamid") if not section.option(name)]
        if missing:
            section.tell(Severity.ERROR, "OXP205", f"{' and '.join(missing)} must be set with {key_of['privatekey']}")
        return section.apns("jwt", switch, topic=_TOPIC, is_packaged=True)
    if not section.option("keystore"):
        message = f"{key_of['keystore']} or {key_of['privatekey']} must be set"
        section.tell(Severity.ERROR, "OXP205", message)
    return section.apns("certificate", switch, is_packaged=True)


def _fcm(section: OptionsSection) -> FcmOptions:
    legacy_key = section.option("key")
    if legacy_key and section.option("keyPath"):
        section.tell(Severity.WARNING, "OXP209", NO_LEGACY_KEY, "remove this line, fcmKeyPath is used", legacy_key)
    elif legacy_key:
        section.tell(Severity.ERROR, "OXP209", NO_LEGACY_KEY, _ACCOUNT_HINT, legacy_key)
    return section.fcm(is_packaged=True)
