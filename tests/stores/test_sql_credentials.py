"""Kept passwords in a database that the middleware writes to as well, and may have made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import insert, inspect, select, update
from sqlalchemy.schema import CreateTable

from oxpushctl.errors import ConfigurationError
from oxpushctl.model import CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores import schema
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from tests.stores.conftest import Now, Sql
from tests.stores.middleware_tables import CREDENTIAL, RELEASE_7_8, RELEASE_8_19

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
LEGACY = "Ly0IuBiCK80hvTD1f81Q9A=="
HERS = KeptCredential(ALICE, "alice", "AAEC$hers", Origin.SUBSCRIBING, CredentialState.OPENED)
# As it is read when the middleware wrote it.
THEIRS = KeptCredential(BOB, "bob", LEGACY, Origin.COMMAND, CredentialState.UNTRIED)
WRITE_THEIRS = insert(schema.credential).values(cid=1, user=4, login="bob", password=LEGACY)

on_mariadb = pytest.mark.parametrize("kind", ["mariadb"])


@pytest.fixture
def rows(database: Database, now: Now) -> SqlCredentialRows:
    return SqlCredentialRows(database, now)


async def everything(rows: SqlCredentialRows) -> list[KeptCredential]:
    return list(await rows.page(None, 1000))


async def test_table_of_the_middleware_s(rows: SqlCredentialRows, database: Database, sql: Sql) -> None:
    """What the middleware wrote is read where there is nothing of ours, and reading makes nothing."""
    sql(CreateTable(schema.credential), WRITE_THEIRS)

    assert await rows.get(BOB) == THEIRS
    assert await everything(rows) == [THEIRS]
    assert await rows.seals() == Seals()
    names = await database.read(lambda c: inspect(c).get_table_names(), of=schema.credential, empty=None)
    assert names == ["credentials"]


async def test_row_of_the_middleware_s(rows: SqlCredentialRows, sql: Sql) -> None:
    """A row that the middleware wrote is not taken away with subscriptions, but serves like any other."""
    await rows.put([HERS], Seals())
    sql(WRITE_THEIRS)

    assert await rows.remove(BOB, Origin.SUBSCRIBING) is False
    await rows.mark(THEIRS, CredentialState.OPENED)
    assert await rows.get(BOB) == replace(THEIRS, state=CredentialState.OPENED)
    assert await rows.replace([(THEIRS, "AAEC$his")], Seals()) == 1
    assert await rows.get(BOB) == replace(THEIRS, value="AAEC$his", state=CredentialState.OPENED)
    assert await rows.remove(BOB, Origin.COMMAND) is True
    assert await everything(rows) == [HERS]


async def test_password_changed_by_the_middleware(rows: SqlCredentialRows, sql: Sql) -> None:
    """What is known of one password does not hold for the one that the middleware put in its place."""
    await rows.put([HERS], Seals())
    sql(update(schema.credential).values(password=LEGACY))
    changed = replace(HERS, value=LEGACY, state=CredentialState.UNTRIED)

    assert await rows.get(ALICE) == changed
    await rows.mark(HERS, CredentialState.REFUSED)
    assert await rows.get(ALICE) == changed
    assert await rows.replace([(HERS, "AAEC$new")], Seals()) == 0
    assert await rows.replace([(changed, "AAEC$new")], Seals()) == 1
    assert await rows.get(ALICE) == replace(changed, value="AAEC$new")


async def test_words_of_a_newer_release(rows: SqlCredentialRows, sql: Sql) -> None:
    """An origin or state that this release does not know is taken for the one that does no harm."""
    await rows.put([HERS], Seals())
    sql(update(schema.credential_state).values(origin="synchronised", state="expired"))

    assert await rows.get(ALICE) == replace(HERS, origin=Origin.COMMAND, state=CredentialState.UNTRIED)


async def test_when_it_changed(rows: SqlCredentialRows, sql: Sql, now: Now) -> None:
    """The time of the last change is kept; to note the same again is none, and writes nothing."""
    changed = select(schema.credential_state.c.changed)
    await rows.put([HERS], Seals())
    first = now.ms

    now.ms += 5
    await rows.mark(HERS, CredentialState.OPENED)
    assert sql(changed) == [(first,)]

    await rows.mark(HERS, CredentialState.REFUSED)
    assert sql(changed) == [(first + 5,)]


async def test_what_is_removed_leaves_nothing(rows: SqlCredentialRows, sql: Sql) -> None:
    """With a password goes what was noted of it."""
    await rows.put([HERS], Seals())

    await rows.remove(ALICE)

    assert sql(select(schema.credential_state)) == []


@on_mariadb
async def test_table_of_8_19(rows: SqlCredentialRows, sql: Sql) -> None:
    """The middleware's table as its release 8.19 makes it is used as it is, for emoji as well."""
    sql(RELEASE_8_19[CREDENTIAL], WRITE_THEIRS)
    hers = replace(HERS, login="📱" * 64, value="v" * 512)

    assert await rows.put([hers], Seals()) is True

    assert await everything(rows) == [hers, THEIRS]


@on_mariadb
async def test_table_of_7_8(rows: SqlCredentialRows, sql: Sql, open_database: Callable[[], Database]) -> None:
    """A narrow table is read; what does not fit is refused with all that comes with it, until it is widened."""
    sql(RELEASE_7_8[CREDENTIAL], WRITE_THEIRS)
    too_long, emoji = replace(HERS, value="v" * 65), replace(HERS, login="📱")

    for refused in (too_long, emoji):
        with pytest.raises(ConfigurationError, match=r"^the table credentials .* oxpushctl database upgrade") as caught:
            await rows.put([replace(HERS, user=PushUser(1, 5)), refused], Seals())
        assert "vvv" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="oxpushctl database upgrade"):
        await rows.replace([(THEIRS, "v" * 65)], Seals())
    assert await everything(rows) == [THEIRS]
    assert await rows.put([replace(HERS, login="日本語")], Seals()) is True

    await open_database().upgrade()
    widened = SqlCredentialRows(open_database())

    assert await widened.put([replace(too_long, login="📱")], Seals()) is True
    assert await everything(widened) == [replace(too_long, login="📱"), THEIRS]


@on_mariadb
async def test_cost_of_a_batch(rows: SqlCredentialRows, sql: Sql) -> None:
    """Two hundred rows are written and replaced with a handful of statements, not one by one."""
    many = [replace(HERS, user=PushUser(1, number)) for number in range(1, 201)]
    await rows.put(many, Seals())
    before = _counted(sql, "Questions")

    await rows.put(many, Seals())
    await rows.replace([(row, "AAEC$new") for row in many], Seals())

    assert _counted(sql, "Questions") - before < 30


@on_mariadb
async def test_cost_of_a_page(rows: SqlCredentialRows, sql: Sql) -> None:
    """A page is read by the primary key, no more of the table than it holds, wherever it begins."""
    users = [PushUser(context, number) for context in (1, 2) for number in range(1, 1001)]
    await rows.put([replace(HERS, user=user) for user in users], Seals())
    await rows.get(ALICE)

    for after, context in ((None, None), (PushUser(1, 500), None), (PushUser(1, 995), None), (PushUser(2, 900), 2)):
        before = _counted(sql, "Handler_read%")
        page = await rows.page(after, 10, context=context)
        assert len(page) == 10
        assert _counted(sql, "Handler_read%") - before < 100


def _counted(sql: Sql, name: str) -> int:
    """Return how much of something the server did so far."""
    return sum(int(value) for _, value in sql(f"SHOW GLOBAL STATUS LIKE '{name}'"))
