"""The HTTP server: some addresses, and what is asked for there; the health of the node on all of them.

It is aiohttp's low-level server with a table of paths: an event costs no routing, no middlewares and no access log.
Mail servers keep their connections open for hours and lose what they send into one that closes: none is closed for
being idle, TCP keep-alive finds the dead ones.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from oxpushctl import log
from oxpushctl.config.settings import Settings
from oxpushctl.interfaces import Clock
from oxpushctl.web.answer import Canned, error, json_answer
from oxpushctl.web.listen import Address, bound
from oxpushctl.web.seldom import Seldom
from oxpushctl.web.tls import server_context

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Routes = Mapping[str, Mapping[str, Handler]]  # path → method → handler

_log = log.get(__name__)

# Longer than any client keeps a connection that it does not use.
_IDLE_S = 7 * 86400.0
# How long the rest of a body that was refused is read, so that its client gets to see the answer.
_LINGER_S = 2.0
# How long the answer to what has begun may take when the server stops.
_GRACE_S = 5.0


class Server:
    """Serves routes at addresses, from ``start`` until ``stop_accepting``.

    ``is_ready`` is what /health/ready tells. ``tls`` is used on TCP addresses, never on sockets.
    """

    def __init__(
        self,
        listen: Sequence[str],
        routes: Routes,
        *,
        is_ready: Callable[[], bool],
        clock: Clock,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._is_ready = is_ready
        self._tls = tls
        self._not_http = Seldom(clock.monotonic)
        self._routes: dict[Address, dict[str, Mapping[str, Handler]]] = {}
        self._listeners: list[asyncio.AbstractServer] = []
        self._paths: list[Path] = []
        self._connections: list[_Connections] = []
        self._bound: dict[Address, list[str]] = {}
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

    def add(self, listen: Sequence[str], routes: Routes) -> None:
        """Serve further routes, at further addresses or at the same; raise ``ConfigurationError`` for a bad address."""
        health: Routes = {
            "/health/live": {"GET": self._live, "HEAD": self._live},
            "/health/ready": {"GET": self._ready, "HEAD": self._ready},
        }
        for text in listen:
            self._routes.setdefault(Address.parse(text), {}).update({**health, **routes})

    async def start(self) -> Sequence[str]:
        """Listen everywhere and return the addresses; raise ``NotReachable`` when one is taken by another program."""
        loop = asyncio.get_running_loop()
        addresses = []
        for address, routes in self._routes.items():
            connections = _Connections(self._dispatcher(routes), self._tell_not_http)
            self._connections.append(connections)
            for listener in address.open():
                addresses.append(str(bound(listener)))
                self._bound.setdefault(address, []).append(addresses[-1])
                if address.path is not None:
                    self._paths.append(address.path)
                    self._listeners.append(await loop.create_unix_server(connections, sock=listener))
                else:
                    self._listeners.append(await loop.create_server(connections, sock=listener, ssl=self._tls))
        return addresses

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
        for connections in self._connections:
            connections.pre_shutdown()
        await asyncio.gather(*(connections.shutdown(_GRACE_S) for connections in self._connections))

    async def aclose(self) -> None:
        """Close what is open."""
        await self.stop_accepting()

    def _dispatcher(self, routes: Mapping[str, Mapping[str, Handler]]) -> Handler:
        """Return the handler of one address."""

        async def dispatch(request: web.BaseRequest) -> web.StreamResponse:
            methods = routes.get(request.path)
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

        return dispatch

    async def _live(self, _: web.BaseRequest) -> web.Response:
        return json_answer(b'{"live":true}')

    async def _ready(self, _: web.BaseRequest) -> web.Response:
        return json_answer(b'{"ready":true}') if self._is_ready() else json_answer(b'{"ready":false}', 503)

    def _tell_not_http(self, peer: str | None) -> None:
        if count := self._not_http.due():
            _log.warning("not HTTP, connection closed", peer=peer, count=count)


class _Connections(web.Server):
    """The connections of one address."""

    def __init__(self, handler: Handler, tell_not_http: Callable[[str | None], None]) -> None:
        super().__init__(handler)
        self._tell_not_http = tell_not_http

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        return _Connection(self, self._tell_not_http)


class _Connection(RequestHandler):
    """One connection; what strangers send is neither repeated to them nor written into the log."""

    __slots__ = ("_tell_not_http",)

    def __init__(self, connections: _Connections, tell_not_http: Callable[[str | None], None]) -> None:
        super().__init__(
            connections,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_IDLE_S,
            lingering_time=_LINGER_S,
            access_log=None,  # type: ignore[arg-type]  # how aiohttp is told to keep none
            auto_decompress=False,  # nobody who notifies compresses, and a bomb is small
        )
        self._tell_not_http = tell_not_http

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP; anything else is a bug, told as aiohttp does."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        self._tell_not_http(request.remote or None)
        response = error(400, "this is not HTTP as we understand it")
        response.force_close()
        return response
