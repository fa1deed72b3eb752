"""The page's own port, plain HTTP for this machine: the phones, the pushes as JSON, and their live stream."""

from __future__ import annotations

import asyncio
import importlib.resources
import ipaddress
import re
import secrets
from dataclasses import asdict

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from oxpushctl.sandbox.pushes import Push, PushLog

_HEARTBEAT_S = 15.0
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9]+)?")
_NONCE = "{{nonce}}"


class Page:
    """Answers ``/``, ``/pushes`` and ``/events``, and nobody who asks for a host that is not this machine."""

    def __init__(self, log: PushLog) -> None:
        self._log = log
        self._is_closing = False
        app = web.Application(middlewares=[_only_loopback_names])
        app.add_routes(
            [
                web.get("/", _show),
                web.get("/pushes", self._list),
                web.delete("/pushes", self._clear),
                web.get("/events", self._stream),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)

    @classmethod
    async def open(cls, log: PushLog, host: str, port: int) -> Page:
        """Start to listen; a port of 0 takes a free one."""
        page = cls(log)
        await page._runner.setup()
        try:
            await web.TCPSite(page._runner, host, port).start()
        except OSError:
            await page.aclose()
            raise
        return page

    @property
    def port(self) -> int:
        """The port that browsers find."""
        chosen: int = self._runner.addresses[0][1]
        return chosen

    async def aclose(self) -> None:
        """End the live streams and stop listening."""
        self._is_closing = True
        self._log.wake()
        await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        """Answer with an array, newest first; ``?token=`` and ``?after=`` (a push's number) narrow it."""
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise web.HTTPBadRequest(text="after: not the number of a push\n")
        pushes = self._log.listing(after=int(after), token=request.query.get("token"))
        return web.Response(body=orjson.dumps([asdict(p) for p in reversed(pushes)]), content_type="application/json")

    async def _clear(self, _: web.Request) -> web.Response:
        self._log.clear()
        return web.Response(status=204)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send all pushes, oldest first, then each as it comes (WHATWG HTML, "Server-sent events")."""
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
        await response.prepare(request)
        last_id = request.headers.get("Last-Event-ID", "")
        known = int(last_id) if last_id.isascii() and last_id.isdigit() else 0
        generation = self._log.generation
        if not known < self._log.next_number:
            generation, known = -1, 0  # the number is that of another sandbox, which had this port before
        while not self._is_closing:
            news = self._log.news
            if generation != self._log.generation:
                generation = self._log.generation
                await response.write(b"event: cleared\ndata:\n\n")
            for push in self._log.listing(after=known):
                known = push.number
                await response.write(_event(push))
            try:
                async with asyncio.timeout(_HEARTBEAT_S):
                    await news.wait()
            except TimeoutError:
                await response.write(b": still here\n\n")
        return response


@web.middleware
async def _only_loopback_names(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse names that lead here by a trick: a foreign site may point its own name at 127.0.0.1."""
    named = _HOST.fullmatch(request.headers.get("Host", ""))
    if named is None or not _is_loopback(named[1] or named[2]):
        raise web.HTTPMisdirectedRequest(text="This page is for this machine: ask for localhost or 127.0.0.1.\n")
    return await handler(request)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def _show(_: web.Request) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    text = importlib.resources.files("oxpushctl.sandbox").joinpath("page.html").read_text("utf-8")
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return web.Response(
        text=text.replace(_NONCE, nonce),
        content_type="text/html",
        headers={"content-security-policy": policy, "cache-control": "no-store", "x-content-type-options": "nosniff"},
    )


def _event(push: Push) -> bytes:
    """Write one event; JSON has no line breaks, so one data line holds it."""
    return b"id: %d\ndata: %b\n\n" % (push.number, orjson.dumps(asdict(push)))
