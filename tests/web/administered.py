"""An admin address on a real socket or port, and the commands' client for it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import PushUser
from oxpushctl.web.admin import admin_routes
from oxpushctl.web.admin_client import Access, AdminClient
from oxpushctl.web.auth import Credentials
from oxpushctl.web.connections import Routes
from oxpushctl.web.server import Server
from tests.engine.parts import HandClock

LOGIN, PASSWORD = "admin", "pässwort-of-the-admin"


@dataclass
class Admin:
    """The admin addresses of an engine; ``changed`` counts how often a command said so, ``left`` is who left."""

    addresses: Sequence[str] = ()
    changed: int = 0
    left: list[PushUser] = field(default_factory=list)

    def note(self, left: Sequence[PushUser]) -> None:
        self.changed += 1
        self.left += left


@asynccontextmanager
async def admin(
    listen: Sequence[str],
    rows: CredentialRows | None = None,
    *,
    credentials: Credentials | None = None,
    routes: Routes | None = None,
    tls: ssl.SSLContext | None = None,
    grace_s: float = 5.0,
) -> AsyncIterator[Admin]:
    """Serve at addresses, with the password at TCP ones; ``routes`` in place of the admin's own."""
    serving = Admin()
    server = Server([], {}, is_ready=lambda: True, clock=HandClock(), tls=tls, grace_s=grace_s)
    server.add(
        listen,
        admin_routes(rows, serving.note) if routes is None else routes,
        credentials=credentials or Credentials.of(LOGIN, PASSWORD, "oxpushctl"),
    )
    serving.addresses = await server.start()
    try:
        yield serving
    finally:
        await server.aclose()


@asynccontextmanager
async def client(
    *listen: str, login: str = LOGIN, password: str = PASSWORD, certificate: Path | None = None
) -> AsyncIterator[AdminClient]:
    opened = AdminClient(listen, Access(login, password, certificate))
    try:
        yield opened
    finally:
        await opened.aclose()
