"""TLS on the way out: whom we trust, and the certificate that we show."""

from __future__ import annotations

import secrets
import ssl
import tempfile
from pathlib import Path

from oxpushctl.config.own import TLS_CA
from oxpushctl.config.settings import Settings
from oxpushctl.transports.certificates import PushCertificate
from oxpushctl.transports.credentials import UnusableCredentials


def authorities(settings: Settings, etc: Path) -> Path | None:
    """Return the file of further authorities; a relative path is relative to ``etc``."""
    ca = settings[TLS_CA]
    return None if ca is None else etc / ca


def tls_context(ca: Path | None, certificate: PushCertificate | None = None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those in the file ``ca``.

    Raise ``UnusableCredentials`` when that file or the certificate cannot be used for TLS.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        trust(context, ca)
    if certificate is not None:
        show(context, certificate)
    return context


def trust(context: ssl.SSLContext, ca: Path) -> None:
    """Trust the authorities in a PEM file, too."""
    try:
        context.load_verify_locations(ca)
    except OSError as error:  # ssl.SSLError is one of them
        reason = "holds no certificates in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise UnusableCredentials("OXP414", "", f"{ca}: {reason}", "name a file with certificates (PEM)") from error


def show(context: ssl.SSLContext, certificate: PushCertificate) -> None:
    """Show a certificate to whom we connect to.

    ssl reads files only, so the key lies in one for a moment, encrypted with a password that nobody else has.
    """
    password = secrets.token_urlsafe(32)
    with tempfile.NamedTemporaryFile(prefix="oxpushctl-", suffix=".pem") as file:
        file.write(certificate.pem(password.encode()))
        file.flush()
        try:
            context.load_cert_chain(file.name, password=password)
        except ssl.SSLError as error:
            # such as RSA with 1024 bits, which is below its security level
            message = f"OpenSSL refuses the certificate: {error.reason}"
            raise UnusableCredentials("OXP403", "keystore", message, "make a new certificate") from error
