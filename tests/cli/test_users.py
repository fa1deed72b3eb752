from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
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


def test_another_login(oxpushctl: Command) -> None:
    """An id with another login is bad input, unless it is said that the person is the same."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice")
    other = ("users", "add", "-c", "1", "-u", "3", "--login", "bob")

    refused = oxpushctl.process(*other)
    after = oxpushctl("users", "list", "-f", "csv").stdout
    renamed = oxpushctl.process(*other, "--rename")

    assert refused == Ended(
        65,
        "",
        "oxpushctl: user 3 of context 1 is alice: another login would give its devices to somebody else "
        "(--rename if it is the same person, or remove the user first)\n",
    )
    assert after.endswith("\n1,3,alice,,\n")
    assert renamed == Ended(0, "", "User 3 of context 1 stored with the login bob.\n")
    assert oxpushctl("users", "list", "-f", "csv").stdout.endswith("\n1,3,bob,,\n")


def test_remove(oxpushctl: Command) -> None:
    """A user is removed once; then there is no such user, and a hint at devices that may be there all the same."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice")

    assert oxpushctl.process("users", "remove", "-c", "1", "-u", "3") == Ended(0, "", "User 3 of context 1 removed.\n")
    assert oxpushctl.process("users", "remove", "-c", "1", "-u", "3") == Ended(
        67,
        "",
        "oxpushctl: no user 3 of context 1 in the directory "
        "(oxpushctl subscriptions remove removes the devices of one that is not in it)\n",
    )


def test_id_of_a_removed_user(oxpushctl: Command) -> None:
    """It is given to nobody else, by neither way; the same person gets it back, with another login as well if said."""
    carla = ("users", "add", "-c", "1", "-u", "3", "--login", "carla")
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "Anna")
    oxpushctl("users", "remove", "-c", "1", "-u", "3")

    refused = oxpushctl.process(*carla)
    line = oxpushctl("users", "import", "-", stdin='{"context":1,"user":3,"login":"carla"}\n')
    back = oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "anna")
    oxpushctl("users", "remove", "-c", "1", "-u", "3")
    renamed = oxpushctl(*carla, "--rename")

    reason = (
        "user id 3 of context 1 was anna's, whose mailbox may still name it: give another id "
        "(--rename if it is the same person)"
    )
    assert refused == Ended(65, "", f"oxpushctl: {reason}\n")
    assert line == Ended(65, "", f"standard input:1: {reason}\noxpushctl: 1 line refused, 0 users stored\n")
    assert (back.code, renamed.code) == (0, 0)


@pytest.mark.parametrize(
    ("devices", "has_password", "words"),
    [
        (1, False, ", with 1 device"),
        (2, True, ", with 2 devices and the kept password"),
        (0, True, ", with the kept password"),
    ],
)
def test_what_goes_with_a_user(oxpushctl: Command, devices: int, has_password: bool, words: str) -> None:
    """It is said what a removed user had; nothing of it is left."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice")
    for number in range(devices):
        phone = ("-i", "app", "--transport", "apn", "--token", f"a{number}")
        oxpushctl("subscriptions", "add", "-c", "1", "-u", "3", *phone)
    if has_password:
        with closing(sqlite3.connect(oxpushctl.state / "oxpushctl.db")) as database, database:
            database.execute("INSERT INTO credentials (cid, user, password, login) VALUES (1, 3, 'x', 'alice')")

    removed = oxpushctl("users", "remove", "-c", "1", "-u", "3")

    assert removed == Ended(0, "", f"User 3 of context 1 removed{words}.\n")
    assert oxpushctl("subscriptions", "list").stderr == "No subscriptions.\n"


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


def test_import_once_more(oxpushctl: Command) -> None:
    """What was interrupted is imported from its start: users that are stored already are no trouble."""
    lines = [json.dumps({"context": 1, "user": user, "login": f"u{user}", "alias": ["a" * user]}) for user in (1, 2, 3)]
    oxpushctl("users", "import", "-", stdin=lines[0])

    ended = oxpushctl("users", "import", "-", stdin="\n".join(lines))

    assert ended == Ended(0, "", "3 users stored.\n")
    listed = oxpushctl("users", "list", "-f", "json").stdout
    assert [(row["login"], row["alias"]) for row in json.loads(listed)] == [
        ("u1", ["a"]),
        ("u2", ["aa"]),
        ("u3", ["aaa"]),
    ]


def test_import_of_other_logins(oxpushctl: Command) -> None:
    """A line that gives an id another login is refused, and stored only where the persons are said to be the same."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice")
    lines = '{"context":1,"user":3,"login":"bob"}\n{"context":1,"user":4,"login":"carol"}\n'

    refused = oxpushctl.process("users", "import", "-", stdin=lines)
    renamed = oxpushctl.process("users", "import", "--rename", "-", stdin=lines)

    assert refused.code == 65
    assert re.fullmatch(
        r"standard input:1: user 3 of context 1 is alice: .*\noxpushctl: 1 line refused, 1 user stored\n",
        refused.stderr,
    )
    assert renamed == Ended(0, "", "2 users stored.\n")
    assert oxpushctl("users", "list", "-f", "csv").stdout.endswith("\n1,3,bob,,\n1,4,carol,,\n")


def test_import_of_odd_names(oxpushctl: Command) -> None:
    """Names that cannot be kept to the letter are refused with their lines, the others are listed as they came."""
    kept = ["'; DROP TABLE oxpush_user; --", "a\\", "%s", "📱", "l" * 255]
    refused = ["a\0b", "l" * 65536, "L" * 255, "a "]
    lines = [json.dumps({"context": 1, "user": user, "login": login}) for user, login in enumerate(kept + refused, 1)]

    ended = oxpushctl.process("users", "import", "-", stdin="\n".join(lines))

    assert ended == Ended(
        65,
        "",
        "standard input:6: login has a control character\n"
        "standard input:7: login has 65536 characters, 255 are possible\n"
        f"standard input:8: the name '{'L' * 255}' belongs to user 5 of context 1\n"
        "standard input:9: login ends with a space\n"
        "oxpushctl: 4 lines refused, 5 users stored\n",
    )
    assert [row["login"] for row in json.loads(oxpushctl("users", "list", "-f", "json").stdout)] == kept


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
