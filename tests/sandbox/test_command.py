"""``oxpushctl sandbox`` as an operator runs it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import KEYS
from tests.sandbox.http2_client import client_context
from tests.sandbox.provider_requests import ALERT, APNS_HEADERS

_PROGRAM = Path(sys.executable).with_name("oxpushctl")
_FREE = ("--listen", "127.0.0.1:0", "--page", "127.0.0.1:0")


class _Running:
    """A running command: what it said first, and its next line."""

    def __init__(self, process: asyncio.subprocess.Process, said: dict[str, str]) -> None:
        self.process = process
        self.said = said

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def push(self, token: str) -> int:
        identity = Identity.kept_in(Path(self.said["configuration"]) / KEYS)
        context = client_context(identity, "http/1.1")
        url = f"{self.said['APNs and FCM']}/3/device/{token}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json=ALERT, headers=APNS_HEADERS, ssl=context) as answer,
        ):
            return answer.status


@asynccontextmanager
async def _running(*arguments: str | Path) -> AsyncIterator[_Running]:
    process = await asyncio.create_subprocess_exec(
        _PROGRAM, "sandbox", *_FREE, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        running = _Running(process, {})
        for _ in range(3):
            name, value = re.split(r" {2,}", await running.line())[:2]
            running.said[name] = value
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_until_a_signal(number: signal.Signals) -> None:
    """The command tells its addresses, prints a line a push, and ends in order; its temporary folder goes."""
    async with _running() as sandbox:
        assert await sandbox.push("phone") == 200
        assert await sandbox.push("410") == 410
        delivered, gone = await sandbox.line(), await sandbox.line()
        async with aiohttp.ClientSession() as session, session.get(sandbox.said["page"] + "/pushes") as answer:
            assert [push["token"] for push in await answer.json()] == ["410", "phone"]
        sandbox.process.send_signal(number)
        assert await sandbox.process.wait() == 0
    assert re.fullmatch(r'\d\d:\d\d:\d\d  apns  200  "phone"  "Jane Doe"', delivered)
    assert re.fullmatch(r'\d\d:\d\d:\d\d  apns  410  "410"  "Unregistered"', gone)
    assert not _exists(sandbox.said["configuration"])


async def test_quiet_and_failing(tmp_path: Path) -> None:
    """--quiet prints no pushes, --fail spoils as many as it says, --write-etc keeps what it wrote."""
    async with _running("--quiet", "--fail", "0.5:429", "--delay", "1", "--write-etc", tmp_path / "etc") as sandbox:
        assert [await sandbox.push("phone") for _ in range(4)] == [200, 429, 200, 429]
        sandbox.process.terminate()
        assert await sandbox.line() == ""
    service_account = json.loads((tmp_path / "etc/sandbox/service-account.json").read_text())
    assert service_account["token_uri"] == sandbox.said["APNs and FCM"] + "/token"


def _exists(folder: str) -> bool:
    return Path(folder).exists()


def _ended(*arguments: str | Path) -> tuple[int, str]:
    ended = subprocess.run([_PROGRAM, "sandbox", *arguments], capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--listen", "2197"), "'2197' is not HOST:PORT"),
        (("--page", "localhost:99999"), "'localhost:99999' is not HOST:PORT"),
        (("--fail", "often"), "'often' is not RATE:STATUS, such as 0.1:503"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    """What cannot be meant is a usage error that says what is wanted."""
    code, last = _ended(*arguments)
    assert (code, last.endswith(message)) == (2, True), last


async def test_port_in_use(sandbox: Sandbox) -> None:
    """A port that is taken is one line and exit code 69."""
    code, last = await asyncio.to_thread(_ended, "--listen", f"127.0.0.1:{sandbox.port}", "--page", "127.0.0.1:0")
    assert (code, f"{sandbox.port}): address already in use" in last) == (69, True), last


def test_folder_of_somebody_else(tmp_path: Path) -> None:
    """A configuration that the sandbox did not write is left alone: one line, exit code 65."""
    (tmp_path / "pns.properties").write_text("x=y\n")
    code, last = _ended(*_FREE, "--write-etc", tmp_path)
    assert (code, "was not written by the sandbox" in last) == (65, True)
