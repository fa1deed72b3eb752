"""The server around the endpoint: health, sockets, HTTPS, many connections, and an orderly end."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from oxpushctl.config import render
from oxpushctl.config.reading import read
from oxpushctl.config.settings import Settings
from oxpushctl.errors import ConfigurationError, NotReachable
from oxpushctl.web.answer import json_answer
from oxpushctl.web.auth import Credentials
from oxpushctl.web.notify import NotifyEndpoint
from oxpushctl.web.server import Server
from oxpushctl.web.tls import check_tls, server_context
from tests.engine.parts import HandClock
from tests.peers.certificates import Authority
from tests.waiting import until
from tests.web.parts import LOGIN, PASSWORD, PLAIN, Names, Sink, Wire, intake, notice, request


def _get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def test_health() -> None:
    """Alive is whoever answers; ready is who can keep events. Nobody needs a password to ask."""
    async with intake() as serving:
        statuses = [await serving.status(_get(path)) for path in ("/health/live", "/health/ready")]
        serving.is_ready = False
        statuses += [await serving.status(_get(path)) for path in ("/health/live", "/health/ready")]

    assert statuses == [200, 200, 200, 503]


async def test_several_addresses(tmp_path: Path) -> None:
    """One endpoint listens on TCP, on IPv6 and on a socket at once."""
    listen = ["127.0.0.1:0", "[::1]:0", f"unix:{tmp_path}/x.sock"]
    async with intake(listen=listen) as serving:
        for address in serving.addresses:
            async with Wire.to(address) as wire:
                answer = await wire.ask(request(notice()))
                assert answer is not None
                assert answer.status == 200

    assert len(serving.sink.events) == 3
    assert not (tmp_path / "x.sock").exists()


async def test_two_services_at_one_address() -> None:
    """What is added for the same address is served beside what is there."""
    clock = HandClock()
    server = Server(["127.0.0.1:0"], {"/a": {"GET": _hello}}, is_ready=lambda: True, clock=clock)
    server.add(["127.0.0.1:0"], {"/b": {"GET": _hello}})
    addresses = await server.start()
    try:
        async with Wire.to(addresses[0]) as wire:
            answers = [await wire.ask(_get(path)) for path in ("/a", "/b", "/c", "/health/live")]
    finally:
        await server.aclose()

    assert len(addresses) == 1
    assert [answer.status for answer in answers if answer is not None] == [200, 200, 404, 200]


async def _hello(_: object) -> web.Response:
    return json_answer(b"{}")


async def test_address_taken(tmp_path: Path) -> None:
    """An address that is taken is named, and what was opened before it is closed."""
    async with intake() as first:
        taken = first.addresses[0]
        second = Server.from_settings(Settings({}), ["127.0.0.1:0", taken], {}, lambda: True, HandClock(), tmp_path)
        with pytest.raises(NotReachable, match=taken):
            await second.start()
        await second.aclose()


async def test_https(tmp_path: Path) -> None:
    """With a certificate the TCP addresses speak TLS, and plain HTTP there ends the connection."""
    authority = Authority(tmp_path)
    certificate, key = authority.server()
    keys = {"oxpushctl.tls.certificate": certificate.name, "oxpushctl.tls.key": key.name}
    client = ssl.create_default_context(cafile=str(authority.pem))
    listen = ["127.0.0.1:0", f"unix:{tmp_path}/x.sock"]
    async with intake(listen=listen, tls=server_context(Settings(keys), tmp_path)) as serving:
        plain = await serving.status(request(notice()))
        async with Wire.to(serving.addresses[0], client) as wire:
            answer = await wire.ask(request(notice()))
        async with Wire.to(serving.addresses[1]) as wire:
            local = await wire.ask(request(notice()))

    assert plain is None
    assert answer is not None
    assert local is not None
    assert (answer.status, local.status) == (200, 200)


def test_certificate_files(tmp_path: Path) -> None:
    """Without files there is no TLS; files that are missing or do not fit are configuration errors that name them."""
    authority = Authority(tmp_path)
    certificate, key = authority.server()
    _, other_key = authority.server()
    assert server_context(Settings({}), tmp_path) is None
    for wrong, words in [
        ({"oxpushctl.tls.certificate": str(certificate), "oxpushctl.tls.key": str(other_key)}, other_key.name),
        ({"oxpushctl.tls.certificate": str(tmp_path / "none.pem"), "oxpushctl.tls.key": str(key)}, "No such file"),
        ({"oxpushctl.tls.certificate": str(certificate)}, "needs both"),
        ({"oxpushctl.tls.key": str(key)}, "needs both"),
    ]:
        with pytest.raises(ConfigurationError, match=words):
            server_context(Settings(wrong), tmp_path)


def _checked(etc: Path) -> list[str]:
    return [render.line(found) for found in check_tls(read(etc, environ={"STATE_DIRECTORY": "/nowhere"}, overrides=()))]


def test_check_of_certificate_files(tmp_path: Path) -> None:
    """The check opens the files that the server will open; a file that is not there was told of before."""
    certificate, key = Authority(tmp_path).server()
    own = tmp_path / "oxpushctl.properties"
    own.write_text(f"oxpushctl.tls.certificate={certificate.name}\noxpushctl.tls.key={key.name}\n")
    good = _checked(tmp_path)
    key.write_text("rubbish")
    bad = _checked(tmp_path)
    key.unlink()
    gone = _checked(tmp_path)

    assert (good, gone) == ([], [])
    assert bad == [
        f"oxpushctl.properties:1:1: error OXP313 oxpushctl.tls.certificate: {certificate}, {key}: "
        "no certificate and key that fit (both in PEM form, the key without a password)"
    ]


async def test_many_connections() -> None:
    """As many connections as a large mail server keeps open are served side by side."""
    async with intake() as serving, AsyncExitStack() as open_wires:
        wires = [await open_wires.enter_async_context(serving.wire()) for _ in range(300)]
        answers = await asyncio.gather(*(wire.ask(request(notice(imap_uid=n))) for n, wire in enumerate(wires, 1)))

    assert {answer.status for answer in answers if answer is not None} == {200}
    assert {event.uid for event in serving.sink.events} == set(range(1, 301))


async def test_body_never_comes() -> None:
    """Whoever announces a body and does not send it is not waited for."""
    clock = HandClock()
    endpoint = NotifyEndpoint(Sink(), Names(), clock, Credentials.of(LOGIN, PASSWORD), PLAIN, body_deadline_s=0.01)
    async with intake(endpoint=endpoint) as serving, serving.wire() as wire:
        answer = await wire.ask(request(notice())[:-10])

    assert answer is not None
    assert (answer.status, answer.headers["connection"], endpoint.counts) == (408, "close", {"bad_request": 1})


async def test_stop_answers_what_has_begun() -> None:
    """A stop lets a request that has begun be answered, closes idle connections and takes no new ones."""
    sink = Sink(gate=asyncio.Event())
    async with intake(sink) as serving, serving.wire() as idle, serving.wire() as busy, asyncio.TaskGroup() as tasks:
        await idle.ask(_get("/health/live"))
        answer = tasks.create_task(busy.ask(request(notice())))
        await until(lambda: sink.waiting)
        stop = tasks.create_task(serving.server.stop_accepting())
        assert await idle.end() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*_target(serving.addresses[0]))
        assert not stop.done()
        assert sink.gate is not None
        sink.gate.set()
        await stop

    result = answer.result()
    assert result is not None
    assert (result.status, result.headers["connection"]) == (200, "close")
    assert len(sink.events) == 1


def _target(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


async def test_accident_in_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours is a 500 that says nothing, an error in the log, and the server goes on."""

    async def stumble(_: object) -> web.Response:
        raise ZeroDivisionError("inside")

    server = Server(["127.0.0.1:0"], {"/a": {"GET": stumble}}, is_ready=lambda: True, clock=HandClock())
    [address] = await server.start()
    try:
        async with Wire.to(address) as wire:
            answer = await wire.ask(_get("/a"))
        async with Wire.to(address) as wire:
            alive = await wire.ask(_get("/health/live"))
    finally:
        await server.aclose()

    assert answer is not None
    assert alive is not None
    assert (answer.status, alive.status) == (500, 200)
    assert b"inside" not in answer.body
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_closed_twice() -> None:
    """Closing again does nothing."""
    async with intake() as serving:
        await serving.server.stop_accepting()
        await serving.server.stop_accepting()
        await serving.server.aclose()
