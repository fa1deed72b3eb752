"""What servers and networks do to a client: nothing is lost in silence, nothing is sent twice."""

from __future__ import annotations

import asyncio
import collections

import pytest

from oxpushctl.transports.http2.exchange import Limits, Response, Unreachable
from tests.peers.http2_server import MAX_CONCURRENT_STREAMS, Http2Server, Request, Session, eventually, settled
from tests.peers.ports import free_port
from tests.transports.http2.conftest import MakeClient

REFUSED_STREAM = 7
INTERNAL_ERROR = 2


def never(session: Session, request: Request) -> None:
    """Leave a request without an answer."""


async def test_goaway_with_requests_under_way(make_client: MakeClient) -> None:
    """Streams that GOAWAY allows finish there; those above its last id are sent again elsewhere, once each."""
    first: list[Request] = []

    def answer(session: Session, request: Request) -> None:
        if session is not server.sessions[0]:
            session.respond(request)
            return
        first.append(request)
        if len(first) == 4:
            session.goaway(first[1].stream_id, words=b'{"reason":"Shutdown"}')
            for allowed in first[:2]:
                session.respond(allowed, 299)

    async with Http2Server(answer) as server:
        client = make_client(server.url)
        responses = await asyncio.gather(
            *(client.request("POST", f"/{number}", [], b"{}", deadline_s=10) for number in range(4))
        )
        assert [response.status for response in responses] == [299, 299, 200, 200]
        assert server.paths == ["/0", "/1", "/2", "/3", "/2", "/3"]
        await eventually(lambda: client.connections == 1)


async def test_two_thousand_requests_over_goaways(make_client: MakeClient) -> None:
    """A server that says GOAWAY again and again costs no request and doubles none."""
    processed: collections.Counter[str] = collections.Counter()

    def answer(session: Session, request: Request) -> None:
        processed[request.path] += 1
        session.respond(request)
        session.pongs += 1  # counts what this connection has processed
        if session.pongs == 100:
            session.goaway(request.stream_id)

    async with Http2Server(answer) as server:
        client = make_client(server.url)
        paths = [f"/{number}" for number in range(2000)]
        responses = await asyncio.gather(*(client.request("POST", path, [], b"{}", deadline_s=30) for path in paths))
        assert [response.status for response in responses] == [200] * 2000
        assert processed == dict.fromkeys(paths, 1)
        assert len(server.sessions) >= 20


async def test_goaway_in_two_steps(make_client: MakeClient) -> None:
    """A shutdown notice (last id 2^31-1) stops new streams; the real GOAWAY hands back what it did not take."""

    def answer(session: Session, request: Request) -> None:
        if session is server.sessions[0]:
            session.goaway(2**31 - 1)
            session.goaway(0)
        else:
            session.respond(request)

    async with Http2Server(answer) as server:
        response = await make_client(server.url).request("POST", "/", [], b"{}", deadline_s=10)
        assert (response.status, len(server.sessions)) == (200, 2)


async def test_goaway_to_everyone(make_client: MakeClient) -> None:
    """A server that sends everyone away is asked a few times, and then left alone for a while."""

    def answer(session: Session, request: Request) -> None:
        session.goaway(0, words=b"maintenance")

    async with Http2Server(answer) as server:
        with pytest.raises(Unreachable, match=r"GOAWAY \(NO_ERROR: maintenance\) \(the next attempt is in") as end:
            await make_client(server.url).request("POST", "/", [], b"{}", deadline_s=10)
        assert not end.value.is_fate_unknown
        assert len(server.sessions) <= 3


async def test_goaway_and_then_nothing(make_client: MakeClient) -> None:
    """A stream that GOAWAY allowed and that the closing connection cut off has an unknown fate; the words are told."""

    def answer(session: Session, request: Request) -> None:
        session.goaway(request.stream_id, code=INTERNAL_ERROR, words=b"bad day")
        session.transport.close()

    async with Http2Server(answer) as server:
        with pytest.raises(Unreachable, match=r"closed the connection after GOAWAY \(INTERNAL_ERROR: bad day\)") as end:
            await make_client(server.url).request("POST", "/", [], b"{}", deadline_s=10)
        assert (end.value.is_fate_unknown, len(server.requests)) == (True, 1)


async def test_refused_stream(make_client: MakeClient) -> None:
    """REFUSED_STREAM says that nothing happened: the request is sent again, and once."""

    def answer(session: Session, request: Request) -> None:
        if server.paths.count(request.path) == 1:
            session.reset(request, REFUSED_STREAM)
        else:
            session.respond(request)

    async with Http2Server(answer) as server:
        client = make_client(server.url)
        responses = await asyncio.gather(
            *(client.request("POST", f"/{number}", [], b"{}", deadline_s=10) for number in range(50))
        )
        assert [response.status for response in responses] == [200] * 50
        assert set(collections.Counter(server.paths).values()) == {2}


async def test_server_that_refuses_more_than_it_announces(make_client: MakeClient) -> None:
    """A server that serves fewer streams than its settings say is met at its own pace."""
    busy: set[int] = set()

    def finish(session: Session, request: Request) -> None:
        busy.discard(request.stream_id)
        session.respond(request)

    def answer(session: Session, request: Request) -> None:
        if len(busy) >= 5:
            session.reset(request, REFUSED_STREAM)
        else:
            busy.add(request.stream_id)
            asyncio.get_running_loop().call_later(0.002, finish, session, request)

    async with Http2Server(answer) as server:
        client = make_client(server.url, limits=Limits(connections=1))
        responses = await asyncio.gather(
            *(client.request("POST", f"/{number}", [], b"{}", deadline_s=20) for number in range(200))
        )
        assert [response.status for response in responses] == [200] * 200


async def test_server_that_refuses_everything(make_client: MakeClient) -> None:
    """A request that is refused again and again fails as not processed, and does not go on for ever."""

    def answer(session: Session, request: Request) -> None:
        session.reset(request, REFUSED_STREAM)

    async with Http2Server(answer) as server:
        with pytest.raises(Unreachable, match="refused the stream 4 times") as end:
            await make_client(server.url, limits=Limits(refusals=3)).request("POST", "/", [], b"{}", deadline_s=10)
        assert (end.value.is_fate_unknown, len(server.requests)) == (False, 4)


async def test_stream_reset(make_client: MakeClient) -> None:
    """A reset for any other reason leaves the fate unknown, and is never sent again by itself."""

    def answer(session: Session, request: Request) -> None:
        session.reset(request, INTERNAL_ERROR)

    async with Http2Server(answer) as server:
        with pytest.raises(Unreachable, match=r"reset the stream.*INTERNAL_ERROR") as end:
            await make_client(server.url).request("POST", "/", [], b"{}", deadline_s=10)
        assert (end.value.is_fate_unknown, len(server.requests)) == (True, 1)


async def test_connection_lost_under_way(make_client: MakeClient) -> None:
    """What was sent over a connection that breaks has an unknown fate; the next request has a new connection."""

    def answer(session: Session, request: Request) -> None:
        if session is server.sessions[0]:
            session.transport.abort()
        else:
            session.respond(request)

    async with Http2Server(answer) as server:
        client = make_client(server.url)
        ends = await settled(*(client.request("POST", "/", [], b"{}", deadline_s=10) for _ in range(3)))
        assert [(type(end), getattr(end, "is_fate_unknown", None)) for end in ends] == [(Unreachable, True)] * 3
        assert (await client.request("POST", "/", [], b"{}", deadline_s=10)).status == 200
        assert len(server.requests) <= 4


async def test_no_answer(make_client: MakeClient) -> None:
    """After the deadline the fate is unknown, and the stream is ended."""
    async with Http2Server(never) as server:
        client = make_client(server.url)
        with pytest.raises(Unreachable, match="no answer in time") as end:
            await client.request("POST", "/", [], b"{}", deadline_s=0.1)
        assert end.value.is_fate_unknown
        await server.until(lambda: server.sessions[0].resets == [8])


async def test_half_open_connection_with_a_request(make_client: MakeClient) -> None:
    """A peer that has silently gone is noticed by an unanswered PING, long before the request's deadline."""

    def answer(session: Session, request: Request) -> None:
        session.is_deaf = True

    async with Http2Server(answer) as server:
        client = make_client(server.url, limits=Limits(quiet_s=0.1, ping_s=0.2))
        with pytest.raises(Unreachable, match="has not answered a ping") as end:
            await client.request("POST", "/", [], b"{}", deadline_s=60)
        assert (end.value.is_fate_unknown, client.connections) == (True, 0)


async def test_half_open_idle_connection(make_client: MakeClient) -> None:
    """An idle connection is asked for signs of life, and given up without one."""
    async with Http2Server() as server:
        client = make_client(server.url, limits=Limits(idle_s=0.1, ping_s=0.2))
        await client.request("POST", "/", [], b"{}", deadline_s=10)
        server.sessions[0].is_deaf = True
        await eventually(lambda: client.connections == 0)


async def test_idle_connection_that_lives(make_client: MakeClient) -> None:
    """A peer that answers its PINGs keeps its connection."""
    async with Http2Server() as server:
        client = make_client(server.url, limits=Limits(idle_s=0.02, ping_s=5))
        await client.request("POST", "/", [], b"{}", deadline_s=10)
        await server.until(lambda: server.sessions[0].pings >= 5)
        assert client.connections == 1


async def test_answer_without_end(make_client: MakeClient) -> None:
    """An answer beyond the bound is cut off, and the connection serves on."""

    def answer(session: Session, request: Request) -> None:
        session.respond(request, 200, b"x" * 30_000 if request.path == "/long" else b"short")

    async with Http2Server(answer) as server:
        client = make_client(server.url, limits=Limits(answer_bytes=1000))
        with pytest.raises(Unreachable, match="longer than 1000 bytes") as end:
            await client.request("POST", "/long", [], b"{}", deadline_s=10)
        assert end.value.is_fate_unknown
        response = await client.request("POST", "/short", [], b"{}", deadline_s=10)
        assert (response, len(server.sessions)) == (Response(200, {}, b"short"), 1)


async def test_garbage_in_the_middle(make_client: MakeClient) -> None:
    """Frames that make no sense end the connection, and the requests on it with an unknown fate."""

    def answer(session: Session, request: Request) -> None:
        session.raw(b"\0\0\5\4\0\0\0\0\0abcde")  # SETTINGS whose length is no multiple of six

    async with Http2Server(answer) as server:
        client = make_client(server.url)
        with pytest.raises(Unreachable, match="breaks the HTTP/2 protocol") as end:
            await client.request("POST", "/", [], b"{}", deadline_s=10)
        assert (end.value.is_fate_unknown, client.connections) == (True, 0)


async def test_server_of_another_protocol(make_client: MakeClient) -> None:
    """A server that answers with HTTP/1.1 is named as such; nothing was processed."""
    async with Http2Server(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        with pytest.raises(Unreachable, match="breaks the HTTP/2 protocol: SETTINGS expected") as end:
            await make_client(server.url).request("POST", "/", [], b"{}", deadline_s=10)
        assert not end.value.is_fate_unknown


async def test_server_without_a_word(make_client: MakeClient) -> None:
    """A server that takes connections and says nothing costs the time to connect, no more."""
    async with Http2Server(greeting=b"") as server:
        with pytest.raises(Unreachable, match=r"no HTTP/2 connection within 0\.1 s") as end:
            await make_client(server.url, limits=Limits(connect_s=0.1)).request("POST", "/", [], b"", deadline_s=10)
        assert not end.value.is_fate_unknown


async def test_deadline_while_connecting(make_client: MakeClient) -> None:
    """The deadline counts from the beginning, and what was not sent is known not to be processed."""
    async with Http2Server(greeting=b"") as server:
        with pytest.raises(Unreachable, match="not sent in time") as end:
            await make_client(server.url).request("POST", "/", [], b"", deadline_s=0.1)
        assert not end.value.is_fate_unknown


async def test_nobody_listens(make_client: MakeClient) -> None:
    """A refused connection is told in words."""
    port = free_port()
    with pytest.raises(Unreachable, match=f"^127.0.0.1:{port}: connection refused$") as end:
        await make_client(f"http://127.0.0.1:{port}").request("POST", "/", [], b"", deadline_s=10)
    assert not end.value.is_fate_unknown


async def test_name_that_does_not_exist(make_client: MakeClient) -> None:
    """An unknown host is told in words."""
    with pytest.raises(Unreachable, match=r"^push.invalid:443: the name cannot be resolved"):
        await make_client("https://push.invalid").request("POST", "/", [], b"", deadline_s=10)


async def test_connects_are_few_while_they_fail(make_client: MakeClient) -> None:
    """A hundred requests to a server that drops every connection cost a few connects; the rest fails at once."""
    async with Http2Server(greeting=b"\0" * 50) as server:
        client = make_client(server.url)
        reasons = [str((await settled(client.request("POST", "/", [], b"", deadline_s=10)))[0]) for _ in range(100)]
        assert len(server.sessions) <= 3
        assert "the next attempt is in" in reasons[-1]


async def test_server_that_comes_back(make_client: MakeClient) -> None:
    """After an outage the client finds back by itself."""
    limits = Limits(first_delay_s=0.01, longest_delay_s=0.05)
    async with Http2Server(greeting=b"\0" * 50) as server:
        client = make_client(server.url, limits=limits)
        await settled(*(client.request("POST", "/", [], b"", deadline_s=10) for _ in range(10)))
        server.greeting = None

        async def answered() -> bool:
            return isinstance((await settled(client.request("POST", "/", [], b"", deadline_s=10)))[0], Response)

        async with asyncio.timeout(10):
            while not await answered():
                await asyncio.sleep(0.01)


async def test_server_that_answers_and_then_lowers_its_limit(make_client: MakeClient) -> None:
    """A lower limit while more streams are open lets those finish and starts no others."""
    held: list[tuple[Session, Request]] = []

    def answer(session: Session, request: Request) -> None:
        held.append((session, request))

    async with Http2Server(answer) as server:
        client = make_client(server.url, limits=Limits(connections=1))
        early = [asyncio.create_task(client.request("POST", "/early", [], b"", deadline_s=10)) for _ in range(5)]
        await server.until(lambda: len(held) == 5)
        session = server.sessions[0]
        session.settings({MAX_CONCURRENT_STREAMS: 2})
        await session.round_trip()
        late = [asyncio.create_task(client.request("POST", "/late", [], b"", deadline_s=10)) for _ in range(5)]
        for _, request in held[:3]:
            session.respond(request)
        await session.round_trip()
        assert server.paths == ["/early"] * 5
        server.answer = Session.respond
        for _, request in held[3:]:
            session.respond(request)
        await asyncio.gather(*early, *late)
        assert server.paths == ["/early"] * 5 + ["/late"] * 5
