"""The admin address: whom it lets in, and what commands are told where no engine answers them."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from oxpushctl.config.reading import read
from oxpushctl.config.settings import Settings
from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, TryLater
from oxpushctl.model import PushUser
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.web.admin import CHANGED_PATH, admin_routes
from oxpushctl.web.admin_client import Access, AdminClient
from oxpushctl.web.admin_credentials import OPERATIONS, PREFIX
from oxpushctl.web.answer import error
from oxpushctl.web.auth import Credentials
from oxpushctl.web.tls import server_context
from tests.peers.certificates import Authority
from tests.web.administered import LOGIN, PASSWORD, admin, client
from tests.web.parts import Wire, basic, request

_PORT = "127.0.0.1:0"
_LET_IN = basic(LOGIN, PASSWORD)
_JSON = "Content-Type: application/json\r\n"


async def test_changed(tmp_path: Path) -> None:
    """A command tells the engine that it has written, over the socket and without a password."""
    async with admin([f"unix:{tmp_path}/admin.sock"]) as serving, client(*serving.addresses, login="") as commands:
        await commands.changed()
        await commands.changed()

    assert serving.changed == 2


async def test_password_at_a_port() -> None:
    """A port asks for the admin's login and password, which may be of any letters."""
    async with admin([_PORT]) as serving:
        async with client(*serving.addresses) as commands:
            await commands.changed()
        for login, password in ((LOGIN, "guessed"), ("guessed", PASSWORD), ("", "")):
            async with client(*serving.addresses, login=login, password=password) as commands:
                with pytest.raises(NotPermitted, match=r"oxpushctl\.admin\.login") as refusal:
                    await commands.changed()
                assert not password or password not in str(refusal.value)

    assert serving.changed == 1


@pytest.mark.parametrize("authorization", [None, basic(LOGIN, "wrong"), "Bearer x", "Basic !"])
async def test_every_path_is_guarded(authorization: str | None) -> None:
    """Without the password a port answers nothing but whether it is alive, and says what it wants."""
    paths = admin_routes(None, lambda _: None)
    async with admin([_PORT]) as serving, Wire.to(serving.addresses[0]) as wire:
        answers = [
            await wire.ask(request(b"{}", method="POST", path=path, authorization=authorization)) for path in paths
        ]
        health = await wire.ask(request(b"", method="GET", path="/health/live", authorization=None))

    assert len(answers) == len(OPERATIONS) + 1
    assert {answer.status for answer in answers if answer is not None} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers if answer is not None} == {
        'Basic realm="oxpushctl", encoding="UTF-8"'
    }
    assert health is not None
    assert health.status == 200


async def test_no_password_configured() -> None:
    """A port without a configured password lets nobody in."""
    settings = Settings({"oxpushctl.admin.login": "admin"})
    async with (
        admin([_PORT], credentials=Credentials.of_admin(settings)) as serving,
        client(*serving.addresses) as commands,
    ):
        with pytest.raises(NotPermitted, match="no login and password are configured"):
            await commands.changed()

    assert serving.changed == 0


def test_configured_password() -> None:
    """The admin's login and password are their own properties, not those of mail servers."""
    keys = {"oxpushctl.admin.login": " admin ", "oxpushctl.admin.password": "secret"}
    credentials = Credentials.of_admin(Settings(keys))

    assert credentials.expected == b"admin:secret"
    assert "secret" not in repr(credentials)


async def test_no_engine(tmp_path: Path) -> None:
    """Where nobody listens a command says so, with all addresses; a socket that was left behind is nobody."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(f"{tmp_path}/left.sock")
    left.close()
    addresses = (f"unix:{tmp_path}/none.sock", f"unix:{tmp_path}/left.sock", "127.0.0.1:1")
    async with client(*addresses) as commands:
        with pytest.raises(NotReachable) as problem:
            await commands.changed()

    assert str(problem.value) == f"no engine answers at {', '.join(addresses)}: start it with oxpushctl run"


async def test_first_address_that_answers(tmp_path: Path) -> None:
    """Of several addresses one that answers will do."""
    async with admin([_PORT]) as serving, client(f"unix:{tmp_path}/none.sock", *serving.addresses) as commands:
        await commands.changed()

    assert serving.changed == 1


async def test_https(tmp_path: Path) -> None:
    """Over HTTPS a command speaks only to whoever has the configured certificate; the password goes to no other."""
    authority = Authority(tmp_path)
    certificate, key = authority.server()
    other, _ = authority.server()
    keys = {"oxpushctl.tls.certificate": certificate.name, "oxpushctl.tls.key": key.name}
    async with admin([_PORT], tls=server_context(Settings(keys), tmp_path)) as serving:
        async with client(*serving.addresses, certificate=certificate) as commands:
            await commands.changed()
        async with client(*serving.addresses, certificate=other) as commands:
            with pytest.raises(NotReachable, match="another certificate"):
                await commands.changed()
        for name, words in (("none.pem", "No such file"), (key.name, "no certificate in it")):
            async with client(*serving.addresses, certificate=tmp_path / name) as commands:
                with pytest.raises(ConfigurationError, match=words):
                    await commands.changed()

    assert serving.changed == 1


async def _plain(_: web.BaseRequest) -> web.Response:
    return web.Response(text="hello")


async def _full(_: web.BaseRequest) -> web.Response:
    return error(503, "come back")


async def _stumble(_: web.BaseRequest) -> web.Response:
    raise ZeroDivisionError


async def test_answers_of_others(tmp_path: Path) -> None:
    """What an older engine, a failing one, or no engine at all answers is told apart."""
    for number, (handler, kind, words) in enumerate(
        [
            (None, NotReachable, "does not know this request"),
            (_plain, NotReachable, "does not know this request"),
            (_full, TryLater, "come back"),
            (_stumble, NotReachable, "look into its log"),
        ]
    ):
        routes = {} if handler is None else {CHANGED_PATH: {"POST": handler}}
        async with (
            admin([f"unix:{tmp_path}/{number}.sock"], routes=routes) as serving,
            client(*serving.addresses) as commands,
        ):
            with pytest.raises(kind, match=words):
                await commands.changed()


async def test_users_that_left(tmp_path: Path) -> None:
    """A command tells the engine which users it has removed."""
    async with admin([f"unix:{tmp_path}/admin.sock"]) as serving, client(*serving.addresses) as commands:
        await commands.changed([PushUser(1, 3), PushUser(2, 7)])
        await commands.changed()

    assert (serving.changed, serving.left) == (2, [PushUser(1, 3), PushUser(2, 7)])


@pytest.mark.parametrize("left", [b"{}", b'"x"', b"[5]", b'[{"context":1}]'])
async def test_nobody_left(left: bytes) -> None:
    """What does not name users is refused, and changes nothing."""
    raw = request(b'{"left":' + left + b"}", method="POST", path=CHANGED_PATH, authorization=_LET_IN, extra=_JSON)
    async with admin([_PORT]) as serving, Wire.to(serving.addresses[0]) as wire:
        answer = await wire.ask(raw)

    assert answer is not None
    assert (answer.status, serving.changed) == (400, 0)


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        (_JSON, 200),
        ("Content-Type: application/json; charset=utf-8\r\nSec-Fetch-Site: none\r\n", 200),
        ("", 415),
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: text/plain; application/json\r\n", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415),
        (f"{_JSON}Origin: http://127.0.0.1:8010\r\n", 403),
        (f"{_JSON}Origin: null\r\n", 403),
        (f"{_JSON}Sec-Fetch-Site: same-origin\r\n", 403),
        (f"{_JSON}Sec-Fetch-Site: cross-site\r\n", 403),
    ],
)
async def test_page_in_a_browser(extra: str, status: int, tmp_path: Path) -> None:
    """What a browser sends for a page changes nothing, with the admin's password or over a socket; health is open."""
    raw = request(b"{}", method="POST", path=CHANGED_PATH, authorization=_LET_IN, extra=extra)
    health = request(b"", method="GET", path="/health/live", authorization=None, extra=extra)
    statuses = []
    async with admin([_PORT, f"unix:{tmp_path}/a.sock"]) as serving:
        for address in serving.addresses:
            async with Wire.to(address) as wire:
                statuses += [(await wire.ask(raw)), (await wire.ask(health))]

    assert [answer and answer.status for answer in statuses] == [status, 200] * 2
    assert serving.changed == (2 if status == 200 else 0)


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("get", b"", "not JSON"),
        ("get", b"[" * 100_000, "not JSON"),
        ("get", b"[]", "not a JSON object"),
        ("get", b"{}", "not a JSON object"),
        ("get", b'{"of":{"context":true,"user":3}}', "context is not a whole number"),
        ("put", b'{"rows":{},"under":{}}', "rows is not a list"),
        ("put", b'{"rows":[]}', "not a JSON object"),
        ("put", b'{"rows":[{"context":1,"user":3,"login":5}],"under":{}}', "login is not a text"),
        ("remove", b'{"of":{"context":1,"user":3},"origin":"x"}', "origin is none of command, subscribing"),
        ("seal", b'{"before":{},"after":{"current":5}}', "current is not a text"),
    ],
)
async def test_requests_of_no_use(name: str, body: bytes, words: str) -> None:
    """What is no such request is refused with words."""
    raw = request(body, method="POST", path=PREFIX + name, authorization=_LET_IN, extra=_JSON)
    async with admin([_PORT], MemoryCredentialRows()) as serving, Wire.to(serving.addresses[0]) as wire:
        answer = await wire.ask(raw)

    assert answer is not None
    assert (answer.status, json.loads(answer.body)) == (400, {"error": words})


async def test_passwords_are_elsewhere() -> None:
    """An engine that keeps no passwords in memory says so for each request about them."""
    async with admin([_PORT]) as serving, Wire.to(serving.addresses[0]) as wire:
        answers = [
            await wire.ask(request(b"{}", method="POST", path=PREFIX + name, authorization=_LET_IN, extra=_JSON))
            for name in OPERATIONS
        ]

    told = {(answer.status, orjson.loads(answer.body)["error"]) for answer in answers if answer is not None}
    assert told == {(409, "passwords are not kept in this engine's memory")}


async def test_client_of_a_configuration(tmp_path: Path) -> None:
    """The client of a configuration finds its engine where that listens by default."""
    configuration = read(tmp_path, environ={"STATE_DIRECTORY": str(tmp_path)}, overrides=())
    async with admin(configuration.admin_listen) as serving:
        commands = AdminClient.from_configuration(configuration)
        await commands.changed()
        await commands.aclose()

    assert serving.changed == 1


def test_access_hides_its_password() -> None:
    """What stands in a traceback is no password."""
    assert PASSWORD not in repr(Access(LOGIN, PASSWORD))
