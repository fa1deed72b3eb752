"""Many bring the same token at the same time, from more than one process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from contextlib import ExitStack

from sqlalchemy import select

from oxpushctl.stores import schema
from tests.stores.conftest import Sql

TIMES = 500

_REGISTER = textwrap.dedent("""
    import asyncio, sys
    from oxpushctl.model import PushUser, Subscription
    from oxpushctl.stores.sql.database import Database
    from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore

    async def main(url, user, times):
        database = Database.open(url)
        store = SqlSubscriptionStore(database, lambda client: True)
        await store.listing()
        print("ready", flush=True)
        sys.stdin.readline()
        wishes = [Subscription(PushUser(1, user + number % 2), "app", "apn", "a1b2c3") for number in range(times)]
        for start in range(0, times, 10):  # some at the same time, as requests come in
            await asyncio.gather(*(store.subscribe(wish) for wish in wishes[start:start + 10]))
        await database.aclose()

    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
""")


def test_two_processes(url: str, sql: Sql) -> None:
    """However often two processes give a token to other users, it ends with the last one's row, topic and registration.

    Neither process hears of an error.
    """
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _REGISTER, url, user, str(TIMES)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for user in ("10", "20")
        ]
        assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 2
        ended = [process.communicate("go\n", timeout=60) for process in processes]

    assert [stderr[-2000:] for _, stderr in ended] == ["", ""]
    assert sql("SELECT token FROM pns_subscription") == [("a1b2c3",)]
    assert sql("SELECT topic FROM pns_subscription_topic_exact") == [("ox:mail:new",)]
    last = sql(select(schema.subscription.c.user))
    assert sql(select(schema.registration.c.user)) == last
    assert sql(select(schema.registered_context.c.cid)) == [(1,)]
