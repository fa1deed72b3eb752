"""The certificate that the TCP addresses serve HTTPS with."""

from __future__ import annotations

import ssl

from oxpushctl.config.properties import TLS_CERTIFICATE, TLS_KEY
from oxpushctl.config.settings import Settings
from oxpushctl.errors import ConfigurationError


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS context of our servers, ``None`` for plain HTTP; raise ``ConfigurationError`` for a bad file."""
    certificate, key = settings[TLS_CERTIFICATE], settings[TLS_KEY]
    if certificate is None and key is None:
        return None
    if certificate is None:
        raise ConfigurationError(f"{TLS_KEY.key} is set, {TLS_CERTIFICATE.key} is not: HTTPS needs both")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a key of its own the certificate's file holds it. An empty password: never ask on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except OSError as problem:  # ssl.SSLError is one
        files = certificate if key is None else f"{certificate}, {key}"
        reason = "no certificate and key that fit" if isinstance(problem, ssl.SSLError) else problem.strerror
        raise ConfigurationError(f"{TLS_CERTIFICATE.key}: {files}: {reason}") from problem
    return context
