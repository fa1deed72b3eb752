"""The mail server goes away in every way there is: listeners are well again without help, and push nothing twice.

How long it took is printed: ``pytest -s`` shows it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_DELAY, IDLE_ENABLED, IDLE_PERMANENT
from oxpushctl.config.own import IDLE_RENEW, REGISTRATION
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.dovecot import SqlRegisteredMailboxes
from tests.listeners.swallowing import Way, way_to
from tests.path.conftest import Ground
from tests.path.town import ANNA, BERTA, PASSWORDS, Town, mail, town
from tests.peers.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.slow

_IDLE = {
    DOVECOT_ENABLED.key: "false",
    IDLE_ENABLED.key: "true",
    IDLE_PERMANENT.key: "true",
    IDLE_DELAY.key: "100",
}
_TOKENS = {ANNA: "aa11", BERTA: "bb22"}
_LISTENING = ("user=3, context=1, permanent=true", "user=4, context=1, permanent=true")


async def kicked(place: Town, _: Way) -> Sequence[str]:
    """An administrator ends the sessions."""
    for login in _TOKENS:
        await asyncio.to_thread(place.dovecot.doveadm, "kick", login)
    return []


async def restarted(place: Town, _: Way) -> Sequence[str]:
    """Dovecot ends without its sessions, and another one starts: they hear of its mail, and end much later."""
    await asyncio.to_thread(place.dovecot.abandon)
    await asyncio.to_thread(place.dovecot.resume)
    await _deliver(place, "heard by the old ones")
    return ["heard by the old ones"]


async def killed(place: Town, _: Way) -> Sequence[str]:
    """Dovecot is gone with all its processes, at once."""
    await asyncio.to_thread(place.dovecot.halt, signal.SIGKILL)
    await until(lambda: "listeners lost" in place.engine.log())
    await asyncio.to_thread(place.dovecot.resume)
    return []


async def swallowed(place: Town, way: Way) -> Sequence[str]:
    """The way loses what is sent on it, so that both ends believe in a connection that is none."""
    way.swallow()
    await _deliver(place, "swallowed")
    return ["swallowed"]


@pytest.mark.parametrize("trouble", [kicked, restarted, killed, swallowed])
async def test_sessions_end(ground: Ground, trouble: Callable[[Town, Way], Awaitable[Sequence[str]]]) -> None:
    """Each listener is well again; what came in the dead time is pushed exactly once, and so is what comes then."""
    port = free_port()
    # Who is asked every second whether it is alive ends even later at a Dovecot that was stopped.
    renew = "1s" if trouble is swallowed else "60s"
    settings = _IDLE | {MAIL_SERVER_URL.key: f"imap://127.0.0.1:{port}", IDLE_RENEW.key: renew}
    async with town(ground, settings=settings) as place, way_to(place.dovecot.imap_port, port) as way:
        await _subscribe(place)
        began = time.time()
        if trouble is not swallowed:
            way.refuse()  # nobody is back before the mail below has come
        unheard = await trouble(place, way)
        await until(lambda: "listeners lost" in place.engine.log(), timeout_s=60)
        noticed = time.time()
        await _deliver(place, "meanwhile")
        way.heal()
        caught_up = await ground.sandbox.wait_for(count=2 * len(unheard) + 2, timeout_s=60)
        await _until_well(place)
        await _deliver(place, "last")
        await ground.sandbox.wait_for(lambda push: push.at("aps", "alert", "title") == "last", count=2, timeout_s=30)
        pushed = _pushed(ground)
    pushed_s = max(push.received_at for push in caught_up) - began
    sys.stdout.write(f"\n{trouble.__name__}: noticed after {noticed - began:.1f} s, caught up after {pushed_s:.1f} s ")
    assert pushed == sorted(
        (token, subject) for token in _TOKENS.values() for subject in [*unheard, "meanwhile", "last"]
    )


async def test_registrations_outlive_dovecot(ground: Ground) -> None:
    """Killed and started again, Dovecot tells of new mail as before: no listener is lost, and nobody logs in."""
    async with town(ground, oxpushctl_catchup_enabled="false") as place:  # or it logs in, a moment after the start
        await _subscribe(place)
        before = _log_ins(place)
        await asyncio.to_thread(place.dovecot.halt, signal.SIGKILL)
        await asyncio.to_thread(place.dovecot.resume)
        await _deliver(place, "as before")
        await ground.sandbox.wait_for(count=2)
        await place.listening(*_LISTENING)
        after, lost = _log_ins(place), "listeners lost" in place.engine.log()
        pushed = _pushed(ground)
    assert pushed == [("aa11", "as before"), ("bb22", "as before")]
    assert (after, lost) == (before, False)


async def test_mailbox_from_a_backup(ground: Ground) -> None:
    """A mailbox that was put back without its METADATA is registered again when its turn comes, and heard again."""
    async with town(ground, settings={REGISTRATION.key: "signed"}) as place:
        await _subscribe(place)
        before = await asyncio.to_thread(_registration, place)
        await place.stop()
        await asyncio.to_thread(place.dovecot.unregister, ANNA, PASSWORDS[ANNA])
        await _two_days_pass(ground)
        await place.start()
        await place.listening(*_LISTENING)
        await ground.run("users", "add", "-c", "1", "-u", "9", "--login", "new")  # of which the engine hears, and looks
        await until(lambda: "registration was lost and is restored user=3@1" in place.engine.log())
        after = await asyncio.to_thread(_registration, place)
        await _deliver(place, "as before")
        await ground.sandbox.wait_for(count=2)
        pushed = _pushed(ground)
    assert (pushed, after) == ([("aa11", "as before"), ("bb22", "as before")], before)
    assert before is not None


async def _two_days_pass(ground: Ground) -> None:
    """Have Anna's mailbox verified two days ago, so that its turn has come."""
    database = Database.open(f"sqlite:///{ground.state}/oxpushctl.db")
    mailboxes = SqlRegisteredMailboxes(database)
    annas, _ = await mailboxes.page(None, 10)
    await mailboxes.put([replace(annas, verified_ms=annas.verified_ms - 2 * 86_400_000)])
    await database.aclose()


def _registration(place: Town) -> str | None:
    return place.dovecot.registration(ANNA, PASSWORDS[ANNA])


async def _subscribe(place: Town) -> None:
    for login, token in _TOKENS.items():
        app = await place.logged_in(login)
        await asyncio.to_thread(app.subscribe, token)
    await place.listening(*_LISTENING)


async def _deliver(place: Town, subject: str) -> None:
    answers = await asyncio.to_thread(place.dovecot.deliver, list(_TOKENS), mail(ANNA, subject))
    assert all(answer.startswith("250") for answer in answers.values()), answers


async def _until_well(place: Town) -> None:
    """Return when both listeners say that they are well."""
    for _ in range(100):
        _, out, _ = await place.ground.run("listpushusers", "-f", "json")
        healths = [listed["health"] for listed in json.loads(out or "[]")]
        if healths == ["ok", "ok"]:
            return
    raise AssertionError(f"{healths}: {place.engine.log()}")


def _pushed(ground: Ground) -> list[tuple[str, str]]:
    return sorted((push.token, str(push.at("aps", "alert", "title"))) for push in ground.sandbox.pushes)


def _log_ins(place: Town) -> int:
    return place.dovecot.log().count("Login: user=")
