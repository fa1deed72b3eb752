"""Log-in names that open nobody's mailbox: strangers', those without an account, and master users'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oxpushctl.errors import BadData, NotReachable, TryLater
from oxpushctl.model import DirectoryEntry
from tests.web.public import ANNA, BERTA, PASSWORD, PasswordTable, Public, log_in, public

_CARLA = "carla@nr.test"


def _mail(entry: DirectoryEntry) -> str:
    if not entry.mail:
        raise BadData(f"{entry.user} has no mail address")
    return entry.mail


def _name(entry: DirectoryEntry) -> str:
    return _mail(entry).rpartition("@")[0]


async def _answers(serving: Public, *names: str, password: str = "wrong") -> list[tuple[str, str, str]]:
    """Try names, each from an address of its own; return what the answers say."""
    found = []
    for number, name in enumerate(names):
        answer = await serving.log_in(name, password, forwarded_for=f"192.0.2.{number}")
        found.append((answer.get("code", ""), answer.get("error", ""), answer.get("error_desc", "")))
    return found


def _tried(table: PasswordTable) -> list[str]:
    return [name for name, _, _ in table.tried]


async def test_strangers_have_an_opener_of_their_own(tmp_path: Path) -> None:
    """Names that the directory does not know, and users that cannot be let in, do not go the way of all others."""
    users, strangers = PasswordTable({ANNA.mail: PASSWORD}), PasswordTable({_CARLA: PASSWORD})
    async with public(tmp_path, users, strangers=strangers, mail_name=_mail, auto_create_context=1) as serving:
        await _answers(serving, "anna", ANNA.login.upper(), _CARLA, "nobody@nr.test", BERTA.login)
        before = _tried(users), _tried(strangers)
        new = await serving.log_in(_CARLA)
        again = await serving.log_in(_CARLA)

    assert before == ([ANNA.mail] * 2, [_CARLA, "nobody@nr.test", BERTA.login])
    # Once made, she is a user as any other.
    assert (new["user"], again["code"]) == (_CARLA, "LGI-0006")
    assert _tried(users)[2:] == [_CARLA]


async def test_strangers_are_held_back(tmp_path: Path) -> None:
    """While strangers cannot be tried, the directory's users get in."""
    strangers = PasswordTable({}, failure=TryLater("held back"))
    async with public(tmp_path, PasswordTable({ANNA.login: PASSWORD}), strangers=strangers) as serving:
        stranger, anna = await serving.log_in(_CARLA), await serving.log_in(ANNA.login)

    assert (stranger["code"], anna["user_id"]) == ("LGI-0005", ANNA.user.user)


@pytest.mark.parametrize("mail_name", [_mail, _name])
@pytest.mark.parametrize("password", ["wrong", PASSWORD])
async def test_known_and_unknown_are_the_same(mail_name: Any, password: str, tmp_path: Path) -> None:
    """Where no name at the mail server can be made, what was typed is tried, and nobody is let in whatever comes."""
    table = PasswordTable({"dora": PASSWORD, BERTA.login: PASSWORD})
    async with public(tmp_path, table, mail_name=mail_name) as serving:
        answers = await _answers(serving, "dora", "anna", BERTA.login, "nobody", "@nr.test", password=password)
        count = len(serving.sessions)

    assert answers == [("LGI-0006", "Invalid credentials.", "Invalid credentials.")] * 5
    assert (_tried(table), count) == (["dora", mail_name(ANNA), BERTA.login, "nobody", "@nr.test"], 0)


async def test_without_account_is_slowed_down(tmp_path: Path) -> None:
    """Users without a mail address are slowed down as strangers are, even by passwords that the mail server takes."""
    table = PasswordTable({BERTA.login: PASSWORD})
    async with public(tmp_path, table, mail_name=_mail) as serving:
        codes = {}
        for name in (BERTA.login, "nobody"):
            answers = await _answers(serving, *[name] * 4, password=PASSWORD)
            codes[name] = [code for code, _, _ in answers]

    assert codes[BERTA.login] == codes["nobody"] == ["LGI-0006"] * 3 + ["LGI-0028"]


async def test_without_account_while_the_mail_server_is_away(tmp_path: Path) -> None:
    """A mail server that cannot be asked is told for every name alike."""
    table = PasswordTable({}, failure=NotReachable("no route"))
    async with public(tmp_path, table, mail_name=_mail) as serving:
        answers = await _answers(serving, "anna", BERTA.login, _CARLA, "nobody")

    assert {code for code, _, _ in answers} == {"LGI-0005"}


async def test_without_account_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once a minute the log says which user has no name at the mail server."""
    async with public(tmp_path, PasswordTable({}), mail_name=_mail) as serving:
        await _answers(serving, BERTA.login, BERTA.login, "nobody")

    lines = [
        record.__dict__["fields"]
        for record in caplog.records
        if record.getMessage() == "a user has no name at the mail server"
    ]
    assert lines == [{"user": "4@1", "reason": "4@1 has no mail address", "count": 1}]


@pytest.mark.parametrize("name", [f"{ANNA.login}*push", "anna*push", "nobody*push", "anna*", "*push", "an*na@nr.test"])
async def test_master_user(name: str, tmp_path: Path) -> None:
    """A master user's name is refused as a wrong one, whatever its password, without asking the mail server."""
    table = PasswordTable({name: PASSWORD})
    async with public(tmp_path, table, auto_create_context=1) as serving:
        answers = await _answers(serving, name, password=PASSWORD)
        users = await serving.directory.listing()

    assert answers == [("LGI-0006", "Invalid credentials.", "Invalid credentials.")]
    assert (table.tried, users) == ([], [ANNA, BERTA])


async def test_master_user_behind_an_alias(tmp_path: Path) -> None:
    """Nor does a name of the directory lead to one."""
    table = PasswordTable({"x*push": PASSWORD})
    async with public(tmp_path, table, mail_name=lambda _: "x*push") as serving:
        answers = await _answers(serving, "anna", password=PASSWORD)

    assert (answers[0][0], table.tried) == ("LGI-0006", [])


async def test_guessing_with_master_users(tmp_path: Path) -> None:
    """Who tries master users' names is slowed down as an address, for all names."""
    async with public(tmp_path, PasswordTable({ANNA.login: PASSWORD})) as serving:
        guesses = [await serving.ask(log_in(f"user{number}*push", "wrong")) for number in range(10)]
        anna = await serving.log_in(ANNA.login)
        serving.clock.time += 1
        later = await serving.log_in(ANNA.login)

    assert {b"LGI-0006" in answer.body for answer in guesses} == {True}
    assert (anna.get("code"), "session" in later) == ("LGI-0028", True)
