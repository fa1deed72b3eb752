"""New mail over IMAP IDLE: one session a user, thousands of them in one process.

A session logs in and fetches in threads, a few at a time, and waits without one (``idle_session``)::

    start: log in ─► EXAMINE ─► what is above the user's mark is pushed ─► IDLE ◄──────────────┐
    run, once a second: renew what is due, give up what does not answer      │ EXISTS          │
                                                                             └─► fetch, push ──┘

IMAP NOTIFY is never used: it would keep Dovecot from putting the session to sleep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from oxpushctl import log
from oxpushctl.config.listening import IDLE_DELAY, IDLE_ENABLED, IDLE_FOLDER, IDLE_PERMANENT
from oxpushctl.config.own import IDLE_RENEW, IDLE_SESSIONS
from oxpushctl.config.settings import Settings
from oxpushctl.errors import OverLimit, OxpushctlError, TryLater
from oxpushctl.interfaces import Clock, EventSink, Watch, Watermarks
from oxpushctl.listeners import idle_ends
from oxpushctl.listeners.idle_hearing import Hearing
from oxpushctl.listeners.idle_session import IdleSession, Patience
from oxpushctl.listeners.openings import Opened, Openings
from oxpushctl.model import PushUser

NAME = "imapidle"
# How long an answer to IDLE or DONE is waited for.
ANSWER_S = 15.0
# Mailboxes that are looked into at a time: each look has a thread.
_LOOKS = 10
_TICK_S = 1.0
# What is under way when it ends may hand in what it has found.
_LAST_WORDS_S = 1.0

_log = log.get(__name__)


class IdleListeners:
    """An ``Implementation``, and the owner of its sessions; ``answer_s`` is a server's time for IDLE and DONE."""

    def __init__(
        self,
        openings: Openings,
        sink: EventSink,
        watermarks: Watermarks,
        settings: Settings,
        clock: Clock,
        *,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._openings = openings
        self._hearing = Hearing(NAME, settings[IDLE_FOLDER], sink, watermarks, settings, clock)
        self._clock = clock
        self._patience = Patience(settings[IDLE_RENEW], answer_s)
        self._most = settings[IDLE_SESSIONS]
        self._sessions: dict[PushUser, IdleSession] = {}
        self._starting: dict[PushUser, asyncio.Future[None]] = {}
        self._logged_in_at: dict[PushUser, float] = {}
        self._lost: dict[PushUser, OxpushctlError] = {}
        self._places = asyncio.Semaphore(_LOOKS)
        self._looks: set[asyncio.Task[None]] = set()
        self._shared: dict[object, object] = {}
        self._watch: Watch | None = None
        self._is_ended = False

    @property
    def name(self) -> str:
        """What it is called in settings and lists."""
        return NAME

    def reload(self, settings: Settings) -> None:
        """Take over what may change while it runs."""
        self._hearing.settings = settings

    def is_on(self, *, is_permanent: bool) -> bool:
        """Tell whether it is enabled."""
        settings = self._hearing.settings
        return settings[IDLE_ENABLED] and (settings[IDLE_PERMANENT] or not is_permanent)

    async def adopt(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return nobody: no session outlives a run."""
        return frozenset()

    async def start(self, user: PushUser, *, is_permanent: bool) -> None:
        """Open a session; what came since the user's mark is handed in before this returns."""
        if user in self._starting:
            raise TryLater(f"a session of {user} is being opened already")
        if user in self._sessions:
            return
        begun_or_not = len(self._sessions) + sum(each not in self._sessions for each in self._starting)
        if begun_or_not >= self._most:
            raise OverLimit(f"{user} would need one IDLE session more than the {self._most} of {IDLE_SESSIONS.key}")
        self._lost.pop(user, None)
        begun = self._starting[user] = asyncio.get_running_loop().create_future()
        try:
            was_heard = await self._wait_for_its_turn(user)
            opened = await self._openings.opened(user, is_permanent=is_permanent)
            self._logged_in_at[user] = self._clock.monotonic()
            await self._begin(user, opened, begun, was_heard=was_heard)
        finally:
            del self._starting[user]
            if begun.done() and not begun.cancelled():
                begun.exception()  # whoever waited for it has another one

    async def stop(self, user: PushUser) -> None:
        """Close a user's session."""
        self.leave(user)

    def leave(self, user: PushUser) -> None:
        """Close a user's session at once."""
        self._logged_in_at.pop(user, None)
        self._lost.pop(user, None)
        begun = self._starting.get(user)
        if begun is not None and not begun.done():
            begun.set_exception(TryLater(f"the session of {user} is wanted no more"))
        session = self._sessions.pop(user, None)
        if session is not None:
            session.close()

    async def run(self, watch: Watch) -> None:
        """Look after the sessions; cancelled, it closes all of them."""
        self._watch, self._is_ended = watch, False
        while self._lost:
            watch.lost(*self._lost.popitem())
        tick_s = min(_TICK_S, self._patience.quiet_s / 10, self._patience.answer_s / 10)
        try:
            while True:
                await self._clock.sleep(tick_s)
                now = self._clock.monotonic()
                for session in list(self._sessions.values()):
                    if now >= session.due_at:
                        session.see_to()
        finally:
            self._watch, self._is_ended = None, True
            await self._close_all()

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return self._clock.monotonic()

    def heard(self, session: IdleSession) -> None:
        """Pass on that a session was seen to work."""
        if self._watch is not None:
            self._watch.proven(session.user)

    def idling(self, session: IdleSession) -> None:
        """Let whoever starts the session go on."""
        begun = self._starting.get(session.user)
        if begun is not None and not begun.done():
            begun.set_result(None)

    def news(self, session: IdleSession) -> None:
        """Look into the mailbox as soon as there is a place for it."""
        look = asyncio.create_task(self._look(session))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)

    def ended(self, session: IdleSession, error: OxpushctlError) -> None:
        """Pass on that a session came to its end."""
        if self._sessions.get(session.user) is not session:
            return
        del self._sessions[session.user]
        begun = self._starting.get(session.user)
        if begun is not None and not begun.done():
            begun.set_exception(error)
        elif begun is not None or self._watch is None:  # told by whoever starts it, or later
            self._lost[session.user] = error
        else:
            self._watch.lost(session.user, error)

    async def _wait_for_its_turn(self, user: PushUser) -> bool:
        """Wait as long as is to be between two log-ins; return whether this is not the user's first one."""
        before = self._logged_in_at.get(user)
        if before is None:
            return False
        wait_s = before + self._hearing.settings[IDLE_DELAY] / 1000 - self._clock.monotonic()
        if wait_s > 0:
            await self._clock.sleep(wait_s)
        return True

    async def _begin(self, user: PushUser, opened: Opened, begun: asyncio.Future[None], *, was_heard: bool) -> None:
        connection = opened.connection
        try:
            if "IDLE" not in connection.capabilities:
                raise idle_ends.not_offered(connection.server, opened.name)
            async with self._places:
                connection.wire.outlast_silence()
                examined = await self._hearing.begin(user, connection, was_heard=was_heard)
        except BaseException:
            await connection.aclose()
            raise
        has_news = connection.has_news
        connection.shed(self._shared)
        session = IdleSession(self, user, opened.name, connection, self._patience, examined)
        try:
            self._refuse_if_ended(user, begun)
            self._sessions[user] = session
            session.idle(has_news=has_news)
            async with asyncio.timeout(self._patience.answer_s):
                await begun
            if session.is_gone:  # in the moment after it had begun
                raise self._lost.pop(user, TryLater(f"the session of {user} is wanted no more"))
            self._refuse_if_ended(user, begun)
        except BaseException as error:
            if self._sessions.get(user) is session:
                del self._sessions[user]
            session.close()
            if isinstance(error, TimeoutError):
                raise idle_ends.silent(connection.server, is_ending=False) from error
            raise

    def _refuse_if_ended(self, user: PushUser, begun: asyncio.Future[None]) -> None:
        if begun.done() and begun.exception() is not None:
            begun.result()
        if self._is_ended:
            raise TryLater(f"the session of {user} came too late: the engine stops")

    async def _look(self, session: IdleSession) -> None:
        """Fetch what is new, and wait again."""
        connection = session.connection
        try:
            async with self._places:
                if not session.is_gone:
                    session.uidnext = await self._hearing.hear(
                        session.user, connection, session.uidvalidity, session.uidnext
                    )
            has_news = connection.has_news
            connection.shed(self._shared)
            session.idle(has_news=has_news)
        except OxpushctlError as error:
            session.fail(error)
        except Exception as error:  # noqa: BLE001  # a bug met by one mailbox must not end the sessions of others
            _log.error(
                "look into a mailbox ended: bug", user=str(session.user), reason=f"{type(error).__name__}: {error}"
            )
            session.fail(TryLater(f"the session of {session.user} ended by a bug: {type(error).__name__}"))
        finally:
            if session.is_gone:
                session.release()

    async def _close_all(self) -> None:
        """Close every session; a look that is under way ends by that, or is ended."""
        for user in list(self._sessions):
            self._sessions.pop(user).close()
        if self._looks:
            _, late = await asyncio.wait(self._looks, timeout=_LAST_WORDS_S)
            for look in late:
                look.cancel()
            await asyncio.gather(*late, return_exceptions=True)
