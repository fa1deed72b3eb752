from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.own import ENDPOINTS, PROXY
from tests.config import folders

_PROXY = "http://proxy.example.com:3128"
_ON_THIS_MACHINE = tuple(f"{row.key}=https://127.0.0.1:2197" for row in ENDPOINTS)


@pytest.mark.parametrize(
    ("environ", "overrides", "proxy"),
    [
        ({}, (), None),
        ({"https_proxy": _PROXY}, (), _PROXY),
        ({"HTTPS_PROXY": _PROXY}, (), _PROXY),
        ({"http_proxy": _PROXY}, (), None),
        ({"https_proxy": _PROXY}, (f"{PROXY.key}=http://other:3128",), "http://other:3128"),
        ({"https_proxy": _PROXY, "no_proxy": "push.apple.com,.googleapis.com"}, (), None),
        ({"https_proxy": _PROXY, "no_proxy": "push.apple.com"}, (), _PROXY),
        ({"https_proxy": _PROXY, "NO_PROXY": "*"}, (), None),
        ({"https_proxy": _PROXY}, _ON_THIS_MACHINE, None),
    ],
)
def test_environment_names_the_proxy(
    tmp_path: Path, environ: dict[str, str], overrides: tuple[str, ...], proxy: str | None
) -> None:
    """Unset, the proxy is the environment's, as other programs take it; this machine needs none."""
    assert folders.read(tmp_path, {}, environ=environ, overrides=overrides).settings[PROXY] == proxy


def test_unusable_proxy_is_told(tmp_path: Path) -> None:
    """Pushing past a proxy that cannot be used would only fail later: it is an error, and its password not shown."""
    configuration = folders.read(tmp_path, {}, environ={"https_proxy": "socks5://me:tell-nobody@proxy"})
    (error,) = configuration.engine_errors
    assert (error.key, error.file, "tell-nobody" in str(error)) == (PROXY.key, "environment", False)
