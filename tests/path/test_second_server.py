"""A mail server that nobody here wrote, and that is not Dovecot: pymap, an IMAP server in Python."""

from __future__ import annotations

import asyncio
import json

import pytest

from oxpushctl.config.listening import IDLE_ENABLED, IDLE_PERMANENT
from oxpushctl.config.properties import MAIL_SERVER_URL
from tests.path.conftest import Ground
from tests.path.town import Town, mail, town
from tests.peers.pymap import LOGIN, PASSWORD, opened, pymap

pytestmark = pytest.mark.slow

_SETTINGS = {IDLE_ENABLED.key: "true", IDLE_PERMANENT.key: "true"}


async def test_permanent_listener_at_pymap(ground: Ground) -> None:
    """Where Dovecot's way is enabled and not offered, IDLE tells of a mail with its words; who leaves is not heard."""
    with pymap() as port:
        settings = _SETTINGS | {MAIL_SERVER_URL.key: f"imap://127.0.0.1:{port}"}
        async with town(ground, settings=settings) as place:
            await ground.run("users", "add", "-c", "1", "-u", "5", "--login", LOGIN)
            app = await place.logged_in(LOGIN, PASSWORD)
            await asyncio.to_thread(app.subscribe, "aa11")
            await place.listening("user=5, context=1, permanent=true")
            _, out, _ = await ground.run("listpushusers", "-f", "json")
            await asyncio.to_thread(_append, port, "Lunch?")
            (push,) = await ground.sandbox.wait_for(count=1)
            await asyncio.to_thread(app.unsubscribe, "aa11")
            await place.listening()
            await _until_nothing_is_kept(place)
    (listed,) = json.loads(out)
    assert (listed["implementation"], listed["health"]) == ("imapidle", "ok")
    assert (push.token, push.at("aps", "alert")) == ("aa11", {"title": "Lunch?", "body": "Änna\nLunch?"})


async def _until_nothing_is_kept(place: Town) -> None:
    """Return when what subscribing stored is forgotten, which comes after the end of the listener."""
    kept: list[dict[str, object]] = []
    for _ in range(100):
        kept = await place.listed("credentials")
        if not kept:
            return
    raise AssertionError(f"{kept}: {place.engine.log()}")


def _append(port: int, subject: str) -> None:
    with opened(port) as imap:
        imap.append("INBOX", "", "", mail(LOGIN, subject).as_bytes())
