"""A command that goes on until it is interrupted, in front of a pipe or a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.cli.command import Command
from tests.peers.engine import COMMAND, environ_of
from tests.waiting import until


class Watched:
    """What it has printed so far, on either output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.stdout = ""
        self.stderr = ""

    async def shows(self, text: str, *, times: int = 1) -> None:
        """Return when it has printed a text so often, on either output."""
        await until(lambda: (self.stdout + self.stderr).count(text) >= times, timeout_s=60)

    async def interrupt(self) -> int:
        """Do what Ctrl-C does; return the exit code."""
        self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            return await self._process.wait()

    async def gather_stdout(self, reader: asyncio.StreamReader) -> None:
        while chunk := await _read(reader):
            self.stdout += chunk

    async def gather_stderr(self, reader: asyncio.StreamReader) -> None:
        while chunk := await _read(reader):
            self.stderr += chunk


async def _read(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.read(65536)).decode()
    except OSError:  # how Linux tells that nobody has a terminal open any more
        return ""


def _hear_interrupts() -> None:
    """Hear Ctrl-C also where the tests run in the background, which shells have ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@asynccontextmanager
async def watched(
    oxpushctl: Command, *arguments: str, terminal: tuple[int, int] | None = None
) -> AsyncIterator[Watched]:
    """Run a command; its standard output is a pipe, or a ``terminal`` of so many lines and columns."""
    environ = {**environ_of(oxpushctl.state), "TERM": "xterm"}
    environ = {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES")}
    mine, its = pty.openpty() if terminal else os.pipe()
    if terminal:
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *terminal, 0, 0))
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "--etc",
        str(oxpushctl.etc),
        *arguments,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=its,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_hear_interrupts,
    )
    os.close(its)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(mine, "rb", buffering=0)
    )
    seen = Watched(process)
    assert process.stderr is not None
    try:
        async with asyncio.TaskGroup() as gathering:
            gathering.create_task(seen.gather_stdout(reader))
            gathering.create_task(seen.gather_stderr(process.stderr))
            try:
                yield seen
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
    finally:
        transport.close()
