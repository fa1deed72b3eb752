"""Kept passwords moved from one installation to another, as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended
from tests.cli.keeping import PASSPHRASE, insert, keep, keeping, listed, values
from tests.stores.kept_passwords import value_7, value_8

SECRET = "pässwörd 📬 of anna"


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation that keeps passwords in its database."""
    return keeping(tmp_path)


def test_export_and_import(oxpushctl: Command, tmp_path: Path) -> None:
    """What one installation exports another imports to the letter, once or more often."""
    insert(oxpushctl, [(4, "bob", value_7(PASSPHRASE, b"bob's"))])
    keep(oxpushctl, 3, "anna", SECRET)
    exported = oxpushctl.process("credentials", "export")
    (tmp_path / "kept.jsonl").write_text(exported.stdout)
    (tmp_path / "other").mkdir()
    other = keeping(tmp_path / "other")

    first = other.process("credentials", "import", str(tmp_path / "kept.jsonl"))
    again = other("credentials", "import", "-", stdin=exported.stdout)

    assert (exported.code, exported.stderr) == (0, "")
    assert json.loads(exported.stdout.splitlines()[0]).keys() == {"context", "user", "login", "encrypted", "origin"}
    assert first == again == Ended(0, "", "2 passwords stored.\n")
    assert values(other) == values(oxpushctl)
    assert other("credentials", "export").stdout == exported.stdout


def test_import_with_bad_lines(oxpushctl: Command) -> None:
    """A bad line is named with its number and reason, never its content, and the others are stored."""
    good = value_8(PASSPHRASE, "pw")
    row = {"context": 1, "login": "a", "encrypted": good}
    lines = [
        json.dumps({**row, "user": 3}),
        "",
        '{"context": 1, "user": 4, "encrypted": "geheim',
        json.dumps({**row, "user": 5, "password": "geheim"}),
        json.dumps({**row, "user": 6, "encrypted": value_8("another", "geheim")}),
        json.dumps({**row, "user": 7, "encrypted": "geheim"}),
        json.dumps({**row, "user": 0}),
        json.dumps({**row, "user": 8, "origin": "me"}),
        json.dumps({**row, "user": 9, "state": "opened"}),
        json.dumps({"context": 1, "user": 10, "login": "a"}),
        json.dumps({**row, "user": 11, "login": "a" * 65}),
        json.dumps({**row, "user": 12, "origin": "subscribing"}),
    ]
    oxpushctl("registrations", "add", "-c", "1", "-u", "12", "-i", "app")

    ended = oxpushctl.process("credentials", "import", "-", stdin="\n".join(lines))

    assert ended.stderr.splitlines() == [
        "standard input:3: not JSON: unexpected end of data (character 47)",
        "standard input:4: a password in clear is not imported: `oxpushctl credentials set` keeps one, encrypted",
        "standard input:5: the kept password is damaged, or was encrypted with another passphrase",
        "standard input:6: the kept password is not encrypted as the middleware does",
        "standard input:7: user 0 is not a number from 1 to 4294967295",
        "standard input:8: origin is none of command, subscribing",
        "standard input:9: no such key: 'state' (there are context, user, login, encrypted, origin)",
        "standard input:10: encrypted password is empty",
        "standard input:11: login has 65 characters, 64 are possible",
        "oxpushctl: 9 lines refused, 2 passwords stored",
    ]
    assert (ended.code, ended.stdout) == (65, "")
    assert [(row["user"], row["origin"]) for row in listed(oxpushctl)] == [(3, "command"), (12, "subscribing")]


def test_import_for_users_whom_nobody_listens_for(oxpushctl: Command) -> None:
    """What an app brought is kept as set by command where the engine would forget it at once, and that is counted.

    A second import changes nothing; those whose line is refused are not counted."""
    row = {"context": 1, "encrypted": value_8(PASSPHRASE, "pw"), "origin": "subscribing"}
    lines = [json.dumps({**row, "user": user, "login": f"u{user}"}) for user in range(1, 601)]
    for user in (2, 600):
        oxpushctl("registrations", "add", "-c", "1", "-u", str(user), "-i", "app")

    first = oxpushctl("credentials", "import", "-", stdin="\n".join(lines))
    bad = json.dumps({**row, "user": 7, "login": "u7", "encrypted": "?"})
    again = oxpushctl("credentials", "import", "-", stdin=f"{lines[0]}\n{bad}\n{lines[1]}")

    words = "with the origin command for want of a registration"
    assert first == Ended(0, "", f"600 passwords stored, 598 {words}.\n")
    assert again.stderr.splitlines()[-1] == f"oxpushctl: 1 line refused, 2 passwords stored, 1 {words}"
    subscribing = [row["user"] for row in listed(oxpushctl) if row["origin"] == "subscribing"]
    assert subscribing == [2, 600]


def test_import_of_others_logins(oxpushctl: Command) -> None:
    """A login that the directory gives to another user is refused: that one's mail would be told to this one."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "Anna", "--alias", "an")
    row = {"context": 1, "encrypted": value_8(PASSPHRASE, "pw")}
    given = [(4, "anna"), (3, "ANNA"), (5, "an"), (6, "carla"), (3, "an")]
    lines = [json.dumps({**row, "user": user, "login": login}) for user, login in given]

    ended = oxpushctl.process("credentials", "import", "-", stdin="\n".join(lines))

    assert ended.stderr.splitlines() == [
        "standard input:1: the login anna is user 3's of context 1",
        "standard input:3: the login an is user 3's of context 1",
        "oxpushctl: 2 lines refused, 3 passwords stored",
    ]
    assert [(row["user"], row["login"]) for row in listed(oxpushctl)] == [(3, "an"), (6, "carla")]


def test_import_of_many(oxpushctl: Command) -> None:
    """An import is as long as its file: every line of several batches arrives."""
    keep(oxpushctl, 1, "u1", "pw")
    row = json.loads(oxpushctl("credentials", "export").stdout)
    lines = [json.dumps({**row, "user": user, "login": f"u{user}"}) for user in range(1, 1202)]

    ended = oxpushctl("credentials", "import", "-", stdin="\n".join(lines))

    assert ended == Ended(0, "", "1201 passwords stored.\n")
    assert len(oxpushctl("credentials", "export").stdout.splitlines()) == 1201


def test_import_of_nothing(oxpushctl: Command, tmp_path: Path) -> None:
    """A file that is not there is named."""
    ended = oxpushctl("credentials", "import", str(tmp_path / "nosuch"))

    assert ended == Ended(66, "", f"oxpushctl: {tmp_path}/nosuch: No such file or directory\n")
