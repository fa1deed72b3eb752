"""Rotates the passwords of a database until it is killed, as a process of its own.

    python -m tests.stores.rotating BATCHES < a line of JSON: url, old and new

Prints how many rows it went through after each batch, and halts after that many batches until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys

from oxpushctl.stores.rotation import rotate
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database


async def main(batches: int) -> None:
    """Rotate what the first line of the input names."""
    wish = json.loads(sys.stdin.readline())
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += 1
        print(count, flush=True)  # noqa: T201  # the test waits for it
        if done == batches:
            sys.stdin.read()

    database = Database.open(wish["url"])
    try:
        await rotate(SqlCredentialRows(database), wish["old"], wish["new"], advance)
    finally:
        await database.aclose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
