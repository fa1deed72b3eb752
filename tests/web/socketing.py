"""Web sockets served on a real public server, over a directory in SQLite, and clients that speak Engine.IO by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSMsgType

from oxpushctl.interfaces import UserDirectory
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.web import sockets
from oxpushctl.web.connections import Handler
from oxpushctl.web.heartbeat import Pace
from oxpushctl.web.server import Server
from oxpushctl.web.sessions import Session, Sessions
from oxpushctl.web.sockets import Sockets
from oxpushctl.web.strangers import Patience, Strangers
from tests.engine.parts import ANTON, BERTA, HandClock

UI = "open-xchange-appsuite"
IDLE_S, MAX_AGE_S = 3600.0, 86400.0
MAIL = {"folder": "default0/INBOX", "id": "42", "subject": "Grüße 📬", "unread": 3}
PAYLOAD = json.dumps({"name": "ox:mail:new", "args": [MAIL], "namespace": "/"}).encode()
# Looked at often, while the clock stands still until a test moves it.
BRISK = Pace(look_s=0.01)


def token(user: PushUser = ANTON, client: str = UI) -> str:
    return f"ws::{user.user}-{user.context}::{client}"


class Client:
    """One web socket to the server, of which the first texts were read."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def text(self) -> str:
        return await self.socket.receive_str(timeout=20)

    async def say(self, text: str) -> None:
        await self.socket.send_str(text)

    async def end(self) -> int | None:
        """Return the code that the server closes with, once it does; nothing else may come before."""
        message = await self.socket.receive(timeout=20)
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR), message
        return self.socket.close_code


@dataclass
class Serving:
    """Web sockets that are served at ``address``, and what is behind them."""

    sockets: Sockets
    sessions: Sessions
    clock: HandClock
    server: Server
    strangers: Strangers
    directory: UserDirectory
    address: str
    http: aiohttp.ClientSession

    def log_in(self, user: PushUser = ANTON, client: str = UI) -> Session:
        name = {ANTON: "anton@nr.test", BERTA: "berta@nr.test"}[user]
        return self.sessions.open(user, name, client=client, secret="pw", address=None)

    def url(self, session: Session | str, **query: str | None) -> str:
        """Return what a client asks for; ``None`` leaves a parameter out, ``path`` is none of the query."""
        asked: dict[str, str | None] = {"session": session if isinstance(session, str) else session.id, **query}
        asked = {"EIO": "4", "transport": "websocket", **asked}
        path = asked.pop("path", sockets.PATHS[0])
        kept = {name: value for name, value in asked.items() if value is not None}
        return f"http://{self.address}{path}?{urlencode(kept)}"

    @asynccontextmanager
    async def opened(self, session: Session | None = None, **query: str | None) -> AsyncIterator[Client]:
        """Open a web socket and join, as a client of the revision does; Engine.IO 4 unless the query says."""
        url = self.url(session or self.log_in(), **query)
        async with self.http.ws_connect(url, autoping=False) as socket:
            client = Client(socket)
            assert (await client.text()).startswith("0{")
            if "EIO=4" in url:
                await client.say("40")
            assert (await client.text()).startswith("40")
            yield client

    async def refusal(self, url: str, **headers: str) -> tuple[int, str]:
        """Ask for a web socket that is refused; return the status, and Engine.IO's word or the whole body."""
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        wanted = {name: value for name, value in {**upgrade, **headers}.items() if value}
        async with self.http.get(url, headers=wanted) as answer:
            if answer.status == 101:
                answer.close()
                return 101, ""
            return answer.status, str((await answer.json())["message"])


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    directory: UserDirectory | None = None,
    pace: Pace = BRISK,
    patience: Patience | None = None,
    allowed_clients: Sequence[str] = (),
    proxies: Sequence[str] = (),
    most: int | None = None,
    also: dict[str, Handler] | None = None,
) -> AsyncIterator[Serving]:
    """Serve web sockets at loopback; ``also`` are further pages."""
    clock = HandClock()
    sessions = Sessions(IDLE_S, MAX_AGE_S, clock)
    database = Database.open(f"sqlite:///{folder}/oxpushctl.db")
    users = SqlUserDirectory(database)
    for user, login in ((ANTON, "anton@nr.test"), (BERTA, "berta@nr.test")):
        await users.add(DirectoryEntry(user, login))
    served = Sockets(
        sessions,
        directory or users,
        clock,
        allowed_clients=allowed_clients,
        proxies=[ip_network(text) for text in proxies],
        pace=pace,
        most=most,
    )
    strangers = Strangers(patience or Patience(), clock.monotonic, 100)
    server = Server([], {}, is_ready=lambda: True, clock=clock, strangers=strangers)
    pages = {path: {"GET": page} for path, page in (also or {}).items()}
    routes = {path: dict.fromkeys(sockets.METHODS, served) for path in sockets.PATHS}
    server.add(["127.0.0.1:0"], {**routes, **pages}, is_public=True, closing=served.aclose)
    [address] = await server.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Serving(served, sessions, clock, server, strangers, users, address, http)
    finally:
        await server.aclose()
        await database.aclose()
