"""The module that knows every part by name: from a configuration to a wired engine (``checks`` knows their checks)."""

from __future__ import annotations

import asyncio
import gc
import importlib
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing

import orjson

from oxpushctl import log
from oxpushctl.config import render, state, table
from oxpushctl.config.clients.options import ApnsOptions, FcmOptions, switch_of, transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity
from oxpushctl.config.heeded import is_heeded
from oxpushctl.config.mailboxes import keeps_passwords
from oxpushctl.config.own import INTAKE_LISTEN, PUBLIC_LISTEN, PUSH_MAX_AGE, USERS_AUTO_CREATE
from oxpushctl.config.properties import DELAY_DURATION, MAX_DELAY_DURATION, SWITCHES
from oxpushctl.config.property import Effect
from oxpushctl.engine.buffer import Buffer
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.daemon import Daemon
from oxpushctl.engine.delivery import Delivery
from oxpushctl.engine.dispatcher import Dispatcher
from oxpushctl.engine.housekeeping import LOOK_S, SWEEP_S, Housekeeping
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.engine.routes import Routes
from oxpushctl.engine.successes import Successes
from oxpushctl.engine.systemd import ServiceManager
from oxpushctl.errors import ConfigurationError, NotReachable, TryLater
from oxpushctl.interfaces import CredentialRows
from oxpushctl.listeners.mail_server import mail_login, master_delimiter
from oxpushctl.listeners.mailboxes import Mailboxes, NoMailServer
from oxpushctl.messages.facade import MobileApiFacade
from oxpushctl.model import DirectoryEntry, Outcome, PushUser
from oxpushctl.storage import Storage, is_in_engine_memory, opened_storage
from oxpushctl.stores import schema
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.sql import tables
from oxpushctl.transports import apns_verdicts, fcm_verdicts
from oxpushctl.transports.apns import ApnsTransport
from oxpushctl.transports.fcm import FcmTransport
from oxpushctl.web import login, notify, pns
from oxpushctl.web.admin import admin_routes
from oxpushctl.web.auth import Credentials
from oxpushctl.web.connections import Routes as WebRoutes
from oxpushctl.web.login import LoginEndpoint
from oxpushctl.web.login_name import MailAccounts
from oxpushctl.web.notify import NotifyEndpoint
from oxpushctl.web.pns import PnsEndpoint
from oxpushctl.web.server import Server
from oxpushctl.web.sessions import Sessions

_log = log.get(__name__)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the fastest event loop at hand: uvloop's where it is installed, else asyncio's."""
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return factory


def make_routes(configuration: Configuration) -> Routes:
    """Make the transports of all usable clients, and the generators that write for them."""
    settings, clients = configuration.settings, configuration.usable_clients
    apns = [client for client in clients if isinstance(client, ApnsOptions)]
    fcm = [client for client in clients if isinstance(client, FcmOptions)]
    switches = {(client.client, transport_of(client)): SWITCHES[switch_of(client)] for client in clients}

    def is_enabled(client: str, transport: str, topic: str) -> bool:
        return settings.qualified(switches[client, transport], client, topic)

    return Routes(
        [
            ApnsTransport.from_settings(settings, apns, configuration.etc),
            FcmTransport.from_settings(settings, fcm, configuration.etc),
        ],
        [MobileApiFacade.from_settings(settings, configuration.facade_clients, SystemClock())],
        is_enabled,
    )


def simulated(transport: str, status: int, reason: str) -> Outcome:
    """Judge an answer that nobody gave: what would follow if the provider said this."""
    if transport == FcmTransport.name:
        details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": reason}]
        body = orjson.dumps({"error": {"code": status, "status": reason, "details": details if reason else []}})
        return fcm_verdicts.judge(status, {}, body, time.time())
    body = orjson.dumps({"reason": reason}) if reason else b""
    return apns_verdicts.judge(status, {}, body, time.time())


class Engine:
    """The wired parts of one running node; ``reload`` swaps what a changed configuration changes.

    ``memory`` are the rows of passwords that this engine keeps in its own memory, if it does.
    """

    def __init__(self, configuration: Configuration, storage: Storage, memory: CredentialRows | None) -> None:
        settings = configuration.settings
        clock = SystemClock()
        self._configuration = configuration
        self._storage = storage
        self._closing: set[asyncio.Task[None]] = set()
        self.outbox = MemoryOutbox()
        self._buffer = Buffer(settings[DELAY_DURATION] / 1000, settings[MAX_DELAY_DURATION] / 1000)
        self.successes = Successes(storage.subscriptions, clock)
        self._delivery = Delivery(make_routes(configuration), storage.subscriptions, self.outbox, clock, self.successes)
        self.dispatcher = Dispatcher(
            outbox=self.outbox,
            buffer=self._buffer,
            subscriptions=storage.subscriptions,
            delivery=self._delivery,
            clock=clock,
            max_age_s=settings[PUSH_MAX_AGE],
        )
        self._endpoint = NotifyEndpoint.from_settings(settings, self.dispatcher, storage.users, clock)
        notify_routes = {notify.PATH: dict.fromkeys(notify.METHODS, self._endpoint)}
        self.server = Server.from_settings(
            settings, settings[INTAKE_LISTEN], notify_routes, lambda: not self.outbox.is_full, clock, configuration.etc
        )
        self._sessions = Sessions.from_settings(settings, clock)
        # Commands change what is in a database or Redis themselves, what is in our memory they cannot reach.
        look_s = SWEEP_S if memory is None else LOOK_S
        self.housekeeping = Housekeeping(storage.subscriptions, self._tidy, look_s=look_s)
        self.server.add(
            configuration.admin_listen,
            admin_routes(memory, self._note_changes),
            credentials=Credentials.of_admin(settings),
        )
        self._add_public(clock)
        _tell_troubles(configuration)

    def _note_changes(self, left: Sequence[PushUser]) -> None:
        """Look at what a command has written, and let nobody act for the users that it has removed."""
        for user in left:
            self._sessions.close_user(user)
        self.housekeeping.look()

    async def _tidy(self) -> None:
        """Forget passwords of nobody that is listened for, and of sessions that are over."""
        self._sessions.sweep()
        await self._storage.subscriptions.forget_unregistered()

    def _add_public(self, clock: SystemClock) -> None:
        """Serve what apps reach, where that is wanted."""
        configuration, storage = self._configuration, self._storage
        settings = configuration.settings
        self._mailboxes = Mailboxes.from_settings(settings, configuration.etc, clock)
        kept = storage.credentials if keeps_passwords(settings) else None

        def mail_name(entry: DirectoryEntry) -> str:
            return mail_login(entry, settings)

        accounts = MailAccounts(
            opener=self._mailboxes or NoMailServer(),
            strangers=self._mailboxes.for_strangers() if self._mailboxes is not None else NoMailServer(),
            name_of=mail_name,
            master_delimiter=master_delimiter(settings),
        )
        self._login = LoginEndpoint.from_settings(settings, self._sessions, accounts, storage.users, kept, clock)
        self._pns = PnsEndpoint(self._sessions, storage.subscriptions, kept, storage.users, clock)
        routes: WebRoutes = {
            **{path: dict.fromkeys(login.METHODS, self._login) for path in login.PATHS},
            **{path: dict.fromkeys(pns.METHODS, self._pns) for path in pns.PATHS},
        }
        listen = settings[PUBLIC_LISTEN]
        self.server.add(listen or (), routes, is_public=True)

    def reload(self, configuration: Configuration) -> None:
        """Take over what may change while running, and name what needs a restart.

        Raises ``ConfigurationError`` when a client that is served would be lost to a mistake.
        """
        _refuse_losses(self._configuration, configuration)
        settings, before = configuration.settings, self._configuration.settings
        old_routes, self._delivery.routes = self._delivery.routes, make_routes(configuration)
        closing = asyncio.get_running_loop().create_task(_close(old_routes))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._buffer.set_delays(settings[DELAY_DURATION] / 1000, settings[MAX_DELAY_DURATION] / 1000)
        self.dispatcher.max_age_s = settings[PUSH_MAX_AGE]
        self._endpoint.reload(settings)
        self._login.reload(settings)
        if self._mailboxes is not None:
            self._mailboxes.reload(settings, configuration.etc)
        # Who opens the mailboxes may have changed, and with it whether anybody's password is kept.
        self._login.credentials = self._pns.credentials = (
            self._storage.credentials if keeps_passwords(settings) else None
        )
        self._configuration = configuration
        _tell_troubles(configuration)
        for row in table.TABLE:
            if row.effect is Effect.ENGINE and not row.is_reloadable and settings[row] != before[row]:
                _log.warning("changed, needs a restart", key=row.key)

    async def aclose(self) -> None:
        """Close the transports, and the connections to the mail server."""
        await asyncio.gather(self._delivery.routes.aclose(), *self._closing)
        if self._mailboxes is not None:
            await self._mailboxes.aclose()

    def ready_line(self) -> str:
        """Return the line that says where a running engine is reached."""
        listen = (
            ("intake", self._configuration.settings[INTAKE_LISTEN]),
            ("public", self._configuration.settings[PUBLIC_LISTEN] or ()),
            ("admin", self._configuration.admin_listen),
        )
        reached = [f"{name}={address}" for name, given in listen for address in self.server.addresses(given)]
        return " ".join(["ready", *reached])


def _tell_troubles(configuration: Configuration) -> None:
    """Say loudly which clients cannot be served, or which file would have named them, and what else is amiss."""
    for finding in render.in_order(configuration.findings):
        if finding.severity is Severity.WARNING and is_heeded(finding, configuration.settings):
            _log.warning("configuration", reason=render.line(finding))
    for finding in render.in_order(configuration.client_errors):
        _log.error(
            "client out of service",
            client=finding.client or None,
            transport=finding.transport or None,
            reason=render.line(finding),
        )


def _refuse_losses(before: Configuration, after: Configuration) -> None:
    """Raise when an error in the new configuration takes a client out of service that the old one serves."""
    served = {(client.client, transport_of(client)) for client in before.usable_clients}
    lost = served - {(client.client, transport_of(client)) for client in after.usable_clients}
    guilty = [
        finding
        for finding in after.client_errors
        if any(finding.client in ("", client) and finding.transport in ("", transport) for client, transport in lost)
    ]
    if guilty:
        raise ConfigurationError("; ".join(render.line(finding) for finding in guilty))


async def _close(routes: Routes) -> None:
    """Close what a reload has replaced; closed TLS contexts hang in cycles, too large to wait for their collection."""
    await routes.aclose()
    gc.collect()


async def serve(
    configuration: Configuration,
    *,
    read_again: Callable[[], Configuration],
    announce: Callable[[str], None],
    notify_socket: str | None = None,
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
        engine = Engine(configuration, storage, memory)

        async def reload() -> None:
            engine.reload(await asyncio.to_thread(read_again))

        daemon = Daemon(
            dispatcher=engine.dispatcher,
            outbox=engine.outbox,
            server=engine.server,
            reload=reload,
            announce=lambda: announce(engine.ready_line()),
            manager=ServiceManager(notify_socket),
        )
        _collect_seldom()
        async with aclosing(engine):
            await _with_background(daemon.run(), engine.housekeeping.run(), engine.successes.run())
            await engine.successes.write()


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


def _collect_seldom() -> None:
    """Let the garbage collector look at what start-up made never again, and at the rest less often.

    Events and messages hold no cycles, so nearly all that it looks at is alive: at its defaults it took a sixth of the
    CPU and the longest pauses under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
