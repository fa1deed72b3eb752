"""The commands that make and widen tables: what they say, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from oxpushctl.stores import schema
from tests.cli.command import Command, Ended
from tests.peers.mariadb import MariaDb
from tests.stores.middleware_tables import RELEASE_7_8

ALL_TABLES = ", ".join(table.name for table in schema.metadata.sorted_tables)
OUR_TABLES = ", ".join(table.name for table in schema.metadata.sorted_tables if table.name not in RELEASE_7_8)
NARROW = (
    "column expires of pns_subscription, column meta of pns_subscription, column client of pns_subscription "
    "(for all of Unicode), primary key of pns_subscription (cid, user, token, client), "
    "index tokenIndex of pns_subscription, column password of credentials (512 characters, for all of Unicode), "
    "column login of credentials (for all of Unicode)"
)
PHONE = ("-c", "1", "-u", "3", "-i", "open-xchange-mobile-api-facade", "--transport", "apn", "--token", "a1b2c3")


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    with MariaDb() as server:
        yield server


@pytest.fixture
def url(mariadb: MariaDb, oxpushctl: Command) -> Iterator[str]:
    """An empty schema of MariaDB, which the configuration names."""
    with mariadb.fresh() as url:
        (oxpushctl.etc / "oxpushctl.properties").write_text(f"oxpushctl.database.url={url}\n")
        yield url


@pytest.fixture
def old_url(url: str) -> str:
    """One with the tables of a middleware 7.8 and a device of its own."""
    engine = create_engine(make_url(url).set(drivername="mysql+pymysql"))
    with engine.begin() as connection:
        for statement in RELEASE_7_8.values():
            connection.execute(text(statement))
        connection.execute(
            text("INSERT INTO pns_subscription VALUES ('0123456789abcdef', 1, 4, 't', 'app', 'apn', 5, 1)")
        )
    engine.dispose()
    return url


def test_create(oxpushctl: Command) -> None:
    """One line says which tables were made, or that all are there; standard output has nothing."""
    first = oxpushctl.process("database", "create")
    again = oxpushctl("database", "create")

    assert first == Ended(0, "", f"Tables made: {ALL_TABLES}.\n")
    assert again == Ended(0, "", "All tables are there.\n")


def test_upgrade_of_nothing(oxpushctl: Command) -> None:
    """An upgrade makes missing tables as well, and finds nothing to do in those that it made."""
    first = oxpushctl("database", "upgrade")
    again = oxpushctl("database", "upgrade")

    assert first == Ended(0, "", f"Tables made: {ALL_TABLES}.\n")
    assert again == Ended(0, "", "All tables are there, and as wide as today's.\n")


def test_create_beside_old_tables(oxpushctl: Command, old_url: str) -> None:
    """Beside the tables of an old middleware only ours are made, and said is what an upgrade would do."""
    done = oxpushctl("database", "create")

    would = f"`oxpushctl database upgrade` would add or widen: {NARROW}"
    assert done == Ended(0, "", f"Tables made: {OUR_TABLES}; {would}.\n")


def test_upgrade_of_old_tables(oxpushctl: Command, old_url: str) -> None:
    """What old tables cannot keep is refused with the command to run; after it, it is kept beside what was there."""
    refused = oxpushctl("subscriptions", "add", *PHONE, "--expires", "30d")
    upgraded = oxpushctl.process("database", "upgrade")
    added = oxpushctl("subscriptions", "add", *PHONE, "--expires", "30d")

    assert (refused.code, refused.stdout) == (78, "")
    assert refused.stderr.endswith("cannot keep when a subscription expires: oxpushctl database upgrade widens it\n")
    assert upgraded == Ended(0, "", f"Added or widened: {NARROW}.\n")
    assert added.code == 0
    listed = oxpushctl("subscriptions", "list").stdout.splitlines()[1:]
    assert [line.split("\t")[:5] for line in listed] == [
        ["1", "3", PHONE[5], "apn", "a1b2c3"],
        ["1", "4", "app", "apn", "t"],
    ]


def test_refused_login(oxpushctl: Command, url: str) -> None:
    """A wrong password ends with 77, and is not shown."""
    wrong = make_url(url).set(password="geheim").render_as_string(hide_password=False)
    (oxpushctl.etc / "oxpushctl.properties").write_text(f"oxpushctl.database.url={wrong}\n")

    refused = oxpushctl.process("database", "create")

    assert (refused.code, refused.stdout) == (77, "")
    assert refused.stderr.count("\n") == 1
    assert "geheim" not in refused.stderr


def test_configuration_with_errors(oxpushctl: Command) -> None:
    """With a configuration that cannot be meant nothing is made: the error may be about which database it is."""
    (oxpushctl.etc / "oxpushctl.properties").write_text("oxpushctl.database.url=nowhere\n")

    ended = oxpushctl("database", "upgrade")

    assert ended.code == 78
    assert not oxpushctl.state.exists()
