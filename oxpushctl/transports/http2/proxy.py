"""HTTP CONNECT (RFC 9110, 9.3.6): a tunnel to the provider through the house's proxy.

::

    > CONNECT api.push.apple.com:443 HTTP/1.1
    > Host: api.push.apple.com:443
    > Proxy-Authorization: Basic …
    >
    < HTTP/1.1 200 Connection established
    <
"""

from __future__ import annotations

import asyncio
import base64
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from oxpushctl import errors
from oxpushctl.transports.http2.endpoint import Endpoint
from oxpushctl.transports.http2.exchange import Unreachable

_MAX_ANSWER_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; ``authorization`` is the value of Proxy-Authorization, empty for none."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"proxy {self.host}:{self.port}"


def parse(text: str) -> Proxy:
    """Read ``http://[login:password@]host:port``; raise ``ConfigurationError``, which never shows the text."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise errors.ConfigurationError("the proxy is not http://host:port") from error
    if parts.scheme != "http" or not host:
        raise errors.ConfigurationError("the proxy is not http://host:port")
    authorization = ""
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(login.encode()).decode()
    return Proxy(host, port or 3128, authorization)


async def tunnel(sock: socket.socket, proxy: Proxy, endpoint: Endpoint) -> None:
    """Have a proxy connect a socket through to an endpoint; raise ``Unreachable`` with its words."""
    loop = asyncio.get_running_loop()
    lines = [f"CONNECT {endpoint} HTTP/1.1", f"Host: {endpoint}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
    answer = b""
    # One byte at a time: what follows the empty line belongs to the endpoint.
    while not answer.endswith(b"\r\n\r\n"):
        byte = await loop.sock_recv(sock, 1)
        if not byte or len(answer) > _MAX_ANSWER_BYTES:
            raise Unreachable(f"{endpoint}: {proxy} closed the connection instead of connecting us")
        answer += byte
    status_line = answer.split(b"\r\n", 1)[0].decode("latin-1")
    version, _, rest = status_line.partition(" ")
    if not version.startswith("HTTP/1.") or not rest.startswith("2"):
        raise Unreachable(f"{endpoint}: {proxy} refuses to connect us: {rest or 'no HTTP answer'}")
