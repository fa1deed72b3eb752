"""Log-in and log-out: who is let in, as whom, and what everybody else is told."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
import requests

from oxpushctl.errors import BadData, ConfigurationError, NotReachable, OxpushctlError, TryLater
from oxpushctl.model import Credential, DirectoryEntry, PushUser
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.web.public import ANNA, BERTA, CLIENT, PASSWORD, PasswordTable, Renewals, public

_TABLE = {ANNA.login: PASSWORD, BERTA.login: "berta's", "carla@nr.test": "carla's"}
_WRONG = {
    "error": "Invalid credentials.",
    "error_params": [],
    "code": "LGI-0006",
    "categories": "USER_INPUT",
    "category": 1,
    "error_desc": "Invalid credentials.",
}


def _table(**changes: Any) -> PasswordTable:
    return PasswordTable(_TABLE, **changes)


def _without_id(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer.pop("error_id")
    return answer


def _fields(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records if record.getMessage() == event]


@pytest.mark.parametrize("path", ["/ajax/login", "/appsuite/api/login"])
async def test_app_logs_in_and_out(path: str, tmp_path: Path) -> None:
    """An app gets a session with exactly what the middleware answers, and ends it once."""
    async with public(tmp_path, _table()) as serving:
        url = f"http://{serving.address}{path}"

        def app() -> tuple[requests.Response, requests.Response, requests.Response]:
            entered = requests.post(
                url,
                params={"action": "login", "client": CLIENT},
                data={"name": ANNA.login, "password": PASSWORD},
                timeout=30,
            )
            leaving = {"action": "logout", "session": entered.json()["session"]}
            return entered, requests.get(url, leaving, timeout=30), requests.get(url, leaving, timeout=30)

        entered, left, again = await asyncio.to_thread(app)

    session = entered.json()["session"]
    assert len(session) == 32
    assert entered.json() == {"session": session, "user": "Anna@nr.test", "user_id": 3, "context_id": 1}
    assert (entered.status_code, entered.headers["Cache-Control"]) == (200, "no-store")
    assert (left.status_code, left.content, left.headers["Server"]) == (200, b"", "oxpushctl")
    assert (again.status_code, again.json()["code"], again.json()["categories"]) == (200, "SES-0203", "TRY_AGAIN")


async def test_session(tmp_path: Path) -> None:
    """The session knows the user, the directory's login, the client, the password and the address."""
    async with public(tmp_path, _table()) as serving:
        answer = await serving.log_in("ANNA", forwarded_for="192.0.2.7")
        session = serving.sessions.find(answer["session"])

    assert session is not None
    assert (session.user, session.login, session.client) == (ANNA.user, "Anna@nr.test", CLIENT)
    assert (session.secret, session.address) == (PASSWORD, "192.0.2.7")


async def test_log_out_by_post(tmp_path: Path) -> None:
    """A session can be ended with POST as well."""
    async with public(tmp_path, _table()) as serving:
        session = (await serving.log_in(ANNA.login))["session"]
        answer = await serving.log_out(session, "POST")

        assert (answer.status, answer.body, len(serving.sessions)) == (200, b"", 0)


@pytest.mark.parametrize("name", ["Anna@nr.test", "anna@NR.test", "anna"])
async def test_asked_by_the_name_at_the_mail_server(name: str, tmp_path: Path) -> None:
    """Whatever name is typed, the mail server is asked about the one that the user has there, and told the address."""
    table = PasswordTable({"anna.a@nr.test": PASSWORD})
    async with public(tmp_path, table, mail_name=lambda entry: entry.mail) as serving:
        answer = await serving.log_in(name, forwarded_for="192.0.2.7")

    assert answer["user_id"] == 3
    assert table.tried == [("anna.a@nr.test", PASSWORD, "192.0.2.7")]


async def test_wrong_and_unknown_are_the_same(tmp_path: Path) -> None:
    """A wrong password, an unknown name and another user's password get one answer, and the mail server judges each."""
    table = _table()
    async with public(tmp_path, table) as serving:
        attempts = [(ANNA.login, "wrong"), ("nobody@nr.test", PASSWORD), (BERTA.login, PASSWORD)]
        answers = [_without_id(await serving.log_in(name, password)) for name, password in attempts]

        assert (answers, len(serving.sessions)) == ([_WRONG] * 3, 0)
    assert [name for name, _, _ in table.tried] == [ANNA.login, "nobody@nr.test", BERTA.login]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (ANNA.login, ""),
        ("", PASSWORD),
        (f" {ANNA.login}", PASSWORD),
        (f"{ANNA.login}\0", PASSWORD),
        (f"{ANNA.login}\r\nA1 LOGOUT", PASSWORD),
        ("a" * 60_000, PASSWORD),
        (ANNA.login, f"{PASSWORD}\0"),
        (ANNA.login, f"{PASSWORD}\r\n"),
        (ANNA.login, "p" * 60_000),
    ],
)
async def test_nobody_is_called_so(name: str, password: str, tmp_path: Path) -> None:
    """What no user and no password can be is refused as any other, without asking the mail server."""
    table = _table()
    async with public(tmp_path, table) as serving:
        assert _without_id(await serving.log_in(name, password)) == _WRONG

    assert table.tried == []


@pytest.mark.parametrize("name", ["x' OR '1'='1", '"; DROP TABLE oxpush_user; --', "%", "📬@nr.test", "a" * 255])
async def test_odd_names(name: str, tmp_path: Path) -> None:
    """A name is a name: it reaches the mail server as it was typed, and the directory stays as it is."""
    table = PasswordTable({name: PASSWORD})
    async with public(tmp_path, table) as serving:
        answer = await serving.log_in(name)
        left = await serving.directory.listing()

    assert (answer["code"], [tried for tried, _, _ in table.tried]) == ("LGI-0016", [name])
    assert left == [ANNA, BERTA]


async def test_good_but_unknown(tmp_path: Path) -> None:
    """Whom only the mail server knows is told so, and is not made."""
    async with public(tmp_path, _table()) as serving:
        answer = await serving.log_in("carla@nr.test", "carla's")

        assert (answer["code"], answer["category"]) == ("LGI-0016", 3)
        assert (len(serving.sessions), await serving.directory.resolve("carla@nr.test")) == (0, None)


async def test_auto_create(tmp_path: Path) -> None:
    """Where that is wanted, whom the mail server knows is made once, with an id that is theirs from then on."""
    async with public(tmp_path, _table(), auto_create_context=7) as serving:
        refused = await serving.log_in("carla@nr.test", "wrong")
        first = await serving.log_in("carla@nr.test", "carla's")
        again = await serving.log_in("CARLA@nr.test", "carla's")
        entry = await serving.directory.entry(PushUser(7, first["user_id"]))

    assert refused["code"] == "LGI-0006"
    assert (first["user"], first["context_id"]) == ("carla@nr.test", 7)
    assert (again["user_id"], again["user"]) == (first["user_id"], "carla@nr.test")
    assert entry == DirectoryEntry(PushUser(7, first["user_id"]), "carla@nr.test", "carla@nr.test")


class _Overtaken(SqlUserDirectory):
    """A directory in which another user gets the name at the very moment when one is made of it."""

    def __init__(self, database: Database, entry: DirectoryEntry) -> None:
        super().__init__(database)
        self._entry = entry

    async def create(self, login: str, mail: str, context: int) -> DirectoryEntry:
        await self.add(self._entry)
        return await super().create(login, mail, context)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (DirectoryEntry(PushUser(7, 9), "dora@nr.test", "", ("carla@nr.test",)), "LGI-0016"),
        (DirectoryEntry(PushUser(7, 9), "carla@nr.test"), None),
    ],
)
async def test_auto_create_is_overtaken(entry: DirectoryEntry, code: str | None, tmp_path: Path) -> None:
    """A name that became another user's alias meanwhile does not let its owner in as that user."""
    database = Database.open(f"sqlite:///{tmp_path}/oxpushctl.db")
    directory = _Overtaken(database, entry)
    try:
        async with public(tmp_path, _table(), directory=directory, auto_create_context=7) as serving:
            answer = await serving.log_in("carla@nr.test", "carla's")
            count = len(serving.sessions)
    finally:
        await database.aclose()

    assert (answer.get("code"), count) == (code, 0 if code else 1)
    assert answer.get("user_id") == (None if code else 9)


class _Broken(SqlUserDirectory):
    """A directory that does not answer, or makes nobody."""

    def __init__(self, database: Database, failure: OxpushctlError, *, is_lookup: bool) -> None:
        super().__init__(database)
        self._failure = failure
        self._is_lookup = is_lookup

    async def resolve(self, name: str) -> PushUser | None:
        if self._is_lookup:
            raise self._failure
        return await super().resolve(name)

    async def create(self, login: str, mail: str, context: int) -> DirectoryEntry:
        raise self._failure


@pytest.mark.parametrize(
    ("failure", "is_lookup", "code"),
    [
        (NotReachable("the database does not answer"), True, "LGI-0010"),
        (TryLater("the database is locked"), False, "LGI-0010"),
        (ConfigurationError("the middleware gives the ids"), False, "LGI-0016"),
        (BadData("the login ends with a space"), False, "LGI-0016"),
    ],
)
async def test_directory_fails(failure: OxpushctlError, is_lookup: bool, code: str, tmp_path: Path) -> None:
    """A directory that does not answer is our trouble; one that makes no users leaves them unknown."""
    database = Database.open(f"sqlite:///{tmp_path}/oxpushctl.db")
    directory = _Broken(database, failure, is_lookup=is_lookup)
    try:
        async with public(tmp_path, _table(), directory=directory, auto_create_context=1) as serving:
            answer = await serving.log_in("carla@nr.test", "carla's")
    finally:
        await database.aclose()

    assert (answer["code"], str(failure) in str(answer)) == (code, False)


@pytest.mark.parametrize("failure", [NotReachable("no route"), TryLater("paused"), ConfigurationError("no such CA")])
async def test_mail_server_down(failure: OxpushctlError, tmp_path: Path) -> None:
    """A mail server that cannot be asked is told as such, without details, and held against nobody."""
    table = _table(failure=failure)
    async with public(tmp_path, table) as serving:
        answers = [await serving.log_in(ANNA.login) for _ in range(20)]
        table.failure = None
        after = await serving.log_in(ANNA.login)

    assert {(answer["code"], answer["categories"]) for answer in answers} == {("LGI-0005", "TRY_AGAIN")}
    assert str(failure) not in str(answers)
    assert "session" in after


async def test_kept_password_is_renewed(tmp_path: Path) -> None:
    """The password that opened the mailbox is offered to those kept; a wrong one never is."""
    store = Renewals()
    async with public(tmp_path, _table(), credentials=store) as serving:
        await serving.log_in("anna", "wrong")
        await serving.log_in("anna")

    assert store.renewed == [Credential(ANNA.user, ANNA.login, PASSWORD)]


async def test_kept_password_cannot_be_renewed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A store of passwords that fails keeps nobody out; the log says so."""
    async with public(tmp_path, _table(), credentials=Renewals(NotReachable("no Redis"))) as serving:
        assert "session" in await serving.log_in(ANNA.login)

    assert _fields(caplog, "a kept password could not be renewed") == [{"user": "3@1", "reason": "no Redis"}]


async def test_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line tells of each log-in that was tried; neither passwords nor ids are in any."""
    caplog.set_level(logging.DEBUG)
    long_name = "n" * 200
    async with public(tmp_path, _table()) as serving:
        session = (await serving.log_in("anna", forwarded_for="192.0.2.7"))["session"]
        await serving.log_in(long_name, "marker-wrong")
        await serving.log_out(session)

    opened = {
        "result": "opened",
        "user": "3@1",
        "login": "anna",
        "client": CLIENT,
        "address": "192.0.2.7",
        "session": f"{session[:4]}…",
    }
    refused = {"result": "refused", "login": "n" * 100 + "…", "client": CLIENT, "address": "127.0.0.1"}
    assert _fields(caplog, "log-in") == [opened, refused]
    assert _fields(caplog, "log-out") == [{"user": "3@1", "client": CLIENT, "session": f"{session[:4]}…"}]
    text = str([record.__dict__ for record in caplog.records])
    assert [secret in text for secret in (PASSWORD, "marker-wrong", session, long_name)] == [False] * 4
