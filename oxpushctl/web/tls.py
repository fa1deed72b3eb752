"""The certificate that the TCP addresses serve HTTPS with."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from oxpushctl.config.check import told
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.files import exists, read_file
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.own import TLS_CERTIFICATE, TLS_KEY
from oxpushctl.config.settings import Settings
from oxpushctl.errors import ConfigurationError, MissingFile

_LIMIT = 1024 * 1024
_NO_FIT = "no certificate and key that fit"


def check_tls(configuration: Configuration) -> Iterator[Finding]:
    """Tell when certificate and key cannot be used; that one is not set or not there was told of before."""
    settings, etc = configuration.settings, configuration.etc
    if not all(name and exists(etc / name) for name in (settings[TLS_CERTIFICATE], settings[TLS_KEY])):
        return
    try:
        server_context(settings, etc)
    except ConfigurationError as error:
        hint = "both in PEM form, the key without a password"
        yield told(configuration, Severity.ERROR, "OXP313", TLS_CERTIFICATE, str(error), hint)


def server_context(settings: Settings, etc: Path) -> ssl.SSLContext | None:
    """Return the TLS context of our servers, ``None`` for plain HTTP; raise ``ConfigurationError`` for a bad file.

    Relative paths are relative to ``etc``.
    """
    certificate, key = settings[TLS_CERTIFICATE], settings[TLS_KEY]
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigurationError(f"HTTPS needs both {TLS_CERTIFICATE.key} and {TLS_KEY.key}")
    if not all(_is_pem(path) for path in (etc / certificate, etc / key)):
        raise ConfigurationError(f"{etc / certificate}, {etc / key}: {_NO_FIT}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An empty password: never ask on the terminal.
        context.load_cert_chain(etc / certificate, etc / key, password="")
    except OSError as problem:  # ssl.SSLError is one
        reason = _NO_FIT if isinstance(problem, ssl.SSLError) else problem.strerror
        raise ConfigurationError(f"{etc / certificate}, {etc / key}: {reason}") from problem
    return context


def _is_pem(path: Path) -> bool:
    """Tell whether OpenSSL will read a file to its end: it would wait for what is no regular file."""
    try:
        return b"-----BEGIN " in read_file(path, _LIMIT)
    except MissingFile as problem:
        raise ConfigurationError(f"{path} {problem}") from problem
