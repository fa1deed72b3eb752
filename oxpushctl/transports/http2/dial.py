"""From an endpoint to a connection that stands: address, socket, proxy, TLS with ALPN h2, the peer's settings."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from oxpushctl.transports.http2 import proxy as proxies
from oxpushctl.transports.http2.causes import explained
from oxpushctl.transports.http2.connection import Connection
from oxpushctl.transports.http2.endpoint import Endpoint
from oxpushctl.transports.http2.exchange import Unreachable

_LEAST_PER_ADDRESS_S = 1.0


async def dial(
    endpoint: Endpoint,
    tls: ssl.SSLContext,
    proxy: proxies.Proxy | None,
    make: Callable[[], Connection],
    connect_s: float,
) -> Connection:
    """Open a connection within a deadline; it has heard the peer's settings. Raise ``Unreachable``."""
    connection = make()
    try:
        async with asyncio.timeout(connect_s):
            sock = await _connected(proxy or endpoint, connect_s)
            if proxy is not None:
                await _tunnelled(sock, proxy, endpoint)
            await _settled(sock, endpoint, tls, connection)
    except TimeoutError as error:
        connection.abort()
        raise Unreachable(f"{endpoint}: no HTTP/2 connection within {connect_s:g} s") from error
    except BaseException:
        connection.abort()
        raise
    return connection


async def _connected(target: Endpoint | proxies.Proxy, connect_s: float) -> socket.socket:
    """Connect to the first address of a host that answers, each with its share of the time."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Unreachable(f"{target}: the name cannot be resolved ({error.strerror})") from error
    share_s = max(_LEAST_PER_ADDRESS_S, connect_s / max(1, len(found)))
    reason = "it has no address"
    for family, kind, number, _, address in found:
        sock = socket.socket(family, kind, number)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(share_s):
                await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            reason = explained(error) if error.errno else "it does not answer"
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise Unreachable(f"{target}: {reason}")


async def _tunnelled(sock: socket.socket, proxy: proxies.Proxy, endpoint: Endpoint) -> None:
    try:
        await proxies.tunnel(sock, proxy, endpoint)
    except OSError as error:
        sock.close()
        raise Unreachable(f"{proxy}: {explained(error)}") from error
    except BaseException:
        sock.close()
        raise


async def _settled(sock: socket.socket, endpoint: Endpoint, tls: ssl.SSLContext, connection: Connection) -> None:
    """Bring a socket to the point where requests may be sent; from here on it is the transport's to close."""
    is_encrypted = endpoint.scheme == "https"
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: connection,
            sock=sock,
            ssl=tls if is_encrypted else None,
            server_hostname=endpoint.host if is_encrypted else None,
        )
    except OSError as error:
        raise Unreachable(f"{endpoint}: {explained(error)}") from error
    if is_encrypted and transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
        raise Unreachable(f"{endpoint}: it does not offer HTTP/2 (ALPN h2)")
    await connection.settled
    if connection.failure is not None:
        raise Unreachable(connection.failure)
