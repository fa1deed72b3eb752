"""``oxpushctl demo``: the first thing that anybody tries."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.peers.engine import COMMAND, environ_of


async def _until_prompt(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(60):
        while "Ctrl-C" not in text:
            line = await process.stdout.readline()
            assert line, text or (await process.communicate())[1]
            text += line.decode()
    return text


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's path of 107 bytes, which those of pytest do not."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


async def test_demo_shows_two_phones_and_ends_clean(tmp_path: Path, short_folder: Path) -> None:
    """A push on each phone, a curl line that makes another, and nothing left behind after Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "demo",
        env={**environ_of(tmp_path / "state"), "TMPDIR": str(short_folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        text = await _until_prompt(process)
        page = re.search(r"http://127\.0\.0\.1:\d+", text)
        assert page is not None
        curl = re.search(r"^ +curl .*$", text, re.MULTILINE)
        assert curl is not None
        more = await asyncio.create_subprocess_shell(curl[0] + " --silent", stdout=asyncio.subprocess.PIPE)
        assert (await more.communicate())[0] == b'{"success":true}'
        pushes: list[dict[str, object]] = []
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while len(pushes) < 4:
                pushes = json.loads(await (await session.get(f"{page[0]}/pushes")).text())
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, err.decode()) == (0, "")
    assert sorted(str(push["provider"]) for push in pushes) == ["apns", "apns", "fcm", "fcm"]
    assert list(short_folder.iterdir()) == []
