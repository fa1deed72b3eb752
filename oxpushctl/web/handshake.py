"""What a client asks for when it opens a web socket, and the answers that Engine.IO has for what is refused.

::

    GET /socket.io/appsuite/?session=90cf…&connection=17000000000003141592653&EIO=3&transport=websocket
    Origin: https://mail.example.com
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson
from aiohttp import hdrs, web

from oxpushctl.config.property import Network
from oxpushctl.web import engine_io
from oxpushctl.web.answer import json_answer
from oxpushctl.web.client_address import is_from_proxy

_OLDEST = "3"
_LONGEST_CONNECTION = 128
_FORWARDED_HOST = "X-Forwarded-Host"


class Refusal(enum.Enum):
    """Engine.IO's numbers and words for a handshake that is not accepted."""

    TRANSPORT = (0, "Transport unknown")
    SID = (1, "Session ID unknown")
    REQUEST = (3, "Bad request")
    FORBIDDEN = (4, "Forbidden")
    VERSION = (5, "Unsupported protocol version")

    def answer(self, status: int = 400, message: str = "", *, retry_after_s: int | None = None) -> web.Response:
        """Return the answer, with words of our own where there are better ones."""
        code, words = self.value
        headers = None if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        return json_answer(orjson.dumps({"code": code, "message": message or words}), status, headers)


@dataclass(frozen=True, slots=True)
class Handshake:
    """A wish to open a web socket: for which session, under which name, in which revision of Engine.IO."""

    session_id: str = field(repr=False)
    connection_id: str
    revision: int

    @classmethod
    def read(cls, request: web.BaseRequest, proxies: Sequence[Network]) -> Handshake | web.Response:
        """Read a request, or return the answer to one that cannot be accepted, whoever asks."""
        query = request.query
        refusal = _of_engine_io(query)
        if refusal is not None:
            return refusal.answer()
        connection_id = query.get("connection") or str(uuid.uuid4())
        if len(connection_id) > _LONGEST_CONNECTION or not connection_id.isprintable() or not _is_upgrade(request):
            return Refusal.REQUEST.answer()
        if not _is_of_this_host(request, proxies):
            return Refusal.FORBIDDEN.answer(403, "the page is from another host")
        return cls(query.get("session", ""), connection_id, int(query.get("EIO", _OLDEST)))


def _of_engine_io(query: Mapping[str, str]) -> Refusal | None:
    if query.get("transport") != "websocket":
        return Refusal.TRANSPORT
    if query.get("EIO", _OLDEST) not in map(str, engine_io.REVISIONS):
        return Refusal.VERSION
    if "sid" in query:  # of a session of Engine.IO, which begins on another transport
        return Refusal.SID
    return None


def _is_upgrade(request: web.BaseRequest) -> bool:
    """Tell whether the request is of RFC 6455.

    Socket.IO has no sub-protocols, and aiohttp would write those that a stranger asks for into the log.
    """
    return hdrs.SEC_WEBSOCKET_PROTOCOL not in request.headers and web.WebSocketResponse().can_prepare(request).ok


def _is_of_this_host(request: web.BaseRequest, proxies: Sequence[Network]) -> bool:
    """Tell whether a page of this very host asks, or no page at all, which browsers do not hide.

    Ports are not compared: proxies lose them. It is the session's id that admits, which no other page has.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return True
    page = _host(origin)
    return bool(page) and page in {_host(f"//{text}") for text in _names(request, proxies)}


def _names(request: web.BaseRequest, proxies: Sequence[Network]) -> Sequence[str]:
    """Return what this host was called in a request: to the proxy before us, if there is one, and to us."""
    names = [request.headers.get(hdrs.HOST, "")]
    if is_from_proxy(request, proxies):
        names.append(request.headers.get(_FORWARDED_HOST, "").rpartition(",")[2].strip())
    return names


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
