"""A user's password changes while a listener has the mailbox open: it waits, says so, and a command mends it."""

from __future__ import annotations

import asyncio
import json

from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_DELAY, IDLE_ENABLED, IDLE_PERMANENT
from tests.path.conftest import Ground
from tests.path.town import ANNA, Town, mail, town

_IDLE = {
    DOVECOT_ENABLED.key: "false",
    IDLE_ENABLED.key: "true",
    IDLE_PERMANENT.key: "true",
    IDLE_DELAY.key: "0",
}


async def test_password_changed_at_the_mail_server(ground: Ground) -> None:
    """The listener is shown as auth-failed and the kept password as refused; set again, it listens within seconds."""
    async with town(ground, settings=_IDLE) as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        await place.listening("user=3, context=1, permanent=true")
        await asyncio.to_thread(app.log_out)
        await place.change_passwords({ANNA: "another one"})
        await asyncio.to_thread(place.dovecot.doveadm, "kick", ANNA)
        waiting = await _until_health(place, "auth-failed")
        (kept,) = await place.listed("credentials")
        await _set(place, "another one")
        await place.listening("user=3, context=1, permanent=true", timeout_s=15)
        (mended,) = await place.listed("credentials")
        await asyncio.to_thread(place.dovecot.deliver, [ANNA], mail(ANNA))
        (push,) = await ground.sandbox.wait_for(count=1)
        log = place.engine.log()
    assert "[AUTHENTICATIONFAILED]" in str(waiting["reason"])
    assert (kept["state"], mended["state"]) == ("refused", "opened")
    assert push.token == "aa11"
    assert "another one" not in log


async def _set(place: Town, password: str) -> None:
    who = ("-c", "1", "-u", "3", "--login", ANNA)
    code, _, err = await place.ground.run("credentials", "set", *who, input_text=f"{password}\n")
    assert code == 0, err


async def _until_health(place: Town, health: str) -> dict[str, object]:
    for _ in range(100):
        _, out, _ = await place.ground.run("listpushusers", "--all", "-f", "json")
        for listed in json.loads(out or "[]"):
            if listed["health"] == health:
                found: dict[str, object] = listed
                return found
    raise AssertionError(place.engine.log())
