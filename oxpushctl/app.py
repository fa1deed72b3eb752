"""The module that knows every part by name: a configuration becomes a wired engine (``checks`` knows their checks)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence

from oxpushctl import log
from oxpushctl.config import render, table
from oxpushctl.config.clients.options import transport_of
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity
from oxpushctl.config.heeded import is_heeded
from oxpushctl.config.mailboxes import keeps_passwords
from oxpushctl.config.own import INTAKE_LISTEN, PUBLIC_LISTEN, PUSH_MAX_AGE
from oxpushctl.config.properties import DELAY_DURATION, MAX_DELAY_DURATION
from oxpushctl.config.property import Effect
from oxpushctl.engine.buffer import Buffer
from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.delivery import Delivery
from oxpushctl.engine.dispatcher import Dispatcher
from oxpushctl.engine.housekeeping import LOOK_S, SWEEP_S, Housekeeping
from oxpushctl.engine.outbox import MemoryOutbox
from oxpushctl.engine.routes import Routes
from oxpushctl.engine.successes import Successes
from oxpushctl.errors import ConfigurationError
from oxpushctl.interfaces import CredentialRows
from oxpushctl.listeners.mail_server import mail_login, master_delimiter
from oxpushctl.listeners.mailboxes import Mailboxes, NoMailServer
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.outgoing import make_routes
from oxpushctl.storage import Storage
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
