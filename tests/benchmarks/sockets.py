"""Memory of idle web sockets, at most 30 KB each, and the CPU that they and an event to one of them take.

    .venv/bin/python -m tests.benchmarks.sockets [--sockets N]

The server is a process of its own, with a user, a session and a joined socket of Engine.IO 4 for each. Its resident
memory is read before the first is opened and when all are, the CPU of being idle over a time in which each is pinged.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

import uvloop

from oxpushctl.engine.clock import SystemClock
from oxpushctl.model import DirectoryEntry, PushUser, Removed
from oxpushctl.web import sockets
from oxpushctl.web.server import Server
from oxpushctl.web.sessions import Sessions
from oxpushctl.web.sockets import Sockets

LIMIT_KB = 30.0
SOCKETS = 10_000
IDLE_S = 26.0  # a ping interval and a little more
AT_ONCE = 200
EVENTS = 2000
CLIENT = "open-xchange-appsuite"
PAYLOAD = json.dumps(
    {
        "name": "ox:mail:new",
        "args": [{"folder": "default0/INBOX", "id": "42", "subject": "Lunch?", "teaser": "x" * 200}],
        "namespace": "/",
    }
).encode()

_UPGRADE = (
    "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://localhost\r\n\r\n"
)
_JOIN, _PONG = b"\x81\x82\0\0\0\x0040", b"\x81\x81\0\0\0\x003"  # masked with zeros
_PING = b"\x81\x012"


class Everybody:
    """A directory in which every user has a login."""

    async def entry(self, user: PushUser) -> DirectoryEntry | None:
        return DirectoryEntry(user, f"user{user.user}@example.com")

    async def page(self, after: PushUser | None, most: int) -> Sequence[DirectoryEntry]:
        raise NotImplementedError

    async def add(self, entry: DirectoryEntry) -> None:
        raise NotImplementedError

    async def remove(self, user: PushUser) -> Removed | None:
        raise NotImplementedError

    async def listing(self) -> Sequence[DirectoryEntry]:
        raise NotImplementedError

    async def resolve(self, name: str) -> PushUser | None:
        raise NotImplementedError

    async def create(self, login: str, mail: str, context: int) -> DirectoryEntry:
        raise NotImplementedError


def resident_kb() -> int:
    """Return the resident memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


async def serve(count: int) -> None:
    """Serve on one port; do what each line says that is read, then write how many sockets are open, and a figure."""
    clock = SystemClock()
    sessions = Sessions(3600.0, 86400.0, clock)
    served = Sockets(sessions, Everybody(), clock)
    server = Server([], {}, is_ready=lambda: True, clock=clock)
    routes = {path: dict.fromkeys(sockets.METHODS, served) for path in sockets.PATHS}
    server.add(["127.0.0.1:0"], routes, is_public=True, closing=served.aclose)
    [address] = await server.start()
    users = [PushUser(1, number) for number in range(1, count + 1)]
    ids = [
        sessions.open(user, f"user{user.user}@example.com", client=CLIENT, secret="secret", address=None).id
        for user in users
    ]
    print(json.dumps([address, ids]), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line == "send\n":
            for user in users[:EVENTS]:
                await served.send(f"ws::{user.user}-{user.context}::{CLIENT}", PAYLOAD)
        figure = resident_kb() if line == "memory\n" else time.process_time()
        print(json.dumps([len(served), figure]), flush=True)
    await server.aclose()


class Idle(asyncio.Protocol):
    """A client that joins, and answers pings as long as there are any."""

    def __init__(self, session: str) -> None:
        self._session = session
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's are none by their class
        assert self._transport is not None
        query = f"session={self._session}&EIO=4&transport=websocket"
        self._transport.write(f"GET {sockets.PATHS[0]}?{query} HTTP/1.1\r\n{_UPGRADE}".encode())

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self.joined.done():
            if data == _PING:
                self._transport.write(_PONG)
            return
        before, self._received = self._received, self._received + data
        if b'"sid"' not in before and b'"sid"' in self._received:
            self._transport.write(_JOIN)
        if b'40{"sid"' in self._received:
            self.joined.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.joined.done():
            self.joined.set_exception(ConnectionError(f"the server closed: {self._received[:100]!r}"))


async def measure(asked: IO[str], told: IO[str]) -> tuple[float, float, float]:
    """Return the KB of a socket, the part of a core that all take while they are idle, and the ms of an event."""

    async def figure(task: str, expected: int) -> float:
        asked.write(f"{task}\n")
        asked.flush()
        count, value = json.loads(await asyncio.to_thread(told.readline))
        assert count == expected, f"{count} of {expected} are open"
        return float(value)

    loop = asyncio.get_running_loop()
    address, sessions = json.loads(await asyncio.to_thread(told.readline))
    host, _, port = address.rpartition(":")
    count = len(sessions)
    before_kb = await figure("memory", 0)
    for start in range(0, count, AT_ONCE):
        clients = [Idle(session) for session in sessions[start : start + AT_ONCE]]
        await asyncio.gather(*(loop.create_connection(partial(_same, client), host, int(port)) for client in clients))
        await asyncio.gather(*(client.joined for client in clients))
    after_kb = await figure("memory", count)
    busy_s = await figure("time", count)
    await asyncio.sleep(IDLE_S)
    idle_s = await figure("time", count) - busy_s
    sent_s = await figure("send", count) - busy_s - idle_s
    return (after_kb - before_kb) / count, idle_s / IDLE_S, 1000 * sent_s / min(EVENTS, count)


def _same(client: Idle) -> Idle:
    return client


def main() -> None:
    """Print the figures; end with 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * parsed.sockets + 1000)), hard))
    if parsed.serve:
        uvloop.run(serve(parsed.sockets))
        return
    command = [sys.executable, "-m", "tests.benchmarks.sockets", "--serve", "--sockets", str(parsed.sockets)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            memory_kb, idle, event_ms = uvloop.run(measure(server.stdin, server.stdout))
        finally:
            server.kill()
    print(
        f"{parsed.sockets} web sockets: {memory_kb:.1f} KB each, at most {LIMIT_KB:.0f}; "
        f"idle with pings {idle:.1%} of a core, an event {event_ms:.3f} ms"
    )
    sys.exit(memory_kb > LIMIT_KB)


if __name__ == "__main__":
    main()
