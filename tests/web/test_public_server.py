"""What strangers may do to an address that is for everybody: wait, but not for ever, and not all at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

from oxpushctl.config.settings import Settings
from oxpushctl.web.answer import json_answer
from oxpushctl.web.auth import Credentials
from oxpushctl.web.server import Server
from oxpushctl.web.strangers import Patience, Strangers
from oxpushctl.web.tls import server_context
from tests.engine.parts import HandClock
from tests.peers.certificates import Authority
from tests.waiting import until
from tests.web.parts import Wire, basic, request

_SHORT, _LONG = 0.05, 3600.0
_GET = b"GET /app HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class _App:
    """A handler that counts, and waits while ``gate`` is closed; ``size`` is that of its answers."""

    size: int = 2
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, _: web.BaseRequest) -> web.Response:
        self.asked += 1
        await self.gate.wait()
        return json_answer(b"x" * self.size)


def _strangers(patience: Patience, most: int = 100) -> Strangers:
    return Strangers(patience, HandClock().monotonic, most)


@asynccontextmanager
async def _served(
    patience: Patience,
    app: _App | None = None,
    most: int = 100,
    tls: ssl.SSLContext | None = None,
    strangers: Strangers | None = None,
) -> AsyncIterator[str]:
    """Serve /app for everybody, and /intake at the same address for those who have the password."""
    app, clock = app or _App(), HandClock()
    strangers = _strangers(patience, most) if strangers is None else strangers
    server = Server([], {}, is_ready=lambda: True, clock=clock, tls=tls, strangers=strangers)
    server.add(["127.0.0.1:0"], {"/app": {"GET": app}}, is_public=True)
    server.add(["127.0.0.1:0"], {"/intake": {"PUT": _App()}}, credentials=Credentials.of("pushuser", "pushpw"))
    [address] = await server.start()
    try:
        yield address
    finally:
        app.gate.set()
        await server.aclose()


async def test_says_nothing() -> None:
    """A connection on which nothing comes is closed."""
    async with _served(Patience(head_s=_SHORT, idle_s=_LONG)) as address, Wire.to(address) as wire:
        assert await wire.end() == b""


async def test_head_comes_in_drops() -> None:
    """A head of which a little comes again and again is not waited for: each byte buys no time."""
    async with _served(Patience(head_s=_SHORT, idle_s=_LONG)) as address, Wire.to(address) as wire:
        wire.send(b"GET /app HTTP/1.1\r\n")
        ended = asyncio.ensure_future(wire.end())
        while not ended.done():
            wire.send(b"X-A: b\r\n")
            await asyncio.sleep(0.001)

    assert ended.result() == b""


async def test_second_head_never_complete() -> None:
    """The head of a further request is waited for no longer than the first."""
    async with _served(Patience(head_s=0.5, idle_s=_LONG)) as address, Wire.to(address) as wire:
        answer = await wire.ask(_GET)
        wire.send(_GET[:10])
        end = await wire.end()

    assert answer is not None
    assert (answer.status, end) == (200, b"")


async def test_idle() -> None:
    """A connection that was used and is no longer is closed."""
    async with _served(Patience(head_s=_LONG, idle_s=_SHORT)) as address, Wire.to(address) as wire:
        answer = await wire.ask(_GET)
        end = await wire.end()

    assert answer is not None
    assert (answer.status, end) == (200, b"")


async def test_answer_takes_its_time() -> None:
    """Nobody is closed while it is we who are waited for."""
    app = _App()
    app.gate.clear()
    async with _served(Patience(head_s=_SHORT, idle_s=_SHORT), app) as address, Wire.to(address) as wire:
        asked = asyncio.ensure_future(wire.ask(_GET))
        await until(lambda: app.asked)
        async with Wire.to(address) as another:
            await another.end()  # which came later, and whose time is over
        app.gate.set()
        answer = await asked

    assert answer is not None
    assert answer.status == 200


async def test_answers_are_not_read() -> None:
    """Who asks and asks, and reads nothing, is cut off."""
    patience = Patience(head_s=_LONG, idle_s=_LONG, reading_s=_SHORT)
    app, strangers = _App(size=1024 * 1024), _strangers(patience)
    async with _served(patience, app, strangers=strangers) as address, Wire.to(address) as greedy:
        greedy.send(_GET * 30)
        await until(lambda: app.asked)
        await until(lambda: not len(strangers))
        received = await greedy.end()

    assert app.asked < 30
    assert len(received) < app.asked * app.size


async def test_too_many() -> None:
    """Where there are too many, who waits longest has to go, and not who is being served."""
    app = _App()
    app.gate.clear()
    async with (
        _served(Patience(_LONG, _LONG), app, most=3) as address,
        AsyncExitStack() as wires,
    ):
        busy = await wires.enter_async_context(Wire.to(address))
        asked = asyncio.ensure_future(busy.ask(_GET))
        await until(lambda: app.asked)
        silent, active, new = [await wires.enter_async_context(Wire.to(address)) for _ in range(3)]
        end = await silent.end()
        app.gate.set()
        answers = [await asked, await active.ask(_GET), await new.ask(_GET)]

    assert end == b""
    assert [answer.status for answer in answers if answer is not None] == [200, 200, 200]


async def test_all_are_busy() -> None:
    """Where all are being served a further one is turned away, until one of them has gone."""
    app = _App()
    app.gate.clear()
    async with _served(Patience(_LONG, _LONG), app, most=1) as address:
        async with Wire.to(address) as busy:
            asked = asyncio.ensure_future(busy.ask(_GET))
            await until(lambda: app.asked)
            async with Wire.to(address) as refused:
                assert await refused.ask(_GET) is None
            app.gate.set()
            first = await asked
        async with Wire.to(address) as wire:
            second = await wire.ask(_GET)

    assert first is not None
    assert second is not None
    assert (first.status, second.status, app.asked) == (200, 200, 2)


async def test_mail_server_at_the_same_address() -> None:
    """A mail server that has shown its password keeps its connection; who failed to is a stranger as before."""
    async with _served(Patience(head_s=0.5, idle_s=_SHORT), most=2) as address, Wire.to(address) as mail_server:
        put = request(b"{}", path="/intake", authorization=basic("pushuser", "pushpw"))
        first = await mail_server.ask(put)
        async with Wire.to(address) as intruder:
            refusal = await intruder.ask(request(b"{}", path="/intake", authorization=basic("pushuser", "wrong")))
            end = await intruder.end()
        mail_server.send(put[:20])
        async with Wire.to(address) as stranger:
            await stranger.end()  # which came later, and whose time is over
        second = await mail_server.ask(put[20:])

    assert first is not None
    assert refusal is not None
    assert second is not None
    assert (first.status, refusal.status, end, second.status) == (200, 401, b"", 200)


async def test_handshake_never_ends(tmp_path: Path) -> None:
    """Who never finishes the TLS handshake is not waited for either."""
    certificate, key = Authority(tmp_path).server()
    keys = {"oxpushctl.tls.certificate": certificate.name, "oxpushctl.tls.key": key.name}
    tls = server_context(Settings(keys), tmp_path)
    async with _served(Patience(head_s=_SHORT), tls=tls) as address, Wire.to(address) as wire:
        assert await wire.end() == b""


@pytest.mark.parametrize(
    "situation",
    [
        test_says_nothing,
        test_second_head_never_complete,
        test_idle,
        test_answer_takes_its_time,
        test_answers_are_not_read,
        test_too_many,
        test_all_are_busy,
        test_mail_server_at_the_same_address,
    ],
)
def test_on_uvloop(situation: Callable[[], Coroutine[None, None, None]]) -> None:
    """All that holds on the other kind of event loop, whose connections are not asyncio's."""
    uvloop.run(situation())
