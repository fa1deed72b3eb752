"""What config check says about doveadm, from its answers."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from oxpushctl.config.check import Wishes
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS, DOVEADM_SECRET
from oxpushctl.config.own import TLS_CA
from oxpushctl.config.property import Property
from oxpushctl.listeners.doveadm_check import check_doveadm
from tests.config import folders
from tests.listeners.doveadm_scripted import IN_BASE64, KEY, REFUSED, Heard, Say, answered, scripted_doveadm
from tests.peers.certificates import Authority
from tests.peers.dovecot import Dovecot
from tests.peers.ports import free_port


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(doveadm_key=KEY) as running:
        yield running


def configured(etc: Path, *urls: str, key: str = KEY, more: str = "") -> Configuration:
    lines = f"{DOVEADM_ENABLED.key}=true\n{DOVEADM_SECRET.key}={key}\n{DOVEADM_ENDPOINTS.key}={','.join(urls)}\n{more}"
    return folders.read(etc, {"doveadm.properties": lines})


async def found(configuration: Configuration) -> list[Finding]:
    """Return what the check says: at most warnings, and no secret in them."""
    findings = await check_doveadm(configuration, Wishes())
    assert [each for each in findings if each.severity is Severity.ERROR] == []
    assert [secret for secret in (KEY, IN_BASE64) if secret in repr(findings)] == []
    return findings


async def test_doveadm_that_takes_the_key(tmp_path: Path, dovecot: Dovecot) -> None:
    """Nothing is said of a doveadm as it has to be."""
    assert await found(configured(tmp_path, dovecot.doveadm_url)) == []


async def test_another_key(tmp_path: Path, dovecot: Dovecot) -> None:
    """The warning is at the line of the key."""
    (finding,) = await found(configured(tmp_path, dovecot.doveadm_url, key="another"))
    assert (finding.code, finding.key, finding.line) == ("OXP752", DOVEADM_SECRET.key, 2)
    assert "doveadm_api_key" in finding.message


async def test_nobody_listens(tmp_path: Path, dovecot: Dovecot) -> None:
    """Of several end-points the one that is away is named; one that is written twice is asked once."""
    away = f"http://127.0.0.1:{free_port()}/doveadm/v1"
    (finding,) = await found(configured(tmp_path, dovecot.doveadm_url, away, away))
    assert (finding.code, finding.key, finding.line) == ("OXP751", DOVEADM_ENDPOINTS.key, 3)
    assert finding.message.startswith(f"{away} refuses connections")


async def _something_else(_heard: Heard) -> bytes:
    return answered("<html>welcome</html>", kind="text/html")


async def _nothing_there(_heard: Heard) -> bytes:
    return answered("Path Not Found\r\n", "404 Path Not Found", "text/plain")


async def _nothing(_heard: Heard) -> bytes:
    return b""


async def _refusal(_heard: Heard) -> bytes:
    return REFUSED


@pytest.mark.parametrize(
    ("say", "code", "words"),
    [
        (_something_else, "OXP751", "is not doveadm"),
        (_nothing_there, "OXP751", "there is no doveadm"),
        (_nothing, "OXP751", "without an answer"),
        (_refusal, "OXP752", "refuses"),
    ],
)
async def test_answers(tmp_path: Path, say: Say, code: str, words: str) -> None:
    """What answers otherwise than doveadm does is told from one that does not know us; it is asked to do nothing."""
    async with scripted_doveadm(say) as server:
        (finding,) = await found(configured(tmp_path, server.url))
    assert (finding.code, words in finding.message) == (code, True), finding
    assert {tuple(heard.commands) for heard in server.heard} == {()}


async def test_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """The way out is named."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*Authority(tmp_path).server())
    async with scripted_doveadm(tls=tls) as server:
        (finding,) = await found(configured(tmp_path / "etc", server.url))
    assert (finding.code, TLS_CA.key in finding.message) == ("OXP751", True)


async def test_authorities_that_are_none(tmp_path: Path, dovecot: Dovecot) -> None:
    """A file that holds something else is told of, and nobody is asked."""
    (tmp_path / "ca.pem").write_text("not a certificate\n")
    (finding,) = await found(configured(tmp_path, dovecot.doveadm_url, more=f"{TLS_CA.key}=ca.pem\n"))
    assert (finding.code, "holds no certificates" in finding.message) == ("OXP751", True)


@pytest.mark.parametrize("lacking", [DOVEADM_ENABLED, DOVEADM_SECRET, DOVEADM_ENDPOINTS], ids=lambda row: row.key)
async def test_doveadm_that_is_not_used(tmp_path: Path, lacking: Property[object]) -> None:
    """Nobody is asked where something lacks, which is told by others."""
    async with scripted_doveadm() as server:
        configured(tmp_path, server.url)
        lines = (tmp_path / "doveadm.properties").read_text().splitlines()
        left = "\n".join(line for line in lines if not line.startswith(lacking.key))
        assert await found(folders.read(tmp_path, {"doveadm.properties": left})) == []
    assert server.heard == []


async def test_offline(tmp_path: Path) -> None:
    """Nobody is asked."""
    async with scripted_doveadm() as server:
        assert await check_doveadm(configured(tmp_path, server.url), Wishes(is_offline=True)) == []
    assert server.heard == []
