"""The pns module on a real socket, over a real database; log-in is skipped: sessions are opened by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import SubscriptionStore, UserDirectory
from oxpushctl.model import Credential, DirectoryEntry, Origin, PushUser
from oxpushctl.stores.devices import Devices
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.web.pns import METHODS, PATHS, PnsEndpoint
from oxpushctl.web.server import Server
from oxpushctl.web.sessions import Sessions
from tests.engine.parts import ANTON, APP, HandClock
from tests.web.parts import Answer, Wire, request

LOGIN, SECRET = "anton@nr.test", "s3cret-of-anton"
DONE = {"data": {"success": True}}
Json = dict[str, Any]


@dataclass
class Kept:
    """A ``CredentialStore`` that remembers what it was given, or fails."""

    failure: OxpushctlError | None = None
    given: list[tuple[Credential, Origin]] = field(default_factory=list)

    async def put(self, credential: Credential, origin: Origin) -> bool:
        if self.failure is not None:
            raise self.failure
        self.given.append((credential, origin))
        return True

    async def renew(self, credential: Credential) -> bool:
        raise NotImplementedError

    async def get(self, user: PushUser) -> Credential | None:
        raise NotImplementedError

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        raise NotImplementedError


class Shop:
    """The endpoint with everything around it at hand; ``session`` is Anton's."""

    def __init__(
        self, state: Path, *, directory: UserDirectory | None, subscriptions: SubscriptionStore | None
    ) -> None:
        self.clock = HandClock(1_700_000_000.0)
        self.database = Database.open(f"sqlite:///{state}/oxpushctl.db")
        self.users = SqlUserDirectory(self.database)
        self.devices = Devices(
            SqlSubscriptionStore(self.database, lambda client: client == APP, self.clock.now),
            SqlRegistrationStore(self.database),
        )
        self.kept = Kept()
        self.sessions = Sessions(3600.0, 86400.0, self.clock)
        endpoint = PnsEndpoint(
            self.sessions, subscriptions or self.devices, self.kept, directory or self.users, self.clock
        )
        routes = {path: dict.fromkeys(METHODS, endpoint) for path in PATHS}
        self.server = Server([], {}, is_ready=lambda: True, clock=self.clock)
        self.server.add(["127.0.0.1:0"], routes, is_public=True)
        self.address = ""
        self.session = self.log_in(ANTON, LOGIN)

    def log_in(self, user: PushUser, login: str, client: str = APP) -> str:
        return self.sessions.open(user, login, client=client, secret=SECRET, address="127.0.0.1").id

    async def send(self, raw: bytes) -> Answer:
        async with Wire.to(self.address) as wire:
            answer = await wire.ask(raw)
        assert answer is not None
        return answer

    async def ask(self, body: bytes, path: str = PATHS[0], **query: str) -> Json:
        """Put a body; the query subscribes within Anton's session unless it says something else."""
        named = {"action": "subscribe", "session": self.session} | query
        target = f"{path}?{urlencode({name: value for name, value in named.items() if value != '-'})}"
        answer = await self.send(request(body, path=target, authorization=None))
        assert answer.status == 200
        value: Json = orjson.loads(answer.body)
        return value

    async def subscribe(self, path: str = PATHS[0], session: str | None = None, **changes: object) -> Json:
        return await self.ask(wish(**changes), path, session=session or self.session)

    async def unsubscribe(self, session: str | None = None, **changes: object) -> Json:
        return await self.ask(wish(topics=..., **changes), action="unsubscribe", session=session or self.session)

    async def refusal(self, body: bytes, **query: str) -> tuple[str, str, list[object]]:
        """Return the code, category and parameters of the error object that a request is answered with."""
        answer = await self.ask(body, **query)
        return answer["code"], answer["categories"], answer["error_params"]


def wish(**changes: object) -> bytes:
    """Write a body as an app does, with some members changed; ``...`` leaves one out."""
    members: dict[str, object] = {"client": APP, "token": "ab12cd", "transport": "apn", "topics": ["ox:mail:new"]}
    return orjson.dumps({name: value for name, value in (members | changes).items() if value is not ...})


@asynccontextmanager
async def shop(
    state: Path, directory: UserDirectory | None = None, subscriptions: SubscriptionStore | None = None
) -> AsyncIterator[Shop]:
    opened = Shop(state, directory=directory, subscriptions=subscriptions)
    await opened.users.add(DirectoryEntry(ANTON, LOGIN))
    [opened.address] = await opened.server.start()
    try:
        yield opened
    finally:
        await opened.server.aclose()
        await opened.database.aclose()
