"""What the HTTP/2 tests share: both codecs, a client that closes, certificates."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.transports.http2 import codec as codecs
from oxpushctl.transports.http2.client import Http2Client
from tests.peers.certificates import Authority

MakeClient = Callable[..., Http2Client]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    """A TLS context that trusts the test authority alone."""
    return ssl.create_default_context(cafile=str(authority.pem))


@pytest.fixture(params=["ngh2", "h2"])
def codec(request: pytest.FixtureRequest) -> codecs.CodecFactory:
    return codecs.codec_named(request.param)


@pytest.fixture
async def make_client(codec: codecs.CodecFactory, trusting: ssl.SSLContext) -> AsyncIterator[MakeClient]:
    """Make clients on the codec of the test; they close with it."""
    made: list[Http2Client] = []

    def make(url: str, **options: Any) -> Http2Client:
        made.append(Http2Client(url, **{"tls": trusting, "codec": codec, **options}))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def document_root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root
