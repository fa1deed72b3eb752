"""Words for people: why a socket or a TLS connection failed."""

from __future__ import annotations

import os
import ssl

_ALERTS = {  # OpenSSL's reason → what it means for who set this up
    "CERTIFICATE_REQUIRED": "it demands a client certificate and we have none",
    "HANDSHAKE_FAILURE": "it refuses the TLS handshake, perhaps for want of a client certificate",
    "UNKNOWN_CA": "it does not know the authority of our certificate",
    "BAD_CERTIFICATE": "it refuses our certificate",
    "CERTIFICATE_EXPIRED": "it says that our certificate has expired",
    "CERTIFICATE_REVOKED": "it says that our certificate is revoked",
    "UNSUPPORTED_CERTIFICATE": "it says that our certificate is not for clients",
    "CERTIFICATE_UNKNOWN": "it refuses our certificate",
    "NO_APPLICATION_PROTOCOL": "it does not offer HTTP/2 (ALPN h2)",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
}


def explained(error: Exception | None) -> str:
    """Say why a connection ended; ``None`` is an end that the peer brought about in good order."""
    if error is None:
        return "it closed the connection"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return next(
            (text for alert, text in _ALERTS.items() if reason.endswith(alert)), f"TLS failed: {reason or error}"
        )
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "it reset the connection"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
