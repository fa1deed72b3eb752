"""Which mailbox is whose, from the directory and the logins of kept passwords."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.config.properties import CREDSTORAGE_ENABLED, LOGIN_SOURCE
from oxpushctl.config.property import Property
from oxpushctl.errors import BadData, OxpushctlError, UnknownEntry
from oxpushctl.listeners.mailbox_names import MailboxNames
from oxpushctl.model import Credential, DirectoryEntry, Origin, PushUser
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.vault import Vault
from tests.listeners.openers import GLOBAL, KEPT
from tests.listeners.people import ANTON, BERTA, GUENTER, people, settings

CARLA, NOBODY = PushUser(2, 1), PushUser(9, 9)


async def names(
    folder: Path,
    kept: Mapping[PushUser, str],
    values: Mapping[Property[Any], object] = KEPT,
    *,
    is_kept_first: bool = True,
    has_vault: bool = True,
    users: tuple[PushUser, ...] = (ANTON, BERTA, GUENTER, CARLA, NOBODY),
    entries: tuple[DirectoryEntry, ...] = (),
) -> dict[PushUser, str | type[OxpushctlError]]:
    """Ask for the names of all, given the logins with which passwords are kept."""
    vault = Vault(MemoryCredentialRows(), "a passphrase")
    for user, login in kept.items():
        await vault.put(Credential(user, login, "secret"), Origin.COMMAND)
    async with people(folder, *entries) as directory:
        names = MailboxNames(directory, vault if has_vault else None, settings(values))
        found = await names.of(users, is_kept_first=is_kept_first)
    await vault.aclose()
    return {user: name if isinstance(name, str) else type(name) for user, name in found.items()}


async def test_kept_first(tmp_path: Path) -> None:
    """The login of a kept password is the one that opens the mailbox; the directory has the others'."""
    assert await names(tmp_path, {ANTON: "anton.a", CARLA: "carla"}) == {
        ANTON: "anton.a",
        BERTA: "b4",
        GUENTER: "günter",
        CARLA: "carla",
        NOBODY: UnknownEntry,
    }


async def test_directory_first(tmp_path: Path) -> None:
    """Where no password is needed the directory has the word, which has each name once."""
    assert await names(tmp_path, {ANTON: "anton.a", CARLA: "carla"}, is_kept_first=False) == {
        ANTON: "anton",
        BERTA: "b4",
        GUENTER: "günter",
        CARLA: "carla",
        NOBODY: UnknownEntry,
    }


@pytest.mark.parametrize(("source", "name"), [("mail", "anton@example.com"), ("name", "anton")])
async def test_source(tmp_path: Path, source: str, name: str) -> None:
    """The source of log-ins makes the names, also of kept ones; without a mail address there is none."""
    found = await names(tmp_path, {ANTON: "kept", CARLA: "carla@example.org"}, {**KEPT, LOGIN_SOURCE: source})

    carla = "carla@example.org" if source == "mail" else "carla"
    assert (found[ANTON], found[GUENTER], found[CARLA]) == (name, BadData, carla)


@pytest.mark.parametrize("is_kept_first", [True, False])
async def test_login_of_another(tmp_path: Path, is_kept_first: bool) -> None:
    """A kept login that is another user's in the directory names no mailbox: it would be heard for the wrong one."""
    found = await names(tmp_path, {CARLA: "B4", BERTA: "B4"}, is_kept_first=is_kept_first)

    assert found[CARLA] is BadData
    assert found[BERTA] == ("B4" if is_kept_first else "b4")


@pytest.mark.parametrize(
    ("values", "has_vault"), [(GLOBAL, True), ({CREDSTORAGE_ENABLED: False}, False)], ids=["master", "none kept"]
)
async def test_kept_ones_do_not_count(tmp_path: Path, values: Mapping[Property[Any], object], has_vault: bool) -> None:
    """With the master password, or where none are kept, the directory alone says."""
    found = await names(tmp_path, {ANTON: "anton.a", CARLA: "carla"}, values, has_vault=has_vault)

    assert (found[ANTON], found[CARLA]) == ("anton", UnknownEntry)


async def test_many(tmp_path: Path) -> None:
    """More than one query takes are told at once, wherever their passwords are."""
    users = [PushUser(1, number) for number in range(1, 701)]
    entries = tuple(DirectoryEntry(user, f"login{user.user}") for user in users[:600])
    kept = {user: f"kept{user.user}" for user in users[500::50]}
    found = await names(tmp_path, kept, users=tuple(users), entries=entries)

    expected: dict[PushUser, str | type[OxpushctlError]] = {entry.user: entry.login for entry in entries}
    expected.update(dict.fromkeys(users[600:], UnknownEntry))
    expected.update(kept)
    assert found == expected


async def test_nobody(tmp_path: Path) -> None:
    """Nothing is asked for nobody."""
    assert await names(tmp_path, {}, users=()) == {}
