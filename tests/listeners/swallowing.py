"""A way to the mail server on which packets can get lost, with everything that was sent on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Way:
    """Carries bytes both ways; once it swallows, both ends believe that the other one is still there."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.sent = bytearray()
        self.connections = 0
        self._target = target
        self._is_open = True
        self._is_refusing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: list[asyncio.StreamWriter] = []

    def swallow(self) -> None:
        """Let nothing through any more on the connections that are open."""
        self._is_open = False

    def refuse(self) -> None:
        """Let nobody through any more who comes now; the connections that are open stay."""
        self._is_refusing = True

    def heal(self) -> None:
        """Let new connections through again; what was swallowed stays so."""
        self._is_open, self._is_refusing = True, False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if self._is_refusing:
            writer.close()
            return
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._ends += [writer, back]
        for source, sink, is_ours in ((reader, back, True), (there, writer, False)):
            task = asyncio.create_task(self._carry(source, sink, is_ours))
            self._tasks.add(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_ours: bool) -> None:
        is_swallowed = False
        with contextlib.suppress(OSError):
            try:
                while data := await source.read(65536):
                    is_swallowed = is_swallowed or not self._is_open
                    if is_ours:
                        self.sent += data
                    if not is_swallowed:
                        sink.write(data)
                        await sink.drain()
            finally:
                if not is_swallowed:
                    sink.close()

    async def end(self) -> None:
        """End what it carries."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for end in self._ends:
            end.close()


@asynccontextmanager
async def way_to(target: int, port: int = 0) -> AsyncIterator[Way]:
    """Open a way to a port of 127.0.0.1, that begins at another one, or any."""
    way = Way(target)
    server = await asyncio.start_server(way.serve, "127.0.0.1", port)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        await way.end()
