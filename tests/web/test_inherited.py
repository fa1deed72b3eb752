"""Listening sockets that the service manager hands over."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from oxpushctl.errors import ConfigurationError
from oxpushctl.web.answer import json_answer
from oxpushctl.web.inherited import Inherited, inherited
from oxpushctl.web.listen import Address, bound
from oxpushctl.web.server import Server
from tests.engine.parts import HandClock
from tests.path.hand_over import tells_descriptors


async def _hello(_: web.BaseRequest) -> web.Response:
    return json_answer(b"{}")


def _server(listen: str, held: Inherited) -> Server:
    routes = {"/a": {"GET": _hello}}
    return Server([listen], routes, is_ready=lambda: True, clock=HandClock(), name="intake", inherited=[held])


async def test_socket_that_a_setting_names() -> None:
    """It is used, and what waits in its queue at the end is answered by the next process."""
    with socket.create_server(("127.0.0.1", 0)) as kept:
        address = str(bound(kept))
        first = _server(address, Inherited("", kept.dup()))
        assert [address] == await first.start()
        await first.aclose()
        async with aiohttp.ClientSession(f"http://{address}") as session, asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(session.get("/a"))
            second = _server(address, Inherited("", kept.dup()))
            await second.start()
            assert (await asked).status == 200
        await second.aclose()


async def test_socket_that_only_its_name_places() -> None:
    """It is served besides the configured address, and told of under its name."""
    with socket.create_server(("127.0.0.1", 0)) as kept:
        server = _server("127.0.0.1:0", Inherited("intake", kept.dup()))
        opened = await server.start()
        assert opened == server.addresses(["127.0.0.1:0"], "intake")
        assert opened[1] == str(bound(kept))
        async with aiohttp.ClientSession(f"http://{opened[1]}") as session, session.get("/a") as answer:
            assert answer.status == 200
        await server.aclose()


async def test_socket_that_nothing_names() -> None:
    """It is refused with its address and its name."""
    with socket.create_server(("127.0.0.1", 0)) as kept:
        server = _server("127.0.0.1:0", Inherited("x.socket", kept.dup()))
        with pytest.raises(ConfigurationError, match=rf"{bound(kept)} .*'x\.socket'"):
            await server.start()
        await server.aclose()


async def test_path_of_the_service_manager(tmp_path: Path) -> None:
    """Its socket keeps its mode, and stays when the engine ends."""
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as kept:
        kept.bind(str(path))
        kept.listen()
        path.chmod(0o660)
        server = _server(f"unix:{path}", Inherited("", kept.dup()))
        await server.start()
        await server.aclose()
        assert (path.is_socket(), stat.S_IMODE(path.stat().st_mode)) == (True, 0o660)


def test_both_protocols_at_one_socket() -> None:
    """A socket at [::] that takes IPv4 as well is the one of 0.0.0.0."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as kept:
        assert [kept] == Address(host="0.0.0.0", port=kept.getsockname()[1]).open([kept])


def test_meant_for_another_process() -> None:
    """What another process was given is not touched."""
    assert inherited({"LISTEN_PID": "1", "LISTEN_FDS": "2"}, 2) == []


def test_descriptors_are_taken(tmp_path: Path) -> None:
    """The first is 3, each has its name, and a child process does not get them."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_UNIX) as two:
        two.bind(str(tmp_path / "x"))
        two.listen()
        told = tells_descriptors([("intake", one), ("admin", two)])
        assert [f"intake {bound(one)} False", f"admin {bound(two)} False"] == told
