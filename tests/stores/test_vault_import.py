"""Encrypted passwords that are kept as they are, as an import brings them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from oxpushctl.errors import BadData
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.vault import Vault
from tests.stores.kept_passwords import ALICE, BOB, CAROL, everything, kept, value_7, value_8
from tests.stores.watched_rows import WatchedRows


@pytest.fixture
def rows() -> WatchedRows:
    return WatchedRows()


@pytest.fixture
async def vault(rows: WatchedRows) -> AsyncIterator[Vault]:
    vault = Vault(rows, "secret")
    yield vault
    await vault.aclose()


async def test_import(vault: Vault, rows: WatchedRows) -> None:
    """Encrypted passwords are kept as they are if ours opens them; of the others each has its reason."""
    sound = [kept(ALICE, value_8("secret", "one")), kept(BOB, value_7("secret", b"two"), Origin.SUBSCRIBING)]
    bad = [
        kept(CAROL, value_8("another", "three")),
        kept(CAROL, "plain text"),
        kept(CAROL, ""),
        replace(kept(CAROL, sound[0].value), login="x" * 65),
        kept(PushUser(0, 1), sound[0].value),
    ]

    refusals = await vault.put_encrypted([sound[0], *bad, sound[1]])

    assert [refusal is None for refusal in refusals] == [True, *[False] * 5, True]
    assert await everything(rows) == sound


async def test_import_again(vault: Vault, rows: WatchedRows) -> None:
    """What is kept like this already is not written again, so an import that was cut off is repeated cheaply."""
    cipher = Cipher("secret", os.urandom(16))
    imported = [kept(PushUser(1, number), cipher.encrypt("password")) for number in (3, 9, 30, 31)]
    await vault.put_encrypted(imported[:3])
    await vault.put_encrypted([kept(PushUser(1, number), imported[0].value) for number in range(10, 20)])
    await rows.mark(imported[0], CredentialState.OPENED)
    rows.written.clear()

    assert await vault.put_encrypted(imported) == [None] * 4

    assert rows.written == imported[3:]
    assert await rows.get(imported[0].user) == replace(imported[0], state=CredentialState.OPENED)
    assert await vault.put_encrypted([]) == []


async def test_import_of_what_a_command_gave(vault: Vault, rows: WatchedRows) -> None:
    """A line that says that subscribing brought what a command gave changes nothing, not even once."""
    (row,) = imported = [kept(ALICE, value_8("secret", "one"))]
    await vault.put_encrypted(imported)
    rows.written.clear()

    assert await vault.put_encrypted([replace(row, origin=Origin.SUBSCRIBING)]) == [None]

    assert (rows.written, await everything(rows)) == ([], imported)


async def test_import_of_a_user_twice(vault: Vault, rows: WatchedRows) -> None:
    """Of two rows of a user the last one counts."""
    both = [kept(ALICE, value_8("secret", text)) for text in ("one", "two")]

    assert await vault.put_encrypted(both) == [None, None]
    assert await everything(rows) == both[1:]


async def test_import_that_the_table_does_not_take() -> None:
    """A row that this kind of database cannot keep is told, and the rest of the batch is kept."""

    class NarrowRows(MemoryCredentialRows):
        async def put(self, rows: Sequence[KeptCredential], under: Seals) -> bool:
            if any(row.user == BOB for row in rows):
                raise BadData("login has an emoji")
            return await super().put(rows, under)

    rows = NarrowRows()
    vault = Vault(rows, "secret")
    imported = [kept(user, value_8("secret", "password")) for user in (ALICE, BOB, CAROL)]

    refusals = await vault.put_encrypted(imported)

    assert [str(refusal) for refusal in refusals] == ["None", "login has an emoji", "None"]
    assert await everything(rows) == [imported[0], imported[2]]
    await vault.aclose()
