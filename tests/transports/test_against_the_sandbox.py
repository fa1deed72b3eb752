"""Both transports against the sandbox, which checks what Apple and Google check and was written apart from them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from oxpushctl.config.clients.options import ApnsOptions, FcmOptions
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.reading import read
from oxpushctl.model import Verdict
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import BEARER_CLIENT, CERTIFICATE_CLIENT, identity_in, write_etc
from oxpushctl.transports.apns import ApnsTransport
from oxpushctl.transports.check import check_clients
from oxpushctl.transports.fcm import FcmTransport
from tests.transports.messages import apns_message, fcm_message

Options = TypeVar("Options", ApnsOptions, FcmOptions)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(identity_in(tmp_path / "etc"))
    await sandbox.start()
    yield sandbox
    await sandbox.aclose()


@pytest.fixture
def configuration(sandbox: Sandbox, tmp_path: Path) -> Configuration:
    """What the sandbox writes, read as the engine does; the check finds nothing wrong with it."""
    etc = tmp_path / "etc"
    write_etc(etc, sandbox.identity, endpoint=sandbox.url)
    configuration = read(etc, environ={"STATE_DIRECTORY": str(tmp_path)}, overrides=())
    assert list(check_clients(configuration)) == []
    return configuration


def clients(configuration: Configuration, kind: type[Options]) -> Sequence[Options]:
    return [client for client in configuration.usable_clients if isinstance(client, kind)]


@pytest.mark.parametrize(("client", "shown"), [(CERTIFICATE_CLIENT, "certificate"), (BEARER_CLIENT, "bearer")])
async def test_pushes_to_apple(sandbox: Sandbox, configuration: Configuration, client: str, shown: str) -> None:
    """Certificate and provider token are accepted, and Apple's answers judged."""
    apns = ApnsTransport.from_settings(configuration.settings, clients(configuration, ApnsOptions))
    tokens = ("a1b2", "410@1700000000000", "400", "429@30", "503")
    outcomes = [await apns.send(apns_message(client, token, b'{"aps":{"alert":"Hi"}}')) for token in tokens]
    await apns.aclose()
    assert [outcome.verdict for outcome in outcomes] == [
        Verdict.DELIVERED,
        Verdict.TOKEN_GONE,
        Verdict.TOKEN_GONE,
        Verdict.THROTTLED,
        Verdict.UNREACHABLE,
    ]
    assert [outcome.is_doubtful for outcome in outcomes] == [False, False, True, False, False]
    assert (outcomes[1].gone_since_ms, outcomes[3].retry_after_s) == (1_700_000_000_000, 30.0)
    assert {push.authentication for push in sandbox.pushes} == {shown}


async def test_pushes_to_google(sandbox: Sandbox, configuration: Configuration) -> None:
    """The assertion is accepted and exchanged, and Google's answers judged."""
    fcm = FcmTransport.from_settings(configuration.settings, clients(configuration, FcmOptions))
    tokens = ("a1b2", "404", "429", "503")
    outcomes = [await fcm.send(fcm_message(CERTIFICATE_CLIENT, token)) for token in tokens]
    await fcm.aclose()
    assert [(outcome.verdict, outcome.retry_after_s) for outcome in outcomes] == [
        (Verdict.DELIVERED, None),
        (Verdict.TOKEN_GONE, None),
        (Verdict.THROTTLED, 60.0),
        (Verdict.UNREACHABLE, 10.0),
    ]
    assert outcomes[0].provider_id == sandbox.pushes[0].id
