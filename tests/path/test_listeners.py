"""From subscribing to the phone and back, with each of the implementations, over a real mail server."""

from __future__ import annotations

import asyncio
import json
import socket

import aiohttp
import pytest

from oxpushctl.config.listening import (
    ALLOW_PERMANENT_PUSH,
    DOVECOT_ENABLED,
    IDLE_ENABLED,
    IDLE_PERMANENT,
    NOTIFY_DELAY,
    NOTIFY_ENABLED,
    NOTIFY_FULL_ADDRESS,
    NOTIFY_OX_LOGIN,
    NOTIFY_PORT,
)
from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.properties import ALLOWED_CLIENTS
from oxpushctl.model import PushUser
from oxpushctl.registration import derive_key, sign
from oxpushctl.web.notify import PATH
from tests.path.conftest import Ground
from tests.path.mail_app import CLIENT
from tests.path.town import ANNA, BERTA, PASSCRYPT_TEXT, PASSWORDS, Storage, Town, mail, town
from tests.peers import engine
from tests.peers.ports import free_port
from tests.web.parts import notice

APP_SUITE = "open-xchange-appsuite"
_DOVECOT = {REGISTRATION.key: "signed"}
_IDLE = {DOVECOT_ENABLED.key: "false", IDLE_ENABLED.key: "true", IDLE_PERMANENT.key: "true"}
_NOTIFY = {
    DOVECOT_ENABLED.key: "false",
    NOTIFY_ENABLED.key: "true",
    NOTIFY_DELAY.key: "200",
    NOTIFY_OX_LOGIN.key: "true",
    NOTIFY_FULL_ADDRESS.key: "true",
}
IMPLEMENTATIONS = {"dovecot": _DOVECOT, "imapidle": _IDLE, "mailnotify": _NOTIFY}
SIGNED = f"user={sign(PushUser(1, 3), derive_key(PASSCRYPT_TEXT))}"


def settings_of(implementation: str) -> dict[str, str]:
    chosen = dict(IMPLEMENTATIONS[implementation])
    if implementation == "mailnotify":
        chosen[NOTIFY_PORT.key] = str(free_port(socket.SOCK_DGRAM))
    return chosen


async def deliver(place: Town, login: str, subject: str, settings: dict[str, str]) -> None:
    """Hand a mail over; where Cyrus would tell of it with a datagram, send one."""
    await asyncio.to_thread(place.dovecot.deliver, [login], mail(login, subject))
    if NOTIFY_PORT.key in settings:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            told = b"\0".join([b"log", b"MAIL", b"", login.encode(), b"INBOX", b"0", b"From: somebody", b""])
            sender.sendto(told, ("127.0.0.1", int(settings[NOTIFY_PORT.key])))


@pytest.mark.parametrize("storage", ["sdbox", "maildir"])
@pytest.mark.parametrize("implementation", list(IMPLEMENTATIONS))
async def test_permanent_listener(ground: Ground, implementation: str, storage: Storage) -> None:
    """A device subscribes and is listened for; a mail reaches it with its words; it leaves, and nobody listens."""
    settings = settings_of(implementation)
    async with town(ground, storage=storage, settings=settings) as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        await place.listening("user=3, context=1, permanent=true")
        registered = await asyncio.to_thread(place.dovecot.registration, ANNA, PASSWORDS[ANNA])
        _, out, _ = await ground.run("listpushusers", "-f", "json")
        await deliver(place, ANNA, "Lunch?", settings)
        (push,) = await ground.sandbox.wait_for(count=1)
        await asyncio.to_thread(app.unsubscribe, "aa11")
        await place.listening()
        left = await asyncio.to_thread(place.dovecot.registration, ANNA, PASSWORDS[ANNA])
    (listed,) = json.loads(out)
    assert (listed["implementation"], listed["health"]) == (implementation, "ok")
    assert push.at("aps", "alert") == {"title": "Lunch?", "body": "Änna\nLunch?"}
    assert push.token == "aa11"
    assert (registered, left) == (SIGNED if implementation == "dovecot" else None, None)


@pytest.mark.parametrize("implementation", list(IMPLEMENTATIONS))
async def test_listener_of_a_session(ground: Ground, implementation: str) -> None:
    """While App Suite has its socket open, new mail arrives on it; log-out ends both socket and listener."""
    settings = settings_of(implementation) | {ALLOWED_CLIENTS.key: f"{APP_SUITE}, {CLIENT}*"}
    async with town(ground, settings=settings) as place:
        app = await place.logged_in(client=APP_SUITE)
        url = f"ws://{place.engine.public}/socket.io/appsuite/?session={app.session}&EIO=3&transport=websocket"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as web_socket:
            opened = [await web_socket.receive_str(), await web_socket.receive_str()]
            await place.listening("user=3, context=1, permanent=false")
            await deliver(place, ANNA, "Lunch?", settings)
            event = await web_socket.receive_str(timeout=30)
            await asyncio.to_thread(app.log_out)
            farewell = await web_socket.receive_str(timeout=30)
        await place.listening()
        left = await asyncio.to_thread(place.dovecot.registration, ANNA, PASSWORDS[ANNA])
    assert [opened[0][:1], opened[1]] == ["0", "40"]
    assert event.startswith("42")
    name, data = json.loads(event[2:])
    assert (name, data["subject"], data["displayname"]) == ("ox:mail:new", "Lunch?", "Änna")
    assert farewell == '42["session:invalid"]'
    assert left is None


async def test_permanent_wins_over_a_session(ground: Ground) -> None:
    """A user with both is listed once, as permanent; when the device leaves, the session keeps its listener."""
    async with town(ground, settings=_IDLE | {ALLOWED_CLIENTS.key: f"{APP_SUITE}, {CLIENT}*"}) as place:
        app, suite = await place.logged_in(), await place.logged_in(client=APP_SUITE)
        url = f"ws://{place.engine.public}/socket.io/appsuite/?session={suite.session}&EIO=4&transport=websocket"
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as web_socket:
            await web_socket.send_str("40")  # since Engine.IO 4 the client connects to a namespace
            await place.listening("user=3, context=1, permanent=false")
            await asyncio.to_thread(app.subscribe, "aa11")
            await place.listening("user=3, context=1, permanent=true")
            await asyncio.to_thread(app.unsubscribe, "aa11")
            await place.listening("user=3, context=1, permanent=false")


@pytest.mark.parametrize("value", ["user=4@1", "user=4@1/AAAAAAAAAAAAAAAAAAAAAA", f"user=berta@example.com\t{SIGNED}"])
async def test_owner_writes_another_users_name(ground: Ground, value: str) -> None:
    """Whatever the owner of a mailbox writes into its METADATA, no other user's phone hears of it."""
    async with town(ground, settings=_DOVECOT) as place:
        for login, token in ((ANNA, "aa11"), (BERTA, "bb22")):
            app = await place.logged_in(login)
            await asyncio.to_thread(app.subscribe, token)
        await place.listening("user=3, context=1, permanent=true", "user=4, context=1, permanent=true")
        await asyncio.to_thread(place.dovecot.register, ANNA, value, PASSWORDS[ANNA])
        await deliver(place, ANNA, "for Anna", {})
        await deliver(place, BERTA, "for Berta", {})
        await ground.sandbox.wait_for(lambda push: push.token == "bb22")
        pushed = [(push.token, push.at("aps", "alert", "title")) for push in ground.sandbox.pushes]
    assert [pair for pair in pushed if pair[0] == "bb22"] == [("bb22", "for Berta")]


async def test_restart_logs_in_nowhere(ground: Ground) -> None:
    """What was registered is remembered: the next start asks no mail server, and hears all the same."""
    async with town(ground, settings=_DOVECOT, oxpushctl_catchup_enabled="false") as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        await place.listening("user=3, context=1, permanent=true")
        before = place.dovecot.log().count("Login: user=")
        await place.restart()
        await place.listening("user=3, context=1, permanent=true")
        after = place.dovecot.log().count("Login: user=")
        await deliver(place, ANNA, "Lunch?", {})
        (push,) = await ground.sandbox.wait_for(count=1)
    assert after == before > 0
    assert push.token == "aa11"


@pytest.mark.parametrize("implementation", ["dovecot", "imapidle"])
async def test_mail_that_arrived_while_nobody_listened(ground: Ground, implementation: str) -> None:
    """A start catches up with what came meanwhile, once, and pushes nothing again that was pushed before."""
    settings = settings_of(implementation)
    async with town(ground, settings=settings) as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        await place.listening("user=3, context=1, permanent=true")
        await deliver(place, ANNA, "heard", settings)
        await ground.sandbox.wait_for(count=1)
        await place.stop()
        await deliver(place, ANNA, "missed", settings)
        await place.start()
        await ground.sandbox.wait_for(count=2)
        await place.restart()
        await place.listening("user=3, context=1, permanent=true")
        await deliver(place, ANNA, "last", settings)
        await ground.sandbox.wait_for(lambda push: push.at("aps", "alert", "title") == "last")
        titles = [push.at("aps", "alert", "title") for push in ground.sandbox.pushes]
    assert titles == ["heard", "missed", "last"]


async def test_no_mail_server(ground: Ground) -> None:
    """Mailboxes that were registered by hand are pushed; who has a device is no trouble, and listed as such."""
    await ground.subscribe("apn", "aa11")
    async with engine.running(ground.etc, ground.state, "-o", f"{ALLOW_PERMANENT_PUSH.key}=true") as running:
        async with ground.session(running) as session:
            await session.put(PATH, data=notice(imap_uid=1))
        (push,) = await ground.sandbox.wait_for(count=1)
        code, running_now, _ = await ground.run("listpushusers")
        _, out, _ = await ground.run("listpushusers", "--all", "-f", "json")
        log = running.log()
    (listed,) = json.loads(out)
    assert push.token == "aa11"
    assert (code, running_now) == (0, "")
    assert (listed["health"], listed["implementation"]) == ("unsupported", "")
    assert [line.split(" ", 2)[2][:60] for line in log.splitlines() if " warning " in line] == [
        'configuration reason="warning OXP315 com.openexchange.mail.m'
    ]


async def test_user_that_is_removed(ground: Ground) -> None:
    """Its mailbox is no longer registered, though nothing opens it any more: what tells Dovecot of it went first."""
    async with town(ground, settings=_DOVECOT) as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        await place.listening("user=3, context=1, permanent=true")
        before = await asyncio.to_thread(place.dovecot.registration, ANNA, PASSWORDS[ANNA])
        removed = await ground.run("users", "remove", "-c", "1", "-u", "3")
        await place.listening()
        left = await asyncio.to_thread(place.dovecot.registration, ANNA, PASSWORDS[ANNA])
        kept = await place.listed("credentials")
        log = place.engine.log()
    assert (before, left, kept) == (SIGNED, None, [])
    assert removed == (0, "", "User 3 of context 1 removed, with 1 device and the kept password.\n")
    # That its password is gone the engine may see before it is told why.
    assert "may still be registered" not in log


async def test_user_that_is_removed_while_the_mail_server_is_away(ground: Ground) -> None:
    """It goes all the same, and it is said that its mailbox may still be registered."""
    async with town(ground, settings=_DOVECOT) as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        await place.listening("user=3, context=1, permanent=true")
        await place.stop()
        await asyncio.to_thread(place.dovecot.halt)
        code, _, err = await ground.run("users", "remove", "-c", "1", "-u", "3")
    warning, removed = err.splitlines()
    assert (code, removed) == (0, "User 3 of context 1 removed, with 1 device and the kept password.")
    assert warning.startswith(
        "The mailbox of user 3 of context 1 may still be registered at Dovecot: imap://127.0.0.1:"
    )
