"""``oxpushctl config flow -u``: what is stored about a user, its registrations and its kept password."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.model import KeptCredential, Origin, PushUser, Registration
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
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


def _keep(oxpushctl: Command) -> None:
    async def put(database: Database) -> None:
        rows = SqlCredentialRows(database)
        kept = KeptCredential(_ALICE, "alice", "not-to-be-opened", Origin.COMMAND)
        assert await rows.put([kept], await rows.seals())

    _in_database(oxpushctl, put)


def _decided(oxpushctl: Command, settings: str) -> dict[str, Any]:
    (oxpushctl.etc / "site.properties").write_text(settings)
    ended = oxpushctl("config", "flow", "-f", "json", "-u", "alice")
    assert ended.code == 0
    flow = json.loads(ended.stdout)
    assert isinstance(flow, dict)
    return flow


def _login_step(flow: dict[str, Any]) -> dict[str, Any]:
    """Return the step that asks for a log-in."""
    (step,) = [
        way
        for each in flow["steps"][-1]["steps"][0]["steps"]
        if each["step"] == "dovecot.registration"
        for way in each["steps"]
        if way["step"] == "dovecot.login"
    ]
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
