"""Rules about files: that those which are named are there, and that secrets are not for everybody to read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oxpushctl.config import selection, table
from oxpushctl.config.check import Check, has_error, told
from oxpushctl.config.files import exists
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.options import ApnsOptions, ClientOptions, key_of, place_of
from oxpushctl.config.properties import TLS_CA, TLS_CERTIFICATE, TLS_KEY
from oxpushctl.config.settings import Origin
from oxpushctl.config.source import ENVIRONMENT, holds_secret

if TYPE_CHECKING:
    from oxpushctl.config.reading import Configuration


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
        if name and not exists(configuration.etc / name):
            message = f"there is no file {configuration.etc / name}"
            yield told(configuration, Severity.ERROR, "OXP302", row, message)


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
                f"chmod o-r {path}",
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
    if key := settings[TLS_KEY]:
        yield _Secret(configuration.etc / key, TLS_KEY.key)


def _in_options(configuration: Configuration) -> Iterator[_Secret]:
    for client in configuration.clients:
        transport = selection.transport_of(client)
        for path, option in _secret_files(configuration.etc, client):
            line = place_of(client, option).line or 0
            yield _Secret(path, key_of(client, option), client.client, transport, line)


def _secret_files(etc: Path, client: ClientOptions) -> Iterator[tuple[Path, str]]:
    if not isinstance(client, ApnsOptions):
        files: tuple[tuple[Path | None, str], ...] = ((client.key_path, "keyPath"),)
    else:
        options_file = etc / client.origin.file if client.password else None
        files = ((options_file, "password"), (client.keystore, "keystore"), (client.privatekey, "privatekey"))
    yield from ((path, option) for path, option in files if path is not None)


def _is_open(path: Path) -> bool:
    """Tell whether every user of the machine may read a file, folders above it left aside."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)


RULES: tuple[Check, ...] = (_tls_identity, _named_files, _permissions)
