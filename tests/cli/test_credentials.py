from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended
from tests.cli.keeping import configure, keep, keeping, listed, values

SECRET = "pässwörd 📬 of anna"
SET = ("credentials", "set", "-c", "1", "-u", "3", "--login", "anna")
ROW = {"context": 1, "user": 3, "login": "anna", "origin": "command", "state": "untried"}
_COMMANDS = [
    SET,
    ("credentials", "list"),
    ("credentials", "remove", "-u", "anna"),
    ("credentials", "verify", "--all"),
    ("credentials", "rotate"),
    ("credentials", "export"),
    ("credentials", "import", "-"),
]


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation that keeps passwords in its database; the passphrase is that of ``keeping``."""
    return keeping(tmp_path)


def test_one_password_in_every_form(oxpushctl: Command) -> None:
    """What was set is listed with whose it is and what it is worth, never itself, and is encrypted."""
    stored = oxpushctl.process(*SET, stdin=f"{SECRET}\nanother line\n")

    assert stored == Ended(0, "", "Password of user 3 of context 1 stored with the login anna.\n")
    assert listed(oxpushctl) == [ROW]
    assert json.loads(oxpushctl("credentials", "list", "-f", "jsonl").stdout) == ROW
    assert oxpushctl("credentials", "list", "-f", "csv").stdout == (
        "context,user,login,origin,state\n1,3,anna,command,untried\n"
    )
    shown = oxpushctl.process("credentials", "list")
    assert shown == Ended(0, "context\tuser\tlogin\torigin\tstate\n1\t3\tanna\tcommand\tuntried\n", "")
    [value] = values(oxpushctl).values()
    assert value.count("$") == 5
    assert all(SECRET.encode() not in path.read_bytes() for path in oxpushctl.state.iterdir() if path.is_file())


@pytest.mark.parametrize(
    ("form", "stdout", "stderr"),
    [
        ("table", "", "No kept passwords.\n"),
        ("json", "[]\n", ""),
        ("jsonl", "", ""),
        ("csv", "context,user,login,origin,state\n", ""),
    ],
)
def test_no_passwords(oxpushctl: Command, form: str, stdout: str, stderr: str) -> None:
    """None is no error."""
    assert oxpushctl("credentials", "list", "-f", form) == Ended(0, stdout, stderr)


def test_json_of_several(oxpushctl: Command) -> None:
    """Rows that are printed one by one are an array as from one piece."""
    for user in (3, 4):
        keep(oxpushctl, user, f"user{user}", "pw")

    shown = oxpushctl("credentials", "list", "-f", "json").stdout

    rows = [{**ROW, "user": user, "login": f"user{user}"} for user in (3, 4)]
    assert shown == json.dumps(rows, indent=2) + "\n"


def test_choice_of_the_list(oxpushctl: Command) -> None:
    """Passwords are listed of a context or a user."""
    for context, user in ((1, 3), (1, 4), (2, 3)):
        who = ("-c", str(context), "-u", str(user))
        oxpushctl("credentials", "set", *who, "--login", f"{user}@{context}", stdin="pw\n")

    assert [row["login"] for row in listed(oxpushctl)] == ["3@1", "4@1", "3@2"]
    assert [row["login"] for row in listed(oxpushctl, "-c", "1")] == ["3@1", "4@1"]
    assert [row["login"] for row in listed(oxpushctl, "-c", "2", "-u", "3")] == ["3@2"]
    assert listed(oxpushctl, "-c", "2", "-u", "1") == []


def test_login_of_the_directory(oxpushctl: Command) -> None:
    """Who is in the directory is named by any of its names, and needs no login besides."""
    oxpushctl("users", "add", "-c", "7", "-u", "8", "--login", "Carla", "--alias", "ca")

    stored = oxpushctl("credentials", "set", "-u", "ca", stdin="pw\n")

    assert stored == Ended(0, "", "Password of user 8 of context 7 stored with the login Carla.\n")


@pytest.mark.parametrize("login", ["carla", "CA"])
def test_login_of_somebody_else(oxpushctl: Command, login: str) -> None:
    """What the directory gives to another user opens that one's mailbox: it is refused before a password is read."""
    oxpushctl("users", "add", "-c", "7", "-u", "8", "--login", "Carla", "--alias", "ca")

    ended = oxpushctl("credentials", "set", "-c", "1", "-u", "3", "--login", login)

    assert ended == Ended(65, "", f"oxpushctl: the login {login} is user 8's of context 7\n")
    assert listed(oxpushctl) == []
    keep(oxpushctl, 3, "carla.too", "pw")


def test_nobody_of_the_directory(oxpushctl: Command) -> None:
    """Without a login, a user that the directory does not have is no such user."""
    ended = oxpushctl("credentials", "set", "-c", "1", "-u", "3", stdin="pw\n")

    reason = "the directory has no user 3 of context 1, and so no login: give it with --login"
    assert ended == Ended(67, "", f"oxpushctl: {reason}\n")


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        ("", "standard input: there is no password in its first line"),
        ("\npw\n", "standard input: there is no password in its first line"),
        ("ü" * 165 + "\n", "the password has 330 bytes in UTF-8, 329 are possible"),
    ],
)
def test_password_of_no_use(oxpushctl: Command, stdin: str, words: str) -> None:
    """What cannot be kept is bad input, and nothing is kept."""
    ended = oxpushctl.process(*SET, stdin=stdin)

    assert ended == Ended(65, "", f"oxpushctl: {words}\n")
    assert listed(oxpushctl) == []


@pytest.mark.parametrize("login", ["a" * 65, "a\0b", "a ", "\n"])
def test_login_of_no_use(oxpushctl: Command, login: str) -> None:
    """A login that the column cannot hold to the letter is refused, not cut."""
    ended = oxpushctl("credentials", "set", "-c", "1", "-u", "3", "--login", login, stdin="pw\n")

    assert ended.code == 65
    assert listed(oxpushctl) == []


def test_password_of_a_file(oxpushctl: Command, tmp_path: Path) -> None:
    """The first line of a file is taken, standard input left alone."""
    (tmp_path / "password").write_text(f"{SECRET}\n")
    keep(oxpushctl, 3, "anna", SECRET)
    before = values(oxpushctl)

    ended = oxpushctl(*SET, "--password-file", str(tmp_path / "password"), stdin="another\n")

    assert ended.code == 0
    assert values(oxpushctl) == before  # the same password: nothing to write


def test_password_that_is_typed(oxpushctl: Command) -> None:
    """On a terminal it is asked for, and not shown."""
    ours, theirs = os.openpty()
    program = Path(sys.executable).with_name("oxpushctl")
    process = subprocess.Popen(
        [program, "--etc", oxpushctl.etc, *SET],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "STATE_DIRECTORY": str(oxpushctl.state)},
    )
    os.close(theirs)
    shown = b""
    while b"Password of anna" not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, f"{SECRET}\n".encode())
    while b"stored with" not in shown:
        shown += os.read(ours, 1024)
    assert process.wait(60) == 0
    os.close(ours)

    assert SECRET not in shown.decode()
    assert listed(oxpushctl) == [ROW]


def test_remove(oxpushctl: Command) -> None:
    """A password is forgotten once; then there is none."""
    keep(oxpushctl, 3, "anna", "pw")
    words = ("credentials", "remove", "-c", "1", "-u", "3")

    assert oxpushctl.process(*words) == Ended(0, "", "Password of user 3 of context 1 removed.\n")
    assert oxpushctl.process(*words) == Ended(67, "", "oxpushctl: no password of user 3 of context 1 is kept\n")


@pytest.mark.parametrize("arguments", _COMMANDS, ids=lambda arguments: arguments[1])
def test_passwords_are_not_kept(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """Where the storage is off, every command says which property switches it on, and in which file."""
    configure(oxpushctl, com_openexchange_push_credstorage_enabled="false")

    ended = oxpushctl(*arguments, stdin="pw\n")

    key = "com.openexchange.push.credstorage.enabled"
    reason = f"{key} is false, so no passwords are kept: set {key}=true in mail-push.properties"
    assert ended == Ended(78, "", f"oxpushctl: {reason}\n")


@pytest.mark.parametrize("arguments", _COMMANDS, ids=lambda arguments: arguments[1])
def test_no_passphrase(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """Without one the configuration has an error, with which nothing is done."""
    configure(oxpushctl, passphrase="")

    ended = oxpushctl(*arguments, stdin="pw\n")

    assert (ended.code, ended.stdout) == (78, "")
    assert "error OXP" in ended.stderr
    assert not oxpushctl.state.exists()


@pytest.mark.parametrize(
    "arguments", [each for each in _COMMANDS if each[1] not in ("rotate", "verify")], ids=lambda arguments: arguments[1]
)
def test_another_passphrase(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """With another passphrase than that of the passwords no command touches them, and it is said what to do."""
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "anna")
    keep(oxpushctl, 3, "anna", "pw")
    before = values(oxpushctl)
    configure(oxpushctl, passphrase="another")

    ended = oxpushctl(*arguments, stdin='{"context":1,"user":3,"login":"a","encrypted":"x"}\n')

    assert (ended.code, ended.stdout) == (78, "")
    assert "oxpushctl credentials rotate" in ended.stderr
    assert values(oxpushctl) == before


@pytest.mark.parametrize("arguments", [SET, ("credentials", "import", "-")])
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"com_openexchange_mail_passwordSource": "global", "com_openexchange_mail_masterPassword": "m"},
            "the master password opens all mailboxes",
        ),
        (
            {
                "com_openexchange_push_dovecot_preferDoveadmForMetadata": "true",
                "com_openexchange_dovecot_doveadm_enabled": "true",
                "com_openexchange_dovecot_doveadm_apiSecret": "s",
                "com_openexchange_dovecot_doveadm_endpoints": "https://127.0.0.1:8080/doveadm/v1",
            },
            "doveadm registers all users without a password",
        ),
    ],
)
def test_password_that_nobody_needs(
    oxpushctl: Command, settings: dict[str, str], reason: str, arguments: tuple[str, ...]
) -> None:
    """What something else opens needs no password, and none is kept; those that are can be looked at and removed."""
    keep(oxpushctl, 3, "anna", "pw")
    configure(oxpushctl, **settings)

    ended = oxpushctl(*arguments, stdin="pw\n")

    assert (ended.code, ended.stdout) == (78, "")
    assert ended.stderr.startswith(f"oxpushctl: no password is kept: {reason}")
    assert listed(oxpushctl) == [ROW]
    assert oxpushctl("credentials", "remove", "-c", "1", "-u", "3").code == 0
