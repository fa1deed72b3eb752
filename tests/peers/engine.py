"""The real command ``oxpushctl run`` as a child process, ended by its pid."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("oxpushctl"))


class Engine:
    """A running engine: where it listens, what it logged."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.ready = ""

    @property
    def intake(self) -> str:
        """``host:port`` of the notify endpoint."""
        return dict(word.split("=", 1) for word in self.ready.split()[1:])["intake"]

    @property
    def admin(self) -> str:
        """``unix:/path`` of the admin address."""
        return dict(word.split("=", 1) for word in self.ready.split()[1:])["admin"]

    @property
    def public(self) -> str:
        """``host:port`` that apps reach."""
        return dict(word.split("=", 1) for word in self.ready.split()[1:])["public"]

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def log(self) -> str:
        """What it wrote to standard error so far."""
        return self._log.read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def wait(self, timeout_s: float = 60.0) -> int:
        """Return its exit code when it has ended."""
        async with asyncio.timeout(timeout_s):
            return await self._process.wait()

    async def start(self, timeout_s: float = 60.0) -> None:
        """Return when it said that it is ready."""
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout_s):
            self.ready = (await self._process.stdout.readline()).decode().rstrip("\n")
        assert self.ready.startswith("ready "), self.log()


def environ_of(state: Path) -> dict[str, str]:
    """Return the environment of a command whose state is in a folder and nowhere else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OXPUSHCTL_")}
    return {**kept, "STATE_DIRECTORY": str(state)}


@asynccontextmanager
async def running(etc: Path, state: Path, *options: str, timeout_s: float = 60.0) -> AsyncIterator[Engine]:
    """Start the engine on a configuration folder, and end it with the block."""
    log = state.parent / f"{state.name}.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            "--etc",
            str(etc),
            *options,
            "run",
            env=environ_of(state),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    engine = Engine(process, log)
    try:
        await engine.start(timeout_s)
        yield engine
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def command(etc: Path, state: Path, *arguments: str, input_text: str = "") -> tuple[int, str, str]:
    """Run another command on the same configuration; return exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "--etc",
        str(etc),
        *arguments,
        env=environ_of(state),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(input_text.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
