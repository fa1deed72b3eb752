"""A supervisor among scripted parts: a clock that is turned, registrations, implementations that do as told."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from oxpushctl.engine.supervisor import Supervisor
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import RegisteredMailboxes, Watch
from oxpushctl.model import Health, PushListener, PushUser, RegisteredMailbox, Registration
from tests.engine.parts import APP, HandClock
from tests.waiting import until


class TurnedClock(HandClock):
    """Whoever sleeps is woken when the clock is turned that far."""

    def __init__(self) -> None:
        super().__init__(1000.0)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, self._count, future))
        await future

    async def turn(self, seconds: float, stride: float = 0.25) -> None:
        """Let time pass in strides, at the end of each of which those wake up who wanted to by then."""
        end = self.time + seconds
        await settled()
        while self.time < end:
            self.time = min(end, self.time + stride)
            while self._sleepers and self._sleepers[0][0] <= self.time:
                _, _, future = heapq.heappop(self._sleepers)
                if not future.done():
                    future.set_result(None)
            await settled()


async def settled() -> None:
    """Let everybody do what can be done now."""
    for _ in range(30):
        await asyncio.sleep(0)


class Registered:
    """Registrations; ``failures`` are raised first, one a query, and no page is read while ``gate`` is closed."""

    def __init__(self, *users: PushUser, failures: Iterable[Exception] = ()) -> None:
        self.rows = sorted(Registration(user, APP) for user in users)
        self.failures = list(failures)
        self.pages = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def put(self, user: PushUser, client: str = APP) -> None:
        self.rows = sorted({*self.rows, Registration(user, client)})

    def take(self, user: PushUser, client: str = APP) -> None:
        self.rows.remove(Registration(user, client))

    async def add(self, registration: Registration) -> bool:
        raise NotImplementedError

    async def remove(self, registration: Registration) -> bool:
        raise NotImplementedError

    async def listing(
        self, user: PushUser | None = None, client: str | None = None, *, context: int | None = None
    ) -> Sequence[Registration]:
        return [row for row in self.rows if row.user == user]

    async def registered(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        self._fail()
        return frozenset(row.user for row in self.rows) & frozenset(users)

    async def page(self, after: Registration | None, most: int) -> Sequence[Registration]:
        self._fail()
        self.pages += 1
        await self.gate.wait()
        return [row for row in self.rows if after is None or row > after][:most]

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class Remembered:
    """What was registered elsewhere in an earlier run."""

    def __init__(self, *users: PushUser) -> None:
        self.users = sorted(users)

    async def read(self, users: Sequence[PushUser]) -> Mapping[PushUser, RegisteredMailbox]:
        raise NotImplementedError

    async def page(self, after: PushUser | None, most: int) -> Sequence[RegisteredMailbox]:
        behind = [user for user in self.users if after is None or user > after]
        return [RegisteredMailbox(user, "name", "about", 1) for user in behind[:most]]

    async def put(self, rows: Sequence[RegisteredMailbox]) -> None:
        raise NotImplementedError

    async def remove(self, users: Sequence[PushUser]) -> None:
        raise NotImplementedError


class Scripted:
    """An implementation that notes what is asked of it; it waits with every answer while ``gate`` is closed.

    ``problems`` are raised at every start of a user, ``stop_problems`` at every stop, one after the other.
    """

    def __init__(self, name: str, *, permanent: bool = True, session: bool = True) -> None:
        self.name = name
        self.on = {True: permanent, False: session}
        self.adopted: set[PushUser] = set()
        self.adopt_failures: list[Exception] = []
        self.problems: dict[PushUser, Exception] = {}
        self.stop_problems: dict[PushUser, list[Exception]] = {}
        self.run_failures: list[Exception] = []
        self.starts: list[PushUser] = []
        self.kinds: dict[PushUser, bool] = {}
        self.stops: list[PushUser] = []
        self.left: list[PushUser] = []
        self.running: set[PushUser] = set()
        self.runs = 0
        self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.watch: Watch | None = None

    def is_on(self, *, is_permanent: bool) -> bool:
        return self.on[is_permanent]

    async def adopt(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        if self.adopt_failures:
            raise self.adopt_failures.pop(0)
        found = self.adopted.intersection(users)
        self.running |= found
        return frozenset(found)

    async def start(self, user: PushUser, *, is_permanent: bool) -> None:
        self.starts.append(user)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if user in self.problems:
            raise self.problems[user]
        self.running.add(user)
        self.kinds[user] = is_permanent

    async def stop(self, user: PushUser) -> None:
        self.stops.append(user)
        await self.gate.wait()
        if self.stop_problems.get(user):
            raise self.stop_problems[user].pop(0)
        self.running.discard(user)

    def leave(self, user: PushUser) -> None:
        self.left.append(user)
        self.running.discard(user)

    async def run(self, watch: Watch) -> None:
        self.runs += 1
        self.watch = watch
        if self.run_failures:
            raise self.run_failures.pop(0)
        await asyncio.Event().wait()

    def lose(self, error: OxpushctlError, *users: PushUser) -> None:
        """Tell that users are not heard for any more."""
        assert self.watch is not None
        for user in users:
            self.running.discard(user)
            self.watch.lost(user, error)


class Stage:
    """A supervisor that runs, and all that is around it."""

    def __init__(
        self,
        registered: Registered,
        *implementations: Scripted,
        remembered: Mapping[str, RegisteredMailboxes] | None,
        limit_s: float,
        elsewhere: Iterable[PushUser] = (),
    ) -> None:
        self.clock = TurnedClock()
        self.registered = registered
        self.implementations = implementations
        self.sessions: set[PushUser] = set()
        self.elsewhere: set[PushUser] = set(elsewhere)
        self.allowed_client = APP
        self.is_permanent_allowed = True
        self.forgotten: list[PushUser] = []
        self.forget_failures: list[Exception] = []
        self.supervisor = Supervisor(
            registered,
            implementations,
            self._session_users,
            self.clock,
            "here",
            is_permanent_allowed=lambda: self.is_permanent_allowed,
            is_client_allowed=lambda client: client == self.allowed_client,
            forget=self._forget,
            remembered=remembered,
            is_ours=lambda user: user not in self.elsewhere,
            limit_s=limit_s,
            chance=lambda: 0.5,
        )

    def _session_users(self) -> Collection[PushUser]:
        return self.sessions

    async def _forget(self, user: PushUser) -> None:
        if self.forget_failures:
            raise self.forget_failures.pop(0)
        self.forgotten.append(user)

    async def seen(self, context: int | None = None, user: int | None = None) -> list[PushListener]:
        return [each async for each in self.supervisor.listeners(context, user)]

    async def shown(self) -> list[tuple[str, bool, str, Health]]:
        """Return user, whether permanent, implementation and health of every listener."""
        return [(str(each.user), each.is_permanent, each.implementation, each.health) for each in await self.seen()]

    async def looked(self, *users: PushUser) -> None:
        """Tell of a change, of everything or of some users, and let it take effect without a second passing."""
        if users:
            self.supervisor.look_at(users)
        else:
            self.supervisor.look()
        await self.clock.turn(0.5)


@asynccontextmanager
async def staged(
    registered: Registered,
    *implementations: Scripted,
    remembered: Mapping[str, RegisteredMailboxes] | None = None,
    limit_s: float = 60.0,
    elsewhere: Iterable[PushUser] = (),
) -> AsyncIterator[Stage]:
    """Run a supervisor; nobody sleeps long, since the clock stands still until it is turned."""
    stage = Stage(registered, *implementations, remembered=remembered, limit_s=limit_s, elsewhere=elsewhere)
    running = asyncio.create_task(stage.supervisor.run())
    try:
        if not registered.failures:
            await until(lambda: stage.supervisor.has_looked)
        await settled()
        yield stage
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()
