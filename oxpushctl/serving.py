"""The life of an engine in a process: what is opened and looked at before it serves, and what runs beside it."""

from __future__ import annotations

import asyncio
import gc
import importlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager

from oxpushctl import log
from oxpushctl.app import Doors, Engine
from oxpushctl.config import state
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.own import OUTBOX, PUSH_MAX_AGE, USERS_AUTO_CREATE
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.daemon import DRAIN_LIMIT_S, DURABLE_DRAIN_LIMIT_S, QUEUED_DRAIN_LIMIT_S, Daemon
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.engine.systemd import ServiceManager
from oxpushctl.errors import ConfigurationError, NotReachable, TryLater
from oxpushctl.interfaces import Clock, Outbox
from oxpushctl.listeners.lingering import LingeringSessions
from oxpushctl.listening import opened_listening
from oxpushctl.storage import Storage, is_in_engine_memory, opened_storage
from oxpushctl.stores import schema
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.outbox.opening import opened_outbox
from oxpushctl.stores.sql import tables
from oxpushctl.web.inherited import Inherited
from oxpushctl.web.sessions import Sessions

_log = log.get(__name__)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the fastest event loop at hand: uvloop's where it is installed, else asyncio's."""
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return factory


async def serve(
    configuration: Configuration,
    *,
    read_again: Callable[[], Configuration],
    announce: Callable[[str], None],
    notify_socket: str | None = None,
    inherited: Sequence[Inherited] = (),
) -> None:
    """Run the engine until a signal; ``read_again`` gives the configuration of a reload, or raises."""
    state.made(configuration.state)
    memory = MemoryCredentialRows() if is_in_engine_memory(configuration.settings) else None
    async with opened_storage(configuration, memory=memory) as storage:
        await storage.database.prepare()
        await _refuse_users_of_the_middleware(configuration, storage)
        for name in await storage.database.pending():
            _log.warning("refused until oxpushctl database upgrade: what does not fit the present tables", lacking=name)
        await _refuse_another_passphrase(storage)
        clock = SystemClock()
        sessions = Sessions.from_settings(configuration.settings, clock)
        lingering = LingeringSessions(sessions)
        async with (
            _opened_outbox(configuration, clock) as outbox,
            opened_listening(configuration, storage, clock, lingering) as listening,
        ):
            engine = Engine(configuration, storage, listening, sessions, lingering, memory, outbox, inherited)
            engine.hearing.heard.recall(await outbox.heard_last())

            async def reload() -> None:
                engine.reload(await asyncio.to_thread(read_again))

            daemon = Daemon(
                dispatcher=engine.dispatcher,
                outbox=engine.outbox,
                server=Doors(engine),
                reload=reload,
                announce=lambda: announce(engine.ready_line()),
                manager=ServiceManager(notify_socket),
                drain_limit_s=_drain_limit_s(outbox, inherited),
            )
            collect_seldom()
            async with aclosing(engine):
                await _with_background(
                    daemon.run(), engine.housekeeping.run(), engine.successes.run(), engine.session_check.run()
                )
                await engine.successes.write()


def _drain_limit_s(outbox: Outbox, inherited: Sequence[Inherited]) -> float:
    if not outbox.is_durable:
        return DRAIN_LIMIT_S
    return QUEUED_DRAIN_LIMIT_S if inherited else DURABLE_DRAIN_LIMIT_S


@asynccontextmanager
async def _opened_outbox(configuration: Configuration, clock: Clock) -> AsyncIterator[Outbox]:
    """Open what accepted events wait in, and close it at the end."""
    settings = configuration.settings
    if settings[OUTBOX] == "memory":
        yield MemoryOutbox()
        return
    async with aclosing(await opened_outbox(configuration.outbox_path, clock, max_age_s=settings[PUSH_MAX_AGE])) as box:
        yield box


async def _refuse_users_of_the_middleware(configuration: Configuration, storage: Storage) -> None:
    """Raise ``ConfigurationError`` when users are to be made where the middleware gives their ids."""
    if not configuration.settings[USERS_AUTO_CREATE]:
        return
    if await storage.database.read(tables.is_of_middleware, of=schema.schema_version, empty=False):
        raise ConfigurationError(
            f"{USERS_AUTO_CREATE.key} is true, and the middleware made the tables of this database: the ids of users "
            "are its own, so add them with oxpushctl users add or import"
        )


async def _refuse_another_passphrase(storage: Storage) -> None:
    """Raise ``ConfigurationError`` when passwords are kept under a passphrase that is not the configured one.

    Who keeps them may be away: then it is looked at when they are first needed.
    """
    if storage.credentials is not None:
        try:
            await storage.credentials.open()
        except (NotReachable, TryLater) as error:
            _log.warning("kept passwords cannot be reached", reason=str(error))


async def _with_background(main: Coroutine[None, None, None], *others: Coroutine[None, None, None]) -> None:
    """Run something to its end, and others that have none beside it."""
    beside = [asyncio.create_task(_told_of_bugs(other)) for other in others]
    try:
        await main
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)


async def _told_of_bugs(work: Coroutine[None, None, None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001  # a bug beside the straight path must not stop what runs well without it
        _log.error("background work ended: bug", reason=f"{type(error).__name__}: {error}")


def collect_seldom() -> None:
    """Let the garbage collector look at what start-up made never again, and at the rest less often.

    Events and messages hold no cycles, so nearly all that it looks at is alive: at its defaults it took a sixth of the
    CPU and the longest pauses under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
