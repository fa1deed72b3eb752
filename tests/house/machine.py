"""A machine to run commands on: a configuration full of secrets, and folders for all that they write elsewhere."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from oxpushctl.sandbox.sandbox import Sandbox
from tests.house.planted import Planted
from tests.house.planted_etc import PlantedEtc
from tests.peers.engine import COMMAND
from tests.waiting import until


@dataclass
class Machine:
    """Where commands run; ``files`` is all that they may write outside the etc folder."""

    etc: PlantedEtc
    planted: Planted
    sandbox: Sandbox
    files: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.files),
            "TMPDIR": str(self.files),
            "STATE_DIRECTORY": str(self.files / "state"),
            **self.etc.environ,
        }

    async def run(self, *arguments: str, options: tuple[str, ...] = ()) -> tuple[int | None, str]:
        """Run a command to its end; return its exit code and all that it wrote."""
        process = await self._start(*arguments, options=options)
        out, err = await process.communicate(f"{self.planted.secret('typed')}\n".encode())
        return process.returncode, (out + err).decode()

    @asynccontextmanager
    async def running(self, *arguments: str, options: tuple[str, ...] = ()) -> AsyncIterator[Lasting]:
        """Start a command that lasts, and end it with the block."""
        process = await self._start(*arguments, options=options)
        lasting = Lasting(process)
        try:
            yield lasting
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            await asyncio.gather(process.wait(), *lasting.reading)

    async def _start(self, *arguments: str, options: tuple[str, ...]) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = (COMMAND, "--etc", str(self.etc.folder), *options, *arguments)
        return await asyncio.create_subprocess_exec(
            *command, env=self.environ, cwd=self.files, stdin=pipe, stdout=pipe, stderr=pipe
        )


class Lasting:
    """A command that runs: ``text`` is what it wrote so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.text = ""
        streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
        self.reading = [asyncio.create_task(self._read(stream)) for stream in streams]

    async def says(self, pattern: str) -> None:
        """Return when it has written something, or has ended."""
        try:
            await until(lambda: re.search(pattern, self.text) or self.process.returncode is not None, 60)
        except TimeoutError:
            pytest.fail(f"it never said {pattern}:\n{self.text}")

    def command_lines(self) -> str:
        """Return how it and its children are listed among the processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        pids = [str(self.process.pid), *children]
        return "\n".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(65536):
            self.text += data.decode()
