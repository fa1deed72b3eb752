"""The client against a native server, and against one that keeps all rules but tests their corners."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oxpushctl import errors
from oxpushctl.transports.http2.exchange import Limits, Response, Unreachable
from tests.peers.certificates import Authority
from tests.peers.http2_server import (
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    Http2Server,
    Request,
    Session,
    eventually,
    settled,
)
from tests.peers.nghttpd import nghttpd
from tests.transports.http2.conftest import MakeClient

ONE_CONNECTION = Limits(connections=1)


async def test_native_server_over_tls(make_client: MakeClient, authority: Authority, document_root: Path) -> None:
    """A push-sized request to nghttpd over TLS is answered with its own body."""
    with nghttpd(document_root, tls=authority.server()) as url:
        response = await make_client(url).request("POST", "/3/device/a", [("apns-id", "1")], b"x" * 4096, deadline_s=10)
    assert (response.status, response.body) == (200, b"x" * 4096)


async def test_hundreds_of_requests_at_once(make_client: MakeClient, document_root: Path) -> None:
    """Each of many concurrent requests gets the answer that belongs to it, within the server's 100 streams."""
    with nghttpd(document_root) as url:
        client = make_client(url, limits=ONE_CONNECTION)
        responses = await asyncio.gather(
            *(client.request("POST", "/", [], str(number).encode(), deadline_s=10) for number in range(500))
        )
    assert [response.body for response in responses] == [str(number).encode() for number in range(500)]


async def test_everything_arrives(make_client: MakeClient) -> None:
    """The server sees method, path, headers and body as they were given, and push switched off."""
    async with Http2Server() as server:
        client = make_client(server.url)
        await client.request("POST", "/3/device/a", [("apns-topic", "com.example")], b"{}", deadline_s=10)
        session, request = server.requests[0]
        assert request.headers == {
            ":method": "POST",
            ":scheme": "http",
            ":authority": f"127.0.0.1:{server.port}",
            ":path": "/3/device/a",
            "apns-topic": "com.example",
        }
        assert request.body == b"{}"
        assert not session.allows_push


async def test_answer_headers_and_body(make_client: MakeClient) -> None:
    """Status, lower-case header names and body come back, for an error as for a success."""

    def answer(session: Session, request: Request) -> None:
        session.respond(request, 410, b'{"reason":"Unregistered"}', **{"apns-id": "1"})

    async with Http2Server(answer) as server:
        response = await make_client(server.url).request("POST", "/", [], b"{}", deadline_s=10)
    assert response == Response(410, {"apns-id": "1"}, b'{"reason":"Unregistered"}')


async def test_what_must_not_be_indexed(make_client: MakeClient) -> None:
    """The path, which holds the token, and what differs every time stay out of the compression table."""
    headers = [("apns-id", "1"), ("apns-collapse-id", "2"), ("apns-expiration", "3"), ("apns-topic", "com.example")]
    async with Http2Server() as server:
        await make_client(server.url).request("POST", "/3/device/a", headers, b"{}", deadline_s=10)
        assert server.requests[0][1].never_indexed == {":path", "apns-id", "apns-collapse-id", "apns-expiration"}


async def test_stream_limit_of_the_server(make_client: MakeClient) -> None:
    """Never more streams than SETTINGS_MAX_CONCURRENT_STREAMS are open, and all requests get their turn."""

    def answer(session: Session, request: Request) -> None:
        asyncio.get_running_loop().call_soon(session.respond, request)

    async with Http2Server(answer, settings={MAX_CONCURRENT_STREAMS: 3}) as server:
        client = make_client(server.url, limits=ONE_CONNECTION)
        await asyncio.gather(*(client.request("POST", "/", [], b"{}", deadline_s=10) for _ in range(50)))
        assert (len(server.requests), server.sessions[0].most_open) == (50, 3)


async def test_server_that_closes_the_door_for_a_while(make_client: MakeClient) -> None:
    """With a limit of 0 requests wait; when it rises they go."""

    def answer(session: Session, request: Request) -> None:
        if session.is_first_request:
            session.settings({MAX_CONCURRENT_STREAMS: 0})
            session.is_first_request = False
        session.respond(request)

    async with Http2Server(answer) as server:
        client = make_client(server.url, limits=ONE_CONNECTION)
        await client.request("POST", "/1", [], b"{}", deadline_s=10)
        second = asyncio.create_task(client.request("POST", "/2", [], b"{}", deadline_s=10))
        await server.sessions[0].round_trip()
        assert server.paths == ["/1"]
        server.sessions[0].settings({MAX_CONCURRENT_STREAMS: 10})
        assert (await second).status == 200


async def test_cautious_until_the_first_answer(make_client: MakeClient) -> None:
    """With a provider token one stream is open until the first answer, and many after it."""
    held: list[Request] = []

    def answer(session: Session, request: Request) -> None:
        if session.is_first_request:
            session.is_first_request = False
            held.append(request)
        else:
            session.respond(request)

    async with Http2Server(answer) as server:
        client = make_client(server.url, is_cautious=True)
        requests = [asyncio.create_task(client.request("POST", "/", [], b"{}", deadline_s=10)) for _ in range(20)]
        await server.until(lambda: bool(held))
        await server.sessions[0].round_trip()
        assert len(server.requests) == 1
        server.sessions[0].respond(held[0])
        await asyncio.gather(*requests)
        assert (len(server.requests), len(server.sessions)) == (20, 1)


async def test_bodies_larger_than_the_window(make_client: MakeClient) -> None:
    """Flow control is obeyed: bodies that fit no window arrive whole, piece by piece."""
    async with Http2Server(settings={INITIAL_WINDOW_SIZE: 100}) as server:
        client = make_client(server.url)
        bodies = [bytes([number]) * 5000 for number in range(20)]
        await asyncio.gather(*(client.request("POST", "/", [], body, deadline_s=10) for body in bodies))
        assert sorted(request.body for _, request in server.requests) == bodies


async def test_another_connection_when_all_are_full(make_client: MakeClient) -> None:
    """Requests beyond the streams of a connection go over another, up to the bound, and the rest waits."""
    held: list[tuple[Session, Request]] = []
    first = Limits(connections=2)

    def answer(session: Session, request: Request) -> None:
        if session.is_first_request:
            session.is_first_request = False
            session.respond(request)
        else:
            held.append((session, request))

    async with Http2Server(answer, settings={MAX_CONCURRENT_STREAMS: 2}) as server:
        client = make_client(server.url, limits=first)
        requests = [asyncio.create_task(client.request("POST", "/", [], b"{}", deadline_s=10)) for _ in range(10)]
        await server.until(lambda: len(held) == 4)
        assert (client.connections, client.in_flight) == (2, 8)
        server.answer = Session.respond
        for session, request in held:
            session.respond(request)
        await asyncio.gather(*requests)
        assert len(server.sessions) == 2


async def test_too_many_waiting(make_client: MakeClient) -> None:
    """The queue is bounded: what does not fit is told at once."""

    def answer(session: Session, request: Request) -> None:
        """Never answer."""

    async with Http2Server(answer, settings={MAX_CONCURRENT_STREAMS: 1}) as server:
        client = make_client(server.url, limits=Limits(connections=1, waiting=2))
        ends = await settled(*(client.request("POST", "/", [], b"{}", deadline_s=0.5) for _ in range(4)))
    assert [(type(end), getattr(end, "is_fate_unknown", None)) for end in ends] == [
        (Unreachable, True),
        (Unreachable, False),
        (Unreachable, False),
        (Unreachable, False),
    ]
    assert str(ends[2]).endswith("2 requests are waiting already")


async def test_cancelled_request(make_client: MakeClient) -> None:
    """Who stops waiting ends the stream, and nothing of it is left."""

    def answer(session: Session, request: Request) -> None:
        """Never answer."""

    async with Http2Server(answer) as server:
        client = make_client(server.url)
        request = asyncio.create_task(client.request("POST", "/", [], b"{}", deadline_s=10))
        await server.until(lambda: bool(server.requests))
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await server.until(lambda: server.sessions[0].resets == [8])
        assert client.in_flight == 0


async def test_cancelled_while_waiting_for_a_connection(make_client: MakeClient) -> None:
    """A request that is given up before it was sent is never sent."""
    async with Http2Server() as server:
        client = make_client(server.url)
        given_up = asyncio.create_task(client.request("POST", "/given-up", [], b"{}", deadline_s=10))
        await asyncio.sleep(0)
        given_up.cancel()
        await client.request("POST", "/wanted", [], b"{}", deadline_s=10)
        assert server.paths == ["/wanted"]


async def test_closing_finishes_what_is_under_way(make_client: MakeClient) -> None:
    """aclose waits for answers, says GOAWAY, and takes nothing new."""
    held: list[tuple[Session, Request]] = []

    def answer(session: Session, request: Request) -> None:
        held.append((session, request))

    async with Http2Server(answer) as server:
        client = make_client(server.url)
        request = asyncio.create_task(client.request("POST", "/", [], b"{}", deadline_s=10))
        await server.until(lambda: bool(held))
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        with pytest.raises(Unreachable, match="we are closing"):
            await client.request("POST", "/", [], b"{}", deadline_s=10)
        held[0][0].respond(held[0][1])
        assert (await request).status == 200
        await closing
        await server.until(lambda: server.sessions[0].goaways == 1)
        assert client.connections == 0


async def test_closing_does_not_wait_for_ever(make_client: MakeClient) -> None:
    """What is not answered within the bound fails with an unknown fate."""

    def answer(session: Session, request: Request) -> None:
        """Never answer."""

    async with Http2Server(answer) as server:
        client = make_client(server.url, limits=Limits(close_s=0.1))
        request = asyncio.create_task(client.request("POST", "/", [], b"{}", deadline_s=60))
        await server.until(lambda: bool(server.requests))
        await client.aclose()
        with pytest.raises(Unreachable) as caught:
            await request
        assert caught.value.is_fate_unknown


async def test_closing_while_connecting(make_client: MakeClient) -> None:
    """A client that is closed before it has a connection leaves none behind."""
    async with Http2Server(greeting=b"") as server:
        client = make_client(server.url, limits=Limits(close_s=0))
        request = asyncio.create_task(client.request("POST", "/", [], b"{}", deadline_s=60))
        await eventually(lambda: bool(server.sessions))
        await client.aclose()
        with pytest.raises(Unreachable, match="we are closing"):
            await request


@pytest.mark.parametrize("path", ["", "3/device/a", "/3/device/a b", "/3/device/a\r\nx: y", "/3/device/ä"])
async def test_path_that_cannot_be_sent(make_client: MakeClient, path: str) -> None:
    """A token with odd characters is bad data, and nothing is sent."""
    async with Http2Server() as server:
        with pytest.raises(errors.BadData):
            await make_client(server.url).request("POST", path, [], b"{}", deadline_s=10)
        assert server.sessions == []


async def test_header_value_that_cannot_be_sent(make_client: MakeClient) -> None:
    """A line break in a header value is bad data; the message does not repeat the value."""
    async with Http2Server() as server:
        with pytest.raises(errors.BadData, match=r"^the value of the header apns-topic cannot be sent$"):
            await make_client(server.url).request("POST", "/", [("apns-topic", "a\r\nb: c")], b"{}", deadline_s=10)
