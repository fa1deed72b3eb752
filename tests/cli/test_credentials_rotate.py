"""Kept passwords brought under another passphrase by command, also by one that is killed half-way."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended
from tests.cli.keeping import PASSPHRASE, configure, insert, keep, keeping, listed, values
from tests.stores.kept_passwords import key_8, text_8, value_7, value_8
from tests.waiting import until

NEW = "the new passphrase"
ROTATE = ("credentials", "rotate")
RESTART = "restart every engine with the new passphrase"
_MANY = 600


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation that keeps passwords in its database."""
    return keeping(tmp_path)


def _texts(command: Command, passphrase: str) -> dict[int, str]:
    """Return the passwords by user; raise unless all have one salt, and this passphrase."""
    kept = values(command)
    [salt] = {value.split("$")[1] for value in kept.values()}
    key = key_8(passphrase, b64decode(salt))
    return {user: text_8(value, key) for user, value in kept.items()}


def test_another_passphrase(oxpushctl: Command) -> None:
    """All is under the new passphrase and one salt, whoever wrote it; a second run finds it done."""
    keep(oxpushctl, 3, "anna", "pässwörd 📬")
    rows = [(4, "bob", value_8(PASSPHRASE, "bob's")), (5, "carl", value_7(PASSPHRASE, b"carl's"))]
    insert(oxpushctl, rows)
    configure(oxpushctl, passphrase=NEW)

    ended = oxpushctl.process(*ROTATE, stdin=f"{PASSPHRASE}\n")
    again = oxpushctl(*ROTATE, stdin=f"{PASSPHRASE}\n")

    assert ended == Ended(0, "", f"3 passwords re-encrypted, 0 were already; {RESTART}.\n")
    assert again == Ended(0, "", f"0 passwords re-encrypted, 3 were already; {RESTART}.\n")
    assert _texts(oxpushctl, NEW) == {3: "pässwörd 📬", 4: "bob's", 5: "carl's"}


def test_same_passphrase(oxpushctl: Command, tmp_path: Path) -> None:
    """What the middleware wrote gets the salt of the installation, and no engine needs a restart."""
    keep(oxpushctl, 3, "anna", "pw")
    insert(oxpushctl, [(4, "bob", value_8(PASSPHRASE, "bob's"))])
    (tmp_path / "old").write_text(f"{PASSPHRASE}\n")

    ended = oxpushctl(*ROTATE, "--old-passcrypt-file", str(tmp_path / "old"))

    assert ended == Ended(0, "", "1 password re-encrypted, 1 was already.\n")
    assert _texts(oxpushctl, PASSPHRASE) == {3: "pw", 4: "bob's"}


def test_not_the_old_passphrase(oxpushctl: Command) -> None:
    """It is refused without a word of it, and nothing is changed."""
    keep(oxpushctl, 3, "anna", "pw")
    before = values(oxpushctl)
    configure(oxpushctl, passphrase=NEW)

    ended = oxpushctl.process(*ROTATE, stdin="Wr0ng-marker\n")

    reason = "the old passphrase is not the one that the mail passwords are kept under"
    assert ended == Ended(77, "", f"oxpushctl: {reason}\n")
    assert values(oxpushctl) == before


def test_no_old_passphrase(oxpushctl: Command) -> None:
    """Messages call it by its name."""
    ended = oxpushctl(*ROTATE)

    assert ended == Ended(65, "", "oxpushctl: standard input: there is no passphrase in its first line\n")


def test_password_that_neither_opens(oxpushctl: Command) -> None:
    """It stays as it is, its user is named, and the others are brought over."""
    keep(oxpushctl, 3, "anna", "pw")
    lost = value_8("a third passphrase", "pw")
    insert(oxpushctl, [(4, "bob", lost)])
    configure(oxpushctl, passphrase=NEW)

    ended = oxpushctl.process(*ROTATE, stdin=f"{PASSPHRASE}\n")

    assert (ended.code, ended.stdout) == (65, "")
    assert ended.stderr.splitlines() == [
        "user 4 of context 1: the kept password is damaged, or was encrypted with another passphrase",
        f"1 password re-encrypted, 0 were already; {RESTART}.",
        "oxpushctl: 1 password could not be opened and stayed as before: set them again, or remove them",
    ]
    assert values(oxpushctl)[4] == lost


def test_passwords_in_the_memory_of_the_engine(tmp_path: Path) -> None:
    """There is nothing to rotate: they end with it."""
    ended = keeping(tmp_path, rdb="false")(*ROTATE, stdin="old\n")

    assert (ended.code, ended.stdout) == (78, "")
    assert "there is nothing to rotate" in ended.stderr


def test_killed_half_way(oxpushctl: Command) -> None:
    """No password is written until it was run again; then nothing is lost, and nothing was encrypted twice.

    Meanwhile it can be listed whose are kept, and they can be exported and removed."""
    # Few values, each of another salt: every row takes an Argon2, and the test does not take one for each to begin.
    made = [value_8(PASSPHRASE, f"password {number}") for number in range(4)]
    insert(oxpushctl, [(user, f"u{user}", made[user % 4]) for user in range(1, _MANY + 1)])
    assert len(listed(oxpushctl)) == _MANY
    configure(oxpushctl, passphrase=NEW)

    with _begun(oxpushctl) as rotating:
        asyncio.run(until(lambda: _changed(oxpushctl, made), 60))
        rotating.kill()
    half = _changed(oxpushctl, made)
    seen = [len(listed(oxpushctl)), len(oxpushctl("credentials", "export").stdout.splitlines())]
    removed = oxpushctl("credentials", "remove", "-c", "1", "-u", str(_MANY + 1)).code
    writing = oxpushctl("credentials", "set", "-c", "1", "-u", "1", "--login", "u1", stdin="pw\n")
    ended = oxpushctl.process(*ROTATE, stdin=f"{PASSPHRASE}\n")

    assert rotating.returncode == -signal.SIGKILL
    assert 0 < half < _MANY
    assert (seen, removed, writing.code) == ([_MANY, _MANY], 67, 78)
    assert "is not finished" in writing.stderr
    assert ended == Ended(0, "", f"{_MANY - half} passwords re-encrypted, {half} were already; {RESTART}.\n")
    assert _texts(oxpushctl, NEW) == {user: f"password {user % 4}" for user in range(1, _MANY + 1)}


def _begun(oxpushctl: Command) -> subprocess.Popen[bytes]:
    (oxpushctl.etc / "old-passphrase").write_text(f"{PASSPHRASE}\n")
    program = Path(sys.executable).with_name("oxpushctl")
    return subprocess.Popen(
        [program, "--etc", oxpushctl.etc, *ROTATE, "--old-passcrypt-file", oxpushctl.etc / "old-passphrase"],
        env={**os.environ, "STATE_DIRECTORY": str(oxpushctl.state)},
        stderr=subprocess.DEVNULL,
    )


def _changed(oxpushctl: Command, made: list[str]) -> int:
    kept = Counter(values(oxpushctl).values())
    return _MANY - sum(kept[value] for value in made)
