"""Requests that are no log-in: what is missing, too large, or where it must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxpushctl.config.own import USERS_AUTO_CREATE, USERS_CONTEXT
from oxpushctl.config.properties import KNOWN_PROXIES
from oxpushctl.config.property import NETWORKS
from oxpushctl.config.settings import Settings
from oxpushctl.web.login import LoginEndpoint
from oxpushctl.web.login_name import MailAccounts
from tests.web.parts import Wire, request
from tests.web.public import ANNA, PASSWORD, PasswordTable, form, json, log_in, login_name, public

_LOG_IN = "/ajax/login?action=login"


def _table() -> PasswordTable:
    return PasswordTable({ANNA.login: PASSWORD})


def _get(path: str) -> bytes:
    return request(b"", method="GET", path=path, authorization=None)


@pytest.mark.parametrize(
    ("raw", "code", "params"),
    [
        (_get("/ajax/login"), "SVL-0002", ["action"]),
        (form(b"name=anna&password=x", "/ajax/login"), "SVL-0002", ["action"]),
        (form(b"password=x", _LOG_IN), "SVL-0002", ["name"]),
        (form(b"name=anna", _LOG_IN), "SVL-0002", ["password"]),
        (form(b"", _LOG_IN), "SVL-0002", ["name"]),
        (form(b'{"name":"anna","password":"x"}', _LOG_IN), "SVL-0002", ["name"]),
        (form(b"name=anna", f"{_LOG_IN}&password=x"), "SVL-0002", ["password"]),
        (form(b"name=anna&password=x", f"{_LOG_IN}&name=anna"), "SVL-0002", ["name"]),
        (_get("/ajax/login?action=logout"), "SVL-0002", ["session"]),
        (_get("/ajax/login?action=autologin"), "SVL-0021", ["autologin", "login"]),
        (_get("/ajax/login?action="), "SVL-0021", ["", "login"]),
        (_get("/ajax/login?action=%0d%0a%1b"), "SVL-0021", ["���", "login"]),
        (_get("/ajax/login?action=" + "a" * 4000), "SVL-0021", ["a" * 100 + "…", "login"]),
        (form(b"name=anna&password=x", f"{_LOG_IN}&client={'c' * 65}"), "SVL-0010", ["client"]),
        (form(b"name=anna&password=x", f"{_LOG_IN}&client=a%0Ab"), "SVL-0010", ["client"]),
        (form(b"name=anna&password=%ff", _LOG_IN), "SVL-0020", []),
        (form(b"name=anna&password=\xff", _LOG_IN), "SVL-0020", []),
        (form(b"name=anna&password=x" + b"&a=b" * 100, _LOG_IN), "SVL-0020", []),
        (_get("/ajax/login?action=logout&session=%ff%00"), "SES-0203", []),
        (_get("/ajax/login?action=logout&session="), "SES-0203", []),
    ],
)
async def test_not_usable(raw: bytes, code: str, params: list[str], tmp_path: Path) -> None:
    """What cannot be used is answered with the middleware's code, and goes nowhere."""
    table = _table()
    async with public(tmp_path, table) as serving:
        answer = json(await serving.ask(raw))

    assert (answer["code"], answer["error_params"], table.tried) == (code, params, [])


async def test_secrets_are_not_repeated(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A password where it does not belong is neither answered nor logged."""
    caplog.set_level("DEBUG")
    raws = [
        form(b"name=anna", f"{_LOG_IN}&password=marker"),
        form(b"name=anna&password=marker%ff", _LOG_IN),
        form(b"name=anna&passwort=marker", _LOG_IN),
    ]
    async with public(tmp_path, _table()) as serving:
        bodies = [(await serving.ask(raw)).body for raw in raws]

    assert [b"marker" in body for body in bodies] == [False] * 3
    assert "marker" not in str([record.__dict__ for record in caplog.records])


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", _LOG_IN, "POST"), ("PUT", _LOG_IN, "GET, POST"), ("PUT", "/ajax/login?action=logout", "GET, POST")],
)
async def test_methods(method: str, path: str, allow: str, tmp_path: Path) -> None:
    """A log-in is a POST: no other method is served, as it would put the password into the URL."""
    async with public(tmp_path, _table()) as serving:
        answer = await serving.ask(request(b"", method=method, path=path, authorization=None))

    assert (answer.status, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(
    "body",
    [
        b"name=Anna%40nr.test&password=p%C3%A4ss+w%26rt",
        "name=Anna@nr.test&password=päss w%26rt".encode(),
        b"password=p%C3%A4ss%20w%26rt&name=Anna@nr.test&rememberme=true&name=berta&password=other",
    ],
)
async def test_forms(body: bytes, tmp_path: Path) -> None:
    """However a form is written in UTF-8, name and password are the same; the first of two counts."""
    table = PasswordTable({ANNA.login: "päss w&rt"})
    async with public(tmp_path, table) as serving:
        answer = json(await serving.ask(form(body)))

    assert answer["user"] == ANNA.login


@pytest.mark.parametrize("client", ["", "c" * 64, "App Süite 📬"])
async def test_clients(client: str, tmp_path: Path) -> None:
    """A session has its client as it was given, or none."""
    async with public(tmp_path, _table()) as serving:
        answer = json(await serving.ask(log_in(ANNA.login, client=client)))
        session = serving.sessions.find(answer["session"])

    assert session is not None
    assert session.client == client


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_body_too_large(is_chunked: bool, tmp_path: Path) -> None:
    """Strangers do not make us hold more than 64 KiB."""
    body = b"name=anna&password=" + b"x" * 65536
    raw = form(body)
    if is_chunked:
        head = raw.partition(b"\r\n\r\n")[0].replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
        raw = head + b"\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    async with public(tmp_path, _table()) as serving:
        assert (await serving.ask(raw)).status == 413


async def test_body_too_slow(tmp_path: Path) -> None:
    """A body that does not come is not waited for without end."""
    raw = log_in(ANNA.login)
    async with public(tmp_path, _table(), body_deadline_s=0.05) as serving, Wire.to(serving.address) as wire:
        answer = await wire.ask(raw[:-1])

    assert answer is not None
    assert answer.status == 408


async def test_reload(tmp_path: Path) -> None:
    """A reload changes which proxies are believed."""
    async with public(tmp_path, _table(), proxies=()) as serving:
        answers = [await serving.log_in(ANNA.login, forwarded_for="192.0.2.7")]
        serving.endpoint.reload(Settings({KNOWN_PROXIES.key: NETWORKS.parse("127.0.0.0/8")}))
        answers += [await serving.log_in(ANNA.login, forwarded_for="192.0.2.7")]
        sessions = [serving.sessions.find(answer["session"]) for answer in answers]

    assert [session and session.address for session in sessions] == ["127.0.0.1", "192.0.2.7"]


@pytest.mark.parametrize(("auto_create", "code"), [(False, "LGI-0016"), (True, None)])
async def test_from_settings(auto_create: bool, code: str | None, tmp_path: Path) -> None:
    """The configuration says whether unknown users are made, and in which context."""
    settings = Settings({USERS_AUTO_CREATE.key: auto_create, USERS_CONTEXT.key: 5})
    accounts = MailAccounts(_table(), _table(), login_name, "*")
    async with public(tmp_path, _table(), users=()) as serving:
        serving.endpoint = LoginEndpoint.from_settings(
            settings, serving.sessions, accounts, serving.directory, None, serving.clock
        )
        answer = await serving.log_in(ANNA.login)

    assert (answer.get("code"), answer.get("context_id")) == (code, None if code else 5)
