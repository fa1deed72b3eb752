"""The directory: whose a name is, and whose an id."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from oxpushctl.errors import BadData, TryLater
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.stores.conftest import Sql

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


async def test_pages(directory: SqlUserDirectory) -> None:
    """Page behind page all entries come once, with all their names, however few are in one."""
    entries = [ALICE, BOB, DirectoryEntry(PushUser(2, 1), "carol"), DirectoryEntry(PushUser(3, 1), "dan", "", ("d",))]
    assert await directory.page(None, 2) == ()
    await directory.add_all(entries)
    found: list[DirectoryEntry] = []
    while page := await directory.page(found[-1].user if found else None, 2):
        assert len(page) == 2
        found += page
    assert found == entries


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


async def test_entries(directory: SqlUserDirectory) -> None:
    """Those of some users that are known are told at once, more than a statement takes; impossible ones are nobody."""
    everybody = [
        DirectoryEntry(PushUser(1, number), f"login{number}", "", (f"alias{number}",)) for number in range(1, 601)
    ]
    before = await directory.entries([PushUser(1, 1)])
    await directory.add_all(everybody)
    asked = [*(entry.user for entry in everybody[50:]), PushUser(9, 9), PushUser(0, 1), PushUser(1, 2**40)]

    assert (before, await directory.entries([])) == ({}, {})
    assert await directory.entries(asked) == {entry.user: entry for entry in everybody[50:]}


async def test_resolve_all(directory: SqlUserDirectory) -> None:
    """Of many names each is told whose it is, as it was asked for; those of nobody, and impossible ones, are not."""
    await directory.add_all([ALICE, BOB])
    nobodys = ["", "\udcff", "nul\0", "x" * 1000, "alice ", *(f"nobody {number}" for number in range(600))]

    assert await directory.resolve_all([*nobodys, "BOB", "bob", "åsa"]) == {
        "BOB": BOB.user,
        "bob": BOB.user,
        "åsa": ALICE.user,
    }
    assert await directory.resolve_all(nobodys[:5]) == {}


async def test_entry(directory: SqlUserDirectory) -> None:
    """What is known of a user is returned as it was given; of another, or one that cannot be, nothing is known."""
    users = (ALICE.user, BOB.user, PushUser(1, 5), PushUser(3, 1), PushUser(1, 2**64))
    assert [await directory.entry(user) for user in users] == [None] * 5
    await directory.add_all([ALICE, BOB])

    assert [await directory.entry(user) for user in users] == [ALICE, BOB, None, None, None]


async def test_replace(directory: SqlUserDirectory) -> None:
    """A user that is added again is replaced: names that it lost are free, its login may be spelt in another case."""
    await directory.add(ALICE)

    await directory.add(DirectoryEntry(ALICE.user, "alice@example.ORG", "", ("AL", "Alice@Example.Org", "al")))

    assert await directory.listing() == [DirectoryEntry(ALICE.user, "alice@example.ORG", "", ("AL",))]
    assert await directory.resolve("Åsa") is None


@pytest.mark.parametrize("login", ["carol", "AL"])
async def test_another_login(directory: SqlUserDirectory, login: str) -> None:
    """An id is not given to another person, not even under one of its aliases: its devices would be that person's."""
    await directory.add_all([ALICE, BOB])

    with pytest.raises(BadData, match=r"^user 3 of context 1 is Alice@Example\.org: another login would give its dev"):
        await directory.add(DirectoryEntry(ALICE.user, login))

    assert await directory.listing() == [ALICE, BOB]


async def test_rename(directory: SqlUserDirectory) -> None:
    """A person that is renamed keeps its id, and the former login is free; others' names stay theirs."""
    await directory.add_all([ALICE, BOB])

    await directory.add(DirectoryEntry(ALICE.user, "alice.smith", "", ("al",)), rename=True)
    with pytest.raises(BadData, match=r"belongs to user 4 of context 1$"):
        await directory.add(DirectoryEntry(ALICE.user, "Bob"), rename=True)

    assert await directory.listing() == [DirectoryEntry(ALICE.user, "alice.smith", "", ("al",)), BOB]
    assert await directory.resolve(ALICE.login) is None


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


async def test_each_after_the_one_before(directory: SqlUserDirectory) -> None:
    """Of many entries each finds what those before it made of the directory: names they freed, ids and names they took.

    So it is when they are of the same user."""
    await directory.add_all([ALICE, BOB])
    entries = [
        DirectoryEntry(ALICE.user, ALICE.login),
        DirectoryEntry(BOB.user, "bob", "", ("Al",)),
        DirectoryEntry(PushUser(1, 5), "dave"),
        DirectoryEntry(PushUser(1, 5), "eve"),
        DirectoryEntry(PushUser(1, 5), "Dave", "dave@example.org", ("Åsa",)),
        DirectoryEntry(PushUser(1, 6), "åsa"),
        ALICE,
    ]

    refusals = await directory.add_all(entries)

    assert [refusal and str(refusal).partition(":")[0] for refusal in refusals] == [
        None,
        None,
        None,
        "user 5 of context 1 is dave",
        None,
        "the name 'åsa' belongs to user 5 of context 1",
        "the name 'al' belongs to user 4 of context 1",
    ]
    assert await directory.listing() == [entries[0], entries[1], entries[4]]


async def test_more_than_one_statement_takes(directory: SqlUserDirectory) -> None:
    """However many entries and names there are, of however many contexts, all are stored and replaced."""
    many = [
        DirectoryEntry(PushUser(number, 7), f"u{number}", f"{number}@example.org", (f"a{number}", f"b{number}"))
        for number in range(1, 1202)
    ]
    await directory.add_all(many)

    refusals = await directory.add_all([replace(entry, aliases=("c" + entry.login,)) for entry in many])

    assert set(refusals) == {None}
    assert await directory.listing() == [replace(entry, aliases=("c" + entry.login,)) for entry in many]


@pytest.mark.parametrize("kind", ["sqlite"])  # what is written is the same everywhere
async def test_nothing_new(directory: SqlUserDirectory, sql: Sql) -> None:
    """What is stored already is not written again."""
    await directory.add_all([ALICE, BOB])
    for change, table in product(("INSERT", "UPDATE", "DELETE"), ("oxpush_user", "oxpush_user_name")):
        sql(
            f"CREATE TRIGGER no_{change}_{table} BEFORE {change} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'written again'); END"
        )

    assert await directory.add_all([BOB, replace(ALICE, aliases=(*ALICE.aliases, "AL"))]) == [None, None]
    with pytest.raises(TryLater):
        await directory.add(replace(BOB, mail="bob@example.org"))
