"""What commands ask a running engine to tell, each a ``GET``.

::

    /oxpushctl/v1/pushusers?context=&user=              an array of listeners, running or not
    /oxpushctl/v1/registrations?context=&user=&client=  an array of rows of registeredPush
    /oxpushctl/v1/status                                an object

    listener      {"user":3,"context":1,"permanent":true,"node":"mx1","implementation":"dovecot","health":"ok",
                   "since":"2030-12-31T18:00:00Z","last_event":null,"proven_at":null,"reason":""}
    registration  {"user":3,"context":1,"client":"open-xchange-mobile-api-facade"}

Arrays are ordered by context and user, and written as they are read, so that neither side holds more than a few rows:
``[``, a row a line, ``]``. One without its ``]`` was broken off. Errors are those of ``admin``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TypeVar

import orjson
from aiohttp import web

from oxpushctl import log
from oxpushctl.errors import BadData, NotReachable, OxpushctlError, TryLater
from oxpushctl.model import PushListener, Registration
from oxpushctl.web.admin import refusal_of_pages
from oxpushctl.web.answer import error, json_answer
from oxpushctl.web.connections import Handler, Routes
from oxpushctl.web.kept_json import Object, encode, from_user

PUSHUSERS_PATH = "/oxpushctl/v1/pushusers"
REGISTRATIONS_PATH = "/oxpushctl/v1/registrations"
STATUS_PATH = "/oxpushctl/v1/status"

# Each for the context, the user and the client asked for; ``None`` is any.
Listeners = Callable[[int | None, int | None], AsyncIterator[PushListener]]
Registrations = Callable[[int | None, int | None, str | None], AsyncIterator[Registration]]

_T = TypeVar("_T")
_CHUNK = 32 * 1024
_HEADERS = {"Content-Type": "application/json", "Server": "oxpushctl"}
_log = log.get(__name__)


def report_routes(listeners: Listeners, registrations: Registrations, status: Callable[[], Object]) -> Routes:
    """Return the routes, for an admin address."""

    def listened(query: Mapping[str, str]) -> AsyncGenerator[Object, None]:
        return _each(listeners(_number(query, "context"), _number(query, "user")), from_listener)

    def registered(query: Mapping[str, str]) -> AsyncGenerator[Object, None]:
        found = registrations(_number(query, "context"), _number(query, "user"), query.get("client") or None)
        return _each(found, from_registration)

    async def tell(request: web.BaseRequest) -> web.StreamResponse:
        return refusal_of_pages(request) or json_answer(encode(status()))

    return {
        PUSHUSERS_PATH: {"GET": _handler(listened)},
        REGISTRATIONS_PATH: {"GET": _handler(registered)},
        STATUS_PATH: {"GET": tell},
    }


def from_listener(listener: PushListener) -> Object:
    """Return a listener as JSON."""
    return {
        **from_user(listener.user),
        "permanent": listener.is_permanent,
        "node": listener.node,
        "implementation": listener.implementation,
        "health": listener.health.value,
        "since": time_text(listener.since),
        "last_event": time_text(listener.last_event),
        "proven_at": time_text(listener.proven_at),
        "reason": listener.reason,
    }


def from_registration(registration: Registration) -> Object:
    """Return a registration as JSON."""
    return {**from_user(registration.user), "client": registration.client}


def time_text(at: float | None) -> str | None:
    """Write epoch seconds as ISO 8601 in UTC; ``None`` stays ``None``."""
    return None if at is None else f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}"


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if text and not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise BadData(f"{name} is not a whole number")
    return int(text) if text else None


def _handler(source: Callable[[Mapping[str, str]], AsyncGenerator[Object, None]]) -> Handler:
    """Return what answers with an array of what a source yields for a query."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        refusal = refusal_of_pages(request)
        if refusal is not None:
            return refusal
        try:
            rows = source(request.query)
        except BadData as problem:
            return error(400, str(problem))
        async with aclosing(rows), aclosing(_written(rows)) as chunks:
            return await _streamed(request, chunks)

    return handle


async def _streamed(request: web.BaseRequest, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    """Answer with chunks, none of which is asked for before the reader has taken most of those before."""
    try:
        chunk: bytes | None = await anext(chunks)  # most of what can fail does so here, where it can be told
    except BadData as problem:
        return error(400, str(problem))
    except (NotReachable, TryLater) as problem:
        return error(503, str(problem))
    response = web.StreamResponse(headers=_HEADERS)
    try:
        await response.prepare(request)
        while chunk is not None:
            await response.write(chunk)
            await asyncio.sleep(0)  # others have their turn, however fast the reader is
            chunk = await anext(chunks, None)
        await response.write_eof()
    except ConnectionError:
        _log.debug("reader of a list went away", path=request.path)
    except OxpushctlError as problem:
        _log.warning("list broken off", path=request.path, reason=str(problem))
        if request.transport is not None:
            request.transport.abort()
    return response


async def _written(rows: AsyncIterator[Object]) -> AsyncGenerator[bytes, None]:
    """Write rows as a JSON array, in chunks of many lines."""
    chunk, separator = bytearray(b"["), b"\n"
    async for row in rows:
        chunk += separator
        chunk += _line(row)
        separator = b",\n"
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk + b"\n]\n")


def _line(row: Object) -> bytes:
    try:
        return orjson.dumps(row)
    except TypeError:  # half a character, such as a mail server may put into its reasons
        return encode(row)


async def _each(values: AsyncIterator[_T], form: Callable[[_T], Object]) -> AsyncGenerator[Object, None]:
    """Yield values in a form; what yields them is closed at the end."""
    try:
        async for value in values:
            yield form(value)
    finally:
        if isinstance(values, AsyncGenerator):
            await values.aclose()
