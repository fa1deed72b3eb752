"""The sandbox judged by firebase-admin, Google's own library, in a process that trusts the sandbox's authority."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oxpushctl.sandbox.identity import CA_FILE, PROJECT_ID
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import KEYS, SERVICE_ACCOUNT_FILE, identity_in, write_etc

_SCRIPT = Path(__file__).parent.parent / "peers/firebase_send.py"
_DATA = {"displayname": "Jane Doe", "subject": "Lunch? 日本 🎉", "unread": "3"}


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Start a sandbox with its configuration in ``tmp_path``, where firebase-admin finds the service account."""
    made = Sandbox(identity_in(tmp_path))
    await made.start()
    try:
        write_etc(tmp_path, made.identity, endpoint=made.url)
        yield made
    finally:
        await made.aclose()


async def _send(sandbox: Sandbox, folder: Path, *messages: dict[str, object]) -> list[dict[str, str]]:
    """Let firebase-admin send messages, each told as the arguments of its Message."""

    def run() -> list[dict[str, str]]:
        client = subprocess.run(
            [sys.executable, _SCRIPT, folder / KEYS / SERVICE_ACCOUNT_FILE, sandbox.url],
            input=json.dumps(messages),
            env={"PATH": os.environ["PATH"], "REQUESTS_CA_BUNDLE": str(folder / KEYS / CA_FILE)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert client.returncode == 0, client.stderr
        results: list[dict[str, str]] = json.loads(client.stdout)
        return results

    return await asyncio.to_thread(run)


async def test_delivery(written: Sandbox, tmp_path: Path) -> None:
    """Google's library gets its access token and delivers with the service account that the sandbox wrote."""
    (result,) = await _send(written, tmp_path, {"token": "phone", "data": _DATA, "ttl": 14400})
    (push,) = written.pushes
    assert result == {"name": push.id}
    assert (push.provider, push.project, push.token, push.status) == ("fcm", PROJECT_ID, "phone", 200)
    assert push.payload == {
        "token": "phone",
        "data": _DATA,
        "android": {"priority": "high", "ttl": "14400s"},
    }


async def test_refusals(written: Sandbox, tmp_path: Path) -> None:
    """Google's library raises for each refusal what it raises for Google's."""
    results = await _send(
        written,
        tmp_path,
        {"token": "410", "data": _DATA},
        {"token": "403", "data": _DATA},
        {"token": "429", "data": _DATA},
        {"token": "503", "data": _DATA},
        {"token": "400", "data": _DATA},
        {"token": "phone", "data": {"from": "me"}},
        {"token": "phone", "data": {"subject": "x" * 4096}},
        {"token": "phone", "data": _DATA, "dry_run": True},
        {"fid": "installation", "data": _DATA},
    )
    assert [result.get("error") for result in results] == [
        "UnregisteredError",
        "SenderIdMismatchError",
        "QuotaExceededError",
        "UnavailableError",
        "InvalidArgumentError",
        "InvalidArgumentError",
        "InvalidArgumentError",
        None,
        None,
    ]
    assert [push.status for push in written.pushes] == [404, 403, 429, 503, 400, 400, 400, 200]


async def test_account_of_another_sandbox(written: Sandbox, tmp_path: Path) -> None:
    """A service account whose key is not known here gets no access token."""
    other = tmp_path / "other"
    write_etc(other, identity_in(other), endpoint=written.url)
    (other / KEYS / CA_FILE).write_bytes(written.identity.ca_pem)
    (result,) = await _send(written, other, {"token": "phone", "data": _DATA})
    assert result["error"] == "RefreshError"
    assert "Invalid JWT Signature" in result["message"]
