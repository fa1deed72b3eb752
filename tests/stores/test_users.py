from __future__ import annotations

import pytest

from oxpushctl.errors import BadData
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.sql.users import SqlUserDirectory

ALICE = DirectoryEntry(PushUser(1, 3), "Alice@Example.org", "alice@example.org", ("al", "Åsa"))
BOB = DirectoryEntry(PushUser(1, 4), "bob")


async def test_before_anything_was_stored(directory: SqlUserDirectory) -> None:
    """An empty directory knows nobody and lists nothing."""
    assert (await directory.resolve("alice"), await directory.listing()) == (None, ())


async def test_listing(directory: SqlUserDirectory) -> None:
    """Entries come as they were given, ordered by context and user."""
    other = DirectoryEntry(PushUser(2, 1), "carol")
    for entry in (other, BOB, ALICE):
        await directory.add(entry)

    assert await directory.listing() == [ALICE, BOB, other]


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("Alice@Example.org", ALICE.user),
        ("alice@example.ORG", ALICE.user),
        ("AL", ALICE.user),
        ("åsa", ALICE.user),
        ("bob", BOB.user),
        ("alice@example.org ", None),
        ("a%", None),
        ("", None),
        ("\udcff", None),
        ("x" * 1000, None),
    ],
)
async def test_resolve(directory: SqlUserDirectory, name: str, user: PushUser | None) -> None:
    """A login or alias stands for its user whatever its case; anything else for nobody."""
    await directory.add_all([ALICE, BOB])

    assert await directory.resolve(name) == user


async def test_replace(directory: SqlUserDirectory) -> None:
    """A user that is added again is replaced: names that it lost are free."""
    await directory.add(ALICE)

    await directory.add(DirectoryEntry(ALICE.user, "alice", "", ("AL", "Alice")))

    assert await directory.listing() == [DirectoryEntry(ALICE.user, "alice", "", ("AL",))]
    assert await directory.resolve("Åsa") is None


@pytest.mark.parametrize("names", [("AL", ()), ("b", ("x", "ALICE@example.org"))])
async def test_taken_name(directory: SqlUserDirectory, names: tuple[str, tuple[str, ...]]) -> None:
    """A name means one user: whose it is already is said, and nothing is changed."""
    await directory.add_all([ALICE, BOB])
    login, aliases = names

    with pytest.raises(BadData, match=r"belongs to user 3 of context 1$"):
        await directory.add(DirectoryEntry(BOB.user, login, "", aliases))

    assert await directory.listing() == [ALICE, BOB]


@pytest.mark.parametrize("kind", ["sqlite"])  # the others are not asked
@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (DirectoryEntry(PushUser(1, 3), ""), "login is empty"),
        (DirectoryEntry(PushUser(1, 3), "a", "", ("",)), "alias is empty"),
        (DirectoryEntry(PushUser(1, 3), "a\nb"), "login has a control character"),
        (DirectoryEntry(PushUser(1, 3), "a" * 256), "login has 256 characters, 255 are possible"),
        (DirectoryEntry(PushUser(1, 3), "a", "b\udcff"), "mail has a character that cannot be stored"),
        (DirectoryEntry(PushUser(1, -3), "a"), "user -3 is not a number from 1"),
    ],
)
async def test_entry_of_no_use(directory: SqlUserDirectory, entry: DirectoryEntry, reason: str) -> None:
    """What cannot be stored is refused by name."""
    with pytest.raises(BadData, match=f"^{reason}"):
        await directory.add(entry)


async def test_many_at_once(directory: SqlUserDirectory) -> None:
    """Of many entries each is stored or refused by itself, in their order."""
    clash = DirectoryEntry(PushUser(1, 9), "BOB")

    refusals = await directory.add_all([BOB, clash, ALICE])

    assert [None if refusal is None else str(refusal) for refusal in refusals] == [
        None,
        "the name 'BOB' belongs to user 4 of context 1",
        None,
    ]
    assert await directory.listing() == [ALICE, BOB]


async def test_remove(directory: SqlUserDirectory) -> None:
    """A removed user is gone with its names; removing it again finds nothing."""
    await directory.add_all([ALICE, BOB])

    assert await directory.remove(ALICE.user) is True
    assert await directory.remove(ALICE.user) is False
    assert await directory.listing() == [BOB]
    assert await directory.resolve("al") is None
