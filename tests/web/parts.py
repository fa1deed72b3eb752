"""A notify endpoint on a real socket, the small parts behind it, and a client that sends the bytes it is given."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from oxpushctl.errors import NotReachable, OxpushctlError
from oxpushctl.model import DirectoryEntry, MailEvent, PushUser, Removed
from oxpushctl.registration import Trust
from oxpushctl.web.auth import Credentials
from oxpushctl.web.notify import METHODS, PATH, NotifyEndpoint
from oxpushctl.web.server import Server
from tests.engine.parts import ANTON, HandClock

LOGIN, PASSWORD = "pushuser", "pushpw"
PLAIN = Trust.of("plain", None)


@dataclass
class Sink:
    """Keeps what it is handed, or raises; while ``gate`` is closed it takes its time."""

    failure: OxpushctlError | None = None
    events: list[MailEvent] = field(default_factory=list)
    waiting: int = 0
    gate: asyncio.Event | None = None

    async def accept(self, event: MailEvent) -> None:
        self.waiting += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.events.append(event)


class Names:
    """A directory of one user, or one that does not answer."""

    def __init__(self, name: str = "anton@nr.test", user: PushUser | None = ANTON) -> None:
        self._name = name
        self._user = user

    async def add(self, entry: DirectoryEntry) -> None:
        raise NotImplementedError

    async def remove(self, user: PushUser) -> Removed | None:
        raise NotImplementedError

    async def listing(self) -> Sequence[DirectoryEntry]:
        return ()

    async def resolve(self, name: str) -> PushUser | None:
        if self._user is None:
            raise NotReachable("the database does not answer")
        return self._user if name == self._name else None

    async def entry(self, user: PushUser) -> DirectoryEntry | None:
        if self._user is None:
            raise NotReachable("the database does not answer")
        return DirectoryEntry(user, self._name) if user == self._user else None

    async def create(self, login: str, mail: str, context: int) -> DirectoryEntry:
        raise NotImplementedError


@dataclass(frozen=True)
class Answer:
    """One response as it came off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection; ``ask`` sends bytes and reads one response, ``None`` when there is none before the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, address: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
        if address.startswith("unix:"):
            reader, writer = await asyncio.open_unix_connection(Path(address.removeprefix("unix:")))
        else:
            host, _, port = address.rpartition(":")
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=tls)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def ask(self, raw: bytes) -> Answer | None:
        async with asyncio.timeout(20):
            try:
                self._writer.write(raw)
                await self._writer.drain()
                return await self._response()
            except (ConnectionError, asyncio.IncompleteReadError):
                return None

    def send(self, raw: bytes) -> None:
        self._writer.write(raw)

    def say_no_more(self) -> None:
        self._writer.write_eof()

    async def end(self) -> bytes:
        """Return what still comes until the other side closes the connection."""
        async with asyncio.timeout(20):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def _response(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split(" ")[1]), headers, body)


def basic(login: str = LOGIN, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def request(
    body: bytes, *, method: str = "PUT", path: str = PATH, authorization: str | None = basic(), extra: str = ""
) -> bytes:
    """Write a request by hand; ``extra`` are header lines that each end in CRLF."""
    lines = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{extra}"
    if authorization is not None:
        lines += f"Authorization: {authorization}\r\n"
    return f"{lines}\r\n".encode() + body


def notice(**changes: object) -> bytes:
    """Write a body as Dovecot does, with some members changed; ``...`` leaves one out; "_" stands for "-"."""
    members: dict[str, object] = {
        "user": "3@1",
        "event": "messageNew",
        "folder": "INBOX",
        "imap-uidvalidity": 1795434152,
        "imap-uid": 1,
        "from": "Anna <anna@example.com>",
        "subject": "Lunch?",
        "snippet": "at noon",
        "unseen": 2,
    }
    members |= {name.rstrip("_").replace("_", "-"): value for name, value in changes.items()}
    return orjson.dumps({name: value for name, value in members.items() if value is not ...})


class Intake:
    """A notify endpoint that listens on loopback, with everything around it at hand."""

    def __init__(
        self,
        endpoint: NotifyEndpoint,
        sink: Sink,
        clock: HandClock,
        listen: Sequence[str],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.endpoint = endpoint
        self.sink = sink
        self.clock = clock
        self.is_ready = True
        self.server = Server(
            listen, {PATH: dict.fromkeys(METHODS, endpoint)}, is_ready=lambda: self.is_ready, clock=clock, tls=tls
        )
        self.addresses: Sequence[str] = ()

    def wire(self) -> AbstractAsyncContextManager[Wire]:
        return Wire.to(self.addresses[0])

    async def ask(self, raw: bytes) -> Answer | None:
        async with self.wire() as wire:
            return await wire.ask(raw)

    async def status(self, raw: bytes) -> int | None:
        answer = await self.ask(raw)
        return None if answer is None else answer.status


@asynccontextmanager
async def intake(
    sink: Sink | None = None,
    names: Names | None = None,
    trust: Trust = PLAIN,
    credentials: Credentials | None = None,
    endpoint: NotifyEndpoint | None = None,
    listen: Sequence[str] = ("127.0.0.1:0",),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Intake]:
    clock, sink = HandClock(), sink or Sink()
    if endpoint is None:
        credentials = credentials or Credentials.of(LOGIN, PASSWORD)
        endpoint = NotifyEndpoint(sink, names or Names(), clock, credentials, trust)
    serving = Intake(endpoint, sink, clock, listen, tls)
    serving.addresses = await serving.server.start()
    try:
        yield serving
    finally:
        await serving.server.aclose()
