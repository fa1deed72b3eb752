"""A real browser without a window: its own web sockets, and the client's file for browsers, on a page of this host."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from aiohttp import web

from oxpushctl.model import NEW_MAIL
from tests.engine.parts import ANTON
from tests.peers import node
from tests.sandbox.browser import Tab, showing
from tests.waiting import until
from tests.web.socketing import MAIL, PAYLOAD, Serving, serving, token

_LIBRARIES = {2: "socket.io-client-2/dist/socket.io.js", 4: "socket.io-client/dist/socket.io.min.js"}
_PLAIN = """
const heard = [];
const socket = new WebSocket(`ws://${location.host}/socket.io/appsuite/?session=SESSION&EIO=4&transport=websocket`);
socket.onopen = () => socket.send("40");
socket.onmessage = (message) => heard.push(message.data);
socket.onclose = (close) => heard.push(close.code);
"""
_LIBRARY = """
const heard = [];
const options = { path: "/socket.io/appsuite", transports: ["websocket"] };
const socket = io(location.origin + "/?session=SESSION", options);
for (const name of ["connect", "disconnect", "ox:mail:new", "session:invalid"]) {
  socket.on(name, (word) => heard.push([name, word]));
}
"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed: make test does that")


async def _page(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="<!doctype html><title>App Suite</title>", content_type="text/html")


async def _runs(tab: Tab, script: str, session: str) -> None:
    """Run a script on the page, whose names the next expressions know."""
    await tab.value(script.replace("SESSION", session) + "0")  # a socket cannot be returned


async def _joined(serving: Serving) -> None:
    await until(lambda: serving.sockets.matching([ANTON], NEW_MAIL))


async def test_web_socket_of_the_browser(tmp_path: Path) -> None:
    """A browser sends its Origin and takes what it is sent, to the end of the session."""
    async with (
        serving(tmp_path, also={"/ui": _page}) as web,
        showing(f"http://{web.address}/ui", tmp_path / "profile") as tab,
    ):
        await tab.becomes("document.title", "App Suite")
        session = web.log_in()
        await _runs(tab, _PLAIN, session.id)
        await _joined(web)
        await web.sockets.send(token(), PAYLOAD)
        await tab.becomes("heard.length", 3)
        web.sessions.close(session.id)
        await tab.becomes("heard.length", 6)

        _, _, event, *end = json.loads(str(await tab.value("JSON.stringify(heard)")))
        assert json.loads(event[2:]) == [NEW_MAIL, MAIL]
        assert end == ['42["session:invalid"]', "41", 1000]


async def test_page_of_another_host(tmp_path: Path) -> None:
    """A page that came from elsewhere is refused, even with the id of a session."""
    async with (
        serving(tmp_path, also={"/ui": _page}) as web,
        showing(f"http://{web.address.replace('127.0.0.1', 'localhost')}/ui", tmp_path / "profile") as tab,
    ):
        await tab.becomes("document.title", "App Suite")
        await _runs(tab, _PLAIN.replace("${location.host}", web.address), web.log_in().id)

        await tab.becomes("JSON.stringify(heard)", "[1006]")
        assert web.sockets.counts == {"other_origin": 1}


@pytest.mark.parametrize("version", _LIBRARIES)
async def test_library(tmp_path: Path, version: int) -> None:
    """The client's own file for browsers connects and hears, and leaves at the end of the session."""
    node.install()
    library = await asyncio.to_thread((node.FOLDER / "node_modules" / _LIBRARIES[version]).read_text)
    async with (
        serving(tmp_path, also={"/ui": _page}) as web,
        showing(f"http://{web.address}/ui", tmp_path / "profile") as tab,
    ):
        await tab.becomes("document.title", "App Suite")
        session = web.log_in()
        await tab.value(f"{library}\n0")
        await _runs(tab, _LIBRARY, session.id)
        await _joined(web)
        await web.sockets.send(token(), PAYLOAD)
        await tab.becomes("heard.length", 2)
        web.sessions.close(session.id)
        await tab.becomes("heard.length", 4)

        heard = json.loads(str(await tab.value("JSON.stringify(heard)")))
        assert heard[0][0] == "connect"
        assert heard[1:] == [[NEW_MAIL, MAIL], ["session:invalid", None], ["disconnect", "io server disconnect"]]
