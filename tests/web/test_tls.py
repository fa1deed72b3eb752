from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.own import TLS_CERTIFICATE, TLS_KEY
from oxpushctl.errors import ConfigurationError
from oxpushctl.web.tls import server_context
from tests.config import folders


@pytest.mark.parametrize("name", ["/dev/zero", "/proc/kmsg", "/dev/null", "certificate.der"])
def test_what_openssl_would_wait_for_is_refused(tmp_path: Path, name: str) -> None:
    """Only a regular file of PEM is handed to OpenSSL, which reads whatever it is given to its end."""
    files: dict[str, str | bytes] = {
        "certificate.der": b"\x30\x82",
        "a.properties": f"{TLS_CERTIFICATE.key}={name}\n{TLS_KEY.key}={name}\n",
    }
    settings = folders.read(tmp_path, files).settings
    with pytest.raises(ConfigurationError, match=f"{name}"):
        server_context(settings, tmp_path)
