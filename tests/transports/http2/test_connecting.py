"""Names, TLS, client certificates and proxies: how a connection comes about, and what is said when it does not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvloop

from oxpushctl import errors
from oxpushctl.transports.http2 import endpoint, proxy
from oxpushctl.transports.http2.client import Http2Client
from oxpushctl.transports.http2.exchange import Unreachable
from tests.peers.certificates import Authority, unpacked
from tests.peers.http2_server import Http2Server, server_tls
from tests.peers.nghttpd import nghttpd
from tests.transports.http2.conftest import MakeClient


async def refusal(client: Http2Client) -> str:
    """Make a request that must fail, and return why."""
    with pytest.raises(Unreachable) as caught:
        await client.request("POST", "/", [], b"{}", deadline_s=10)
    assert not caught.value.is_fate_unknown
    return str(caught.value).partition(": ")[2]


async def test_unknown_authority(make_client: MakeClient, authority: Authority) -> None:
    """A certificate that nobody vouches for is refused in words."""
    async with Http2Server(tls=server_tls(*authority.server())) as server:
        reason = await refusal(make_client(server.url, tls=ssl.create_default_context()))
    assert reason.startswith("its certificate is not trusted: unable to get local issuer certificate")


async def test_certificate_of_another_host(make_client: MakeClient, authority: Authority) -> None:
    """A certificate that is not this host's is refused in words."""
    async with Http2Server(tls=server_tls(*authority.server("push.example"))) as server:
        reason = await refusal(make_client(server.url))
    assert reason.startswith("its certificate is not trusted: IP address mismatch")


@pytest.mark.parametrize("alpn", [["http/1.1"], []])
async def test_server_without_http2(make_client: MakeClient, authority: Authority, alpn: list[str]) -> None:
    """A TLS server that does not agree to h2 is not spoken to."""
    async with Http2Server(tls=server_tls(*authority.server(), alpn=alpn)) as server:
        assert await refusal(make_client(server.url)) == "it does not offer HTTP/2 (ALPN h2)"


async def test_server_without_tls(make_client: MakeClient) -> None:
    """Speaking TLS to a server that does not is explained."""
    async with Http2Server(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        reason = await refusal(make_client(server.url.replace("http:", "https:")))
    assert reason == "it does not speak TLS"


@contextlib.contextmanager
def blocking_server(tls: ssl.SSLContext) -> Iterator[str]:
    """A server that makes one handshake and sends the alert that OpenSSL makes of it, which asyncio's does not."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(ssl.SSLError), tls.wrap_socket(connection, server_side=True) as talking:
            talking.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


async def test_client_certificate_missing(make_client: MakeClient, authority: Authority) -> None:
    """A server that wants a client certificate says so after the TLS 1.3 handshake, and that reaches the operator."""
    with blocking_server(server_tls(*authority.server(), client_ca=authority.pem)) as url:
        assert await refusal(make_client(url)) == "it demands a client certificate and we have none"


async def test_client_certificate_of_another_authority(
    make_client: MakeClient, authority: Authority, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    """A client certificate that the server does not accept is told as that."""
    trusting.load_cert_chain(unpacked(Authority(tmp_path).client("com.example", "secret"), "secret"))
    with blocking_server(server_tls(*authority.server(), client_ca=authority.pem)) as url:
        assert await refusal(make_client(url)) == "it does not know the authority of our certificate"


async def test_client_certificate_that_is_accepted(
    make_client: MakeClient, authority: Authority, trusting: ssl.SSLContext
) -> None:
    """With the right certificate the request goes through."""
    trusting.load_cert_chain(unpacked(authority.client("com.example", "secret"), "secret"))
    async with Http2Server(tls=server_tls(*authority.server(), client_ca=authority.pem)) as server:
        response = await make_client(server.url).request("POST", "/", [], b"{}", deadline_s=10)
    assert response.status == 200


async def test_client_certificate_missed_in_silence(make_client: MakeClient, authority: Authority) -> None:
    """A server that just closes after the handshake is given its most likely reason."""
    async with Http2Server(tls=server_tls(*authority.server(), client_ca=authority.pem)) as server:
        reason = await refusal(make_client(server.url))
    assert reason.endswith("without a word: it may want a client certificate, or another than ours")


async def test_localhost_by_name(make_client: MakeClient, authority: Authority) -> None:
    """A name with several addresses is tried until one answers."""
    async with Http2Server(tls=server_tls(*authority.server())) as server:
        client = make_client(f"https://localhost:{server.port}")
        response = await client.request("POST", "/", [], b"{}", deadline_s=10)
        assert (response.status, server.requests[0][1].headers[":authority"]) == (200, f"localhost:{server.port}")


def test_on_uvloop(authority: Authority, trusting: ssl.SSLContext, document_root: Path) -> None:
    """The other loop does the same: TLS to a native server, many requests, and a refusal in words."""

    async def main(url: str) -> tuple[list[int], str]:
        client = Http2Client(url, tls=trusting)
        responses = await asyncio.gather(
            *(client.request("POST", "/", [], b"x" * 600, deadline_s=10) for _ in range(300))
        )
        await client.aclose()
        with blocking_server(server_tls(*authority.server(), client_ca=authority.pem)) as picky_url:
            stranger = Http2Client(picky_url, tls=trusting)
            reason = await refusal(stranger)
            await stranger.aclose()
        return [response.status for response in responses], reason

    with nghttpd(document_root, tls=authority.server()) as url:
        statuses, reason = uvloop.run(main(url))
    assert (statuses, reason) == ([200] * 300, "it demands a client certificate and we have none")


@contextlib.asynccontextmanager
async def connect_proxy(
    answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n",
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An HTTP proxy: its address, and the heads of the requests that it saw."""
    heads: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            if b" 200 " not in answer:
                await writer.drain()
                return
            host, _, port = heads[-1].split()[1].decode().rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    server.close()
    await server.wait_closed()


async def test_through_a_proxy(make_client: MakeClient, authority: Authority) -> None:
    """TLS goes through the proxy's tunnel to the endpoint; the proxy sees host, port and our login for it."""
    async with connect_proxy() as (address, heads), Http2Server(tls=server_tls(*authority.server())) as server:
        client = make_client(server.url, proxy=f"http://me:s%3Acret@{address}")
        response = await client.request("POST", "/", [], b"{}", deadline_s=10)
        await client.aclose()
    where = f"127.0.0.1:{server.port}"
    assert response.status == 200
    assert heads[0].decode().split("\r\n") == [
        f"CONNECT {where} HTTP/1.1",
        f"Host: {where}",
        "Proxy-Authorization: Basic bWU6czpjcmV0",
        "",
        "",
    ]


async def test_proxy_that_refuses(make_client: MakeClient) -> None:
    """The proxy's own words are told, and its password is not."""
    async with connect_proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (address, _):
        reason = await refusal(make_client("https://push.example", proxy=f"http://me:secret@{address}"))
    assert reason == f"proxy {address} refuses to connect us: 407 Proxy Authentication Required"


async def test_proxy_that_hangs_up(make_client: MakeClient) -> None:
    """A proxy that closes instead of answering is told."""
    async with connect_proxy(b"") as (address, _):
        reason = await refusal(make_client("https://push.example", proxy=address))
    assert reason == f"proxy {address} closed the connection instead of connecting us"


def test_proxy_that_cannot_be_read() -> None:
    """The message does not repeat a text that may hold a password."""
    with pytest.raises(errors.ConfigurationError, match=r"^the proxy is not http://host:port$"):
        proxy.parse("socks5://me:secret@proxy.example:1080")


@pytest.mark.parametrize(
    ("text", "shown", "authority"),
    [
        ("https://api.push.apple.com", "api.push.apple.com:443", "api.push.apple.com"),
        ("https://api.push.apple.com:2197", "api.push.apple.com:2197", "api.push.apple.com:2197"),
        ("https://[::1]:8443/", "[::1]:8443", "[::1]:8443"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://localhost", "localhost:80", "localhost"),
    ],
)
def test_endpoints(text: str, shown: str, authority: str) -> None:
    """An endpoint is read as it is written, with the usual ports."""
    parsed = endpoint.parse(text)
    assert (str(parsed), parsed.authority) == (shown, authority)


@pytest.mark.parametrize(
    "text",
    ["", "api.push.apple.com", "ftp://a", "https://", "https://a:99999", "https://a/b", "https://u@a", "http://a"],
)
def test_bad_endpoints(text: str) -> None:
    """What is no endpoint, or not encrypted and not on this machine, is a configuration error."""
    with pytest.raises(errors.ConfigurationError, match="https://"):
        endpoint.parse(text)
