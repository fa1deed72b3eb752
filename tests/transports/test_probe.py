"""What config check says about the providers, from their answers to pushes that nobody gets."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oxpushctl.config.check import Wishes
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Reach, Severity
from oxpushctl.config.reading import read
from oxpushctl.sandbox import identity as names
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import (
    BEARER_CLIENT,
    CERTIFICATE_CLIENT,
    KEYS,
    SERVICE_ACCOUNT_FILE,
    identity_in,
    write_etc,
)
from oxpushctl.transports.probe import NO_DEVICE, check_providers
from tests.peers.certificates import Authority, ec_key, rsa_key
from tests.peers.ports import free_port

PROBE = Wishes(are_providers_probed=True)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(identity_in(tmp_path / "etc"))
    await sandbox.start()
    write_etc(tmp_path / "etc", sandbox.identity, endpoint=sandbox.url)
    yield sandbox
    await sandbox.aclose()


@pytest.fixture
def etc(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A configuration that the sandbox accepts, to be spoilt."""
    assert sandbox.port
    return tmp_path / "etc"


def configured(etc: Path) -> Configuration:
    return read(etc, environ={"STATE_DIRECTORY": str(etc)}, overrides=())


async def found(etc: Path) -> dict[tuple[str, str], Finding]:
    """Return what the check says of each client and transport: known codes, at most warnings."""
    findings = await check_providers(configured(etc), PROBE)
    for finding in findings:
        assert (finding.code in CATALOGUE, finding.reach) == (True, Reach.CLIENT)
        assert finding.severity is (Severity.INFO if finding.code == "OXP724" else Severity.WARNING)
        assert finding.file.endswith("-options.yml")
        assert "PRIVATE KEY" not in repr(finding)
    return {(finding.client, finding.transport): finding for finding in findings}


def codes(findings: dict[tuple[str, str], Finding]) -> dict[tuple[str, str], str]:
    return {client: finding.code for client, finding in findings.items()}


APPLE_CERTIFICATE, APPLE_KEY = (CERTIFICATE_CLIENT, "apn"), (BEARER_CLIENT, "apn")
GOOGLE, GOOGLE_AGAIN = (CERTIFICATE_CLIENT, "gcm"), (BEARER_CLIENT, "gcm")
GOOD = dict.fromkeys((APPLE_CERTIFICATE, APPLE_KEY, GOOGLE, GOOGLE_AGAIN), "OXP724")


async def test_good_credentials(sandbox: Sandbox, etc: Path) -> None:
    """Every client is told to be accepted, and nothing was pushed to anybody's phone."""
    findings = await found(etc)
    assert codes(findings) == GOOD
    assert findings[APPLE_KEY].message == "Apple accepts the credentials"
    assert [push.token for push in sandbox.pushes if push.is_delivered] == []
    assert {(push.token, push.reason) for push in sandbox.pushes} == {(NO_DEVICE, "BadDeviceToken")}


@pytest.mark.parametrize("wishes", [Wishes(), Wishes(are_providers_probed=True, is_offline=True)])
async def test_nobody_is_asked_unasked(sandbox: Sandbox, etc: Path, wishes: Wishes) -> None:
    """Providers are tried only on request."""
    assert await check_providers(configured(etc), wishes) == []
    assert sandbox.pushes == ()


async def test_another_signing_key(etc: Path) -> None:
    """A key that Apple does not know for the team is a warning with what to look at; the others are good."""
    ec_key(etc / KEYS / names.PROVIDER_KEY_FILE)
    findings = await found(etc)
    assert codes(findings) == {**GOOD, APPLE_KEY: "OXP721"}
    assert findings[APPLE_KEY].message == "Apple refuses the credentials: InvalidProviderToken"
    assert "Check that privatekey is the .p8 of keyid" in findings[APPLE_KEY].hint


async def test_another_service_account(etc: Path, tmp_path: Path) -> None:
    """A service account whose key was deleted gets no access token, for either of its clients."""
    account = etc / KEYS / SERVICE_ACCOUNT_FILE
    stranger = rsa_key(tmp_path / "rsa.pem").read_text()
    account.write_text(json.dumps({**json.loads(account.read_text()), "private_key": stranger}))
    findings = await found(etc)
    assert codes(findings) == {**GOOD, GOOGLE: "OXP721", GOOGLE_AGAIN: "OXP721"}
    assert "service account" in findings[GOOGLE].hint


async def test_service_account_of_another_project(etc: Path) -> None:
    """A project in which the account may not send is as good as none."""
    account = etc / KEYS / SERVICE_ACCOUNT_FILE
    account.write_text(json.dumps({**json.loads(account.read_text()), "project_id": "elsewhere"}))
    findings = await found(etc)
    assert findings[GOOGLE].message == "Google refuses the credentials: PERMISSION_DENIED"


async def test_topic_of_another_app(etc: Path) -> None:
    """Good credentials do not help with a topic that they are not for."""
    options = etc / "pns-apns-options.yml"
    options.write_text(options.read_text().replace(names.BEARER_TOPIC, "com.example.other"))
    findings = await found(etc)
    assert codes(findings) == {**GOOD, APPLE_KEY: "OXP723"}
    assert findings[APPLE_KEY].message == "Apple would not take pushes: TopicDisallowed"


async def test_provider_that_cannot_be_reached(sandbox: Sandbox, etc: Path) -> None:
    """Nothing is said about the credentials, but where to look."""
    await sandbox.aclose()
    findings = await found(etc)
    assert codes(findings) == dict.fromkeys(GOOD, "OXP722")
    assert all(str(sandbox.port) in finding.message for finding in findings.values())
    assert {client: finding.hint.partition(",")[0] for client, finding in findings.items()} == {
        APPLE_CERTIFICATE: "check oxpushctl.apns.endpoint.production",
        APPLE_KEY: "check oxpushctl.apns.endpoint.production",
        GOOGLE: "check token_uri in the service account's file",
        GOOGLE_AGAIN: "check token_uri in the service account's file",
    }
    assert all("network and firewall, and oxpushctl.proxy" in finding.hint for finding in findings.values())


async def test_gateway_that_does_not_answer(etc: Path) -> None:
    """An endpoint of our own that refuses connections is named by its property, whatever serves access tokens."""
    refused = f"oxpushctl.fcm.endpoint=https://127.0.0.1:{free_port()}"
    properties = etc / "oxpushctl.properties"
    properties.write_text(re.sub(r"oxpushctl\.fcm\.endpoint=.*", refused, properties.read_text()))
    findings = await found(etc)
    assert codes(findings) == {**GOOD, GOOGLE: "OXP722", GOOGLE_AGAIN: "OXP722"}
    assert findings[GOOGLE].hint == "check oxpushctl.fcm.endpoint, network and firewall, and oxpushctl.proxy"


async def test_authority_that_is_not_trusted(etc: Path) -> None:
    """A provider's stand-in, or a firewall, with an authority of its own: the property that trusts it is named."""
    properties = etc / "oxpushctl.properties"
    properties.write_text(re.sub(r"oxpushctl\.tls\.ca=.*", "", properties.read_text()))
    findings = await found(etc)
    assert codes(findings) == dict.fromkeys(GOOD, "OXP722")
    assert {finding.hint.partition(";")[0] for finding in findings.values()} == {
        "name the file of the authority's certificate in oxpushctl.tls.ca"
    }


async def test_certificate_for_another_name(etc: Path, tmp_path: Path) -> None:
    """An address whose certificate is another's is no matter of authorities: what names the address is told."""
    authority = Authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.server("push.example.com"))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    properties = etc / "oxpushctl.properties"
    text = re.sub(r"(endpoint\.\w+=https://127\.0\.0\.1):\d+", rf"\g<1>:{port}", properties.read_text())
    properties.write_text(re.sub(r"oxpushctl\.tls\.ca=.*", f"oxpushctl.tls.ca={authority.pem}", text))
    async with server:
        findings = await found(etc)
    assert "certificate is not trusted" in findings[APPLE_KEY].message
    assert "oxpushctl.tls.ca" not in findings[APPLE_KEY].hint
    assert "oxpushctl.apns.endpoint.production" in findings[APPLE_KEY].hint


async def test_authorities_with_an_error(etc: Path) -> None:
    """Where the way is known to be wrong nobody is sent along it."""
    (etc / "oxpushctl.properties").write_text("oxpushctl.tls.ca=nowhere.pem\n")
    assert await check_providers(configured(etc), PROBE) == []
