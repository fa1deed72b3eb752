"""The web sockets of App Suite's user interface, over which new mail arrives as an event of Socket.IO.

::

    GET /socket.io/appsuite/?session=90cf…&connection=…&EIO=4&transport=websocket   ─► 101
    0{…}  40{…}  42["ox:mail:new",{"folder":"default0/INBOX","id":"42","subject":"Lunch?",…}]

A session that ends ends its sockets: the client hears the event ``session:invalid``, upon which App Suite's closes, and
is told to leave, so that others do not try again. It is an event and no bare text, which clients of Engine.IO 4 take
for an error. An open socket keeps its session from idling out, but not from growing too old.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from aiohttp import WSCloseCode, hdrs, web

from oxpushctl import log
from oxpushctl.config.properties import ALLOWED_CLIENTS, KNOWN_PROXIES, WEBSOCKETS_ENABLED
from oxpushctl.config.property import Network
from oxpushctl.config.settings import Settings
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock, UserDirectory
from oxpushctl.model import PushUser, Subscription
from oxpushctl.web import engine_io
from oxpushctl.web.handshake import Handshake, Refusal
from oxpushctl.web.heartbeat import Heartbeat, Pace
from oxpushctl.web.open_socket import CLOSE_S, OpenSocket, text_frame
from oxpushctl.web.seldom import Seldom
from oxpushctl.web.session_check import standing_session
from oxpushctl.web.sessions import Session, Sessions
from oxpushctl.web.socket_devices import SocketDevices
from oxpushctl.web.strangers import StrangerConnection

PATHS = ("/socket.io/appsuite/", "/socket.io/appsuite")
METHODS = ("GET",)

_log = log.get(__name__)

_MOST_OF_USER = 8
# Each has a lane of its own on the way to its devices, and people choose the names of clients: nobody all of them.
_MOST_CLIENTS, _MOST_CLIENTS_OF_USER = 1000, 16
# Connections of strangers and to mail servers, files.
_OPEN_OTHERWISE = 8192
_AGAIN_S = 30
_LONGEST_SHOWN = 80
_END = b"".join(
    text_frame(text.encode()) for text in (engine_io.named_event("session:invalid"), engine_io.DISCONNECTED)
)


def _most() -> int:
    """Return how many sockets this process may have: others need what the system lets it open as well."""
    openable = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, openable // 2, openable - _OPEN_OTHERWISE)


class Sockets:
    """Opens web sockets and sends to them; ``counts`` tells how many handshakes ended how.

    It has the implicit subscriptions of all that are open. ``users`` are those for whom a listener is wanted while a
    session of theirs has one open; ``devices.changed`` is called with each that comes or goes.
    """

    def __init__(
        self,
        sessions: Sessions,
        directory: UserDirectory,
        clock: Clock,
        *,
        allowed_clients: Sequence[str] = (),
        proxies: Sequence[Network] = (),
        is_on: bool = True,
        pace: Pace | None = None,
        most: int | None = None,
    ) -> None:
        self._sessions = sessions
        self._directory = directory
        self._proxies = proxies
        self._is_on = is_on
        self._most = _most() if most is None else most
        self._heartbeat = Heartbeat(pace or Pace(), clock, sessions.sweep)
        self.devices = SocketDevices(allowed_clients, self._heartbeat.written)
        self._open: dict[PushUser, dict[str, OpenSocket | None]] = {}  # by connection; None while it is being opened
        self._count = 0
        self._clients: dict[str, PushUser] = {}  # and who came with it first
        self._is_stopping = False
        self._too_many = Seldom(clock.monotonic)
        self._other_origin = Seldom(clock.monotonic)
        self.counts: Counter[str] = Counter()

    @classmethod
    def from_settings(cls, settings: Settings, sessions: Sessions, directory: UserDirectory, clock: Clock) -> Sockets:
        """Make what the configuration asks for."""
        return cls(
            sessions,
            directory,
            clock,
            allowed_clients=settings[ALLOWED_CLIENTS],
            proxies=settings[KNOWN_PROXIES],
            is_on=settings[WEBSOCKETS_ENABLED],
        )

    def reload(self, settings: Settings) -> None:
        """Take over changed proxies, and whether further sockets may be opened."""
        self._proxies, self._is_on = settings[KNOWN_PROXIES], settings[WEBSOCKETS_ENABLED]

    def __len__(self) -> int:
        return self._count

    def opened_sessions(self) -> Sequence[Session]:
        """Return the sessions that have one open, each once."""
        sockets = (socket for its in self._open.values() for socket in its.values() if socket is not None)
        return list(dict.fromkeys(socket.session for socket in sockets))

    def users(self) -> Collection[PushUser]:
        """Return the users whose listeners are bound to a session, as they are at any time."""
        return self.devices.users()

    def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the subscriptions of those of some users that have one to a topic."""
        return self.devices.matching(users, topic)

    def standing(self, ids: Collection[bytes]) -> frozenset[bytes]:
        """Return those of some ids that are still there."""
        return self.devices.standing(ids)

    async def send(self, token: str, payload: bytes) -> int:
        """Send an event to the sockets of a token; return to how many."""
        return await self.devices.send(token, payload)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Open a web socket, and return when it is closed."""
        wish = Handshake.read(request, self._proxies)
        if isinstance(wish, web.Response):
            self.counts["malformed" if wish.status == 400 else "other_origin"] += 1
            if wish.status == 403:
                self._tell_other_origin(request)
            return wish
        try:
            session = await standing_session(self._sessions, self._directory, wish.session_id)
        except OxpushctlError as problem:
            _log.warning("web socket refused: the directory cannot be asked", reason=str(problem))
            return self._refused("database_down", 503, "try again later")
        if session is None:
            return self._refused("no_session", 403, "the session has ended")
        refusal = self._refusal(session, wish)
        if refusal is not None:
            return refusal
        its = self._open.setdefault(session.user, {})
        its[wish.connection_id] = None
        self._count += 1
        self._clients.setdefault(session.client, session.user)
        try:
            return await self._opened(request, session, wish)
        finally:
            self._count -= 1
            del its[wish.connection_id]
            if not its:
                del self._open[session.user]

    async def aclose(self) -> None:
        """Open no more, and close all that are open; return when they are closed."""
        self._is_stopping = True
        sockets = [socket for its in self._open.values() for socket in its.values() if socket is not None]
        for socket in sockets:
            self.devices.leave(socket)
            socket.close(WSCloseCode.GOING_AWAY)
        await asyncio.gather(*(socket.closing for socket in sockets if socket.closing), return_exceptions=True)

    def _refusal(self, session: Session, wish: Handshake) -> web.Response | None:
        its = self._open.get(session.user, {})
        if self._is_stopping:
            return self._refused("stopping", 503, "try again later")
        if not self._is_on:
            return self._refused("off", 403, "there are no web sockets here")
        if wish.connection_id in its:
            return self._refused("duplicate", 409, "the connection is open already")
        if excess := self._excess(session, len(its)):
            return self._refused("too_many_of_user", 429, excess)
        is_new_client = session.client not in self._clients
        if self._count >= self._most or (is_new_client and len(self._clients) >= _MOST_CLIENTS):
            if count := self._too_many.due():
                _log.warning("too many web sockets, further ones refused", open=self._count, count=count)
            return self._refused("too_many", 503, "too many connections")
        return None

    def _excess(self, session: Session, count: int) -> str:
        """Say what a user who has so many open has too many of, if anything."""
        if count >= _MOST_OF_USER:
            return f"more than {_MOST_OF_USER} connections of a user"
        is_new_client = session.client not in self._clients
        if is_new_client and list(self._clients.values()).count(session.user) >= _MOST_CLIENTS_OF_USER:
            return f"more than {_MOST_CLIENTS_OF_USER} clients of a user"
        return ""

    def _tell_other_origin(self, request: web.BaseRequest) -> None:
        """Tell what a proxy that changes the host takes: without it no browser gets in, and none says why."""
        if count := self._other_origin.due():
            _log.warning(
                "web sockets refused: their pages are of another host than they ask for",
                count=count,
                page=request.headers.get(hdrs.ORIGIN, "")[:_LONGEST_SHOWN],
                host=request.headers.get(hdrs.HOST, "")[:_LONGEST_SHOWN],
                todo="a proxy in between has to hand on Host as it is; or set X-Forwarded-Host there, and "
                f"{KNOWN_PROXIES.key} here",
            )

    def _refused(self, result: str, status: int, message: str) -> web.Response:
        self.counts[result] += 1
        retry_after_s = _AGAIN_S if status in (429, 503) else None
        return Refusal.FORBIDDEN.answer(status, message, retry_after_s=retry_after_s)

    async def _opened(self, request: web.BaseRequest, session: Session, wish: Handshake) -> web.StreamResponse:
        response = web.WebSocketResponse(timeout=CLOSE_S, compress=False, max_msg_size=engine_io.MAX_PAYLOAD)
        if isinstance(request.protocol, StrangerConnection):
            request.protocol.trust()
        await response.prepare(request)
        if request.transport is None:
            return response
        socket = OpenSocket(session, wish.revision, response, request.transport)
        self._open[session.user][wish.connection_id] = socket

        def ended() -> None:
            self._end(socket)

        self.counts["opened"] += 1
        _log.debug("web socket opened", **socket.named)
        self._heartbeat.add(socket)
        try:
            if self._is_stopping:
                socket.close(WSCloseCode.GOING_AWAY)
            elif self._sessions.hold(session, ended):
                await self._serve(socket)
            else:
                self._end(socket)
            if socket.closing is not None:
                await socket.closing
            await socket.end()
        finally:
            self.devices.leave(socket)
            self._heartbeat.discard(socket)
            self._sessions.release(session, ended)
            _log.debug("web socket closed", **socket.named)
        return response

    async def _serve(self, socket: OpenSocket) -> None:
        """Answer what a client says until it leaves or is left."""
        socket.say(engine_io.opened(socket.revision))
        if socket.revision == 3:
            socket.say(engine_io.CONNECTED)
            self._join(socket)
        while (text := await socket.receive()) is not None:
            self._heartbeat.heard(socket)
            try:
                answer = engine_io.answer(text, socket.revision)
            except engine_io.Malformed as problem:
                _log.debug("web socket closed", **socket.named, reason=str(problem))
                socket.close(WSCloseCode.PROTOCOL_ERROR)
                return
            if answer.step is engine_io.Step.LEAVES:
                socket.close(WSCloseCode.OK)
                return
            if answer.step is engine_io.Step.JOINS and socket.is_joined:
                continue
            if answer.text:
                socket.say(answer.text)
                self._heartbeat.written(socket)
                if await socket.is_unread():
                    socket.drop("it asks and does not read")
                    return
            if answer.step is engine_io.Step.JOINS:
                self._join(socket)

    def _join(self, socket: OpenSocket) -> None:
        if socket.closing is None:  # what it said last may have come before that
            self._heartbeat.joined(socket)
            self.devices.join(socket)

    def _end(self, socket: OpenSocket) -> None:
        """Close a socket whose session has ended."""
        self._heartbeat.discard(socket)
        self.devices.leave(socket)
        socket.write(_END)
        socket.close(WSCloseCode.OK)
