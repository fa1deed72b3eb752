"""The sandbox judged by @parse/node-apn, a client that talks to Apple every day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from oxpushctl.sandbox import identity as names
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.sandbox import Sandbox
from tests.peers import node

_ALERT = {"topic": names.CERTIFICATE_TOPIC, "alert": {"title": "Jane Doe", "body": "Lunch? 日本 🎉"}, "badge": 3}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    node.install()


def _certificate(sandbox: Sandbox, folder: Path) -> dict[str, object]:
    (folder / "apns.p12").write_bytes(sandbox.identity.keystore)
    return {"pfx": str(folder / "apns.p12"), "passphrase": names.KEYSTORE_PASSWORD}


def _key(sandbox: Sandbox, folder: Path) -> dict[str, object]:
    (folder / "AuthKey.p8").write_bytes(sandbox.identity.provider_key_pem)
    return {"token": {"key": str(folder / "AuthKey.p8"), "keyId": names.KEY_ID, "teamId": names.TEAM_ID}}


async def _send(
    sandbox: Sandbox, credentials: Mapping[str, object], *pushes: tuple[str, Mapping[str, object]]
) -> list[dict[str, object]]:
    provider = {
        "address": "127.0.0.1",
        "port": sandbox.port,
        "ca": sandbox.identity.ca_pem.decode(),
        "production": True,
        "connectionRetryLimit": 0,
        "requestTimeout": 3000,
        **credentials,
    }
    given = {"provider": provider, "pushes": [{"token": token, "fields": fields} for token, fields in pushes]}
    return await asyncio.to_thread(node.run, "apns.js", given)


async def test_certificate(sandbox: Sandbox, tmp_path: Path) -> None:
    """node-apn delivers with the .p12 that the sandbox hands out."""
    assert await _send(sandbox, _certificate(sandbox, tmp_path), ("8f1c", _ALERT)) == [{"sent": 1}]
    (push,) = sandbox.pushes
    assert (push.authentication, push.topic, push.status) == ("certificate", names.CERTIFICATE_TOPIC, 200)
    assert push.payload == {"aps": {"alert": _ALERT["alert"], "badge": 3}}


async def test_provider_token(sandbox: Sandbox, tmp_path: Path) -> None:
    """node-apn delivers with the .p8 that the sandbox hands out, to either app of the team."""
    brand = _ALERT | {"topic": names.BEARER_TOPIC}
    results = await _send(sandbox, _key(sandbox, tmp_path), ("8f1c", _ALERT), ("8f1d", brand))
    assert results == [{"sent": 1}, {"sent": 1}]
    assert [(push.authentication, push.topic) for push in sandbox.pushes] == [
        ("bearer", names.CERTIFICATE_TOPIC),
        ("bearer", names.BEARER_TOPIC),
    ]


async def test_refusals(sandbox: Sandbox, tmp_path: Path) -> None:
    """node-apn understands each refusal as Apple's."""
    background = {"topic": names.CERTIFICATE_TOPIC, "contentAvailable": True, "pushType": "background"}
    results = await _send(
        sandbox,
        _certificate(sandbox, tmp_path),
        ("410@1700000000000", _ALERT),
        ("400", _ALERT),
        ("phone", _ALERT | {"topic": "com.example.other"}),
        ("phone", background | {"priority": 10}),
        ("phone", background | {"priority": 5}),
        ("phone", _ALERT | {"collapseId": "x" * 65}),
        ("phone", _ALERT | {"payload": {"x": "y" * 4096}}),
        ("phone", _ALERT | {"expiry": int(time.time()) + 3600, "collapseId": "x"}),
    )
    assert [(result.get("status"), result.get("response")) for result in results] == [
        (410, {"reason": "Unregistered", "timestamp": 1700000000000}),
        (400, {"reason": "BadDeviceToken"}),
        (400, {"reason": "TopicDisallowed"}),
        (400, {"reason": "BadPriority"}),
        (None, None),
        (400, {"reason": "BadCollapseId"}),
        (413, {"reason": "PayloadTooLarge"}),
        (None, None),
    ]


async def test_credentials_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """A key of another team is refused as Apple refuses it."""
    stranger = Sandbox(Identity.create())
    (result,) = await _send(sandbox, _key(stranger, tmp_path), ("8f1c", _ALERT))
    assert (result["status"], result["response"]) == (403, {"reason": "InvalidProviderToken"})


async def test_connection_that_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    """node-apn survives GOAWAY and a cut connection: it connects again for the next push."""
    results = await _send(
        sandbox,
        _certificate(sandbox, tmp_path),
        ("goaway", _ALERT),
        ("phone", _ALERT),
        ("reset", _ALERT),
        ("phone", _ALERT),
    )
    assert [result["sent"] for result in results] == [1, 1, 0, 1]
