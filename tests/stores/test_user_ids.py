"""Users that a log-in makes: an id that nobody had before, whoever makes them and however many at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.schema import CreateTable

from oxpushctl.errors import BadData, ConfigurationError
from oxpushctl.model import DirectoryEntry, PushUser, Subscription
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from tests.stores.conftest import Sql
from tests.stores.test_odd_texts import EMOJI, INJECTIONS, REFUSED

_EMPTY: dict[Table, dict[str, Any]] = {
    schema.user: {"mail": ""},
    schema.subscription: {"id": bytes(16), "token": "t", "client": "app", "transport": "apn", "last_modified": 1},
    schema.registration: {"client": "app"},
    schema.credential: {"password": "p", "login": "l"},
    schema.credential_state: {"origin": "command", "state": "untried", "about": "", "changed": 1},
    schema.mark: {"uidvalidity": 1, "uidnext": 1, "recent": "", "changed": 1},
    schema.last_user: {},
}


async def test_first_ones(directory: SqlUserDirectory) -> None:
    """Each context has its own ids, which begin with 1; who was made is known by its login as it was given."""
    made = [
        await directory.create("Anna@Example.org", "anna@example.org", 1),
        await directory.create("bob", "", 1),
        await directory.create("carol", "", 7),
    ]

    assert made == [
        DirectoryEntry(PushUser(1, 1), "Anna@Example.org", "anna@example.org"),
        DirectoryEntry(PushUser(1, 2), "bob"),
        DirectoryEntry(PushUser(7, 1), "carol"),
    ]
    assert await directory.listing() == made
    assert await directory.resolve("anna@example.org") == PushUser(1, 1)


@pytest.mark.parametrize("table", _EMPTY, ids=lambda table: str(table.name))
async def test_id_that_stands_somewhere(
    directory: SqlUserDirectory, database: Database, sql: Sql, table: Table
) -> None:
    """An id under which anything is stored is somebody's, in the directory or not; those of other contexts are not."""
    await database.prepare()
    for context, user in ((1, 7), (1, 5), (2, 90)):
        values = {name: bytes([user] * 16) if name == "id" else value for name, value in _EMPTY[table].items()}
        if (context, user) != (1, 5) or table is not schema.last_user:  # which has one row a context
            sql(insert(table).values(cid=context, user=user, **values))

    assert (await directory.create("anna", "", 1)).user == PushUser(1, 8)


async def test_id_of_a_removed_user(directory: SqlUserDirectory) -> None:
    """An id is not given again once its user is removed, whether it had been made or added."""
    await directory.create("anna", "", 1)
    await directory.remove(PushUser(1, 1))
    bob = await directory.create("bob", "", 1)
    await directory.add(DirectoryEntry(PushUser(1, 50), "carol"))
    await directory.remove(PushUser(1, 50))
    await directory.remove(bob.user)
    dave = await directory.create("dave", "", 1)

    assert (bob.user, dave.user) == (PushUser(1, 2), PushUser(1, 51))


async def test_login_that_is_taken(directory: SqlUserDirectory) -> None:
    """Who was made meanwhile, in whatever context, is returned as it is: nobody is made twice, and no id is lost."""
    anna = DirectoryEntry(PushUser(2, 3), "Anna", "anna@example.org", ("ann",))
    await directory.add(anna)

    assert [await directory.create(name, "other@example.org", 1) for name in ("anna", "ANN")] == [anna, anna]
    assert (await directory.create("bob", "", 1)).user == PushUser(1, 1)


async def test_last_id(directory: SqlUserDirectory) -> None:
    """Where the highest possible id is somebody's, none is left, and none below it is taken for free."""
    await directory.add(DirectoryEntry(PushUser(1, 2**32 - 1), "anna"))

    with pytest.raises(ConfigurationError, match="context 1 has a user 4294967295: no higher user id is left to give"):
        await directory.create("bob", "", 1)


async def test_tables_of_the_middleware(directory: SqlUserDirectory, sql: Sql) -> None:
    """Where the middleware gives the ids, none is ever given here: it would be that of another person."""
    sql(CreateTable(Table("updateTask", MetaData(), Column("cid", Integer))))

    with pytest.raises(ConfigurationError, match=r"^oxpushctl\.users\.autoCreate: the middleware made"):
        await directory.create("anna", "", 1)

    assert await directory.listing() == []


async def test_odd_logins(directory: SqlUserDirectory) -> None:
    """A login is kept to the letter, and finds its user again."""
    logins = [*INJECTIONS, *EMOJI, "l" * 255, "📱" * 255]

    made = [await directory.create(login, "📬@example.org", 1) for login in logins]

    assert [entry.login for entry in made] == logins
    assert await directory.listing() == made
    assert [await directory.create(login, "", 1) for login in logins] == made


@pytest.mark.parametrize(
    ("text", "reason"), REFUSED, ids=["NUL", "newline", "64 KiB", "space", "half a character", "nothing"]
)
async def test_refused_logins(directory: SqlUserDirectory, text: str, reason: str) -> None:
    """What could not be kept to the letter makes nobody."""
    with pytest.raises(BadData, match=f"^login {reason}"):
        await directory.create(text, "", 1)

    assert await directory.listing() == ()


_CREATE = textwrap.dedent("""
    import asyncio, json, sys
    from oxpushctl.stores.sql.database import Database
    from oxpushctl.stores.sql.users import SqlUserDirectory

    async def main(url, own):
        database = Database.open(url)
        directory = SqlUserDirectory(database)
        await directory.listing()
        print("ready", flush=True)
        sys.stdin.readline()
        made = {}
        for number in range(20):  # some at the same time, as people log in
            logins = [f"both{number}", f"{own}{number}", f"BOTH{number}"]
            entries = await asyncio.gather(*(directory.create(login, "", 1) for login in logins))
            made |= {login: (entry.login.lower(), entry.user.user) for login, entry in zip(logins, entries)}
        await database.aclose()
        print(json.dumps(made))

    asyncio.run(main(sys.argv[1], sys.argv[2]))
""")


def test_two_processes(url: str, sql: Sql) -> None:
    """Two that make the same user get the same one, and different users never get the same id."""
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _CREATE, url, own],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for own in ("one", "other")
        ]
        assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 2
        ended = [process.communicate("go\n", timeout=60) for process in processes]

    assert [stderr[-2000:] for _, stderr in ended] == ["", ""]
    known: dict[str, int] = dict(sql(select(schema.user_name.c.folded, schema.user_name.c.user)))
    assert len(set(known.values())) == len(known) == 60
    for stdout, _ in ended:
        made = json.loads(stdout)
        assert made == {login: [login.lower(), known[login.lower()]] for login in made}
        assert len(made) == 60


async def test_number_that_only_a_device_had(directory: SqlUserDirectory, store: SqlSubscriptionStore) -> None:
    """A user that was never in the directory leaves its number behind as well: a mailbox may still have it."""
    await store.subscribe(Subscription(PushUser(1, 9), "app", "apn", "a1"))
    await store.unsubscribe(PushUser(1, 9), None, None)

    entry = await directory.create("carla", "", 1)

    assert entry.user == PushUser(1, 10)
