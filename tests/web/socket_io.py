"""The real ``socket.io-client`` from npm, versions 2 and 4, listening in a process of its own."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.peers import node


class Listening:
    """A client that listens: what it heard, and what it may be told to say."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    async def hears(self) -> list[object]:
        """Return what it hears next: the name of an event and its arguments."""
        async with asyncio.timeout(20):
            line = await self._stdout.readline()
        assert line, "the client has ended"
        heard: list[object] = json.loads(line)
        return heard

    async def emit(self, *words: object) -> None:
        self._stdin.write(json.dumps(words).encode() + b"\n")
        await self._stdin.drain()

    async def rest(self) -> list[list[object]]:
        """Let it close its socket; return what it still hears."""
        self._stdin.close()
        async with asyncio.timeout(20):
            return [json.loads(line) for line in (await self._stdout.read()).splitlines()]


@asynccontextmanager
async def listening(version: int, url: str, *, attempts: int = 3) -> AsyncIterator[Listening]:
    """Run a client that connects to a URL without a path, and tries again some times."""
    given = json.dumps({"version": version, "url": url, "attempts": attempts})
    process = await asyncio.create_subprocess_exec(
        "node", "sockets.js", given, cwd=node.FOLDER, stdin=PIPE, stdout=PIPE
    )
    try:
        yield Listening(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
