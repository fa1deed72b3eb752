"""A log-in endpoint on a real socket, a mail server's judgement from a table, and an app that speaks HTTP by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from oxpushctl.config.property import Network
from oxpushctl.errors import NotPermitted, OxpushctlError
from oxpushctl.interfaces import CredentialStore, MailboxOpener, UserDirectory
from oxpushctl.model import Credential, DirectoryEntry, Origin, PushUser
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.web import login
from oxpushctl.web.login import LoginEndpoint
from oxpushctl.web.login_name import MailAccounts
from oxpushctl.web.server import Server
from oxpushctl.web.sessions import Sessions
from oxpushctl.web.throttle import Throttle
from tests.engine.parts import HandClock
from tests.web.parts import Answer, Wire, request

ANNA = DirectoryEntry(PushUser(1, 3), "Anna@nr.test", "anna.a@nr.test", ("anna",))
BERTA = DirectoryEntry(PushUser(1, 4), "berta@nr.test")
PASSWORD = "pässwört 📬&=+%"
CLIENT = "open-xchange-mobile-api-facade"
IDLE_S, MAX_AGE_S = 3600.0, 86400.0


@dataclass
class PasswordTable:
    """Lets in whom it has with that password, unless the mail server is down; ``gate`` holds its answers back."""

    passwords: Mapping[str, str]
    failure: OxpushctlError | None = None
    gate: asyncio.Event | None = None
    tried: list[tuple[str, str, str | None]] = field(default_factory=list)

    async def try_log_in(self, name: str, password: str, address: str | None = None) -> None:
        self.tried.append((name, password, address))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if self.passwords.get(name) != password:
            raise NotPermitted(f"the mail server does not let {name!r} in")


@dataclass
class Renewals:
    """A store of passwords that notes which were renewed, or cannot be reached."""

    failure: OxpushctlError | None = None
    renewed: list[Credential] = field(default_factory=list)

    async def put(self, credential: Credential, origin: Origin) -> bool:
        raise NotImplementedError

    async def renew(self, credential: Credential) -> bool:
        if self.failure is not None:
            raise self.failure
        self.renewed.append(credential)
        return True

    async def get(self, user: PushUser) -> Credential | None:
        raise NotImplementedError

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        raise NotImplementedError


class Public:
    """A log-in endpoint that listens, with everything around it at hand."""

    def __init__(self, endpoint: LoginEndpoint, sessions: Sessions, clock: HandClock, directory: UserDirectory) -> None:
        self.endpoint = endpoint
        self.sessions = sessions
        self.clock = clock
        self.directory = directory
        self.address = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, as the endpoint does that is in place now."""
        return await self.endpoint(request)

    async def ask(self, raw: bytes) -> Answer:
        async with Wire.to(self.address) as wire:
            answer = await wire.ask(raw)
        assert answer is not None
        return answer

    async def log_in(self, name: str, password: str = PASSWORD, *, forwarded_for: str = "") -> dict[str, Any]:
        return json(await self.ask(log_in(name, password, forwarded_for=forwarded_for)))

    async def log_out(self, session: str, method: str = "GET") -> Answer:
        path = f"/ajax/login?{urlencode({'action': 'logout', 'session': session})}"
        return await self.ask(request(b"", method=method, path=path, authorization=None))


def log_in(name: str, password: str = PASSWORD, *, client: str = CLIENT, forwarded_for: str = "") -> bytes:
    """Write a log-in as apps do."""
    path = f"/ajax/login?{urlencode({'action': 'login', 'client': client})}"
    extra = f"X-Forwarded-For: {forwarded_for}\r\n" if forwarded_for else ""
    return form(urlencode({"name": name, "password": password}).encode(), path, extra)


def form(body: bytes, path: str = "/ajax/login?action=login", extra: str = "") -> bytes:
    extra += "Content-Type: application/x-www-form-urlencoded\r\n"
    return request(body, method="POST", path=path, authorization=None, extra=extra)


def json(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200
    value: dict[str, Any] = orjson.loads(answer.body)
    return value


def login_name(entry: DirectoryEntry) -> str:
    return entry.login


@asynccontextmanager
async def public(
    folder: Path,
    opener: MailboxOpener,
    *,
    strangers: MailboxOpener | None = None,
    users: Sequence[DirectoryEntry] = (ANNA, BERTA),
    directory: UserDirectory | None = None,
    credentials: CredentialStore | None = None,
    mail_name: Callable[[DirectoryEntry], str] = login_name,
    auto_create_context: int | None = None,
    proxies: Sequence[str] = ("127.0.0.1",),
    body_deadline_s: float = 10.0,
) -> AsyncIterator[Public]:
    """Serve log-ins at loopback, over a directory in SQLite."""
    clock = HandClock()
    sessions = Sessions(IDLE_S, MAX_AGE_S, clock)
    networks: list[Network] = [ip_network(text) for text in proxies]
    database = Database.open(f"sqlite:///{folder}/oxpushctl.db")
    stored = SqlUserDirectory(database)
    for entry in users:
        await stored.add(entry)
    endpoint = LoginEndpoint(
        sessions,
        MailAccounts(opener, strangers or opener, mail_name, "*"),
        directory or stored,
        credentials,
        Throttle(clock.monotonic),
        auto_create_context,
        networks,
        clock,
        body_deadline_s=body_deadline_s,
    )
    serving = Public(endpoint, sessions, clock, stored)
    server = Server([], {}, is_ready=lambda: True, clock=clock)
    routes = {path: dict.fromkeys(login.METHODS, serving) for path in login.PATHS}
    server.add(["127.0.0.1:0"], routes, is_public=True)
    [serving.address] = await server.start()
    try:
        yield serving
    finally:
        await server.aclose()
        await database.aclose()
