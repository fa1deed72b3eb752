"""The HTTP server: some addresses, and what is asked for there; the health of the node on all of them.

It is aiohttp's low-level server with a table of paths: an event costs no routing, no middlewares and no access log.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from oxpushctl import log
from oxpushctl.config.settings import Settings
from oxpushctl.errors import ConfigurationError
from oxpushctl.interfaces import Clock
from oxpushctl.web.answer import Canned, error, json_answer
from oxpushctl.web.auth import Credentials, guarded
from oxpushctl.web.connections import Connection, Connections, Handler, Protocol, Routes
from oxpushctl.web.inherited import Inherited
from oxpushctl.web.listen import Address, bound
from oxpushctl.web.seldom import Seldom
from oxpushctl.web.strangers import Patience, StrangerConnection, Strangers
from oxpushctl.web.tls import server_context

_log = log.get(__name__)

_OPEN_TO_ALL = ("/health/live", "/health/ready")
_GRACE_S = 5.0
# Turns of the event loop in which what was accepted becomes a connection, and what it has sent is read.
_SETTLING_TURNS = 10


@dataclass(slots=True)
class _Place:
    """What is served at one address; ``is_public`` if strangers come, to the paths ``for_all``."""

    routes: dict[str, Mapping[str, Handler]] = field(default_factory=dict)
    for_all: set[str] = field(default_factory=lambda: set(_OPEN_TO_ALL))
    is_public: bool = False


@dataclass(frozen=True, slots=True)
class _Named:
    """What is served at a socket or port of some name, for everybody ``for_all``; ``addresses`` no setting names."""

    at_socket: Routes
    at_port: Routes
    for_all: set[str] | None
    addresses: list[str] = field(default_factory=list)


class Server:
    """Serves routes at addresses, from ``start`` until ``stop_accepting``.

    ``is_ready`` is what /health/ready tells. ``tls`` is used on TCP addresses, never on sockets. ``grace_s`` is how
    long the answer to what has begun may take when it stops. ``name`` is what the service manager calls the first
    addresses; of its sockets, ``inherited``, each serves the address that it is bound to, or else those of its name.
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
        name: str = "",
        inherited: Sequence[Inherited] = (),
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
        self._inherited = inherited
        self._named: dict[str, _Named] = {}
        self.add(listen, routes, name=name)

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        listen: Sequence[str],
        routes: Routes,
        is_ready: Callable[[], bool],
        clock: Clock,
        etc: Path,
        *,
        name: str = "",
        inherited: Sequence[Inherited] = (),
    ) -> Server:
        """Make a server with the configured certificate, whose paths are relative to ``etc``.

        Raise ``ConfigurationError`` when it cannot be used.
        """
        tls = server_context(settings, etc)
        return cls(listen, routes, is_ready=is_ready, clock=clock, tls=tls, name=name, inherited=inherited)

    def add(
        self,
        listen: Sequence[str],
        routes: Routes,
        *,
        is_public: bool = False,
        credentials: Credentials | None = None,
        closing: Callable[[], Awaitable[None]] | None = None,
        name: str = "",
    ) -> None:
        """Serve further routes, at further addresses or at the same; raise ``ConfigurationError`` for a bad address.

        ``is_public``: for everybody, so that connections get deadlines. ``credentials`` are asked for at TCP addresses:
        a socket is open to whoever may open the file. ``closing`` ends answers that have no end of their own, such as
        web sockets, when the server stops. ``name`` is what the service manager calls these addresses.
        """
        if closing is not None:
            self._closing.append(closing)
        health: Routes = {
            "/health/live": {"GET": self._live, "HEAD": self._live},
            "/health/ready": {"GET": self._ready, "HEAD": self._ready},
        }
        behind_guard = guarded(routes, credentials, self._clock.monotonic) if credentials is not None else routes
        named = _Named({**health, **routes}, {**health, **behind_guard}, set(routes) if is_public else None)
        for text in listen:
            self._put(Address.parse(text), named)
        if name:
            self._named[name] = named

    def _put(self, address: Address, named: _Named) -> None:
        place = self._places.setdefault(address, _Place())
        place.routes.update(named.at_socket if address.path is not None else named.at_port)
        if named.for_all is not None:
            place.is_public = True
            place.for_all.update(named.for_all)

    async def start(self) -> Sequence[str]:
        """Listen everywhere and return the addresses; raise ``NotReachable`` when one is taken by another program."""
        passed = [each.socket for each in self._inherited]
        addresses = []
        opened: dict[Address, Sequence[socket.socket]] = {}
        try:
            for address in self._places:
                opened[address] = address.open(passed)
            self._place_the_rest(opened)
        except BaseException:
            for listener in (*passed, *(each for listeners in opened.values() for each in listeners)):
                listener.close()
            raise
        for address, listeners in opened.items():
            place = self._places[address]
            connections = Connections(self._dispatcher(place), self._protocol(place))
            self._connections.append(connections)
            for listener in listeners:
                addresses.append(str(bound(listener)))
                self._bound.setdefault(address, []).append(addresses[-1])
                if address.path is not None and listener not in passed:
                    self._paths.append(address.path)
                self._listeners.append(await self._serve(listener, place, connections))
        return addresses

    def _place_the_rest(self, opened: dict[Address, Sequence[socket.socket]]) -> None:
        """Serve at sockets of the service manager that no setting names what their own names say."""
        used = {listener for listeners in opened.values() for listener in listeners}
        for each in self._inherited:
            if each.socket in used:
                continue
            address = bound(each.socket)
            named = self._named.get(each.name)
            if named is None:
                raise ConfigurationError(
                    f"the service manager listens at {address} for us, which no oxpushctl.*.listen names, and calls it "
                    f"'{each.name}': name it in one of them, or write FileDescriptorName= with one of "
                    f"{', '.join(self._named)}"
                )
            self._put(address, named)
            named.addresses.append(str(address))
            opened[address] = [each.socket]

    async def _serve(self, listener: socket.socket, place: _Place, connections: Connections) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        if listener.family == socket.AF_UNIX:
            if sys.version_info >= (3, 13):  # which removes the path at the end unless told not to
                return await loop.create_unix_server(connections, sock=listener, cleanup_socket=False)
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

    def addresses(self, listen: Sequence[str], name: str = "") -> Sequence[str]:
        """Return where it listens for some of the addresses it was given, ports of 0 replaced by what was taken.

        With a ``name`` those are among them that the service manager has added under it.
        """
        given = [opened for text in listen for opened in self._bound[Address.parse(text)]]
        return [*given, *self._named[name].addresses] if name else given

    async def stop_accepting(self) -> None:
        """Take no new requests: close the addresses and idle connections, answer what has begun.

        What waits at a socket of the service manager's stays there for the next process.
        """
        self._is_stopping = True
        for path in self._paths:
            path.unlink(missing_ok=True)  # before it is closed: nobody else can have put a socket there yet
        for listener in self._listeners:
            listener.close()
        self._paths.clear()
        self._listeners.clear()
        for _ in range(_SETTLING_TURNS):
            await asyncio.sleep(0)
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
