"""Rules about files: that those which are named are there, and that secrets are not for everybody to read."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oxpushctl.config import table
from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.clients.options import ApnsOptions, ClientOptions, key_of, place_of, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.files import absence, exists, read_file
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.own import DATABASE_URL, TLS_CA, TLS_CERTIFICATE, TLS_KEY
from oxpushctl.config.properties import PUSH_FILE
from oxpushctl.config.settings import Origin
from oxpushctl.config.source import ENVIRONMENT, holds_secret
from oxpushctl.errors import MissingFile

_LIMIT = 1024 * 1024
_SQLITE = re.compile(r"sqlite(?:\+[a-z0-9]+)?:///([^?]+)")


@dataclass(frozen=True, slots=True)
class _Secret:
    """What makes a file secret: the key or option, where it is, and the client that it belongs to, if any."""

    path: Path
    key: str
    client: str = ""
    transport: str = ""
    line: int = 0


def _tls_identity(configuration: Configuration) -> Iterator[Finding]:
    settings = configuration.settings
    for row, other in ((TLS_CERTIFICATE, TLS_KEY), (TLS_KEY, TLS_CERTIFICATE)):
        if settings[row] and not settings[other] and not has_error(configuration, other):
            yield told(configuration, Severity.ERROR, "OXP307", row, f"is set without {other.key}")


def _named_files(configuration: Configuration) -> Iterator[Finding]:
    for row in (TLS_CERTIFICATE, TLS_KEY, TLS_CA):
        name = configuration.settings[row]
        if name and (gone := absence(configuration.etc / name)):
            yield told(configuration, Severity.ERROR, "OXP302", row, gone.reason, gone.hint)


def _database(configuration: Configuration) -> Iterator[Finding]:
    url = configuration.settings[DATABASE_URL]
    if url is None:
        if not has_error(configuration, DATABASE_URL) and _is_of_middleware(configuration.etc):
            message = "is not set: devices are kept in SQLite, in the state folder, not in the middleware's database"
            yield told(configuration, Severity.INFO, "OXP336", DATABASE_URL, message)
        return
    match = _SQLITE.fullmatch(url.partition("?")[0])
    folder = Path(match[1]).parent if match else None
    if match and match[1] != ":memory:" and folder is not None and not _is_folder(folder):
        message = f"there is no folder {folder}"
        hint = "make it, as the engine's user: a command makes it as whoever runs it"
        yield told(configuration, Severity.WARNING, "OXP335", DATABASE_URL, message, hint)


def _is_of_middleware(etc: Path) -> bool:
    return exists(etc / PUSH_FILE) or any(etc.glob("pns-*.yml"))


def _is_folder(path: Path) -> bool:
    """Tell whether a folder is there, or may be: one that cannot be looked for is no news."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def _permissions(configuration: Configuration) -> Iterator[Finding]:
    """One finding a file, about the first secret in it."""
    secrets: dict[Path, _Secret] = {}
    for secret in (*_in_properties(configuration), *_in_options(configuration)):
        first = secrets.setdefault(secret.path, secret)
        if secret.line < first.line:
            secrets[secret.path] = secret
    for path, secret in secrets.items():
        if _is_open(path):
            is_below = path.is_relative_to(configuration.etc)
            file = str(path.relative_to(configuration.etc) if is_below else path)
            yield Finding(
                Severity.WARNING,
                Reach.CLIENT if secret.client else Reach.ENGINE,
                "OXP331",
                "every user of this machine can read the file, which holds a secret",
                f"chmod o-r {shlex.quote(str(path))}",
                key=secret.key,
                client=secret.client,
                transport=secret.transport,
            ).at(Origin(file))


def _in_properties(configuration: Configuration) -> Iterator[_Secret]:
    """Yield where the secrets among the settings are: in a ``*.properties``, or in a file of their own."""
    settings = configuration.settings
    for row in table.TABLE:
        origin = settings.origin(row)
        value = settings[row]
        if not row.is_secret or not isinstance(value, str) or not holds_secret(row, value):
            continue
        if origin is not None and origin.file != ENVIRONMENT:
            yield _Secret(configuration.etc / origin.file, row.key, line=origin.line or 0)
    if (key := settings[TLS_KEY]) and _may_hold_key(configuration.etc / key):
        yield _Secret(configuration.etc / key, TLS_KEY.key)


def _in_options(configuration: Configuration) -> Iterator[_Secret]:
    for client in configuration.clients:
        transport = transport_of(client)
        for path, option in _secret_files(configuration.etc, client):
            line = place_of(client, option).line or 0
            yield _Secret(path, key_of(client, option), client.client, transport, line)


def _secret_files(etc: Path, client: ClientOptions) -> Iterator[tuple[Path, str]]:
    if not isinstance(client, ApnsOptions):
        files: tuple[tuple[Path | None, str], ...] = ((client.key_path, "keyPath"),)
    else:
        options_file = etc / client.origin.file if client.password else None
        files = ((options_file, "password"), (client.keystore, "keystore"), (client.privatekey, "privatekey"))
    for path, option in files:
        if path is not None and (option == "password" or _may_hold_key(path)):
            yield path, option


def _may_hold_key(path: Path) -> bool:
    """Tell whether there is a private key in a file of PEM, DER or JSON, or in one that cannot be read from here."""
    try:
        data = read_file(path, _LIMIT)
    except MissingFile:
        return True
    # A key, and a PKCS#12 keystore, is a sequence that begins with its version; a certificate begins with another one.
    length_of_length = data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0
    is_keystore = data[:1] == b"\x30" and data[2 + length_of_length :][:2] == b"\x02\x01"
    return is_keystore or b"PRIVATE KEY-----" in data


def _is_open(path: Path) -> bool:
    """Tell whether every user of the machine may read a file, folders above it left aside."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)


RULES: tuple[Check, ...] = (_tls_identity, _named_files, _database, _permissions)
