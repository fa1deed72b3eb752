"""What goes out: answers in JSON; and what comes in: bodies with a bound on their size and on their time."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

BODY_LIMIT = 1024 * 1024

_HEADERS = {"Content-Type": "application/json", "Server": "oxpushctl"}


def json_answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a response whose body is JSON already."""
    return web.Response(status=status, body=body, headers=_HEADERS if headers is None else {**_HEADERS, **headers})


def error(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return ``{"error":TEXT}``; the text must not repeat what the client sent."""
    return json_answer(orjson.dumps({"error": text}), status, headers)


async def read_body(request: web.BaseRequest, deadline_s: float) -> bytes | web.Response:
    """Return the whole body, or the answer to one that is too large (413), too slow (408) or broken off (400)."""
    if (request.content_length or 0) > BODY_LIMIT:
        return _too_large()
    content = request.content
    try:
        if content.is_eof():  # it came along with the headers, as Dovecot's does
            body = content.read_nowait()
            return body if len(body) <= BODY_LIMIT else _too_large()
        async with asyncio.timeout(deadline_s):
            chunks = bytearray()
            while chunk := await content.readany():
                chunks += chunk
                if len(chunks) > BODY_LIMIT:
                    return _too_large()
            return bytes(chunks)
    except TimeoutError:
        response = error(408, "the body did not arrive in time")
    except (web.RequestPayloadError, ConnectionError):
        response = error(400, "the body is not complete")
    response.force_close()
    return response


def _too_large() -> web.Response:
    return error(413, f"the body is larger than {BODY_LIMIT} bytes")
