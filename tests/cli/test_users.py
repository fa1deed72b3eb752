from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_one_user_in_every_form(oxpushctl: Command) -> None:
    """What was added is listed as text for programs, with the same names in every form."""
    added = oxpushctl.process(
        *("users", "add", "-c", "1", "-u", "3", "--login", "alice", "--mail", "a@example.org"),
        *("--alias", "al", "--alias", "ally"),
    )
    row = {"context": 1, "user": 3, "login": "alice", "mail": "a@example.org", "alias": ["al", "ally"]}

    assert added == Ended(0, "", "User 3 of context 1 stored with the login alice.\n")
    assert json.loads(oxpushctl("users", "list", "-f", "json").stdout) == [row]
    assert json.loads(oxpushctl("users", "list", "-f", "jsonl").stdout) == row
    assert oxpushctl("users", "list", "-f", "csv").stdout == (
        'context,user,login,mail,alias\n1,3,alice,a@example.org,"al,ally"\n'
    )
    assert oxpushctl.process("users", "list") == Ended(
        0, "context\tuser\tlogin\tmail\talias\n1\t3\talice\ta@example.org\tal,ally\n", ""
    )


@pytest.mark.parametrize(
    ("form", "stdout", "stderr"),
    [
        ("table", "", "No users.\n"),
        ("json", "[]\n", ""),
        ("jsonl", "", ""),
        ("csv", "context,user,login,mail,alias\n", ""),
    ],
)
def test_no_users(oxpushctl: Command, form: str, stdout: str, stderr: str) -> None:
    """Nobody is no error, and looking makes no database."""
    assert oxpushctl("users", "list", "-f", form) == Ended(0, stdout, stderr)
    assert not oxpushctl.state.exists()


def test_list_on_a_terminal(oxpushctl: Command) -> None:
    """On a terminal it is a table; without colour where NO_COLOR asks for it."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice")
    screen, terminal = pty.openpty()
    program = Path(sys.executable).with_name("oxpushctl")
    environ = {**os.environ, "STATE_DIRECTORY": str(oxpushctl.state), "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}

    subprocess.run([program, "--etc", oxpushctl.etc, "users", "list"], stdout=terminal, check=True, env=environ)

    os.close(terminal)
    shown = os.read(screen, 65536).decode()
    os.close(screen)
    assert re.search(r"^ +1 +3 +alice +\r$", shown, re.MULTILINE)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_taken_name(oxpushctl: Command) -> None:
    """A login that means somebody else already is bad input, and the message says who has it."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice", "--alias", "al")

    ended = oxpushctl.process("users", "add", "-c", "1", "-u", "4", "--login", "AL")

    assert ended == Ended(65, "", "oxpushctl: the name 'AL' belongs to user 3 of context 1\n")


def test_remove(oxpushctl: Command) -> None:
    """A user is removed once; then there is no such user."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice")

    assert oxpushctl("users", "remove", "-c", "1", "-u", "3") == Ended(0, "", "User 3 of context 1 removed.\n")
    assert oxpushctl("users", "remove", "-c", "1", "-u", "3") == Ended(
        67, "", "oxpushctl: no user 3 of context 1 in the directory\n"
    )


@pytest.mark.parametrize(
    "arguments", [("-u", "3", "--login", "a"), ("-c", "0", "-u", "3", "--login", "a"), ("-c", "1", "-u", "3")]
)
def test_usage(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """An option that is missing or cannot be meant is a usage error."""
    assert oxpushctl("users", "add", *arguments).code == 2


def test_import_of_what_was_listed(oxpushctl: Command, tmp_path: Path) -> None:
    """What one installation lists as JSON lines another imports."""
    for user in ("3", "4"):
        oxpushctl("users", "add", "-c", "1", "-u", user, "--login", f"user{user}", "--alias", f"Ünal {user}")
    exported = oxpushctl("users", "list", "-f", "jsonl").stdout
    (tmp_path / "users.jsonl").write_text(exported)
    (tmp_path / "other").mkdir()
    other = Command(tmp_path / "other")

    assert other("users", "import", str(tmp_path / "users.jsonl")) == Ended(0, "", "2 users stored.\n")
    assert other("users", "list", "-f", "jsonl").stdout == exported


def test_import_with_bad_lines(oxpushctl: Command) -> None:
    """A bad line is named with its number and reason, in order, and the others are stored."""
    lines = [
        '{"context": 1, "user": 3, "login": "alice"}',
        "",
        '{"context": 1, "user": 4',
        '{"context": 1, "user": 4, "login": "ALICE"}',
        '{"context": 1, "user": true, "login": "b"}',
        '{"context": 1, "user": 4, "logn": "b"}',
        '{"context": 1, "user": 4, "login": "b", "alias": "c"}',
        '{"context": 1, "user": 4, "login": 4}',
        '{"context": 1, "user": 4}',
        "[]",
        '{"context": 1, "user": 5, "login": "bob", "aliases": ["bobby"]}',
    ]

    ended = oxpushctl.process("users", "import", "-", stdin="\n".join(lines))

    assert ended.stderr.splitlines() == [
        "standard input:3: not JSON: unexpected end of data (character 25)",
        "standard input:4: the name 'ALICE' belongs to user 3 of context 1",
        "standard input:5: user is not a number",
        "standard input:6: no such key: 'logn' (there are context, user, login, mail, alias)",
        "standard input:7: alias is not a list of texts",
        "standard input:8: login is not a text",
        "standard input:9: login is empty",
        "standard input:10: not a JSON object",
        "oxpushctl: 8 lines refused, 2 users stored",
    ]
    assert (ended.code, ended.stdout) == (65, "")
    listed = json.loads(oxpushctl("users", "list", "-f", "json").stdout)
    assert [(row["login"], row["alias"]) for row in listed] == [("alice", []), ("bob", ["bobby"])]


def test_import_of_many(oxpushctl: Command) -> None:
    """An import is as long as its file: every line of several transactions arrives."""
    lines = [json.dumps({"context": 1, "user": number, "login": f"u{number}"}) for number in range(1, 1202)]

    assert oxpushctl("users", "import", "-", stdin="\n".join(lines)) == Ended(0, "", "1201 users stored.\n")
    assert len(oxpushctl("users", "list", "-f", "jsonl").stdout.splitlines()) == 1201


def test_import_of_nothing(oxpushctl: Command, tmp_path: Path) -> None:
    """A file that is not there is named."""
    ended = oxpushctl("users", "import", str(tmp_path / "nosuch"))

    assert ended == Ended(66, "", f"oxpushctl: {tmp_path}/nosuch: No such file or directory\n")


def test_database_of_no_kind(oxpushctl: Command) -> None:
    """A database URL that cannot be used is a configuration error that does not show its password."""
    (oxpushctl.etc / "oxpushctl.properties").write_text("oxpushctl.database.url=nosuch://u:geheim@localhost/db\n")

    ended = oxpushctl("users", "list")

    assert ended.code == 78
    assert ended.stderr.startswith("oxpushctl: oxpushctl.database.url: nosuch://u:***@localhost/db: no such kind")
