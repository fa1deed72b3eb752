"""Where settings are written: files, systemd's credentials, the environment and ``-o``, each as entries."""

from __future__ import annotations

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from oxpushctl.config import properties_file, table
from oxpushctl.config.entry import Entry
from oxpushctl.config.files import read_file
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.own import PROXY
from oxpushctl.config.property import URL_KINDS, Property
from oxpushctl.config.settings import Origin
from oxpushctl.errors import BadUsage, MissingFile
from oxpushctl.model import NEW_MAIL

ENVIRONMENT = "environment"
OPTION = "-o"
_PREFIX = "OXPUSHCTL_"
_SUGGESTIONS = 20  # what is meant is looked for so often only: each time it is compared with everything
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_NO_PROPERTY = frozenset({"OXPUSHCTL_ETC"})
_NO_FILE = ("is a folder: nothing in it is read", "put its files into the folder above, or give it another name")


def read_folder(etc: Path) -> tuple[list[Entry], list[Finding]]:
    """Return what the ``*.properties`` directly in a folder say, files in the order of their names."""
    entries: list[Entry] = []
    findings: list[Finding] = []
    for name, is_folder in _named(etc, ".properties"):
        if is_folder:
            findings.append(Finding(Severity.WARNING, Reach.ENGINE, "OXP007", *_NO_FILE, file=name))
            continue
        try:
            data = read_file(etc / name)
        except MissingFile as error:
            findings.append(Finding(Severity.ERROR, Reach.ENGINE, "OXP001", str(error), unreadable(error), file=name))
            continue
        found, told = properties_file.parse(data, name, table.is_told_of)
        entries += found
        findings += told
    return entries, findings


def unreadable(error: MissingFile) -> str:
    """Return a hint at what to do about a file that may not be read, or nothing where that is not the reason."""
    is_forbidden = isinstance(error.__cause__, PermissionError)
    return "run the check as the engine's user, or let that one read the file: chown, chmod" if is_forbidden else ""


def names_in(folder: Path, *endings: str) -> list[str]:
    """Return the names of a folder's files with an ending, sorted; hidden files are an editor's, not ours.

    ``MissingFile`` says why the folder cannot be read.
    """
    return [name for name, is_folder in _named(folder, *endings) if not is_folder]


def _named(folder: Path, *endings: str) -> list[tuple[str, bool]]:
    """Return the names in a folder with an ending, sorted, and which of them are folders themselves."""
    try:
        with os.scandir(folder) as found:
            there = [item for item in found if item.name.endswith(endings) and not item.name.startswith(".")]
    except OSError as error:
        raise MissingFile(f"cannot be read: {error.strerror}") from error
    return sorted((item.name, _is_folder(item)) for item in there)


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that leads in circles, or to where we may not look: reading it will say so
        return False


def read_credentials(environ: Mapping[str, str]) -> list[Entry]:
    """Return the secrets that systemd hands over: a file named for its key in ``$CREDENTIALS_DIRECTORY``."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return []
    paths = (Path(folder, row.key) for row in table.TABLE if row.is_secret)
    there = (path for path in paths if os.path.lexists(path))
    return [Entry(path.name + table.FILE_SUFFIX, str(path), Origin(str(path))) for path in there]


def read_environment(
    environ: Mapping[str, str], clients: Iterable[str], written: Iterable[str]
) -> tuple[list[Entry], list[Finding]]:
    """Return what ``OXPUSHCTL_<KEY>`` variables say.

    A variable's name does not tell dots and hyphens apart, so it is compared with the names that can be meant:
    all keys, these for every known client, and the keys ``written`` in files.
    """
    variables = sorted(name for name in environ if name.startswith(_PREFIX) and name not in _NO_PROPERTY)
    keys_of = _keys_by_variable(clients, written) if variables else {}
    entries: list[Entry] = []
    findings: list[Finding] = []
    unknown = 0
    for variable in variables:
        keys = sorted(keys_of.get(variable, ()))
        if len(keys) == 1:
            entries.append(Entry(keys[0], environ[variable].strip(), Origin(ENVIRONMENT)))
            findings += _secret_in_environment(keys[0], environ[variable], variable)
        elif keys:
            message = f"{variable} can mean {' or '.join(keys)}"
            findings.append(_told(Severity.ERROR, "OXP004", message, "set it in a file or with -o"))
        else:
            unknown += 1
            meant = _variable_meant(variable, keys_of) if unknown <= _SUGGESTIONS else ""
            hint = f"did you mean {meant}?" if meant else "the case is that of the key"
            findings.append(_told(Severity.WARNING, "OXP005", f"{variable} is no property's variable", hint))
    return entries, findings


def read_proxy(environ: Mapping[str, str], endpoints: Iterable[str]) -> list[Entry]:
    """Return the proxy that the environment names for HTTPS, unless it excepts every endpoint.

    The variables are those that curl and others obey: ``https_proxy`` and ``no_proxy``, in either case; this machine
    is never reached through a proxy.
    """
    proxy = environ.get("https_proxy") or environ.get("HTTPS_PROXY")
    excepted = [*(environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(","), *_THIS_MACHINE]
    hosts = [urlsplit(endpoint).hostname or "" for endpoint in endpoints]
    if not proxy or all(any(_is_in(host, name.strip()) for name in excepted) for host in hosts):
        return []
    return [Entry(PROXY.key, proxy.strip(), Origin(ENVIRONMENT))]


def _is_in(host: str, name: str) -> bool:
    """Tell whether a host is what no_proxy names: itself, a domain above it, or everything."""
    domain = name.lstrip(".").lower()
    return name == "*" or (domain != "" and f".{host}".endswith(f".{domain}"))


def read_overrides(overrides: Sequence[str]) -> list[Entry]:
    """Return what ``-o KEY=VALUE`` says; a secret on a command line is refused, everybody could read it there."""
    entries = []
    for override in overrides:
        key, _, text = override.partition("=")
        match = table.find(key.strip())
        if match and not match.is_file and holds_secret(match.row, text):
            raise BadUsage(f"-o {key}: a secret is not given on the command line (use {match.row.key}.file=/path)")
        entries.append(Entry(key.strip(), text.strip(), Origin(OPTION)))
    return entries


def holds_secret(row: Property[object], text: str) -> bool:
    """Tell whether a value must not be shown: a URL without user and query holds no password."""
    return row.is_secret and text != "" and (row.kind not in URL_KINDS or "@" in text or "?" in text)


def _keys_by_variable(clients: Iterable[str], written: Iterable[str]) -> dict[str, set[str]]:
    keys = set(written)
    names = set(clients)
    for row in table.TABLE:
        keys |= {row.key, *row.aliases}
        if row.is_secret:
            keys.add(row.key + table.FILE_SUFFIX)
        if row.qualifiers:
            keys |= {f"{row.key}.{client}" for client in names}
        if "topic" in row.qualifiers:
            keys |= {f"{row.key}.{client}.{NEW_MAIL}" for client in names}
    by_variable: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        by_variable[_PREFIX + re.sub(r"[^A-Za-z0-9]", "_", key)].add(key)
    return by_variable


def _variable_meant(variable: str, keys_of: Iterable[str]) -> str:
    """Return the variable that differs in case, lacks the key's own ``oxpushctl_`` or is close, or nothing."""
    by_upper = {name.upper(): name for name in keys_of}
    upper = variable.upper()
    for guess in (upper, _PREFIX + upper, *difflib.get_close_matches(upper, by_upper, n=1, cutoff=0.8)):
        if guess in by_upper:
            return by_upper[guess]
    return ""


def _secret_in_environment(key: str, text: str, variable: str) -> list[Finding]:
    match = table.find(key)
    if match is None or match.is_file or not holds_secret(match.row, text):
        return []
    message = f"{variable} holds a secret, which other processes may read"
    hint = f"use {match.row.key}.file=/path or systemd's LoadCredential"
    return [_told(Severity.WARNING, "OXP006", message, hint, match.row.key)]


def _told(severity: Severity, code: str, message: str, hint: str, key: str = "") -> Finding:
    return Finding(severity, Reach.ENGINE, code, message, hint, file=ENVIRONMENT, key=key)
