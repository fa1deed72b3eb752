"""Kept passwords and the master password, tried by command at a real Dovecot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended
from tests.cli.keeping import PASSPHRASE, configure, insert, keep, keeping, listed
from tests.peers.dovecot import Dovecot, LogIns
from tests.peers.ports import free_port
from tests.stores.kept_passwords import value_7, value_8

ANNA, BERTA = "pässwörd of anna 📬", "berta's"
MASTER = ("push", "the master's")
ALL = ("credentials", "verify", "--all")


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords={"anna": ANNA, "berta": BERTA}, master=MASTER)) as running:
        yield running


@pytest.fixture
def oxpushctl(tmp_path: Path, dovecot: Dovecot) -> Command:
    """An installation in front of a mail server with the users anna and berta."""
    return keeping(tmp_path, com_openexchange_mail_mailServer=f"imap://127.0.0.1:{dovecot.imap_port}")


def _nowhere(command: Command) -> None:
    configure(command, com_openexchange_mail_mailServer=f"imap://127.0.0.1:{free_port()}")


def _verified(ended: Ended) -> list[tuple[object, ...]]:
    rows = json.loads(ended.stdout)
    return [(row["user"], row["login"], row["result"], row["format"]) for row in rows]


def test_password_that_opens(oxpushctl: Command) -> None:
    """It is kept, and known to open the mailbox."""
    words = ("credentials", "set", "-c", "1", "-u", "3", "--login", "anna", "--verify")

    ended = oxpushctl.process(*words, stdin=f"{ANNA}\n")

    done = "Password of user 3 of context 1 stored with the login anna; it opens the mailbox."
    assert ended == Ended(0, "", f"{done}\n")
    assert [row["state"] for row in listed(oxpushctl)] == ["opened"]


def test_password_that_does_not_open(oxpushctl: Command) -> None:
    """What the mail server refuses is not kept, and what was kept stays."""
    keep(oxpushctl, 3, "anna", ANNA, "--verify")
    before = oxpushctl("credentials", "export").stdout

    wrong = ("credentials", "set", "--login", "anna", "--verify", "-c", "1", "-u")
    first = oxpushctl.process(*wrong, "3", stdin="Wr0ng-marker\n")
    second = oxpushctl(*wrong, "4", stdin="Wr0ng-marker\n")

    assert (first.code, first.stdout, second.code) == (77, "", 77)
    assert "[AUTHENTICATIONFAILED]" in first.stderr
    assert "Wr0ng-marker" not in first.stderr
    assert oxpushctl("credentials", "export").stdout == before


def test_password_that_cannot_be_tried(oxpushctl: Command) -> None:
    """Where the mail server cannot be asked, nothing is kept."""
    _nowhere(oxpushctl)

    ended = oxpushctl("credentials", "set", "-c", "1", "-u", "3", "--login", "anna", "--verify", stdin=f"{ANNA}\n")

    assert ended.code == 69
    assert listed(oxpushctl) == []


def test_without_a_mail_server(oxpushctl: Command) -> None:
    """Where none is configured, the property is named."""
    configure(oxpushctl)

    ended = oxpushctl(*ALL)

    assert ended == Ended(78, "", "oxpushctl: com.openexchange.mail.mailServer is not set: nobody can be logged in\n")


def test_everybody(oxpushctl: Command) -> None:
    """Each is told in the order of users: what opens, what does not, what cannot be decrypted, and in which format."""
    keep(oxpushctl, 3, "anna", ANNA)
    keep(oxpushctl, 5, "berta", "no longer hers")
    insert(
        oxpushctl,
        [
            (4, "berta", value_7(PASSPHRASE, BERTA.encode())),
            (6, "berta", value_8("another passphrase", BERTA)),
        ],
    )

    ended = oxpushctl.process(*ALL, "-f", "json")

    assert (ended.code, ended.stderr) == (77, "")
    assert _verified(ended) == [
        (3, "anna", "opened", "8.x"),
        (4, "berta", "opened", "7.x"),
        (5, "berta", "refused", "8.x"),
        (6, "berta", "undecipherable", "8.x"),
    ]
    assert [row["reason"] != "" for row in json.loads(ended.stdout)] == [False, False, True, True]
    assert [row["state"] for row in listed(oxpushctl)] == ["opened", "opened", "refused", "untried"]


@pytest.mark.parametrize(
    ("user", "code", "shown"),
    [
        ("3", 0, "1\t3\tanna\topened\t\t8.x"),
        ("berta", 0, "1\t4\tberta\topened\t\t8.x"),
        ("7", 67, ""),
    ],
)
def test_one_user(oxpushctl: Command, user: str, code: int, shown: str) -> None:
    """Only this user's mailbox is opened; where no password is kept, there is no such user."""
    oxpushctl("users", "add", "-c", "1", "-u", "4", "--login", "berta")
    keep(oxpushctl, 3, "anna", ANNA)
    keep(oxpushctl, 4, "berta", BERTA)

    ended = oxpushctl("credentials", "verify", "-c", "1", "-u", user)

    heading = "context\tuser\tlogin\tresult\treason\tformat\n"
    assert (ended.code, ended.stdout) == (code, f"{heading}{shown}\n" if shown else "")


def test_one_context(oxpushctl: Command) -> None:
    """Everybody may be everybody of a context."""
    keep(oxpushctl, 3, "anna", ANNA)
    oxpushctl("credentials", "set", "-c", "2", "-u", "3", "--login", "berta", stdin="wrong\n")

    ended = oxpushctl(*ALL, "-c", "1", "-f", "json")

    assert (ended.code, _verified(ended)) == (0, [(3, "anna", "opened", "8.x")])


def test_mail_server_that_is_away(oxpushctl: Command) -> None:
    """Nothing is judged, and the exit code says to try again."""
    keep(oxpushctl, 3, "anna", ANNA)
    _nowhere(oxpushctl)

    ended = oxpushctl(*ALL, "-f", "json")

    assert (ended.code, _verified(ended)) == (75, [(3, "anna", "untried", "8.x")])
    assert [row["state"] for row in listed(oxpushctl)] == ["untried"]


def test_refused_weighs_more_than_untried(oxpushctl: Command, dovecot: Dovecot) -> None:
    """With both, the exit code tells of what will not go away by itself."""
    keep(oxpushctl, 3, "carla@example.com", "pw")
    keep(oxpushctl, 4, "anna", ANNA)  # has no mail address
    server = f"imap://127.0.0.1:{dovecot.imap_port}"
    configure(oxpushctl, com_openexchange_mail_mailServer=server, com_openexchange_mail_loginSource="mail")

    ended = oxpushctl(*ALL, "-f", "json")

    assert [row[2] for row in _verified(ended)] == ["refused", "untried"]
    assert ended.code == 77


def test_bar_on_the_screen_and_rows_in_a_file(oxpushctl: Command) -> None:
    """What is drawn on a terminal stays there: rows that go elsewhere come out whole."""
    keep(oxpushctl, 3, "anna", ANNA)
    screen, terminal = os.openpty()
    program = Path(sys.executable).with_name("oxpushctl")

    ended = subprocess.run(
        [program, "--etc", oxpushctl.etc, *ALL, "-f", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=True,
        env={**os.environ, "STATE_DIRECTORY": str(oxpushctl.state), "TERM": "xterm"},
    )

    os.close(terminal)
    drawn = os.read(screen, 65536)
    os.close(screen)
    assert json.loads(ended.stdout)["result"] == "opened"
    assert b"mailboxes" in drawn
    assert b"anna" not in drawn


def test_nothing_to_verify(oxpushctl: Command) -> None:
    """No kept password is no error."""
    assert oxpushctl(*ALL) == Ended(0, "", "No kept passwords.\n")


@pytest.mark.parametrize("arguments", [(), ("-c", "1"), ("--all", "-c", "1", "-u", "3")])
def test_user_or_everybody(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """Exactly one of them is meant."""
    ended = oxpushctl("credentials", "verify", *arguments)

    assert ended.code == 2
    assert "give a user (-u), or --all" in ended.stderr


def test_master_password(oxpushctl: Command, dovecot: Dovecot) -> None:
    """Where it opens all mailboxes, it is tried at those of all registered users, whatever is kept of them."""
    keep(oxpushctl, 3, "anna", "no longer hers")
    configure(
        oxpushctl,
        com_openexchange_mail_mailServer=f"imap://127.0.0.1:{dovecot.imap_port}",
        com_openexchange_mail_passwordSource="global",
        com_openexchange_mail_masterPassword=MASTER[1],
        oxpushctl_imap_masterUser=MASTER[0],
    )
    for user, login in (("3", "anna"), ("4", "berta")):
        oxpushctl("users", "add", "-c", "1", "-u", user, "--login", login)
    nobody = oxpushctl(*ALL)
    for user in ("3", "5"):
        oxpushctl("registrations", "add", "-c", "1", "-u", user, "-i", "open-xchange-mobile-api-facade")

    ended = oxpushctl(*ALL, "-f", "json")
    one = oxpushctl("credentials", "verify", "-u", "berta", "-f", "json")
    unknown = oxpushctl("credentials", "verify", "-c", "1", "-u", "5")

    assert nobody == Ended(0, "", "No registered users.\n")
    assert (ended.code, _verified(ended)) == (75, [(3, "anna", "opened", None), (5, "", "untried", None)])
    assert (one.code, _verified(one)) == (0, [(4, "berta", "opened", None)])
    assert unknown.code == 67
