from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.cli.command import Command, Ended

CLIENT = "open-xchange-mobile-api-facade"
PHONE = ("-i", CLIENT, "--transport", "apn", "--token", "a1b2c3")


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation that serves one client on APNs, its user alice being 3 of context 1."""
    command = Command(tmp_path)
    (command.etc / "key.p8").write_text("never read by these commands")
    (command.etc / "pns-apns-options.yml").write_text(
        f"{CLIENT}:\n  authtype: jwt\n  privatekey: key.p8\n  keyid: ABCDE12345\n  teamid: FGHIJ67890\n"
        "  topic: com.example.mail\n"
    )
    _switch(command, "true")
    command("users", "add", "-c", "1", "-u", "3", "--login", "alice", "--alias", "al")
    return command


def _switch(command: Command, value: str) -> None:
    properties = command.etc / "pns.properties"
    properties.write_text(f"com.openexchange.pns.transport.apn.ios.enabled={value}\n")


def _listed(oxpushctl: Command, *arguments: str) -> list[dict[str, object]]:
    rows = json.loads(oxpushctl("subscriptions", "list", "-f", "json", *arguments).stdout)
    assert isinstance(rows, list)
    return rows


def test_one_device_in_every_form(oxpushctl: Command) -> None:
    """A device that was added is listed with all that was said, the token readable."""
    wishes = ("--topics", "ox:mail:*,ox:calendar:updates", "--expires", "2130-12-31T18:00:00Z")
    added = oxpushctl.process("subscriptions", "add", "-c", "1", "-u", "3", *PHONE, *wishes)

    assert added == Ended(0, "", f"Device of user 3 of context 1 subscribed for {CLIENT}.\n")
    assert _listed(oxpushctl) == [
        {
            "context": 1,
            "user": 3,
            "client": CLIENT,
            "transport": "apn",
            "token": "a1b2c3",
            "topics": ["ox:calendar:updates", "ox:mail:*"],
            "expires": "2130-12-31T18:00:00Z",
            "delivered": None,
        }
    ]
    assert oxpushctl.process("subscriptions", "list") == Ended(
        0,
        "context\tuser\tclient\ttransport\ttoken\ttopics\texpires\tdelivered\n"
        f"1\t3\t{CLIENT}\tapn\ta1b2c3\tox:calendar:updates,ox:mail:*\t2130-12-31T18:00:00Z\t\n",
        "",
    )


def test_defaults(oxpushctl: Command) -> None:
    """Without further wishes a device hears of new mail, for ever."""
    oxpushctl("subscriptions", "add", "-u", "alice", *PHONE)

    [row] = _listed(oxpushctl)
    assert (row["topics"], row["expires"]) == (["ox:mail:new"], None)


def test_no_devices(oxpushctl: Command) -> None:
    """No device is no error."""
    assert oxpushctl("subscriptions", "list") == Ended(0, "", "No subscriptions.\n")


def test_token_that_moves(oxpushctl: Command) -> None:
    """A token belongs to the user that it was added for last; such a user need not be in the directory."""
    oxpushctl("subscriptions", "add", "-u", "alice", *PHONE)

    oxpushctl("subscriptions", "add", "-c", "7", "-u", "8", *PHONE)

    assert [(row["context"], row["user"]) for row in _listed(oxpushctl)] == [(7, 8)]


@pytest.mark.parametrize(
    ("arguments", "transport"),
    [
        (("-i", f"{CLIENT}-of-nobody", "--transport", "fcm", "--token", "t"), "gcm"),
        (("-i", CLIENT, "--transport", "gcm", "--token", "t"), "gcm"),
    ],
)
def test_client_without_options(oxpushctl: Command, arguments: tuple[str, ...], transport: str) -> None:
    """A device that no options serve is stored all the same, and it is said."""
    ended = oxpushctl("subscriptions", "add", "-u", "alice", *arguments)

    reason = f"the configuration has no usable options of this client for {transport}"
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.stderr.endswith(f"; nothing reaches it yet: {reason}.\n")
    assert len(_listed(oxpushctl)) == 1


def test_transport_that_is_off(oxpushctl: Command) -> None:
    """A device whose transport is off is stored all the same, and the switch is named."""
    _switch(oxpushctl, "false")

    ended = oxpushctl("subscriptions", "add", "-u", "alice", *PHONE)

    switch = "com.openexchange.pns.transport.apn.ios.enabled"
    assert ended.stderr.endswith(f"; nothing reaches it yet: {switch} is off.\n")
    assert len(_listed(oxpushctl)) == 1


def test_client_that_is_not_allowed(oxpushctl: Command) -> None:
    """Its device is stored all the same, and it is said that nobody is listened for; who is, is registered."""
    other = ("-i", "my-app", "--transport", "apn", "--token")
    oxpushctl("subscriptions", "add", "-u", "alice", *PHONE)

    refused = oxpushctl("subscriptions", "add", "-u", "alice", *other, "t")
    uninterested = oxpushctl("subscriptions", "add", "-u", "alice", *other, "u", "--topics", "ox:calendar:*")

    reason = "; not listened for: client my-app is not in com.openexchange.push.allowedClients"
    assert (refused.code, refused.stdout) == (0, "")
    assert refused.stderr.endswith(f"{reason}.\n")
    assert reason not in uninterested.stderr
    assert len(_listed(oxpushctl)) == 3
    assert oxpushctl("registrations", "list", "-f", "csv").stdout == f"context,user,client\n1,3,{CLIENT}\n"


def test_last_push(oxpushctl: Command) -> None:
    """It is listed when a push last reached a device."""
    oxpushctl("subscriptions", "add", "-u", "alice", *PHONE)

    async def note() -> None:
        async with aclosing(Database.open(f"sqlite:///{oxpushctl.state}/oxpushctl.db")) as database:
            store = SqlSubscriptionStore(database)
            [stored] = await store.listing()
            await store.delivered({stored.id: 1_900_000_000_000})

    asyncio.run(note())

    assert [row["delivered"] for row in _listed(oxpushctl)] == ["2030-03-17T17:46:40Z"]


def test_duration(oxpushctl: Command) -> None:
    """An expiry may be given as a time from now on."""
    before = datetime.now(UTC).replace(microsecond=0)

    oxpushctl("subscriptions", "add", "-u", "alice", *PHONE, "--expires", "30d")

    [row] = _listed(oxpushctl)
    expires = datetime.fromisoformat(str(row["expires"]))
    assert before <= expires - timedelta(days=30) <= datetime.now(UTC)


@pytest.mark.parametrize("expires", ["2001-01-01", "soon", "999999999999d", "0s", ""])
def test_expiry_of_no_use(oxpushctl: Command, expires: str) -> None:
    """A time that is over, or none at all, is a usage error."""
    assert oxpushctl("subscriptions", "add", "-u", "alice", *PHONE, "--expires", expires).code == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((*PHONE, "--topics", "ox:mail"), 0),
        ((*PHONE, "--topics", "ox.mail"), 65),
        ((*PHONE, "--topics", ","), 65),
        (("-i", CLIENT, "--transport", "wns", "--token", "t"), 65),
        (("-i", CLIENT, "--transport", "apn", "--token", ""), 65),
        (("-i", CLIENT, "--token", "t"), 2),
    ],
)
def test_bad_input(oxpushctl: Command, arguments: tuple[str, ...], code: int) -> None:
    """What the store refuses is bad input; what is missing is a usage error."""
    assert oxpushctl("subscriptions", "add", "-u", "alice", *arguments).code == code


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-u", "AL"), 0, ""),
        (("-c", "1", "-u", "alice"), 0, ""),
        (("-c", "2", "-u", "alice"), 67, "'alice' is user 3 of context 1, not of context 2"),
        (("-u", "nobody"), 67, "no user of the directory has the login or alias 'nobody'"),
        (("-u", "3"), 2, "-u 3: a user id needs its context (-c)"),
        (("-c", "1", "-u", "99999999999"), 2, "Invalid value for -u: 99999999999 is not in the range 1<=x<=4294967295"),
        (("-c", "1", "-u", "0"), 2, "Invalid value for -u: 0 is not in the range"),
        (("-c", "1", "-u", "9" * 5000), 2, "is not a valid integer"),
    ],
)
def test_who_is_meant(oxpushctl: Command, arguments: tuple[str, ...], code: int, words: str) -> None:
    """A user is its number with its context, or one of its names alone."""
    ended = oxpushctl("subscriptions", "add", *arguments, *PHONE)

    assert ended.code == code
    assert words in ended.stderr


def test_login_of_digits(oxpushctl: Command) -> None:
    """Where the context is left out, digits are a login."""
    oxpushctl("users", "add", "-c", "1", "-u", "4", "--login", "4915112345")

    oxpushctl("subscriptions", "add", "-u", "4915112345", *PHONE)

    assert [row["user"] for row in _listed(oxpushctl)] == [4]


def test_choice_of_the_list(oxpushctl: Command) -> None:
    """Devices are listed of a context, a user or an app."""
    for context, user, client in (("1", "3", "a"), ("1", "4", "a"), ("2", "3", "b")):
        token = f"{context}{user}{client}"
        device = ("-i", client, "--transport", "apn", "--token", token)
        oxpushctl("subscriptions", "add", "-c", context, "-u", user, *device)

    def tokens(*arguments: str) -> list[object]:
        return [row["token"] for row in _listed(oxpushctl, *arguments)]

    assert tokens("-c", "1") == ["13a", "14a"]
    assert tokens("-c", "1", "-u", "3") == ["13a"]
    assert tokens("-u", "alice", "-i", "b") == []
    assert tokens("-i", "b") == ["23b"]


def test_remove(oxpushctl: Command) -> None:
    """Removed is what was named, the registration with the last; where nothing is, there is no such subscription."""
    for token in ("1", "2", "3"):
        oxpushctl("subscriptions", "add", "-u", "alice", "-i", CLIENT, "--transport", "apn", "--token", token)

    assert oxpushctl("subscriptions", "remove", "-u", "al", "--token", "1") == Ended(0, "", "1 subscription removed.\n")
    assert oxpushctl("subscriptions", "remove", "-u", "al", "-i", "other").code == 67
    assert oxpushctl("subscriptions", "remove", "-c", "1", "-u", "3") == Ended(0, "", "2 subscriptions removed.\n")
    assert oxpushctl.process("subscriptions", "remove", "-u", "al") == Ended(
        67, "", "oxpushctl: no such subscription\n"
    )
    assert oxpushctl("registrations", "list").stderr == "No registrations.\n"


@pytest.mark.parametrize(
    "what", [("users", "list"), ("subscriptions", "list"), ("subscriptions", "remove", "-u", "al")]
)
def test_configuration_with_errors(oxpushctl: Command, what: tuple[str, ...]) -> None:
    """With an error in the configuration it is not certain which database is meant: no command touches any."""
    ended = oxpushctl("-o", "oxpushctl.database.url=nonsense", *what)

    assert (ended.code, ended.stdout) == (78, "")
    assert ended.stderr.startswith("-o: error OXP109 oxpushctl.database.url: 'nonsense' is not a URL")


def test_errors_of_a_client(oxpushctl: Command) -> None:
    """What puts only an app out of service leaves its devices at hand."""
    (oxpushctl.etc / "key.p8").unlink()
    assert oxpushctl("subscriptions", "add", "-u", "alice", *PHONE).code == 0
