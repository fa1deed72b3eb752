from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended
from tests.cli.keeping import PASSPHRASE, keep, keeping, listed
from tests.cli.watched import watched
from tests.stores.kept_passwords import value_8

CLIENT = "open-xchange-mobile-api-facade"
ANNA = ("-c", "1", "-u", "3")


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation that keeps passwords in its database."""
    return keeping(tmp_path)


def _registered(oxpushctl: Command, *arguments: str) -> list[tuple[int, int, str]]:
    rows = json.loads(oxpushctl("registrations", "list", "-f", "json", *arguments).stdout)
    return [(row["context"], row["user"], row["client"]) for row in rows]


def test_one_registration_in_every_form(oxpushctl: Command) -> None:
    """What was added is listed, with the same names in every form."""
    added = oxpushctl.process("registrations", "add", *ANNA, "-i", CLIENT)

    assert added == Ended(0, "", f"User 3 of context 1 registered for {CLIENT}.\n")
    row = {"context": 1, "user": 3, "client": CLIENT}
    assert json.loads(oxpushctl("registrations", "list", "-f", "json").stdout) == [row]
    assert json.loads(oxpushctl("registrations", "list", "-f", "jsonl").stdout) == row
    assert oxpushctl("registrations", "list", "-f", "csv").stdout == f"context,user,client\n1,3,{CLIENT}\n"
    assert oxpushctl.process("registrations", "list") == Ended(0, f"context\tuser\tclient\n1\t3\t{CLIENT}\n", "")


def test_no_registrations(oxpushctl: Command) -> None:
    """None is no error, and looking makes no database."""
    assert oxpushctl("registrations", "list") == Ended(0, "", "No registrations.\n")
    assert not oxpushctl.state.exists()


def test_once_more(oxpushctl: Command) -> None:
    """Who is registered already stays so, and it is said."""
    oxpushctl("users", "add", *ANNA, "--login", "anna")
    oxpushctl("registrations", "add", *ANNA, "-i", CLIENT)

    ended = oxpushctl("registrations", "add", "-u", "anna", "-i", CLIENT)

    assert ended == Ended(0, "", f"User 3 of context 1 was registered already for {CLIENT}.\n")
    assert _registered(oxpushctl) == [(1, 3, CLIENT)]


def test_client_that_is_not_allowed(oxpushctl: Command) -> None:
    """It is stored, and said that it has no effect."""
    ended = oxpushctl("registrations", "add", *ANNA, "-i", "my-app")

    reason = "not listened for: client my-app is not in com.openexchange.push.allowedClients"
    assert ended == Ended(0, "", f"User 3 of context 1 registered for my-app; {reason}.\n")
    assert _registered(oxpushctl) == [(1, 3, "my-app")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((*ANNA, "-i", ""), 65),
        ((*ANNA, "-i", "a" * 65), 65),
        ((*ANNA, "-i", "📱"), 65),
        ((*ANNA,), 2),
        (("-i", CLIENT), 2),
        (("-u", "nobody", "-i", CLIENT), 67),
    ],
)
def test_bad_input(oxpushctl: Command, arguments: tuple[str, ...], code: int) -> None:
    """What the store refuses is bad input; what is missing is a usage error."""
    assert oxpushctl("registrations", "add", *arguments).code == code
    assert _registered(oxpushctl) == []


def test_choice_of_the_list(oxpushctl: Command) -> None:
    """Registrations are listed of a context, a user or an app."""
    for context, user, client in (("1", "3", "a"), ("1", "4", "a"), ("2", "3", "b")):
        oxpushctl("registrations", "add", "-c", context, "-u", user, "-i", client)

    assert _registered(oxpushctl, "-c", "1") == [(1, 3, "a"), (1, 4, "a")]
    assert _registered(oxpushctl, "-c", "1", "-u", "3") == [(1, 3, "a")]
    assert _registered(oxpushctl, "-i", "b") == [(2, 3, "b")]


def test_remove(oxpushctl: Command) -> None:
    """Removed is what was named; where nothing is, there is no such registration."""
    for client in ("a", "b", "c"):
        oxpushctl("registrations", "add", *ANNA, "-i", client)

    one = oxpushctl("registrations", "remove", *ANNA, "-i", "b")
    again = oxpushctl.process("registrations", "remove", *ANNA, "-i", "b")
    others = oxpushctl("registrations", "remove", *ANNA)

    assert one == Ended(0, "", "1 registration removed.\n")
    assert again == Ended(67, "", "oxpushctl: no such registration\n")
    assert others == Ended(0, "", "2 registrations removed.\n")
    assert _registered(oxpushctl) == []


def test_password_that_goes_with_the_last(oxpushctl: Command) -> None:
    """What an app brought is forgotten with the user's last registration; what a command set stays."""
    brought = {"login": "anna", "encrypted": value_8(PASSPHRASE, "pw"), "origin": "subscribing"}
    for user, client in (("3", "a"), ("3", "b"), ("4", "a")):
        oxpushctl("registrations", "add", "-c", "1", "-u", user, "-i", client)
    oxpushctl("credentials", "import", "-", stdin=json.dumps({"context": 1, "user": 3, **brought}))
    keep(oxpushctl, 4, "bob", "pw")

    oxpushctl("registrations", "remove", *ANNA, "-i", "a")
    with_another = [row["user"] for row in listed(oxpushctl)]
    oxpushctl("registrations", "remove", *ANNA)
    oxpushctl("registrations", "remove", "-c", "1", "-u", "4")

    assert with_another == [3, 4]
    assert [row["user"] for row in listed(oxpushctl)] == [4]


def _fill(oxpushctl: Command, number: int) -> None:
    """Register so many users."""
    assert oxpushctl.process("database", "create").code == 0
    with closing(sqlite3.connect(oxpushctl.state / "oxpushctl.db")) as database, database:
        rows = ((1 + each % 7, 1 + each, CLIENT) for each in range(number))
        database.executemany("INSERT INTO registeredPush (cid, user, client) VALUES (?, ?, ?)", rows)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
def test_very_many(oxpushctl: Command, form: str) -> None:
    """However many there are, the command holds no more than a few of them."""
    arguments = ("registrations", "list", "-f", form)
    _, before_kib = _peak(oxpushctl, *arguments)
    _fill(oxpushctl, 50_000)

    printed, kib = _peak(oxpushctl, *arguments)

    assert printed == 50_000
    assert kib - before_kib < 5 * 1024  # some 200 bytes a row, were they all there at once


def _peak(oxpushctl: Command, *arguments: str) -> tuple[int, int]:
    """Run a command in a process of its own; return how often the client was printed, and its peak memory in KiB."""
    program = Path(sys.executable).with_name("oxpushctl")
    environ = {**os.environ, "STATE_DIRECTORY": str(oxpushctl.state)}
    with (oxpushctl.etc.parent / "printed").open("wb+") as printed:
        call = [str(program), "--etc", str(oxpushctl.etc), *arguments]
        process = subprocess.Popen(call, stdout=printed, stderr=subprocess.DEVNULL, env=environ)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        return printed.read().count(CLIENT.encode()), usage.ru_maxrss


@pytest.mark.parametrize(("number", "is_table"), [(5000, True), (5001, False)])
async def test_many_on_a_terminal(oxpushctl: Command, number: int, is_table: bool) -> None:
    """A table of very many would take too long: it is said, and lines are printed."""
    await asyncio.to_thread(_fill, oxpushctl, number)
    async with watched(oxpushctl, "registrations", "list", terminal=(24, 80)) as seen:
        await seen.shows(CLIENT, times=number)

    assert ("context\tuser\tclient\r\n1\t1\t" in seen.stdout) == (not is_table)
    assert seen.stdout.count(CLIENT) == number
    assert seen.stderr == ("" if is_table else "More than 5000 rows: no table is drawn of them.\n")
