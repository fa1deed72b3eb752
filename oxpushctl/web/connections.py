"""Connections as our servers keep them: not closed for being idle, and silent about what is no HTTP.

Mail servers keep their connections open for hours and lose what they send into one that closes; TCP keep-alive finds
the dead ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from oxpushctl.web.answer import error

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Routes = Mapping[str, Mapping[str, Handler]]  # path → method → handler
Protocol = Callable[["Connections"], RequestHandler]

# Longer than any client keeps a connection that it does not use.
_IDLE_S = 7 * 86400.0
# How long the rest of a body that was refused is read, so that its client gets to see the answer.
_LINGER_S = 2.0


class Connections(web.Server):
    """The connections of one address; ``protocol`` makes what serves a new one."""

    def __init__(self, handler: Handler, protocol: Protocol) -> None:
        super().__init__(handler)
        self._protocol = protocol

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        return self._protocol(self)


class Connection(RequestHandler):
    """One connection; what strangers send is neither repeated to them nor written into the log."""

    __slots__ = ("_tell_not_http",)

    def __init__(self, connections: Connections, tell_not_http: Callable[[str | None], None]) -> None:
        super().__init__(
            connections,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_IDLE_S,
            lingering_time=_LINGER_S,
            access_log=None,  # type: ignore[arg-type]  # how aiohttp is told to keep none
            auto_decompress=False,  # nobody whom we serve compresses, and a bomb is small
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
