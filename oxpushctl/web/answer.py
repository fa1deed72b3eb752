"""What goes out: answers in JSON; and what comes in: bodies with a bound on their size and on their time."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import HttpVersion11, web

BODY_LIMIT = 1024 * 1024

_HEADERS = {"Content-Type": "application/json", "Server": "oxpushctl"}


def json_answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a response whose body is JSON already."""
    return web.Response(status=status, body=body, headers=_HEADERS if headers is None else {**_HEADERS, **headers})


class Canned(web.StreamResponse):
    """A 200 that is always the same, written at once: aiohttp would put the same bytes together anew each time.

    One instance serves all requests that ``suits`` admits; ``last`` is the answer behind which the connection closes.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._content = body
        self._bytes = head.encode() + body

    @staticmethod
    def suits(request: web.BaseRequest) -> bool:
        """Tell whether a request may be answered so: HTTP/1.1, and the connection stays."""
        return request.keep_alive and request.version == HttpVersion11

    @property
    def last(self) -> web.Response:
        """The same answer, for a connection that is to be closed."""
        response = json_answer(self._content)
        response.force_close()
        return response

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write everything."""
        if request.transport is not None:  # else the client has gone
            request.transport.write(self._bytes)

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing more."""


def error(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return ``{"error":TEXT}``; the text must not repeat what the client sent."""
    return json_answer(orjson.dumps({"error": text}), status, headers)


async def read_body(request: web.BaseRequest, deadline_s: float, limit: int = BODY_LIMIT) -> bytes | web.Response:
    """Return the whole body, or the answer to one that is too large (413), too slow (408) or broken off (400)."""
    if (request.content_length or 0) > limit:
        return _too_large(limit)
    content = request.content
    try:
        if content.is_eof():  # it came along with the headers, as Dovecot's does
            body = content.read_nowait()
            return body if len(body) <= limit else _too_large(limit)
        async with asyncio.timeout(deadline_s):
            chunks = bytearray()
            while chunk := await content.readany():
                chunks += chunk
                if len(chunks) > limit:
                    return _too_large(limit)
            return bytes(chunks)
    except TimeoutError:
        response = error(408, "the body did not arrive in time")
    except (web.RequestPayloadError, ConnectionError):
        response = error(400, "the body is not complete")
    response.force_close()
    return response


def _too_large(limit: int) -> web.Response:
    return error(413, f"the body is larger than {limit} bytes")
