"""Kept passwords in the memory of a running engine, managed by command."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.keeping import PASSPHRASE, configure, keeping
from tests.peers.engine import command, running
from tests.peers.ports import free_port
from tests.stores.kept_passwords import value_8

SET = ("credentials", "set", "-c", "1", "-u", "3", "--login", "anna")
_INTAKE = {"oxpushctl_intake_listen": "127.0.0.1:0"}


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation whose engine keeps passwords in its memory."""
    return keeping(tmp_path, rdb="false", **_INTAKE)


async def _run(oxpushctl: Command, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    return await command(oxpushctl.etc, oxpushctl.state, *arguments, input_text=stdin)


async def _logins(oxpushctl: Command) -> list[str]:
    code, out, err = await _run(oxpushctl, "credentials", "list", "-f", "json")
    assert code == 0, err
    return [row["login"] for row in json.loads(out)]


@pytest.mark.parametrize(
    "arguments", [SET, ("credentials", "list"), ("credentials", "import", "-"), ("credentials", "export")]
)
def test_no_engine(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """Where none runs there is nothing to manage: it is not reachable."""
    ended = oxpushctl(*arguments, stdin='{"context":1,"user":3,"login":"a","encrypted":"x"}\n')

    assert (ended.code, ended.stdout) == (69, "")
    assert ended.stderr.startswith(f"oxpushctl: no engine answers at unix:{oxpushctl.state}/admin.sock")


def test_what_needs_no_engine(oxpushctl: Command) -> None:
    """Commands that are about devices and registrations do without."""
    device = ("-c", "1", "-u", "3", "-i", "open-xchange-mobile-api-facade")
    calls = (
        ("registrations", "add", *device),
        ("registrations", "remove", *device),
        ("subscriptions", "add", *device, "--transport", "apn", "--token", "aa"),
        ("subscriptions", "list"),
        ("subscriptions", "remove", *device),
    )

    assert [oxpushctl(*call).code for call in calls] == [0] * len(calls)


async def test_in_the_memory_of_the_engine(oxpushctl: Command) -> None:
    """Passwords are set, listed, moved and removed there, and end with it; no file ever has them."""
    async with running(oxpushctl.etc, oxpushctl.state):
        stored = await _run(oxpushctl, *SET, stdin="pw\n")
        _, exported, _ = await _run(oxpushctl, "credentials", "export")
        removed = await _run(oxpushctl, "credentials", "remove", "-c", "1", "-u", "3")
        none_left = await _logins(oxpushctl)
        imported = await _run(oxpushctl, "credentials", "import", "-", stdin=exported)
        kept = await _logins(oxpushctl)
    files = [path.read_bytes() for path in oxpushctl.state.rglob("*") if path.is_file()]
    async with running(oxpushctl.etc, oxpushctl.state):
        after_restart = await _logins(oxpushctl)

    assert stored == (0, "", "Password of user 3 of context 1 stored with the login anna.\n")
    assert removed == (0, "", "Password of user 3 of context 1 removed.\n")
    assert imported == (0, "", "1 password stored.\n")
    assert (none_left, kept, after_restart) == ([], ["anna"], [])
    encrypted = json.loads(exported)["encrypted"]
    assert files
    assert not any(encrypted.encode() in content for content in files)


async def test_another_passphrase_than_the_engine(oxpushctl: Command) -> None:
    """A command with another one touches nothing."""
    async with running(oxpushctl.etc, oxpushctl.state):
        await _run(oxpushctl, *SET, stdin="pw\n")
        configure(oxpushctl, passphrase="another", rdb="false", **_INTAKE)
        code, out, _ = await _run(oxpushctl, "credentials", "list")

    assert (code, out) == (78, "")


async def test_user_that_is_removed(oxpushctl: Command) -> None:
    """The password in the engine's memory goes as well: it is not for whoever gets the id next."""
    anna = ("users", "add", "-c", "1", "-u", "3", "--login", "anna")
    gone = ("users", "remove", "-c", "1", "-u", "3")
    await _run(oxpushctl, *anna)
    without_engine = await _run(oxpushctl, *gone)
    async with running(oxpushctl.etc, oxpushctl.state):
        await _run(oxpushctl, *anna)
        await _run(oxpushctl, *SET, stdin="pw\n")
        with_engine = await _run(oxpushctl, *gone)
        left = await _logins(oxpushctl)

    assert without_engine == (0, "", "User 3 of context 1 removed.\n")
    assert with_engine == (0, "", "User 3 of context 1 removed, with the kept password.\n")
    assert left == []


async def test_engine_is_told_of_registrations(oxpushctl: Command) -> None:
    """The password that an app brought goes from the engine's memory with the last registration."""
    row = {"context": 1, "user": 3, "login": "anna", "encrypted": value_8(PASSPHRASE, "pw"), "origin": "subscribing"}
    device = ("-c", "1", "-u", "3", "-i", "open-xchange-mobile-api-facade")
    await _run(oxpushctl, "registrations", "add", *device)
    async with running(oxpushctl.etc, oxpushctl.state):
        await _run(oxpushctl, "credentials", "import", "-", stdin=json.dumps(row))
        before = await _logins(oxpushctl)
        code, _, err = await _run(oxpushctl, "registrations", "remove", *device)
        async with asyncio.timeout(20):  # it would look by itself only after thirty
            while await _logins(oxpushctl):
                pass

    assert (before, code, err) == (["anna"], 0, "1 registration removed.\n")


async def test_over_tcp(oxpushctl: Command) -> None:
    """Where the admin address is one of TCP, its login and password are sent; without them the engine refuses."""
    admin = {"oxpushctl_admin_listen": f"127.0.0.1:{free_port()}", "oxpushctl_admin_login": "admin"}
    configure(oxpushctl, rdb="false", **_INTAKE, **admin, oxpushctl_admin_password="Adm1n-marker")
    async with running(oxpushctl.etc, oxpushctl.state):
        stored, _, err = await _run(oxpushctl, *SET, stdin="pw\n")
        kept = await _logins(oxpushctl)
        configure(oxpushctl, rdb="false", **_INTAKE, **admin, oxpushctl_admin_password="Wr0ng-marker")
        refused, out, words = await _run(oxpushctl, "--debug", "credentials", "list")

    assert (stored, kept) == (0, ["anna"]), err
    assert (refused, out) == (77, "")
    assert "oxpushctl.admin.password" in words
    assert "marker" not in words
