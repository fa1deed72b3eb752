"""``oxpushctl config flow -u``: what is stored about a user, its registrations and its kept password."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.listeners.dovecot_value import about
from oxpushctl.model import (
    CredentialState,
    KeptCredential,
    Origin,
    PushUser,
    RegisteredMailbox,
    Registration,
)
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from tests.cli.command import Command
from tests.config.folders import CLIENT

_ALICE = PushUser(1, 3)
_SERVER = "com.openexchange.mail.mailServer=imaps://mail.example.com\n"
_MASTER = "com.openexchange.mail.passwordSource=global\ncom.openexchange.mail.masterPassword=sesame\n"
_KEPT = (
    "com.openexchange.push.credstorage.enabled=true\n"
    "com.openexchange.push.credstorage.passcrypt=sesame\n"
    "oxpushctl.dovecot.registration=both\n"
)
_RDB = "com.openexchange.push.credstorage.rdb=true\n"


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation whose user alice is 3 of context 1, with a device of an allowed client."""
    command = Command(tmp_path)
    (command.etc / "pns-apns-options.yml").write_text(f"{CLIENT}:\n  keystore: none.p12\n  password: x\n")
    command("users", "add", "-c", "1", "-u", "3", "--login", "alice")
    phone = ("-i", CLIENT, "--transport", "apn", "--token", "a1b2c3")
    assert command("subscriptions", "add", "-u", "alice", *phone).code == 0
    return command


def _in_database(oxpushctl: Command, work: Callable[[Database], Awaitable[object]]) -> None:
    async def run() -> None:
        async with aclosing(Database.open(f"sqlite:///{oxpushctl.state}/oxpushctl.db")) as database:
            await work(database)

    asyncio.run(run())


def _register(oxpushctl: Command, client: str = CLIENT) -> None:
    _in_database(oxpushctl, lambda database: SqlRegistrationStore(database).add(Registration(_ALICE, client)))


def _keep(oxpushctl: Command, state: CredentialState = CredentialState.UNTRIED) -> None:
    async def put(database: Database) -> None:
        rows = SqlCredentialRows(database)
        kept = KeptCredential(_ALICE, "alice", "not-to-be-opened", Origin.COMMAND, state)
        assert await rows.put([kept], await rows.seals())

    _in_database(oxpushctl, put)


def _decided(oxpushctl: Command, settings: str, *user: str) -> dict[str, Any]:
    (oxpushctl.etc / "site.properties").write_text(settings)
    ended = oxpushctl("config", "flow", "-f", "json", "-u", *(user or ("alice",)))
    assert ended.code == 0
    flow = json.loads(ended.stdout)
    assert isinstance(flow, dict)
    return flow


def _registration_step(flow: dict[str, Any]) -> dict[str, Any]:
    """Return the step that asks whether Dovecot can be registered at."""
    (step,) = [each for each in flow["steps"][-1]["steps"][0]["steps"] if each["step"] == "dovecot.registration"]
    assert isinstance(step, dict)
    return step


def _login_step(flow: dict[str, Any]) -> dict[str, Any]:
    """Return the step that asks for a log-in."""
    (step,) = [way for way in _registration_step(flow)["steps"] if way["step"] == "dovecot.login"]
    assert isinstance(step, dict)
    return step


def test_device_without_a_registration(oxpushctl: Command) -> None:
    """A row of the middleware's table decides, not the device; how it comes there is told."""
    _in_database(oxpushctl, lambda database: SqlRegistrationStore(database).remove(Registration(_ALICE, CLIENT)))

    flow = _decided(oxpushctl, _SERVER + _MASTER)

    assert (flow["spawned"], flow["stops_at"]) == (False, "registration")
    assert f"oxpushctl registrations add -c 1 -u 3 -i {CLIENT}" in flow["steps"][1]["advice"]


def test_registration(oxpushctl: Command) -> None:
    """With its row the user is listened for."""
    _register(oxpushctl)

    assert _decided(oxpushctl, _SERVER + _MASTER)["spawned"]


def test_registration_of_a_client_that_is_not_allowed(oxpushctl: Command) -> None:
    """A row alone makes no listener."""
    _register(oxpushctl)

    flow = _decided(oxpushctl, f"{_SERVER}{_MASTER}com.openexchange.push.allowedClients=other\n")

    assert (flow["spawned"], flow["stops_at"]) == (False, "registration.allowedClients")


@pytest.mark.parametrize("is_kept", [True, False])
def test_password_in_the_database(oxpushctl: Command, is_kept: bool) -> None:
    """Whether it is there is looked up; it is not decrypted, and not shown."""
    _register(oxpushctl)
    if is_kept:
        _keep(oxpushctl)

    flow = _decided(oxpushctl, _SERVER + _KEPT + _RDB)

    expected = (True, None, "yes", "") if is_kept else (False, "dovecot.registration", "no", "")
    step = _login_step(flow)
    assert (flow["spawned"], flow["stops_at"], step["answer"], step["note"]) == expected
    assert "not-to-be-opened" not in json.dumps(flow)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("", id="an engine that does not run"),
        pytest.param("oxpushctl.credentials.url=redis://127.0.0.1:1\n", id="a Redis that is not there"),
    ],
)
def test_password_that_cannot_be_looked_up(oxpushctl: Command, where: str) -> None:
    """Nobody is blamed for what is not known, and the rest of the flow is told all the same."""
    _register(oxpushctl)

    step = _login_step(_decided(oxpushctl, _SERVER + _KEPT + where))

    assert (step["answer"], "is not known" in step["note"]) == ("yes", True)


def test_password_that_is_not_wanted(oxpushctl: Command) -> None:
    """With the master password nobody asks for the user's."""
    _register(oxpushctl)

    step = _login_step(_decided(oxpushctl, _SERVER + _KEPT + _RDB + _MASTER))

    assert (step["answer"], step["detail"], step["note"]) == ("yes", "with the master password", "")


def test_password_that_was_refused(oxpushctl: Command) -> None:
    """It is there and of no use: that is said, with the command that keeps another."""
    _register(oxpushctl)
    _keep(oxpushctl, CredentialState.REFUSED)

    flow = _decided(oxpushctl, _SERVER + _KEPT + _RDB)

    step = _login_step(flow)
    assert (flow["spawned"], step["detail"]) == (False, "the mail server refused the user's kept password")
    assert "oxpushctl credentials set -c 1 -u 3 --login alice" in step["advice"]


@pytest.mark.parametrize(
    ("name", "value", "is_of_today"),
    [
        pytest.param("Alice", "user=3@1", True, id="as it would be now"),
        pytest.param("bob", "user=3@1", False, id="under another name"),
        pytest.param("alice", "user=3@1/earlier", False, id="with another value"),
    ],
)
def test_registration_at_dovecot(oxpushctl: Command, name: str, value: str, is_of_today: bool) -> None:
    """What is remembered of it is told, and whether it is that of today; what is written there is not."""
    _register(oxpushctl)
    row = RegisteredMailbox(_ALICE, name, about(value), 1_795_434_152_000)
    _in_database(oxpushctl, lambda database: SqlRegisteredMailboxes(database).put([row]))

    flow = _decided(oxpushctl, _SERVER + _MASTER)

    note = _registration_step(flow)["note"]
    assert note.startswith(f"registered as {name}, last verified 2026-11-23 11:42 UTC")
    assert ("oxpushctl dovecot sync writes it anew" in note) is not is_of_today
    assert row.about not in json.dumps(flow)


def test_user_that_the_directory_does_not_have(oxpushctl: Command) -> None:
    """With the master password nobody knows whose mailbox to open: it is said who is missing."""
    phone = ("-i", CLIENT, "--transport", "apn", "--token", "d4e5f6")
    assert oxpushctl("subscriptions", "add", "-c", "1", "-u", "4", *phone).code == 0
    (oxpushctl.etc / "site.properties").write_text(_SERVER + _MASTER)

    drawn = oxpushctl("config", "flow", "-c", "1", "-u", "4").stdout

    assert "oxpushctl users add -c 1 -u 4 --login LOGIN" in " ".join(drawn.split())


def test_password_kept_with_the_login_of_another(oxpushctl: Command) -> None:
    """Nobody opens the other's mailbox for this user, and the flow says so as well."""
    _register(oxpushctl)
    _keep(oxpushctl)
    assert oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice2", "--rename").code == 0
    assert oxpushctl("users", "add", "-c", "1", "-u", "4", "--login", "alice").code == 0

    flow = _decided(oxpushctl, _SERVER + _KEPT + _RDB, "3", "-c", "1")

    step = _login_step(flow)
    said = "the user's password is kept with a login that the directory has for another user"
    assert (flow["stops_at"], step["detail"]) == ("dovecot.registration", said)
    assert "oxpushctl credentials set -c 1 -u 3 --login alice2" in step["advice"]
