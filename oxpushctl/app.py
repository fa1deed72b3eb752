"""The module that knows every part by name: a configuration becomes a wired engine (``checks`` knows their checks)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import asdict, replace

from oxpushctl import __version__, log
from oxpushctl.config import render, table
from oxpushctl.config.clients.options import transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity
from oxpushctl.config.mailboxes import keeps_passwords
from oxpushctl.config.own import INTAKE_LISTEN, PUBLIC_LISTEN, PUSH_MAX_AGE
from oxpushctl.config.properties import DELAY_DURATION, MAX_DELAY_DURATION
from oxpushctl.engine.breaker import LIMIT, Breaker
from oxpushctl.engine.buffer import Buffer
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.delivery import Delivery
from oxpushctl.engine.dispatcher import Dispatcher
from oxpushctl.engine.housekeeping import LOOK_S, SWEEP_S, Housekeeping
from oxpushctl.engine.implicit import WithImplicit
from oxpushctl.engine.routes import Routes
from oxpushctl.engine.successes import Successes
from oxpushctl.errors import ConfigurationError
from oxpushctl.hearing import Hearing
from oxpushctl.interfaces import CredentialRows, Outbox
from oxpushctl.listeners.lingering import LingeringSessions
from oxpushctl.listeners.mail_server import mail_login, master_delimiter
from oxpushctl.listeners.mailboxes import NoMailServer
from oxpushctl.listening import Listening
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.outgoing import fingerprints, make_routes
from oxpushctl.storage import Storage
from oxpushctl.web import login, notify, pns, sockets
from oxpushctl.web.admin import admin_routes
from oxpushctl.web.admin_reports import report_routes, time_text
from oxpushctl.web.auth import Credentials
from oxpushctl.web.connections import Routes as WebRoutes
from oxpushctl.web.inherited import Inherited
from oxpushctl.web.kept_json import Object
from oxpushctl.web.login import LoginEndpoint
from oxpushctl.web.login_name import MailAccounts
from oxpushctl.web.notify import NotifyEndpoint
from oxpushctl.web.pns import PnsEndpoint
from oxpushctl.web.server import Server
from oxpushctl.web.session_check import SessionCheck
from oxpushctl.web.sessions import Sessions
from oxpushctl.web.sockets import Sockets

_log = log.get(__name__)


class Engine:
    """The wired parts of one running node; ``reload`` swaps what a changed configuration changes.

    ``memory`` are the rows of passwords that this engine keeps in its own memory, if it does.
    """

    def __init__(
        self,
        configuration: Configuration,
        storage: Storage,
        listening: Listening,
        sessions: Sessions,
        lingering: LingeringSessions,
        memory: CredentialRows | None,
        outbox: Outbox,
        inherited: Sequence[Inherited] = (),
    ) -> None:
        settings = configuration.settings
        clock = SystemClock()
        self._configuration = configuration
        self._storage = storage
        self._listening = listening
        self._sessions = sessions
        self._began_at = clock.now()
        self._closing: set[asyncio.Task[None]] = set()
        self.outbox = outbox
        self._buffer = Buffer(settings[DELAY_DURATION] / 1000, settings[MAX_DELAY_DURATION] / 1000)
        self.sockets = Sockets.from_settings(settings, sessions, storage.users, clock)
        self.session_check = SessionCheck(sessions, self.sockets.opened_sessions, storage.users)
        devices = WithImplicit(storage.subscriptions, self.sockets)
        self.successes = Successes(devices, clock)
        routes = make_routes(configuration, self.sockets)
        self._breaker = Breaker(LIMIT)
        self._breaker.renew(fingerprints(configuration))
        self._delivery = Delivery(routes, devices, self.outbox, clock, self.successes, breaker=self._breaker)
        self.dispatcher = Dispatcher(
            outbox=self.outbox,
            buffer=self._buffer,
            subscriptions=devices,
            delivery=self._delivery,
            clock=clock,
            max_age_s=settings[PUSH_MAX_AGE],
        )
        self.hearing = Hearing(configuration, storage, listening, self.dispatcher, self.sockets, lingering, clock)
        sessions.opened = lambda user: self.hearing.supervisor.look_at([user])
        self._endpoint = NotifyEndpoint.from_settings(settings, self.hearing.heard, storage.users, clock)
        notify_routes = {notify.PATH: dict.fromkeys(notify.METHODS, self._endpoint)}
        self.server = Server.from_settings(
            settings,
            settings[INTAKE_LISTEN],
            notify_routes,
            lambda: not self.outbox.is_full,
            clock,
            configuration.etc,
            name="intake",
            inherited=inherited,
        )
        # Commands change what is in a database or Redis themselves, what is in our memory they cannot reach.
        look_s = SWEEP_S if memory is None else LOOK_S
        self.housekeeping = Housekeeping(storage.subscriptions, self._tidy, look_s=look_s)
        self.server.add(
            configuration.admin_listen,
            {
                **admin_routes(memory, self._note_changes),
                **report_routes(self.hearing.supervisor.listeners, storage.registrations.walk, self._status),
            },
            credentials=Credentials.of_admin(settings),
            name="admin",
        )
        self._add_public(clock)
        _tell_troubles(configuration)

    def _note_changes(self, left: Sequence[PushUser]) -> None:
        """Look at what a command has written, and let nobody act for the users that it has removed."""
        for user in left:
            self._sessions.close_user(user)
        self.housekeeping.look()
        self.hearing.look()

    async def _tidy(self) -> None:
        """Forget passwords of nobody that is listened for, and of sessions that are over."""
        self._sessions.sweep()
        await self._storage.subscriptions.forget_unregistered()

    def _add_public(self, clock: SystemClock) -> None:
        """Serve what apps reach, where that is wanted."""
        configuration, storage = self._configuration, self._storage
        settings = configuration.settings
        mailboxes = self._listening.mailboxes
        kept = storage.credentials if keeps_passwords(settings) else None

        def mail_name(entry: DirectoryEntry) -> str:
            return mail_login(entry, self._configuration.settings)

        accounts = MailAccounts(
            opener=mailboxes or NoMailServer(),
            strangers=mailboxes.for_strangers() if mailboxes is not None else NoMailServer(),
            name_of=mail_name,
            master_delimiter=master_delimiter(settings),
        )
        self._login = LoginEndpoint.from_settings(settings, self._sessions, accounts, storage.users, kept, clock)
        self._pns = PnsEndpoint(self._sessions, storage.subscriptions, kept, storage.users, clock)
        routes: WebRoutes = {
            **{path: dict.fromkeys(login.METHODS, self._login) for path in login.PATHS},
            **{path: dict.fromkeys(pns.METHODS, self._pns) for path in pns.PATHS},
            **{path: dict.fromkeys(sockets.METHODS, self.sockets) for path in sockets.PATHS},
        }
        listen = settings[PUBLIC_LISTEN]
        self.server.add(listen or (), routes, is_public=True, name="public")

    def reload(self, configuration: Configuration) -> None:
        """Take over what may change while running, and name what needs a restart.

        Raises ``ConfigurationError`` when a client that is served would be lost to a mistake.
        """
        _refuse_losses(self._configuration, configuration)
        before = self._configuration.settings
        changed = [row.key for row in table.NEEDS_RESTART if configuration.settings[row] != before[row]]
        # No part is to have the new value of what another has read once.
        settings = configuration.settings.with_those_of(before, table.NEEDS_RESTART)
        configuration = replace(configuration, settings=settings)
        old_routes, self._delivery.routes = self._delivery.routes, make_routes(configuration, self.sockets)
        self._breaker.renew(fingerprints(configuration))
        closing = asyncio.get_running_loop().create_task(_close(old_routes))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._buffer.set_delays(settings[DELAY_DURATION] / 1000, settings[MAX_DELAY_DURATION] / 1000)
        self.dispatcher.max_age_s = settings[PUSH_MAX_AGE]
        self._endpoint.reload(settings)
        self._login.reload(settings)
        self._login.names.master_delimiter = master_delimiter(settings)
        self.sockets.reload(settings)
        self.hearing.reload(configuration)
        # Who opens the mailboxes may have changed, and with it whether anybody's password is kept.
        self._login.credentials = self._pns.credentials = (
            self._storage.credentials if keeps_passwords(settings) else None
        )
        self._configuration = configuration
        _tell_troubles(configuration)
        for key in changed:
            _log.warning("changed, needs a restart", key=key)

    async def aclose(self) -> None:
        """Close the transports."""
        await asyncio.gather(self._delivery.routes.aclose(), *self._closing)

    def _status(self) -> Object:
        return {
            "node": self.hearing.node,
            "version": __version__,
            "since": time_text(self._began_at),
            "ready": not self.outbox.is_full,
            "outbox": {"depth": self.outbox.depth},
            "breakers": [asdict(state) for state in self._breaker.status()],
            "sessions": len(self._sessions),
            "sockets": len(self.sockets),
            "handshakes": dict(self.sockets.counts),
            "notify": dict(self._endpoint.counts),
            **self.hearing.status(),
        }

    def ready_line(self) -> str:
        """Return the line that says where a running engine is reached."""
        listen = (
            ("intake", self._configuration.settings[INTAKE_LISTEN]),
            ("public", self._configuration.settings[PUBLIC_LISTEN] or ()),
            ("admin", self._configuration.admin_listen),
        )
        reached = [f"{name}={address}" for name, given in listen for address in self.server.addresses(given, name)]
        return " ".join(["ready", *reached])


class Doors:
    """Where mail and people come in: the server, its web sockets and the listeners, as the daemon's one ``Server``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def start(self) -> None:
        """Serve, then listen: what is heard can be asked about."""
        await self._engine.server.start()
        self._engine.hearing.start()

    async def stop_accepting(self) -> None:
        """Listen no more, end the web sockets, and answer what has begun."""
        await self._engine.hearing.aclose()
        await self._engine.sockets.aclose()
        await self._engine.server.stop_accepting()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._engine.hearing.aclose()
        await self._engine.server.aclose()


def _tell_troubles(configuration: Configuration) -> None:
    """Say loudly which clients cannot be served, or which file would have named them, and what else is amiss."""
    for finding in render.in_order(configuration.findings):
        if finding.severity is Severity.WARNING:
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
