"""Read the client options: the YAML files of OX 7.x and the folder ``pushClientConfig`` of OX 8.x."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from oxpushctl.config.clients import yaml_file
from oxpushctl.config.clients.options import (
    APNS_FILE,
    APNS_HTTP2_FILE,
    FACADE_CLIENT,
    FACADE_CLIENTS_FILE,
    GCM_FILE,
    UNIFIED_FOLDER,
    ApnsOptions,
    ClientOptions,
    FcmOptions,
)
from oxpushctl.config.clients.section import NO_LEGACY_KEY, YAML_BOOLEAN, OptionsSection
from oxpushctl.config.clients.yaml_file import Problem, Section
from oxpushctl.config.files import is_absent, read_file
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.property import choice
from oxpushctl.config.source import names_in, unreadable
from oxpushctl.errors import MissingFile

_APNS_FILES = {APNS_FILE: "apn", APNS_HTTP2_FILE: "apns_http2"}
_LIMIT = 1024 * 1024

_APNS_OPTIONS = frozenset(
    {"enabled", "authtype", "topic", "keystore", "password", "privatekey", "keyid", "teamid", "production"}
)
_FCM_OPTIONS = frozenset({"enabled", "keyPath", "key"})
_FACADE_OPTIONS = frozenset({"enabled", "description"})
_TYPE = "_type"
# What the id of an 8.x push client ends in, and its transport, by its type.
_UNIFIED = {"apn": ("-ios", "apn"), "fcm": ("-android", "gcm")}
_AUTHTYPE = choice("certificate", "jwt")

_NO_KEY_HINT = "create a service account key (JSON) in the Firebase console and name its file with keyPath"


@dataclass(frozen=True, slots=True)
class OptionsReading:
    """What all options files say; the findings name the clients that are out of service."""

    clients: list[ClientOptions] = field(default_factory=list)
    facade_clients: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        """The ids of all clients that are named, of those that cannot be used as well."""
        named = {client.client for client in self.clients} | {finding.client for finding in self.findings}
        return named - {""}


def read_options(etc: Path) -> OptionsReading:
    """Read all options files that are there; what is wrong with one client or file leaves the others alone."""
    reading = OptionsReading()
    for name, switch in _APNS_FILES.items():
        reading.clients.extend(_apns(section, switch) for section in _read(etc, name, "apn", reading.findings))
    reading.clients.extend(_fcm(section) for section in _read(etc, GCM_FILE, "gcm", reading.findings))
    for name in _unified_files(etc, reading.findings):
        clients = (_unified(section) for section in _read(etc, name, "", reading.findings))
        reading.clients.extend(client for client in clients if client is not None)
    for section in _read(etc, FACADE_CLIENTS_FILE, "", reading.findings):
        section.check_names(_FACADE_OPTIONS)
        if section.value("enabled", YAML_BOOLEAN, True):
            reading.facade_clients.add(section.client)
    return reading


def _unified_files(etc: Path, findings: list[Finding]) -> list[str]:
    folder = etc / UNIFIED_FOLDER
    if is_absent(folder):
        return []
    try:
        return [f"{UNIFIED_FOLDER}/{name}" for name in names_in(folder, ".yml", ".yaml")]
    except MissingFile as error:
        findings.append(Finding(Severity.ERROR, Reach.CLIENT, "OXP001", str(error), file=UNIFIED_FOLDER))
        return []


def _read(etc: Path, name: str, transport: str, findings: list[Finding]) -> list[OptionsSection]:
    """Return the sections of a file; none when it is not there."""
    path = etc / name
    if is_absent(path):
        return []
    try:
        sections, problems = yaml_file.parse(read_file(path, _LIMIT))
    except MissingFile as error:
        hint = unreadable(error)
        findings.append(
            Finding(Severity.ERROR, Reach.CLIENT, "OXP001", str(error), hint, file=name, transport=transport)
        )
        return []
    findings += (_finding(problem, name, transport) for problem in problems)
    return [_section(etc, name, section, transport, findings) for section in sections]


def _section(etc: Path, file: str, section: Section, transport: str, findings: list[Finding]) -> OptionsSection:
    client, meant_for = _client(file, section.name, transport)
    return OptionsSection(etc, file, section, client, meant_for, findings)


def _finding(problem: Problem, file: str, transport: str) -> Finding:
    client, meant_for = _client(file, problem.section, transport)
    return Finding(
        Severity.ERROR,
        Reach.CLIENT,
        problem.code,
        problem.message,
        problem.hint,
        file=file,
        line=problem.line,
        column=problem.column,
        key=f"{problem.section}.{problem.option}" if problem.option else problem.section,
        client=client,
        transport=meant_for,
    )


def _client(file: str, section: str, transport: str) -> tuple[str, str]:
    """Return the client and transport that a section is for: the id of an 8.x push client ends in its system."""
    if file.startswith(UNIFIED_FOLDER):
        for suffix, meant_for in _UNIFIED.values():
            if section.endswith(suffix) and section != suffix:
                return section.removesuffix(suffix), meant_for
    return section, transport


def _unified(section: OptionsSection) -> ClientOptions | None:
    """Read an 8.x push client: its type says which transport it is for, and its suffix must agree."""
    kind = section.text(_TYPE)
    if kind not in _UNIFIED:
        message = "is neither apn nor fcm" if kind else "_type must be set, to apn or fcm"
        section.tell(Severity.ERROR, "OXP206", message, option=section.option(_TYPE))
        return None
    suffix, transport = _UNIFIED[kind]
    name = section.section.name
    if name.removesuffix(suffix) in ("", name):
        message = f"is no mail app's: the id of a client of type {kind} ends in {suffix}"
        # The folder has clients of other modules, too; only what looks like a mail app's id must be a mistake.
        severity = Severity.WARNING if name.startswith(FACADE_CLIENT) else Severity.INFO
        section.tell(severity, "OXP207", message)
        return None
    typed = replace(section, transport=transport)
    if kind == "apn":
        return replace(_apns(typed, "apn", {_TYPE}), is_for_both=True)
    return _fcm(typed, {_TYPE})


def _apns(section: OptionsSection, switch: str, more: Set[str] = frozenset()) -> ApnsOptions:
    section.check_names(_APNS_OPTIONS | more)
    is_enabled = section.value("enabled", YAML_BOOLEAN, True)
    assumed = "jwt" if section.text("privatekey") else "certificate"
    authtype = section.value("authtype", _AUTHTYPE, "" if section.option("authtype") else assumed)
    if is_enabled and authtype == "jwt":
        section.require("privatekey", "keyid", "teamid", "topic", why="for authtype jwt")
    elif is_enabled and authtype == "certificate":
        section.require("keystore", why="for authtype certificate")
    return section.apns(authtype or assumed, switch, is_enabled=is_enabled, must_exist=is_enabled and authtype != "")


def _fcm(section: OptionsSection, more: Set[str] = frozenset()) -> FcmOptions:
    section.check_names(_FCM_OPTIONS | more)
    is_enabled = section.value("enabled", YAML_BOOLEAN, True)
    legacy_key = section.option("key")
    if legacy_key and section.option("keyPath"):
        section.tell(Severity.WARNING, "OXP209", NO_LEGACY_KEY, "remove this line, keyPath is used", legacy_key)
    elif legacy_key and is_enabled:
        section.tell(Severity.ERROR, "OXP209", NO_LEGACY_KEY, _NO_KEY_HINT, legacy_key)
    elif is_enabled:
        section.require("keyPath", why="to the path of a Google service account's JSON")
    return section.fcm(is_enabled=is_enabled)
