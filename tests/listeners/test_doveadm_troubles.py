"""What stands in the way of asking doveadm, and what people are told of it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from oxpushctl.config.listening import (
    DOVEADM_ENABLED,
    DOVEADM_ENDPOINTS,
    DOVEADM_SECRET,
)
from oxpushctl.config.own import TLS_CA
from oxpushctl.errors import ConfigurationError, NotReachable, OxpushctlError
from oxpushctl.listeners.doveadm import Doveadm
from oxpushctl.listeners.doveadm_answers import Command, Done, Failed
from oxpushctl.listeners.doveadm_troubles import EndpointTrouble, SecretRefused
from tests.engine.parts import HandClock
from tests.listeners.doveadm_scripted import IN_BASE64, KEY, REFUSED, Heard, answered, asking, scripted_doveadm
from tests.listeners.people import settings
from tests.peers.certificates import Authority
from tests.peers.dovecot import Dovecot
from tests.peers.ports import free_port

COMMAND = Command("mailboxMetadataSet", {"user": "anton", "value": "user=3@1/the-mac"})


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(doveadm_key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def trouble(doveadm: Doveadm, caplog: pytest.LogCaptureFixture) -> OxpushctlError:
    """Return why a command was not done, and see that nothing secret is in that or in the log."""
    (answer,) = await doveadm.ask([COMMAND])
    assert isinstance(answer, Failed)
    written = (
        f"{answer}{answer.error!r}{answer.error.__cause__!r}{caplog.text}{[each.__dict__ for each in caplog.records]}"
    )
    assert not [secret for secret in (KEY, IN_BASE64, "the-mac", "not the key") if secret in written]
    return answer.error


@pytest.mark.parametrize(
    ("says", "kind", "words"),
    [
        (REFUSED, SecretRefused, DOVEADM_SECRET.key),
        (answered("", "403 Forbidden"), SecretRefused, DOVEADM_SECRET.key),
        (answered("Path Not Found\r\n", "404 Path Not Found", "text/plain"), EndpointTrouble, DOVEADM_ENDPOINTS.key),
        (answered("", "503 Service Unavailable"), EndpointTrouble, "503"),
        (answered("", "500 Internal Server Error"), EndpointTrouble, "500"),
        (answered("", "302 Found\r\nLocation: http://127.0.0.1:1/elsewhere"), EndpointTrouble, "do not follow"),
        (answered("<html>It works!</html>", kind="text/html"), EndpointTrouble, "not doveadm"),
        (answered('{"answer": 42}'), EndpointTrouble, "not doveadm"),
        (answered("Request must be a JSON array\r\n", "400 Bad Request"), EndpointTrouble, "cannot read"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", EndpointTrouble, "not doveadm"),
        (b"", EndpointTrouble, "without an answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Header: x\r\n" * 1000 + b"\r\n", EndpointTrouble, "not doveadm"),
        (answered("x" * (17 << 20)), EndpointTrouble, "16 MiB"),
    ],
    ids=["401", "403", "404", "503", "500", "302", "HTML", "object", "400", "SSH", "nothing", "headers", "huge"],
)
async def test_answers(says: bytes, kind: type[OxpushctlError], words: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever else answers, it is said what is wrong and what to do; nothing is followed and no secret told."""

    async def say(heard: Heard) -> bytes:
        return says

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        error = await trouble(doveadm, caplog)
    assert type(error) is kind
    assert words in str(error)
    assert len(server.heard) <= 2


async def test_wrong_key(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """Dovecot refuses another key, and the property to correct is named."""
    async with asking(dovecot.doveadm_url, key="not the key") as doveadm:
        error = await trouble(doveadm, caplog)
    assert type(error) is SecretRefused
    assert DOVEADM_SECRET.key in str(error)


@pytest.mark.parametrize("path", ["/doveadm/v2", "/"])
async def test_wrong_path(dovecot: Dovecot, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Dovecot has its API at one path only, and the property to correct is named."""
    async with asking(dovecot.doveadm_url.replace("/doveadm/v1", path)) as doveadm:
        error = await trouble(doveadm, caplog)
    assert DOVEADM_ENDPOINTS.key in str(error)


async def test_imap_port(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """A port of another protocol is not mistaken for doveadm."""
    async with asking(f"http://127.0.0.1:{dovecot.imap_port}/doveadm/v1") as doveadm:
        error = await trouble(doveadm, caplog)
    assert "not doveadm" in str(error)


async def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody listens it is said so."""
    async with asking(f"http://127.0.0.1:{free_port()}/doveadm/v1") as doveadm:
        error = await trouble(doveadm, caplog)
    assert "refuses connections" in str(error)


async def test_no_such_host(caplog: pytest.LogCaptureFixture) -> None:
    """A host without an address is told."""
    async with asking("http://doveadm.invalid:8080/doveadm/v1") as doveadm:
        error = await trouble(doveadm, caplog)
    assert "cannot be resolved" in str(error)


async def test_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """An end-point that fails again and again is told of once."""
    async with asking(f"http://127.0.0.1:{free_port()}/doveadm/v1") as doveadm:
        for _ in range(3):
            await doveadm.ask([COMMAND])
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_proxy_of_environment(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A proxy that the environment names is not used, and never sees the key."""
    async with scripted_doveadm() as proxy, scripted_doveadm() as server, asking(server.url) as doveadm:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        (answer,) = await doveadm.ask([COMMAND])
    assert isinstance(answer, Done)
    assert (len(proxy.heard), len(server.heard)) == (0, 1)


async def test_cookies() -> None:
    """Nothing that an answer sets comes back to anybody."""

    async def say(heard: Heard) -> bytes:
        return answered("[]", "200 OK\r\nSet-Cookie: session=1; Path=/")

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        await doveadm.ask([COMMAND])
        await doveadm.ask([COMMAND])
    assert not [heard for heard in server.heard if "cookie" in heard.head.lower()]


def server_side(authority: Authority, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server(*names))
    return context


async def test_own_authority(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """The authorities of oxpushctl.tls.ca are trusted besides the system's, and no others."""
    async with scripted_doveadm(tls=server_side(authority)) as server:
        async with asking(server.url) as doveadm:
            error = await trouble(doveadm, caplog)
        async with asking(server.url, more={TLS_CA: authority.pem}) as doveadm:
            (answer,) = await doveadm.ask([COMMAND])
    assert TLS_CA.key in str(error)
    assert isinstance(answer, Done)
    assert len(server.heard) == 1


async def test_other_authority_by_reload(authority: Authority, tmp_path: Path) -> None:
    """A reload takes over other authorities, for the next request."""
    async with scripted_doveadm(tls=server_side(authority)) as server, asking(server.url) as doveadm:
        (before,) = await doveadm.ask([COMMAND])
        doveadm.reload(settings({TLS_CA: authority.pem}), tmp_path)
        (after,) = await doveadm.ask([COMMAND])
    assert isinstance(before, Failed) and isinstance(after, Done)


async def test_other_name(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """A certificate for another host is not taken, whoever signed it."""
    async with (
        scripted_doveadm(tls=server_side(authority, "mail.example.com")) as server,
        asking(server.url, more={TLS_CA: authority.pem}) as doveadm,
    ):
        error = await trouble(doveadm, caplog)
    assert "certificate" in str(error)
    assert server.heard == []


async def test_no_tls(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """https:// for a port without TLS is told, and nothing is sent in clear."""
    async with asking(dovecot.doveadm_url.replace("http://", "https://")) as doveadm:
        error = await trouble(doveadm, caplog)
    assert isinstance(error, NotReachable)
    assert "TLS" in str(error)


def test_unreadable_authorities(tmp_path: Path) -> None:
    """A file without certificates is told with its property, before anything is asked."""
    (tmp_path / "ca.pem").write_text("no certificate")
    values = settings(
        {
            DOVEADM_ENABLED: True,
            DOVEADM_SECRET: KEY,
            DOVEADM_ENDPOINTS: ("https://127.0.0.1:1/doveadm/v1",),
            TLS_CA: Path("ca.pem"),
        }
    )
    with pytest.raises(ConfigurationError) as raised:
        Doveadm.from_settings(values, tmp_path, HandClock())
    assert TLS_CA.key in str(raised.value)
