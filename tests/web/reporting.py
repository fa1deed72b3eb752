"""What an engine tells of its listeners, without one: rows that are made up, at an admin address."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from oxpushctl.errors import OxpushctlError
from oxpushctl.model import Health, PushListener, PushUser, Registration
from oxpushctl.web.admin_reports import report_routes
from oxpushctl.web.kept_json import Object
from tests.web.administered import Admin, admin

SINCE = 1_900_000_000.75
SINCE_TEXT = "2030-03-17T17:46:40Z"


def listener(
    user: int,
    context: int = 1,
    *,
    is_permanent: bool = True,
    implementation: str = "dovecot",
    health: Health = Health.OK,
    reason: str = "",
) -> PushListener:
    return PushListener(
        PushUser(context, user), is_permanent, "mx1", implementation, health, SINCE, last_event=SINCE, reason=reason
    )


@dataclass
class Told:
    """What is told; ``failure`` is raised behind the rows. ``yielded`` counts rows, ``closed`` ended walks."""

    listeners: Iterable[PushListener] = ()
    registrations: Iterable[Registration] = ()
    status: Object = field(default_factory=dict)
    failure: OxpushctlError | None = None
    yielded: int = 0
    closed: int = 0

    async def walk_listeners(self, context: int | None, user: int | None) -> AsyncGenerator[PushListener, None]:
        try:
            for each in self.listeners:
                if context in (None, each.user.context) and user in (None, each.user.user):
                    self.yielded += 1
                    yield each
            if self.failure is not None:
                raise self.failure
        finally:
            self.closed += 1

    async def walk_registrations(
        self, context: int | None, user: int | None, client: str | None
    ) -> AsyncGenerator[Registration, None]:
        for each in self.registrations:
            if (
                context in (None, each.user.context)
                and user in (None, each.user.user)
                and client in (None, each.client)
            ):
                yield each


@asynccontextmanager
async def reporting(told: Told, listen: Sequence[str], *, grace_s: float = 5.0) -> AsyncIterator[Admin]:
    """Serve what is told; whoever is being answered at the end gets ``grace_s``."""
    routes = report_routes(told.walk_listeners, told.walk_registrations, lambda: told.status)
    async with admin(listen, routes=routes, grace_s=grace_s) as serving:
        yield serving
