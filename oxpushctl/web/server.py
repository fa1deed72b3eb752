"""The HTTP server: some addresses, and what is asked for there; the health of the node on all of them.

It is aiohttp's low-level server with a table of paths: an event costs no routing, no middlewares and no access log.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from oxpushctl import log
from oxpushctl.config.settings import Settings
from oxpushctl.interfaces import Clock
from oxpushctl.web.answer import Canned, error, json_answer
from oxpushctl.web.auth import Credentials, guarded
from oxpushctl.web.connections import Connection, Connections, Handler, Protocol, Routes
from oxpushctl.web.listen import Address, bound
from oxpushctl.web.seldom import Seldom
from oxpushctl.web.strangers import Patience, StrangerConnection, Strangers
from oxpushctl.web.tls import server_context

_log = log.get(__name__)

_OPEN_TO_ALL = ("/health/live", "/health/ready")
_GRACE_S = 5.0


@dataclass(slots=True)
class _Place:
    """What is served at one address; ``is_public`` if strangers come, to the paths ``for_all``."""

    routes: dict[str, Mapping[str, Handler]] = field(default_factory=dict)
    for_all: set[str] = field(default_factory=lambda: set(_OPEN_TO_ALL))
    is_public: bool = False


class Server:
    """Serves routes at addresses, from ``start`` until ``stop_accepting``.

    ``is_ready`` is what /health/ready tells. ``tls`` is used on TCP addresses, never on sockets. ``grace_s`` is how
    long the answer to what has begun may take when it stops.
    """

    def __init__(
        self,
        listen: Sequence[str],
        routes: Routes,
        *,
        is_ready: Callable[[], bool],
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        strangers: Strangers | None = None,
        grace_s: float = _GRACE_S,
    ) -> None:
        self._is_ready = is_ready
        self._tls = tls
        self._clock = clock
        self._grace_s = grace_s
        self._not_http = Seldom(clock.monotonic)
        self._strangers = Strangers(Patience(), clock.monotonic) if strangers is None else strangers
        self._places: dict[Address, _Place] = {}
        self._listeners: list[asyncio.AbstractServer] = []
        self._paths: list[Path] = []
        self._connections: list[Connections] = []
        self._bound: dict[Address, list[str]] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._is_stopping = False
        self.add(listen, routes)

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        listen: Sequence[str],
        routes: Routes,
        is_ready: Callable[[], bool],
        clock: Clock,
        etc: Path,
    ) -> Server:
        """Make a server with the configured certificate, whose paths are relative to ``etc``.

        Raise ``ConfigurationError`` when it cannot be used.
        """
        return cls(listen, routes, is_ready=is_ready, clock=clock, tls=server_context(settings, etc))

    def add(
        self,
        listen: Sequence[str],
        routes: Routes,
        *,
        is_public: bool = False,
        credentials: Credentials | None = None,
        closing: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Serve further routes, at further addresses or at the same; raise ``ConfigurationError`` for a bad address.

        ``is_public``: for everybody, so that connections get deadlines. ``credentials`` are asked for at TCP addresses:
        a socket is open to whoever may open the file. ``closing`` ends answers that have no end of their own, such as
        web sockets, when the server stops.
        """
        if closing is not None:
            self._closing.append(closing)
        health: Routes = {
            "/health/live": {"GET": self._live, "HEAD": self._live},
            "/health/ready": {"GET": self._ready, "HEAD": self._ready},
        }
        behind_guard = guarded(routes, credentials, self._clock.monotonic) if credentials is not None else routes
        for text in listen:
            address = Address.parse(text)
            place = self._places.setdefault(address, _Place())
            place.routes.update({**health, **(routes if address.path is not None else behind_guard)})
            if is_public:
                place.is_public = True
                place.for_all.update(routes)

    async def start(self) -> Sequence[str]:
        """Listen everywhere and return the addresses; raise ``NotReachable`` when one is taken by another program."""
        addresses = []
        for address, place in self._places.items():
            connections = Connections(self._dispatcher(place), self._protocol(place))
            self._connections.append(connections)
            for listener in address.open():
                addresses.append(str(bound(listener)))
                self._bound.setdefault(address, []).append(addresses[-1])
                if address.path is not None:
                    self._paths.append(address.path)
                self._listeners.append(await self._serve(listener, place, connections))
        return addresses

    async def _serve(self, listener: socket.socket, place: _Place, connections: Connections) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        if listener.family == socket.AF_UNIX:
            return await loop.create_unix_server(connections, sock=listener)
        limit_s = self._strangers.patience.head_s if place.is_public and self._tls is not None else None
        return await loop.create_server(
            connections, sock=listener, ssl=self._tls, ssl_handshake_timeout=limit_s, ssl_shutdown_timeout=limit_s
        )

    def _protocol(self, place: _Place) -> Protocol:
        """Return what makes the connections of one address."""
        if place.is_public:
            return lambda connections: StrangerConnection(connections, self._tell_not_http, self._strangers)
        return lambda connections: Connection(connections, self._tell_not_http)

    def addresses(self, listen: Sequence[str]) -> Sequence[str]:
        """Return where it listens for some of the addresses it was given, ports of 0 replaced by what was taken."""
        return [opened for text in listen for opened in self._bound[Address.parse(text)]]

    async def stop_accepting(self) -> None:
        """Take no new requests: close the addresses and idle connections, answer what has begun."""
        self._is_stopping = True
        for path in self._paths:
            path.unlink(missing_ok=True)  # before it is closed: nobody else can have put a socket there yet
        for listener in self._listeners:
            listener.close()
        self._paths.clear()
        self._listeners.clear()
        await asyncio.gather(*(closing() for closing in self._closing))
        for connections in self._connections:
            connections.pre_shutdown()
        await asyncio.gather(*(connections.shutdown(self._grace_s) for connections in self._connections))

    async def aclose(self) -> None:
        """Close what is open."""
        await self.stop_accepting()

    def _dispatcher(self, place: _Place) -> Handler:
        """Return the handler of one address."""

        async def dispatch(request: web.BaseRequest) -> web.StreamResponse:
            methods = place.routes.get(request.path)
            if methods is None:
                return error(404, "there is nothing here")
            handler = methods.get(request.method)
            if handler is None:
                return error(405, "this method is not served here", {"Allow": ", ".join(methods)})
            response = await handler(request)
            if self._is_stopping:
                if isinstance(response, Canned):
                    return response.last
                response.force_close()
            return response

        async def dispatch_to_strangers(request: web.BaseRequest) -> web.StreamResponse:
            connection = request.protocol
            if not isinstance(connection, StrangerConnection):
                return await dispatch(request)
            connection.served()
            response = await dispatch(request)
            if response.status < 400 and request.path not in place.for_all:
                connection.trust()
            return response

        return dispatch_to_strangers if place.is_public else dispatch

    async def _live(self, _: web.BaseRequest) -> web.Response:
        return json_answer(b'{"live":true}')

    async def _ready(self, _: web.BaseRequest) -> web.Response:
        return json_answer(b'{"ready":true}') if self._is_ready() else json_answer(b'{"ready":false}', 503)

    def _tell_not_http(self, peer: str | None) -> None:
        if count := self._not_http.due():
            _log.warning("not HTTP, connection closed", peer=peer, count=count)
