"""How long it takes to find the devices of 100 users among 1,000,000 subscriptions: less than 20 ms.

    .venv/bin/python -m tests.benchmarks.matching [--subscriptions N]

On a real MariaDB and on SQLite, through the store as the engine uses it: each time other users, so that little of what
is read was read before. The figure is the median. The plan of the query is shown, and must look up every table by a
key. Two devices a user; most want new mail, some a wildcard or everything, and a tenth is expired.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from oxpushctl.model import NEW_MAIL, PushUser
from oxpushctl.stores import schema
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.matching import statement
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.peers.mariadb import MariaDb

LIMIT_MS = 20.0
USERS = 100
USERS_EACH_CONTEXT = 5000
RUNS = 200
WARM_UPS = 20
CLIENT = "open-xchange-mobile-api-facade"

# Of each row: its number N gives user and token, and what it wants.
ROWS = """
    INSERT INTO pns_subscription (id, cid, {user}, token, client, transport, last_modified, all_flag, expires)
    SELECT {id}, {n} / 2 {div} {each} + 1, {n} / 2 % {each} + 1, {token}, '{client}', 'apn', {n}, {n} % 20 = 0,
           CASE WHEN {n} % 10 = 7 THEN 1 END
    FROM {numbers}
"""
TOPICS = """
    INSERT INTO pns_subscription_topic_{kind} (id, cid, topic)
    SELECT id, cid, '{topic}' FROM pns_subscription WHERE all_flag = 0 AND last_modified % 5 {which} 1
"""


def topics() -> list[str]:
    """Return the statements that say what devices want."""
    return [
        TOPICS.format(kind="wildcard", topic="ox:mail:", which="="),
        TOPICS.format(kind="exact", topic=NEW_MAIL, which="<>"),
    ]


def fill_mariadb(url: str, count: int) -> None:
    """Write the rows within the server, which sorts them into their indexes at the end."""
    # MariaDB's "/" makes fractions.
    rows = ROWS.replace("{n} / 2 {div} {each}", "{n} DIV 2 DIV {each}").replace("{n} / 2", "{n} DIV 2")
    filled = rows.format(
        user="user", id="UNHEX(MD5(seq))", token="SHA2(seq, 256)", n="seq", numbers=f"seq_0_to_{count - 1}",
        each=USERS_EACH_CONTEXT, client=CLIENT,
    )  # fmt: skip
    engine = create_engine(make_url(url).set(drivername="mysql+pymysql"))
    with engine.connect() as connection:
        connection.exec_driver_sql("SET unique_checks = 0, foreign_key_checks = 0")
        for each in (filled, *topics(), "ANALYZE TABLE pns_subscription"):
            connection.exec_driver_sql(each.replace("%", "%%"))  # the driver has a meaning for it
            connection.commit()
    engine.dispose()


def fill_sqlite(file: Path, count: int) -> None:
    """Write the rows in one transaction."""
    filled = ROWS.format(
        user='"user"', id="randomblob(16)", token="lower(hex(randomblob(32)))", n="n", div="/", numbers="numbers",
        each=USERS_EACH_CONTEXT, client=CLIENT,
    )  # fmt: skip
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count - 1})"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")  # KiB: tokens come in no order
        for each in (filled.replace("SELECT", f"{numbers} SELECT", 1), *topics()):
            connection.execute(each)
        connection.commit()


@dataclass(frozen=True)
class Result:
    """One database: how long batches took, how many devices were found in one, and the plan."""

    times_ms: Sequence[float]
    found: float
    plan: Sequence[str]
    is_by_key: bool

    @property
    def median_ms(self) -> float:
        """Return the figure that counts."""
        return statistics.median(self.times_ms)


def plan_of(connection: Connection) -> tuple[Sequence[str], bool]:
    """Return the plan of the query for a batch, a line a table, and whether each is looked up by a key."""
    query = statement(USERS, 2).compile(dialect=connection.dialect)
    values = {name: 1 if name.startswith(("cid", "user", "now")) else "ox:" for name in query.params}
    order = query.positiontup
    explained = connection.exec_driver_sql(
        f"{'EXPLAIN' if connection.dialect.name == 'mysql' else 'EXPLAIN QUERY PLAN'} {query}",
        values if order is None else tuple(values[name] for name in order),
    ).mappings()
    if connection.dialect.name == "mysql":
        rows = [row for row in explained if str(row["table"]).startswith("pns_")]
        return [f"{row['table']}: {row['type']} by {row['key']}" for row in rows], all(row["key"] for row in rows)
    steps = [str(row["detail"]) for row in explained if "pns_" in str(row["detail"])]
    return steps, all(step.startswith("SEARCH ") for step in steps)


async def measure(url: str, count: int) -> Result:
    """Match batches of users who are drawn anew each time."""
    database = Database.open(url)
    store = SqlSubscriptionStore(database)
    draw = random.Random(1)
    found, times_ms = 0, []
    for run in range(WARM_UPS + RUNS):
        numbers = draw.sample(range(count // 2), USERS)
        users = [PushUser(number // USERS_EACH_CONTEXT + 1, number % USERS_EACH_CONTEXT + 1) for number in numbers]
        start = time.perf_counter()
        matched = await store.matching(users, NEW_MAIL)
        if run >= WARM_UPS:
            times_ms.append((time.perf_counter() - start) * 1e3)
            found += sum(map(len, matched.values()))
    plan, is_by_key = await database.read(plan_of, of=schema.subscription, empty=((), False))
    await database.aclose()
    return Result(times_ms, found / RUNS, plan, is_by_key)


async def prepared(url: str) -> None:
    """Make the tables."""
    database = Database.open(url)
    await database.prepare()
    await database.aclose()


def main() -> None:
    """Print the figures and plans; end with 1 above the limit, or where a table is read from end to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=1_000_000)
    count = parser.parse_args().subscriptions
    results = {}
    with ExitStack() as running:
        file = Path(running.enter_context(tempfile.TemporaryDirectory())) / "oxpushctl.db"
        asyncio.run(prepared(f"sqlite:///{file}"))
        fill_sqlite(file, count)
        results["SQLite"] = asyncio.run(measure(f"sqlite:///{file}", count))
        url = running.enter_context(running.enter_context(MariaDb()).fresh())
        asyncio.run(prepared(url))
        fill_mariadb(url, count)
        results["MariaDB"] = asyncio.run(measure(url, count))
    for name, result in results.items():
        p95_ms = statistics.quantiles(result.times_ms, n=20)[-1]
        print(
            f"{name}: {USERS} users among {count:,} subscriptions matched in {result.median_ms:.1f} ms "
            f"(p95 {p95_ms:.1f} ms, {result.found:.0f} devices), at most {LIMIT_MS:.0f} (median of {RUNS})"
        )
        for line in result.plan:
            print(f"    {line}")
    sys.exit(any(result.median_ms > LIMIT_MS or not result.is_by_key for result in results.values()))


if __name__ == "__main__":
    main()
