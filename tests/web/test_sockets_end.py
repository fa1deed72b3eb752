"""How web sockets end with their session, and with a peer that is gone or does not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from oxpushctl.model import NEW_MAIL
from oxpushctl.web.open_socket import MOST_QUEUED
from oxpushctl.web.sessions import Session, Sessions
from tests.engine.parts import ANTON, BERTA
from tests.waiting import until
from tests.web.socketing import IDLE_S, MAX_AGE_S, PAYLOAD, Serving, serving, token

_ENDED = ['42["session:invalid"]', "41"]


def _log_out(sessions: Sessions, session: Session) -> None:
    sessions.close(session.id)


def _remove_user(sessions: Sessions, session: Session) -> None:
    sessions.close_user(session.user)


@pytest.mark.parametrize("revision", ["3", "4"])
@pytest.mark.parametrize("end", [_log_out, _remove_user])
async def test_session_ends(tmp_path: Path, revision: str, end: Callable[[Sessions, Session], None]) -> None:
    """Each web socket of a session that ends is told so and closed, and gets nothing any more; others stay."""
    async with serving(tmp_path) as web:
        session = web.log_in()
        async with (
            web.opened(session, EIO=revision) as first,
            web.opened(session, EIO=revision) as second,
            web.opened(web.log_in(BERTA)) as other,
        ):
            end(web.sessions, session)
            count = await web.sockets.send(token(), PAYLOAD)

            assert [[await client.text() for _ in _ENDED] for client in (first, second)] == [_ENDED] * 2
            assert [await first.end(), await second.end()] == [1000] * 2
            assert count == 0
            assert not web.sockets.matching([ANTON], NEW_MAIL)
            await other.say("2")
            assert await other.text() == "3"


async def test_session_ends_before_it_is_open(tmp_path: Path) -> None:
    """A session that ends while the handshake is under way takes its web socket along."""
    async with serving(tmp_path) as web:
        session = web.log_in()
        async with web.http.ws_connect(web.url(session)) as socket:
            web.sessions.close(session.id)

            texts = [await socket.receive_str(timeout=20) for _ in range(3)]
            assert texts[1:] == _ENDED


async def test_too_old(tmp_path: Path) -> None:
    """A session that has grown too old ends with its web socket open, without a request that would notice."""
    async with serving(tmp_path) as web, web.opened() as client:
        web.clock.time += MAX_AGE_S

        assert [await client.text() for _ in _ENDED] == _ENDED
        assert await client.end() == 1000


async def test_does_not_idle(tmp_path: Path) -> None:
    """An open web socket is a use of its session; from when it is closed the session idles."""
    async with serving(tmp_path) as web:
        session = web.log_in()
        async with web.opened(session) as client:
            for _ in range(300):  # three times as long as it may idle
                web.clock.time += IDLE_S / 100
                await client.say("3")
                await client.say("2")
                while await client.text() != "3":
                    continue
        await until(lambda: not len(web.sockets))
        left = web.sessions.find(session.id)
        web.clock.time += IDLE_S

        assert left is session
        assert web.sessions.find(session.id) is None


@pytest.mark.parametrize("revision", ["3", "4"])
async def test_dead_peer(tmp_path: Path, revision: str) -> None:
    """Who says nothing for longer than a ping and its time-out is dropped; who does stays."""
    async with serving(tmp_path) as web, web.opened(EIO=revision) as silent, web.opened(EIO=revision) as alive:
        web.clock.time += 30
        await alive.say("2")
        answers = [await alive.text() for _ in range(2 if revision == "4" else 1)]
        web.clock.time += 15

        await until(lambda: len(web.sockets) == 1)
        assert sorted(answers) == (["2", "3"] if revision == "4" else ["3"])
        while (message := await silent.socket.receive(timeout=20)).data is not None:
            assert message.data == "2"
        assert silent.socket.close_code == 1006
        assert await web.sockets.send(token(), PAYLOAD) == 1


async def test_pings_of_revision_4(tmp_path: Path) -> None:
    """A client of Engine.IO 4 is asked every 25 s, one of revision 3 never."""
    async with serving(tmp_path) as web, web.opened() as asked, web.opened(EIO="3") as not_asked:
        for _ in range(3):
            web.clock.time += 25
            assert await asked.text() == "2"
            await asked.say("3")
            await not_asked.say("2")
            assert await not_asked.text() == "3"
        await until(lambda: len(web.sockets) == 2)


async def test_does_not_join(tmp_path: Path) -> None:
    """A client of Engine.IO 4 that does not join within its time is dropped, however alive it is."""
    async with serving(tmp_path) as web, web.http.ws_connect(web.url(web.log_in())) as socket:
        await socket.receive_str(timeout=20)
        for _ in range(2):
            web.clock.time += 22.5
            await socket.send_str("3")

        await until(lambda: not len(web.sockets))


async def _stop_reading(web: Serving) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a web socket whose reader takes nothing."""
    host, _, port = web.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
    path = web.url(web.log_in(), EIO="3").partition(web.address)[2]
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    await until(lambda: web.sockets.matching([ANTON], NEW_MAIL))
    return reader, writer


async def _slow_reader(folder: Path) -> tuple[int, int]:
    """Send to one who does not read until it is dropped; return how much that was, and how much more than it read."""
    payload = json.dumps({"name": NEW_MAIL, "args": ["x" * 32 * 1024], "namespace": "/"}).encode()
    async with serving(folder) as web:
        _, writer = await _stop_reading(web)
        count = 0
        while await web.sockets.send(token(), payload):
            count += 1
            assert count < 10_000
            await asyncio.sleep(0)
        await until(lambda: not len(web.sockets))
        async with web.opened() as reading:  # who reads is served while that one is not
            for _ in range(20):
                assert await web.sockets.send(token(), payload) == 1
            texts = [await reading.text() for _ in range(20)]
        writer.transport.abort()
        return count, len(texts)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_slow_reader(tmp_path: Path, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Who does not read is dropped when more waits than there is room for; twenty events at once are no reason."""
    with asyncio.Runner(loop_factory=factory) as runner:
        count, read = runner.run(_slow_reader(tmp_path))

    assert count * 32 * 1024 > MOST_QUEUED
    assert read == 20


async def test_reader_that_takes_too_long(tmp_path: Path) -> None:
    """Who leaves something lying for ten seconds is dropped, though it is little and it says that it is there."""
    payload = json.dumps({"name": NEW_MAIL, "args": ["x" * 1024], "namespace": "/"}).encode()
    async with serving(tmp_path) as web:
        _, writer = await _stop_reading(web)
        [sockets] = web.sockets._open.values()  # what waits for it is seen nowhere else
        [socket] = sockets.values()
        assert socket is not None
        while not socket.queued:
            await web.sockets.send(token(), payload)
        web.clock.time += 9
        await asyncio.sleep(0.1)  # some looks
        assert len(web.sockets) == 1
        web.clock.time += 1

        await until(lambda: not len(web.sockets))
        writer.transport.abort()


async def test_leaves_without_reading(tmp_path: Path) -> None:
    """Nothing stays open of who says good-bye and does not read what was sent to it before."""
    payload = json.dumps({"name": NEW_MAIL, "args": ["x" * 1024], "namespace": "/"}).encode()
    async with serving(tmp_path) as web:
        _, writer = await _stop_reading(web)
        [sockets] = web.sockets._open.values()  # what waits for it is seen nowhere else
        [socket] = sockets.values()
        assert socket is not None
        while not socket.queued:
            await web.sockets.send(token(), payload)
        before = _open_sockets()
        writer.write(b"\x88\x80\0\0\0\0")

        await until(lambda: _open_sockets() < before)
        writer.transport.abort()


def _open_sockets() -> int:
    """Count those that this process has open, at either end."""
    count = 0
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own
            count += str(each.readlink()).startswith("socket:")
    return count


async def test_asks_without_reading(tmp_path: Path) -> None:
    """Who asks on and on and reads no answer is dropped when more waits than there is room for."""
    question = f"40/{'x' * 100},".encode()
    frame = bytes((0x81, 0x80 | len(question))) + bytes(4) + question
    async with serving(tmp_path) as web:
        _, writer = await _stop_reading(web)
        asked = 0
        with contextlib.suppress(ConnectionError):
            while len(web.sockets):
                writer.write(frame * 1000)
                asked += len(frame) * 1000
                assert asked < 64 << 20  # the system has room for some of it, too
                await writer.drain()
        await until(lambda: not len(web.sockets))
        writer.transport.abort()
