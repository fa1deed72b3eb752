"""A doveadm on a real socket that answers byte for byte as it is told to, and ours that asks it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oxpushctl.config.listening import DOVEADM_ENABLED, DOVEADM_ENDPOINTS, DOVEADM_SECRET
from oxpushctl.config.property import Property
from oxpushctl.interfaces import Clock
from oxpushctl.listeners.doveadm import Doveadm
from tests.engine.parts import HandClock
from tests.listeners.people import settings

KEY = "infra-api-key"
IN_BASE64 = "aW5mcmEtYXBpLWtleQ=="
# What Dovecot 2.3.19.1 writes before an answer, and where it refuses.
_HEAD = (
    "HTTP/1.1 {status}\r\nDate: Mon, 23 Nov 2026 12:00:34 GMT\r\nContent-Length: {length}\r\nConnection: close\r\n"
    "{more}\r\n"
)
REFUSED = _HEAD.format(
    status="401 Authentication required",
    length=0,
    more='WWW-Authenticate: X-Dovecot-API\r\nWWW-Authenticate: Basic Realm="doveadm"\r\n',
).encode()


def answered(body: str | bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    content = body.encode() if isinstance(body, str) else body
    more = f"Content-Type: {kind}; charset=utf-8\r\n"
    return _HEAD.format(status=status, length=len(content), more=more).encode() + content


@dataclass(frozen=True)
class Heard:
    """A request: its head as it was sent, and its commands."""

    head: str
    commands: list[list[Any]]

    @property
    def users(self) -> list[str]:
        return [parameters["user"] for _, parameters, _ in self.commands]


Say = Callable[[Heard], Awaitable[bytes]]


@dataclass
class Scripted:
    """The server: where it is, and what it heard."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0


async def values(heard: Heard) -> bytes:
    """Answer to each command with the name of its user."""
    return answered(json.dumps([["doveadmResponse", [{"value": user}], tag] for _, user, tag in _named(heard)]))


def _named(heard: Heard) -> list[tuple[str, str, str]]:
    return [(name, parameters["user"], tag) for name, parameters, tag in heard.commands]


@asynccontextmanager
async def scripted_doveadm(
    say: Say = values, tls: ssl.SSLContext | None = None, pause_s: float = 0.0
) -> AsyncIterator[Scripted]:
    """Serve on a port of 127.0.0.1; a connection ends after what is said, which may be nothing.

    With a pause what is said drips, a byte at a time.
    """
    server = Scripted()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        server.under_way += 1
        server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("Content-Length"))
            heard = Heard(head, json.loads(await reader.readexactly(length)))
            server.heard.append(heard)
            said = await say(heard)
            for piece in (said[at : at + 1] for at in range(len(said))) if pause_s else (said,):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)  # this is the situation, not a wait for something
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            server.under_way -= 1
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    server.url = f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}/doveadm/v1"
    try:
        yield server
    finally:
        listening.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


@asynccontextmanager
async def asking(
    *urls: str, key: str = KEY, clock: Clock | None = None, more: Mapping[Property[Any], object] | None = None
) -> AsyncIterator[Doveadm]:
    """Set doveadm up as an operator does."""
    configured = settings({DOVEADM_ENABLED: True, DOVEADM_SECRET: key, DOVEADM_ENDPOINTS: urls, **(more or {})})
    doveadm = Doveadm.from_settings(configured, Path("/etc"), clock or HandClock())
    assert doveadm is not None
    try:
        yield doveadm
    finally:
        await doveadm.aclose()
