"""The clients that App Suite's user interface has: socket.io-client 2 (Engine.IO 3) and 4 (Engine.IO 4)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oxpushctl.model import NEW_MAIL
from oxpushctl.web.heartbeat import Pace
from oxpushctl.web.sessions import Session
from tests.engine.parts import ANTON
from tests.peers import node
from tests.waiting import until
from tests.web.socket_io import listening
from tests.web.socketing import MAIL, PAYLOAD, Serving, serving, token

_VERSIONS = pytest.mark.parametrize("version", [2, 4])


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    node.install()


def _url(web: Serving, session: Session | None = None) -> str:
    """Return what the user interface gives its client: the library adds the path and the rest of the query."""
    return f"http://{web.address}/?session={(session or web.log_in()).id}&connection=17000000000003141592653"


@_VERSIONS
async def test_hears(tmp_path: Path, version: int) -> None:
    """It connects, hears events with their data, has its own acknowledged, and leaves."""
    async with serving(tmp_path) as web, listening(version, _url(web)) as client:
        assert await client.hears() == ["connect", None]
        await until(lambda: web.sockets.matching([ANTON], NEW_MAIL))
        assert await web.sockets.send(token(), PAYLOAD) == 1
        assert await client.hears() == [NEW_MAIL, MAIL]
        await client.emit("hello", {"a": 1})
        assert await client.hears() == ["acknowledged"]

        assert await client.rest() == [["disconnect", "io client disconnect"]]
        await until(lambda: not len(web.sockets))


@_VERSIONS
async def test_session_ends(tmp_path: Path, version: int) -> None:
    """At the end of its session it hears the event for that, and leaves without an error or another attempt."""
    async with serving(tmp_path) as web:
        session = web.log_in()
        async with listening(version, _url(web, session)) as client:
            assert await client.hears() == ["connect", None]
            web.sessions.close(session.id)

            assert await client.hears() == ["session:invalid"]
            assert await client.hears() == ["disconnect", "io server disconnect"]
            await until(lambda: not len(web.sockets))
            await asyncio.sleep(0.2)  # ten times its delay before another attempt
            assert await client.rest() == []
            assert web.sockets.counts == {"opened": 1}


@_VERSIONS
async def test_no_session(tmp_path: Path, version: int) -> None:
    """Without a session it is told that it cannot connect, and gives up after its attempts."""
    async with (
        serving(tmp_path) as web,
        listening(version, f"http://{web.address}/?session=none", attempts=2) as client,
    ):
        heard: list[list[object]] = []
        while not heard or heard[-1] != ["reconnect_failed"]:
            heard.append(await client.hears())

        assert [words for words in heard if words[0] == "connect_error"] == [["connect_error", "websocket error"]] * 3
        assert web.sockets.counts == {"no_session": 3}


@_VERSIONS
async def test_comes_back(tmp_path: Path, version: int) -> None:
    """A client whose connection breaks comes back under the same name, and hears what is sent then."""
    async with serving(tmp_path) as web, listening(version, _url(web), attempts=100) as client:
        assert await client.hears() == ["connect", None]
        web.clock.time += 45  # it has said nothing for all that time
        assert (await client.hears())[0] == "disconnect"

        assert await client.hears() == ["connect", None]
        await until(lambda: web.sockets.matching([ANTON], NEW_MAIL))
        assert await web.sockets.send(token(), PAYLOAD) == 1
        assert await client.hears() == [NEW_MAIL, MAIL]


@_VERSIONS
async def test_heartbeat(tmp_path: Path, version: int) -> None:
    """It answers pings, or is answered, so that neither end takes the other for dead."""
    async with serving(tmp_path, pace=Pace(ping_s=1.0, look_s=0.02)) as web, listening(version, _url(web)) as client:
        assert await client.hears() == ["connect", None]
        for _ in range(5):  # two and a half times as long as it may be silent
            web.clock.time += 22.5
            await (client.emit("here") if version == 2 else asyncio.sleep(0.1))
            if version == 2:
                assert await client.hears() == ["acknowledged"]
        assert await web.sockets.send(token(), PAYLOAD) == 1

        assert await client.hears() == [NEW_MAIL, MAIL]
