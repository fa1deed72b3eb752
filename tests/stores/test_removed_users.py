"""An id that was somebody's is nobody else's: the mailbox of the one who is gone may name it for ever."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from oxpushctl.errors import BadData
from oxpushctl.model import DirectoryEntry, PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.stores.conftest import Sql

ANNA = DirectoryEntry(PushUser(1, 3), "Anna@example.org", "anna@example.org", ("an",))
REFUSED = (
    r"^user id 3 of context 1 was anna@example\.org's, whose mailbox may still name it: give another id \(--rename if"
)


@pytest.fixture
async def directory(directory: SqlUserDirectory) -> SqlUserDirectory:
    """Anna was there, and is removed."""
    await directory.add(ANNA)
    await directory.remove(ANNA.user)
    return directory


@pytest.mark.parametrize("login", ["carla", "an"])
async def test_another_person(directory: SqlUserDirectory, login: str) -> None:
    """The id of a removed user is given to nobody else, not even to one with a former alias or with the login as one.

    The same id in another context is another one.
    """
    with pytest.raises(BadData, match=REFUSED):
        await directory.add(DirectoryEntry(ANNA.user, login, "", (ANNA.login,)))
    elsewhere = DirectoryEntry(PushUser(2, 3), login, "", (ANNA.login,))
    await directory.add(elsewhere)

    assert await directory.listing() == [elsewhere]


async def test_same_person(directory: SqlUserDirectory) -> None:
    """Who is back with the same login, in whatever case, is the same person, and is known as a new one afterwards."""
    await directory.add(DirectoryEntry(ANNA.user, "ANNA@example.org"))
    with pytest.raises(BadData, match=r"is ANNA@example\.org: another login would"):
        await directory.add(DirectoryEntry(ANNA.user, "carla"))

    assert await directory.listing() == [DirectoryEntry(ANNA.user, "ANNA@example.org")]


async def test_same_person_with_another_login(directory: SqlUserDirectory, sql: Sql) -> None:
    """Who is said to be the same person gets the id back; from then on it is the new login's."""
    anna_smith = DirectoryEntry(ANNA.user, "anna.smith")
    await directory.add(anna_smith, rename=True)
    while_there = sql(select(schema.removed_user.c.folded))
    await directory.remove(ANNA.user)

    with pytest.raises(BadData, match=r"was anna\.smith's"):
        await directory.add(ANNA)
    await directory.add(anna_smith)

    assert while_there == []
    assert await directory.listing() == [anna_smith]


async def test_many_at_once(directory: SqlUserDirectory) -> None:
    """In an import, lines for ids of removed users are refused one by one, and the others are stored."""
    many = [DirectoryEntry(PushUser(1, number), f"user {number}") for number in range(100, 700)]
    await directory.add_all(many)
    for entry in many[:3]:
        await directory.remove(entry.user)
    carla, dora = DirectoryEntry(many[0].user, "carla"), DirectoryEntry(many[1].user, "dora")

    refusals = await directory.add_all([carla, *many[1:], dora, DirectoryEntry(ANNA.user, "eve")])

    assert [str(each).partition(",")[0] for each in refusals if each is not None] == [
        "user id 100 of context 1 was user 100's",
        "user 101 of context 1 is user 101: another login would give its devices to somebody else (--rename if it is "
        "the same person",
        "user id 3 of context 1 was anna@example.org's",
    ]
    assert await directory.listing() == many[1:]
