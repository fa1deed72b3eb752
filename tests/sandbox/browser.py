"""A real browser without a window, steered over the Chrome DevTools Protocol."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.waiting import until

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # a must as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


class Tab:
    """One page, asked by JavaScript expressions."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._count = 0

    async def value(self, expression: str) -> object:
        """Return what an expression is on the page."""
        self._count += 1
        parameters = {"expression": expression, "returnByValue": True}
        await self._socket.send_json({"id": self._count, "method": "Runtime.evaluate", "params": parameters})
        while (answer := await self._socket.receive_json(timeout=20)).get("id") != self._count:
            continue
        value: object = answer["result"]["result"].get("value")
        return value

    async def becomes(self, expression: str, expected: object, timeout_s: float = 20.0) -> None:
        """Return when an expression has the value that is expected; fail with the one it has instead."""
        value = None
        try:
            async with asyncio.timeout(timeout_s):
                while (value := await self.value(expression)) != expected:
                    await asyncio.sleep(0.02)  # a page does not tell when it has drawn
        except TimeoutError:
            assert value == expected


@asynccontextmanager
async def showing(url: str, folder: Path) -> AsyncIterator[Tab]:
    """Open a page in a browser whose profile is in ``folder``."""
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("chromium is not installed: make test does that")
    browser = await asyncio.create_subprocess_exec(
        program, *_OPTIONS, f"--user-data-dir={folder}", url, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        port_file = folder / "DevToolsActivePort"
        await until(lambda: port_file.exists() and port_file.read_text().count("\n"))
        tabs = f"http://127.0.0.1:{port_file.read_text().split()[0]}/json/list"
        async with aiohttp.ClientSession() as session:
            async with session.get(tabs) as answer:
                (tab,) = [tab for tab in await answer.json() if tab["type"] == "page"]
            async with session.ws_connect(tab["webSocketDebuggerUrl"]) as socket:
                yield Tab(socket)
    finally:
        browser.terminate()
        await browser.wait()
