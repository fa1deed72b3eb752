"""Kept passwords in a table of an older middleware: what fits, what does not, and what widens it."""

from __future__ import annotations

import pytest

from oxpushctl.errors import ConfigurationError
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.layout import CredentialLayout, KnownCredentialLayout, credential_layout
from tests.stores.conftest import Sql
from tests.stores.middleware_tables import CREDENTIAL, RELEASE_7_8, RELEASE_8_19

VALUE_8 = "v" * 200
NARROW = CredentialLayout(password_width=64, password_charset="utf8mb3", login_charset="utf8mb3")


async def _layout(database: Database) -> CredentialLayout:
    return await database.write(credential_layout)


async def test_table_of_ours(database: Database) -> None:
    """Everything fits into a table that we made."""
    layout = await _layout(database)

    assert layout.is_wide
    layout.check("📬" * 64, VALUE_8)


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_table_of_today_s_middleware(database: Database, sql: Sql) -> None:
    """Everything fits into a table of 8.19."""
    sql(RELEASE_8_19[CREDENTIAL])

    assert await _layout(database) == CredentialLayout(512, "utf8mb4", "utf8mb4")


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_table_of_an_old_middleware(database: Database, sql: Sql) -> None:
    """A table of 7.x is seen for what it is, until an upgrade widens it."""
    sql(RELEASE_7_8[CREDENTIAL])
    before = await _layout(database)

    await database.upgrade()

    assert before == NARROW
    assert await _layout(database) == CredentialLayout(512, "utf8mb4", "utf8mb4")


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_narrow_column(database: Database, sql: Sql) -> None:
    """Where somebody made the column narrower, an upgrade widens it again."""
    await database.prepare()
    sql("ALTER TABLE credentials ALTER COLUMN password TYPE VARCHAR(64)")
    before = await _layout(database)

    done = await database.upgrade()

    assert before.password_width == 64
    assert done == ["column password of credentials (512 characters, for all of Unicode)"]
    assert (await _layout(database)).is_wide
    assert await database.pending() == []


@pytest.mark.parametrize(
    ("login", "value", "words"),
    [
        ("alice", VALUE_8, "cannot keep an encrypted password of today's"),
        ("alice📬", "v" * 64, "cannot keep this login, for its letters"),
    ],
)
def test_what_does_not_fit(login: str, value: str, words: str) -> None:
    """What a narrow table cannot keep is refused with the command that widens it, and nothing of it is repeated."""
    with pytest.raises(ConfigurationError, match=f"table credentials .* {words}: oxpushctl database upgrade") as caught:
        NARROW.check(login, value)

    assert login not in str(caught.value)
    assert value not in str(caught.value)


def test_what_fits() -> None:
    """A narrow table takes the values of its own time."""
    NARROW.check("älice日", "v" * 64)


@pytest.mark.parametrize("kind", ["mariadb"])
async def test_widened_while_the_engine_runs(database: Database, sql: Sql) -> None:
    """A store that knew a narrow table looks again after a while."""
    sql(RELEASE_7_8[CREDENTIAL])
    await database.prepare()
    clock = [1000.0]
    known = KnownCredentialLayout(lambda: clock[0])

    async def is_wide() -> bool:
        return await database.read(lambda connection: known.of(connection).is_wide, of=schema.credential, empty=False)

    before = await is_wide()
    await database.upgrade()
    at_once = await is_wide()
    clock[0] += 31

    assert (before, at_once, await is_wide()) == (False, False, True)
