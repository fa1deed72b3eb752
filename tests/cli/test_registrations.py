from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Command, Ended
from tests.cli.keeping import PASSPHRASE, keep, keeping, listed
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
