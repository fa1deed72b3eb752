"""The database goes away under load and comes back: nothing that was answered with 200 is lost."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from oxpushctl.config.own import DATABASE_URL, INTAKE_LISTEN, REGISTRATION
from oxpushctl.sandbox.write_etc import write_etc
from oxpushctl.web.notify import PATH
from tests.path.conftest import Ground
from tests.path.test_daemon import event
from tests.peers import engine
from tests.peers.mariadb import MariaDb
from tests.peers.postgresql import PostgreSql
from tests.waiting import until

_LOGIN = "anton@example.com"
_MAILS = 600
_AWAY = range(200, 400)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MariaDb, PostgreSql])
async def test_database_restarted_in_the_middle_of_a_load(
    ground: Ground, kind: type[MariaDb] | type[PostgreSql]
) -> None:
    """Requests that need the database get 503 only while it is away; each mail that got 200 is pushed, once."""
    with kind() as database, database.fresh() as url:
        settings = {INTAKE_LISTEN.key: "127.0.0.1:0", DATABASE_URL.key: url, REGISTRATION.key: "plain"}
        write_etc(ground.etc, ground.sandbox.identity, endpoint=ground.sandbox.url, settings=settings)
        await ground.run("users", "add", "-c", "1", "-u", "3", "--login", _LOGIN)
        await ground.subscribe("apn", "aa11")
        async with engine.running(ground.etc, ground.state) as running, ground.session(running) as session:
            answers: dict[int, int] = {}
            for uid in range(1, _MAILS + 1):
                if uid == _AWAY.start:
                    await asyncio.to_thread(database.stop)
                elif uid == _AWAY.stop:
                    await asyncio.to_thread(database.start)
                    await until(lambda: "subscriptions can be read again" in running.log(), 60.0)
                # Every third is told by its login, which only the database knows.
                fields = event(uid) | ({"user": _LOGIN} if uid % 3 == 0 else {})
                async with session.put(PATH, json=fields) as response:
                    answers[uid] = response.status
            kept = {uid for uid, status in answers.items() if status == 200}
            await ground.sandbox.wait_for(count=len(kept), timeout_s=60.0)
            pushes = Counter(push.at("cid") for push in ground.sandbox.pushes)
    assert pushes == {f"default0/INBOX/{uid}": 1 for uid in kept}
    assert set(answers.values()) == {200, 503}
    refused = {uid for uid, status in answers.items() if status == 503}
    assert refused == {uid for uid in _AWAY if uid % 3 == 0}
