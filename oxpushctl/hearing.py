"""The listeners of one running engine: all implementations, who keeps them running, and what they missed.

::

    registrations, sockets ─► Supervisor ─► dovecot · imapidle · mailnotify ─┐
    notify endpoint ──────────────────────────────────────────────────────── ┼─► Heard ─► dispatcher
    a start, a lost registration ─► CatchingUp ──────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Sequence

from oxpushctl import log
from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.listening import ALLOW_PERMANENT_PUSH, IDLE_ENABLED, IDLE_FOLDER
from oxpushctl.config.own import NODE
from oxpushctl.config.properties import ALLOWED_CLIENTS
from oxpushctl.config.settings import Settings
from oxpushctl.engine.supervisor import Supervisor
from oxpushctl.engine.watermarks import Heard
from oxpushctl.interfaces import Clock, EventSink, Implementation
from oxpushctl.listeners.catching_up import CatchingUp
from oxpushctl.listeners.dovecot import DovecotListeners
from oxpushctl.listeners.idle_listeners import IdleListeners
from oxpushctl.listeners.lingering import LingeringSessions
from oxpushctl.listeners.mailnotify import MailNotifyListeners
from oxpushctl.listening import Listening
from oxpushctl.model import PushUser
from oxpushctl.storage import Storage
from oxpushctl.stores.sql.marks import SqlMarkStore
from oxpushctl.web.kept_json import Object
from oxpushctl.web.sockets import Sockets

_log = log.get(__name__)


class Hearing:
    """What listens, from ``start`` until ``aclose``; mail that is heard goes through ``heard`` to a sink."""

    def __init__(
        self,
        configuration: Configuration,
        storage: Storage,
        listening: Listening,
        sink: EventSink,
        sockets: Sockets,
        sessions: LingeringSessions,
        clock: Clock,
    ) -> None:
        settings = configuration.settings
        self._settings = settings
        self._listening = listening
        self._tasks: list[asyncio.Task[None]] = []
        self.node = settings[NODE] or socket.gethostname()
        self.heard = heard = Heard(sink, SqlMarkStore(storage.database), clock, folder=_watched(settings))
        self._catching_up = CatchingUp(
            listening.doveadm, listening.names, listening.namesakes, listening.openings, heard, heard, settings, clock
        )
        self._dovecot = DovecotListeners(
            listening.registry,
            listening.names,
            settings,
            clock,
            on_gap=self._catching_up.note_gap,
            sessions=sessions,
        )
        self._idle = IdleListeners(listening.openings, heard, heard, settings, clock)
        self._mailnotify = MailNotifyListeners(listening.openings, heard, heard, storage.users, settings, clock)
        # Datagrams arrive all the same where no mailbox can be reached.
        of_mailboxes = (self._dovecot, self._idle) if listening.can_reach_mailboxes else ()
        implementations: Sequence[Implementation] = (*of_mailboxes, self._mailnotify)
        self.supervisor = Supervisor(
            storage.registrations,
            implementations,
            sockets.users,
            clock,
            self.node,
            is_permanent_allowed=lambda: self._settings[ALLOW_PERMANENT_PUSH],
            is_client_allowed=lambda client: is_allowed(client, self._settings[ALLOWED_CLIENTS]),
            forget=storage.subscriptions.forget,
            remembered={self._dovecot.name: listening.registry.mailboxes},
        )
        heard.heard = self.supervisor.heard
        storage.subscriptions.changed = self._look_at
        self._sessions = sessions
        sockets.devices.changed = self._socket_changed

    def start(self) -> None:
        """Begin to listen."""
        works = {
            "listeners": self.supervisor.run(),
            "marks of mailboxes": self.heard.run(),
            "catching up": self._catching_up.run(),
        }
        for name, work in works.items():
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(_tell_bug)
            self._tasks.append(task)

    async def aclose(self) -> None:
        """Listen no more, and keep what was heard; what is registered at mail servers stays."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.heard.aclose()

    def look(self) -> None:
        """Look at everything: users, passwords or registrations were changed."""
        self.supervisor.look()
        self._dovecot.look()
        self._mailnotify.look()

    def reload(self, configuration: Configuration) -> None:
        """Take over what may change while running; raise ``ConfigurationError`` for authorities that cannot be read."""
        self._listening.reload(configuration)
        self._settings = settings = configuration.settings
        self.heard.reload(_watched(settings))
        for part in (self._catching_up, self._dovecot, self._idle, self._mailnotify):
            part.reload(settings)
        self.supervisor.reload()

    def status(self) -> Object:
        """Return what the listeners do, as ``oxpushctl status`` tells it."""
        counts = sorted(self.supervisor.counts().items(), key=lambda item: (item[0][0], item[0][1], item[0][2].value))
        listeners = [
            {"implementation": name, "permanent": is_permanent, "health": health.value, "count": count}
            for (name, is_permanent, health), count in counts
            if count
        ]
        mailboxes = self._listening.mailboxes
        server = None if mailboxes is None else {"name": mailboxes.name, "log_ins_paused_s": mailboxes.paused_s}
        return {
            "listeners": listeners,
            "repeats": self.heard.repeats,
            "mailnotify": dict(self._mailnotify.counts),
            "mail_server": server,
        }

    def _look_at(self, users: Collection[PushUser]) -> None:
        self.supervisor.look_at(users)

    def _socket_changed(self, user: PushUser) -> None:
        self._sessions.renew(user)
        self._look_at([user])


def _watched(settings: Settings) -> str:
    """Return the one folder that is watched: Dovecot tells of the inbox alone."""
    return settings[IDLE_FOLDER] if settings[IDLE_ENABLED] else IDLE_FOLDER.default


def _tell_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error(f"{task.get_name()} ended: bug", reason=f"{type(error).__name__}: {error}")
