"""Web sockets that are open: they are greeted, hear events, are answered, and closed in order."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from aiohttp import WSMsgType

from oxpushctl.model import NEW_MAIL
from oxpushctl.web import sockets
from oxpushctl.web.heartbeat import Pace
from oxpushctl.web.strangers import Patience
from tests.engine.parts import ANTON, BERTA
from tests.waiting import until
from tests.web.socketing import BRISK, MAIL, PAYLOAD, UI, serving, token

_BOTH = pytest.mark.parametrize("revision", ["3", "4"])


async def test_greeting_of_revision_3(tmp_path: Path) -> None:
    """A client of Engine.IO 3, which is one that does not say, has joined without a word of its own."""
    async with serving(tmp_path) as web, web.http.ws_connect(web.url(web.log_in(), EIO=None)) as opened:
        texts = [await opened.receive_str(timeout=20) for _ in range(2)]

        assert json.loads(texts[0][1:])["pingInterval"] == 25000
        assert texts[1] == "40"
        assert web.sockets.matching([ANTON], NEW_MAIL)


async def test_greeting_of_revision_4(tmp_path: Path) -> None:
    """A client of Engine.IO 4 is subscribed when it has joined, and not before."""
    async with serving(tmp_path) as web, web.http.ws_connect(web.url(web.log_in())) as opened:
        assert (await opened.receive_str(timeout=20)).startswith("0{")
        before = web.sockets.matching([ANTON], NEW_MAIL)
        await opened.send_str("40")

        assert (await opened.receive_str(timeout=20)).startswith('40{"sid":')
        assert not before
        assert web.sockets.matching([ANTON], NEW_MAIL)


async def test_joins_twice(tmp_path: Path) -> None:
    """Joining again changes nothing: events come once."""
    async with serving(tmp_path) as web, web.opened() as client:
        await client.say("40")
        await client.say("2")
        assert await client.text() == "3"

        assert await web.sockets.send(token(), PAYLOAD) == 1


@_BOTH
async def test_event(tmp_path: Path, revision: str) -> None:
    """A message to a client of a user arrives as an event at each of its sockets, and nowhere else."""
    async with serving(tmp_path) as web:
        session = web.log_in()
        async with (
            web.opened(session, EIO=revision) as first,
            web.opened(EIO=revision) as second,
            web.opened(web.log_in(BERTA)) as of_another,
            web.opened(web.log_in(client="other")) as of_another_client,
        ):
            count = await web.sockets.send(token(), PAYLOAD)

            texts = [await client.text() for client in (first, second)]
            assert [json.loads(text.removeprefix("42")) for text in texts] == [[NEW_MAIL, MAIL]] * 2
            assert count == 2
            for client in (of_another, of_another_client):
                await client.say("2")
                assert await client.text() == "3"


@_BOTH
@pytest.mark.parametrize("size", [0, 100, 125, 200, 60_000, 65_400])
async def test_sizes(tmp_path: Path, revision: str, size: int) -> None:
    """An event of any size that the transport allows arrives whole: the frame's length has three forms."""
    payload = json.dumps({"name": NEW_MAIL, "args": [{"subject": "x" * size}], "namespace": "/"}).encode()
    async with serving(tmp_path) as web, web.opened(EIO=revision) as client:
        await web.sockets.send(token(), payload)

        assert json.loads((await client.text())[2:])[1]["subject"] == "x" * size


async def test_nobody_there(tmp_path: Path) -> None:
    """A message to nobody goes nowhere, and says so."""
    async with serving(tmp_path) as web:
        assert await web.sockets.send(token(), PAYLOAD) == 0


@_BOTH
async def test_events_of_the_client(tmp_path: Path, revision: str) -> None:
    """What a client emits is taken and, where it wants to know, acknowledged; other namespaces are refused."""
    async with serving(tmp_path) as web, web.opened(EIO=revision) as client:
        for text in ('42["hello"]', '427["hello",{"a":1}]', "40/other,", "2"):
            await client.say(text)

        answers = [await client.text() for _ in range(3)]
        assert [answer[:10] for answer in answers] == ["437[]", "44/other,{" if revision == "4" else '44/other,"', "3"]


@_BOTH
@pytest.mark.parametrize("text", ["1", "41"])
async def test_client_leaves(tmp_path: Path, revision: str, text: str) -> None:
    """A client that says good-bye is closed, and subscribed no more."""
    async with serving(tmp_path) as web, web.opened(EIO=revision) as client:
        await client.say(text)

        assert await client.end() == 1000
        await until(lambda: not len(web.sockets))
        assert not web.sockets.matching([ANTON], NEW_MAIL)


async def test_client_closes(tmp_path: Path) -> None:
    """A client that just closes, or vanishes, is subscribed no more."""
    async with serving(tmp_path) as web:
        async with web.opened(), web.opened() as vanishing:
            assert len(web.sockets) == 2
            vanishing.socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            await until(lambda: len(web.sockets) == 1)
        await until(lambda: not len(web.sockets))

        assert not web.sockets.matching([ANTON], NEW_MAIL)


@_BOTH
@pytest.mark.parametrize(("text", "code"), [("hello", 1002), ("451-[]", 1002), ("42" + "x" * 65536, 1009)])
async def test_not_the_protocol(tmp_path: Path, revision: str, text: str, code: int) -> None:
    """A text that is none of the protocol, or too large, ends the socket."""
    async with serving(tmp_path) as web, web.opened(EIO=revision) as client:
        await client.say(text)

        assert await client.end() == code
        await until(lambda: not len(web.sockets))


async def test_binary(tmp_path: Path) -> None:
    """Nobody here understands binary frames."""
    async with serving(tmp_path) as web, web.opened() as client:
        await client.socket.send_bytes(b"\x04")

        assert await client.end() == 1003


async def test_ping_of_the_web_socket(tmp_path: Path) -> None:
    """Proxies that ping below Engine.IO are answered there; nothing is compressed."""
    async with serving(tmp_path) as web, web.http.ws_connect(web.url(web.log_in()), compress=15) as opened:
        assert not opened.compress

    async with serving(tmp_path) as web, web.opened() as client:
        await client.socket.ping(b"there?")
        message = await client.socket.receive(timeout=20)

        assert (message.type, message.data) == (WSMsgType.PONG, b"there?")


async def test_both_paths(tmp_path: Path) -> None:
    """The path is served with and without the slash that clients append."""
    async with serving(tmp_path) as web:
        for path in sockets.PATHS:
            async with web.http.ws_connect(web.url(web.log_in(), path=path)) as opened:
                assert (await opened.receive_str(timeout=20)).startswith("0{")


async def test_no_stranger(tmp_path: Path) -> None:
    """An open web socket outlives the deadlines for strangers, and takes no place among them."""
    async with serving(tmp_path, patience=Patience(0.05, 0.05, 3600.0)) as web, web.opened() as client:
        await asyncio.sleep(0.2)  # more than each of these deadlines

        assert await web.sockets.send(token(), PAYLOAD) == 1
        assert (await client.text()).startswith("42")
        assert len(web.strangers) == 0


async def test_server_stops(tmp_path: Path) -> None:
    """A server that stops closes web sockets first, with the code for that and no word of the session."""
    async with serving(tmp_path, pace=Pace(look_s=3600.0)) as web, web.opened() as client:
        stopping = asyncio.create_task(web.server.stop_accepting())

        assert await client.end() == 1001
        await stopping
        assert len(web.sockets) == 0
        assert web.sockets.counts["opened"] == 1


async def test_users(tmp_path: Path) -> None:
    """Users with a socket of an allowed client are told when they come and when they go, once."""
    told: list[tuple[str, bool]] = []
    async with serving(tmp_path, pace=BRISK, allowed_clients=("Open-Xchange-App*",)) as web:
        web.sockets.devices.changed = lambda user: told.append((str(user), user in web.sockets.users()))
        async with web.opened(), web.opened(), web.opened(web.log_in(BERTA, client="other")):
            assert list(web.sockets.users()) == [ANTON]
            assert told == [(str(ANTON), True)]
            assert [found.client for found in web.sockets.matching([BERTA], NEW_MAIL)[BERTA]] == ["other"]
        await until(lambda: not len(web.sockets))

    assert told == [(str(ANTON), True), (str(ANTON), False)]


async def test_subscriptions(tmp_path: Path) -> None:
    """A user has one subscription for each client with an open socket, to mail and calendar, under a lasting id."""
    async with serving(tmp_path) as web:
        async with web.opened(), web.opened():
            found = web.sockets.matching([ANTON, BERTA], NEW_MAIL)
            [wish] = found[ANTON]
            calendar = web.sockets.matching([ANTON], "ox:calendar:updates")
            other = web.sockets.matching([ANTON], "ox:drive:updates")
            standing = web.sockets.standing([wish.id, b"x" * 16])
        await until(lambda: not len(web.sockets))
        async with web.opened():
            [again] = web.sockets.matching([ANTON], NEW_MAIL)[ANTON]

    assert (wish.client, wish.transport, wish.token) == (UI, "websocket", token())
    assert (found, calendar, other) == ({ANTON: [wish]}, {ANTON: [wish]}, {})
    assert standing == {wish.id}
    assert (len(wish.id), again.id) == (16, wish.id)
    assert web.sockets.standing([wish.id]) == frozenset()
