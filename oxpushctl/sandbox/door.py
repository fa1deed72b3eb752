"""The provider port: TLS, and the protocol that the client agreed on by ALPN (RFC 7301): ``h2`` or ``http/1.1``."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from pathlib import Path

from aiohttp import web
from cryptography import x509

from oxpushctl.sandbox.exchange import Ending, Handler, Request
from oxpushctl.sandbox.files import write_private
from oxpushctl.sandbox.http2 import Http2Connection
from oxpushctl.sandbox.identity import Identity

_GRACE_S = 1.0


def tls_context(identity: Identity, host: str) -> ssl.SSLContext:
    """Return a context that asks for a client certificate and accepts none but those of the sandbox's authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=identity.ca_pem.decode())
    with tempfile.TemporaryDirectory() as folder:  # ssl reads keys from files only
        write_private(Path(folder) / "server.pem", identity.server_pem(host))
        context.load_cert_chain(Path(folder) / "server.pem")
    return context


class Door:
    """Listens for clients and serves them all with one handler, whichever HTTP they speak."""

    _server: asyncio.Server

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._http2: set[Http2Connection] = set()
        self._http1 = web.Server(self._serve_http1, handler_cancellation=True, access_log=None)
        self._closing = asyncio.Event()

    @classmethod
    async def open(cls, handler: Handler, host: str, port: int, context: ssl.SSLContext) -> Door:
        """Start to listen; a port of 0 takes a free one."""
        door = cls(handler)
        door._server = await asyncio.get_running_loop().create_server(lambda: _Welcome(door), host, port, ssl=context)
        return door

    @property
    def port(self) -> int:
        """The port that clients find."""
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def aclose(self) -> None:
        """Stop listening; let the requests at hand finish for a second, then end all connections."""
        self._closing.set()
        self._server.close()
        try:
            async with asyncio.timeout(_GRACE_S):
                await asyncio.gather(*(connection.drain() for connection in self._http2))
        except TimeoutError:
            for connection in tuple(self._http2):
                await connection.abort()
        await self._http1.shutdown(_GRACE_S)
        await self._server.wait_closed()

    def protocol_for(self, transport: asyncio.BaseTransport) -> asyncio.BaseProtocol:
        """Return the protocol that speaks what ALPN agreed on; without ALPN that is HTTP/1.1."""
        tls = transport.get_extra_info("ssl_object")
        if tls.selected_alpn_protocol() != "h2":
            return self._http1()
        return Http2Connection(self._handler, _certificate(transport), self._http2)

    async def _serve_http1(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None  # noqa: S101  # the request has only just come in
        answer = await self._handler(
            Request(
                request.method,
                request.raw_path,
                tuple((name.lower(), _plain(value)) for name, value in request.headers.items()),
                await request.read(),
                _certificate(transport),
            )
        )
        if answer.ending is Ending.HELD:
            await self._closing.wait()
        if answer.ending in (Ending.HELD, Ending.CUT):
            transport.abort()
        response = web.Response(status=answer.status or 500, headers=answer.headers, body=answer.body)
        if answer.ending is Ending.LAST:
            response.force_close()
        return response


class _Welcome(asyncio.Protocol):
    """Steps aside as soon as it is known what the client speaks."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        protocol = self._door.protocol_for(transport)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


def _certificate(transport: asyncio.BaseTransport) -> x509.Certificate | None:
    der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der) if der else None


def _plain(value: str) -> str:
    """Return a header's bytes as text of one character a byte; aiohttp makes surrogates of what is not UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("latin-1")
