"""Mailboxes of a real Dovecot that are registered, adopted and taken back, over IMAP."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from oxpushctl.config.listening import DOVECOT_ENABLED
from oxpushctl.config.own import REGISTRATION
from oxpushctl.config.property import Property
from oxpushctl.errors import NotPermitted, NotReachable, OxpushctlError, UnknownEntry, Unsupported
from oxpushctl.listeners.dovecot_value import ENTRY, about
from oxpushctl.model import RegisteredMailbox
from oxpushctl.registration import Trust
from tests.listeners.boxes import message
from tests.listeners.openers import GLOBAL
from tests.listeners.people import ANTON, BERTA, GUENTER, MASTER, PASSWORDS, settings
from tests.listeners.registering import KEY, Ground, ground, signed
from tests.listeners.scripted import scripted
from tests.peers.dovecot import Dovecot, Driver, LogIns

GOOD = PASSWORDS["anton"]
ANOTHERS = "user=999@1/AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS, master=MASTER)) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left(dovecot: Dovecot) -> Iterator[None]:
    yield
    for login in ("anton", "b4", "günter"):
        dovecot.unregister(login, PASSWORDS[login])


@asynccontextmanager
async def anton_at(
    folder: Path, dovecot: Dovecot, more: Mapping[Property[Any], object] | None = None
) -> AsyncIterator[Ground]:
    """Have Anton's password at hand."""
    async with ground(folder, dovecot, more) as place:
        await place.opener.keep(ANTON, "anton", GOOD)
        yield place


def standing(dovecot: Dovecot, login: str = "anton") -> str | None:
    return dovecot.registration(login, PASSWORDS[login])


@pytest.mark.parametrize(("mode", "value"), [("signed", signed(ANTON)), ("both", signed(ANTON)), ("plain", "user=3@1")])
async def test_start(tmp_path: Path, dovecot: Dovecot, mode: str, value: str) -> None:
    """The value is in the mailbox, its hash is remembered with the name that opened it, and mail is caught up with."""
    async with anton_at(tmp_path, dovecot, {REGISTRATION: mode}) as place:
        await place.listeners().start(ANTON, is_permanent=True)
        remembered = await place.remembered()

    assert standing(dovecot) == value
    assert remembered == [RegisteredMailbox(ANTON, "anton", about(value), 1_000_000)]
    assert place.gaps == [ANTON]


async def test_start_again(tmp_path: Path, dovecot: Dovecot) -> None:
    """A second start of the same user, also at the same time, logs in no second time, and nothing was missed."""
    async with anton_at(tmp_path, dovecot) as place:
        listeners = place.listeners()
        with place.opener.tried("anton"):
            await asyncio.gather(*(listeners.start(ANTON, is_permanent=each) for each in (True, False, True)))
            await listeners.start(ANTON, is_permanent=True)
    assert place.gaps == [ANTON]


async def test_master_password(tmp_path: Path, dovecot: Dovecot) -> None:
    """What the master user's log-in adds is no part of the mailbox's name: another way finds it as well."""
    async with ground(tmp_path, dovecot, GLOBAL) as place:
        listeners = place.listeners()
        await listeners.start(BERTA, is_permanent=True)
        (row,) = await place.remembered()
        adopted = await place.listeners().adopt([ANTON, BERTA])

    assert (row.name, standing(dovecot, "b4")) == ("b4", signed(BERTA))
    assert adopted == {BERTA}


async def test_dovecot_sends_it_back(tmp_path: Path) -> None:
    """A mail to a registered mailbox is told with a value that is believed as its user's."""
    told: list[str] = []

    async def hear(request: web.BaseRequest) -> web.Response:
        told.append(json.loads(await request.text())["user"])
        return web.Response()

    server = web.ServerRunner(web.Server(hear))
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    host, port = server.addresses[0][:2]
    try:
        with Dovecot(Driver(f"http://{host}:{port}/"), log_ins=LogIns(passwords=PASSWORDS)) as dovecot:
            async with anton_at(tmp_path, dovecot) as place:
                listeners = place.listeners()
                await listeners.start(ANTON, is_permanent=True)
                await asyncio.to_thread(dovecot.deliver, ["anton"], message("Lunch?"))
                heard = list(told)
                await listeners.stop(ANTON)
    finally:
        await server.cleanup()

    assert [Trust("signed", KEY).believe(each) for each in heard] == [ANTON]


async def test_another_value(tmp_path: Path, dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """What another wrote is replaced, and that is told without saying what it was."""
    caplog.set_level(logging.DEBUG)
    dovecot.register("anton", ANOTHERS, GOOD)
    async with anton_at(tmp_path, dovecot) as place:
        await place.listeners().start(ANTON, is_permanent=True)

    assert standing(dovecot) == signed(ANTON)
    assert "another registration was in a mailbox, and is replaced" in caplog.text
    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert "AAAAAA" not in logged
    assert signed(ANTON).partition("/")[2] not in logged


async def test_adopt(tmp_path: Path, dovecot: Dovecot) -> None:
    """What an earlier run registered is heard without a log-in, and needs no start; nobody took what came meanwhile."""
    async with anton_at(tmp_path, dovecot) as place:
        await place.opener.keep(BERTA, "b4", PASSWORDS["b4"])
        await place.listeners().start(ANTON, is_permanent=True)
        later = place.listeners()
        place.gaps.clear()
        with place.opener.tried():
            adopted = await later.adopt([ANTON, BERTA, GUENTER])
            await later.start(ANTON, is_permanent=True)

    assert (list(adopted), place.gaps) == ([ANTON], [ANTON])


@pytest.mark.parametrize(
    "change",
    [{"about": "0" * 64}, {"name": "anton.of.old"}, {"verified_ms": 0}],
    ids=["another value", "another mailbox", "not known to be written"],
)
async def test_what_cannot_be_adopted(tmp_path: Path, dovecot: Dovecot, change: dict[str, Any]) -> None:
    """Where the value or the mailbox is not that of today, or nobody knows, it is registered again."""
    async with anton_at(tmp_path, dovecot) as place:
        await place.listeners().start(ANTON, is_permanent=True)
        (row,) = await place.remembered()
        await place.mailboxes.put([replace(row, **change)])
        later = place.listeners()
        adopted = await later.adopt([ANTON])
        with place.opener.tried("anton"):
            await later.start(ANTON, is_permanent=True)
        remembered = await place.remembered()

    assert adopted == frozenset()
    assert remembered == [row]


async def test_name_in_another_case(tmp_path: Path, dovecot: Dovecot) -> None:
    """Mail servers do not mind the case of names."""
    async with anton_at(tmp_path, dovecot) as place:
        await place.listeners().start(ANTON, is_permanent=True)
        (row,) = await place.remembered()
        await place.mailboxes.put([replace(row, name="Anton")])
        assert await place.listeners().adopt([ANTON]) == {ANTON}


async def test_stop(tmp_path: Path, dovecot: Dovecot) -> None:
    """The value is gone from the mailbox, and nothing is remembered; a second stop asks nobody."""
    async with anton_at(tmp_path, dovecot) as place:
        listeners = place.listeners()
        await listeners.start(ANTON, is_permanent=True)
        await listeners.stop(ANTON)
        with place.opener.tried():
            await listeners.stop(ANTON)
            await listeners.stop(BERTA)
        remembered = await place.remembered()

    assert (standing(dovecot), remembered) == (None, [])


async def test_stop_of_an_earlier_run(tmp_path: Path, dovecot: Dovecot) -> None:
    """What was remembered is taken back, whoever wrote it and in whatever mode."""
    async with anton_at(tmp_path, dovecot, {REGISTRATION: "plain"}) as place:
        await place.listeners().start(ANTON, is_permanent=True)
    async with anton_at(tmp_path, dovecot) as place:
        await place.listeners().stop(ANTON)
        assert await place.remembered() == []

    assert standing(dovecot) is None


async def test_stop_where_another_value_is(tmp_path: Path, dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """What another wrote since stays, and that is told."""
    async with anton_at(tmp_path, dovecot) as place:
        listeners = place.listeners()
        await listeners.start(ANTON, is_permanent=True)
        dovecot.register("anton", ANOTHERS, GOOD)
        await listeners.stop(ANTON)
        remembered = await place.remembered()

    assert (standing(dovecot), remembered) == (ANOTHERS, [])
    assert "another registration is in a mailbox, and stays" in caplog.text


async def test_stop_that_is_not_possible_now(tmp_path: Path, dovecot: Dovecot) -> None:
    """Without a password it raises and remembers; it goes well once there is one again."""
    async with anton_at(tmp_path, dovecot) as place:
        listeners = place.listeners()
        await listeners.start(ANTON, is_permanent=True)
        await place.opener.vault.remove(ANTON)
        with pytest.raises(UnknownEntry):
            await listeners.stop(ANTON)
        remembered = len(await place.remembered())
        await place.opener.keep(ANTON, "anton", GOOD)
        await listeners.stop(ANTON)
        left = await place.remembered()

    assert (remembered, left, standing(dovecot)) == (1, [], None)


async def test_start_after_a_stop(tmp_path: Path, dovecot: Dovecot) -> None:
    """Who comes back is registered anew, also while the stop is under way."""
    async with anton_at(tmp_path, dovecot) as place:
        listeners = place.listeners()
        await listeners.start(ANTON, is_permanent=True)
        stopping = asyncio.create_task(listeners.stop(ANTON))
        await asyncio.sleep(0)
        await listeners.start(ANTON, is_permanent=True)
        await stopping
        remembered = await place.remembered()

    assert standing(dovecot) == signed(ANTON)
    assert [row.user for row in remembered] == [ANTON]


async def test_session_that_has_ended(tmp_path: Path, dovecot: Dovecot) -> None:
    """What only a session's password opened is taken back when the session has ended, and then it is forgotten."""
    async with ground(tmp_path, dovecot, has_vault=False) as place:
        place.opener.log_in(ANTON, "anton", GOOD)
        listeners = place.listeners()
        await listeners.start(ANTON, is_permanent=False)
        begun = standing(dovecot)
        place.opener.sessions.passwords.clear()
        await listeners.stop(ANTON)

    assert (begun, standing(dovecot)) == (signed(ANTON), None)
    assert place.sessions.credentials(ANTON) == []


@pytest.mark.parametrize(
    ("password", "kind"), [("wrong", NotPermitted), (None, UnknownEntry)], ids=["refused", "none at hand"]
)
async def test_start_that_fails(
    tmp_path: Path, dovecot: Dovecot, password: str | None, kind: type[OxpushctlError]
) -> None:
    """Where nothing opens the mailbox that is said, and nothing is remembered; a stop then asks nobody."""
    async with ground(tmp_path, dovecot) as place:
        if password is not None:
            await place.opener.keep(ANTON, "anton", password)
        listeners = place.listeners()
        with pytest.raises(kind):
            await listeners.start(ANTON, is_permanent=True)
        with place.opener.tried():
            await listeners.stop(ANTON)
        assert await place.remembered() == []


async def test_without_metadata(tmp_path: Path) -> None:
    """A server that has none is told apart, and nothing is remembered."""
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS, has_metadata=False)) as dovecot:
        async with anton_at(tmp_path, dovecot) as place:
            with pytest.raises(Unsupported):
                await place.listeners().start(ANTON, is_permanent=True)
            assert await place.remembered() == []


async def test_metadata_that_is_not_kept(tmp_path: Path) -> None:
    """A server that has METADATA and no place for it is one without; no row and no session's password is left."""
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS), extra="mail_attribute_dict =") as dovecot:
        async with ground(tmp_path, dovecot, has_vault=False) as place:
            place.opener.log_in(ANTON, "anton", GOOD)
            with pytest.raises(Unsupported):
                await place.listeners().start(ANTON, is_permanent=False)
            place.opener.sessions.passwords.clear()
            assert (await place.remembered(), place.sessions.credentials(ANTON)) == ([], [])


async def test_server_that_is_away(tmp_path: Path) -> None:
    """Nothing is remembered of what was not reached, and all that was is left as it is."""
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS)) as dovecot:
        async with anton_at(tmp_path, dovecot) as place:
            await place.opener.keep(BERTA, "b4", PASSWORDS["b4"])
            listeners = place.listeners()
            await listeners.start(ANTON, is_permanent=True)
            dovecot.halt()
            for doing in (listeners.start(BERTA, is_permanent=True), listeners.stop(ANTON)):
                with pytest.raises(NotReachable):
                    await doing
            assert [row.user for row in await place.remembered()] == [ANTON]


@pytest.mark.parametrize("code", ["", "[METADATA MAXSIZE 20] "])
async def test_server_that_quotes_the_value(tmp_path: Path, code: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its words are not repeated: whoever has the MAC can name the user."""
    caplog.set_level(logging.DEBUG)
    said = {
        "AUTHENTICATE": "+ \r\n",
        "": "* CAPABILITY IMAP4rev1 METADATA\r\nTAG OK in\r\n",
        "GETMETADATA": f'* METADATA "" ({ENTRY} NIL)\r\nTAG OK done\r\n',
        "SETMETADATA": f'TAG NO {code}cannot store "{signed(ANTON)}"\r\n',
    }
    async with scripted(answers=said) as (port, heard), ground(tmp_path, port) as place:
        await place.opener.keep(ANTON, "anton", GOOD)
        with pytest.raises(OxpushctlError) as raised:
            await place.listeners().start(ANTON, is_permanent=True)

    mac = signed(ANTON).partition("/")[2]
    assert any(mac in line for line in heard)
    told = "".join(traceback.format_exception(raised.value)) + " ".join(str(each.__dict__) for each in caplog.records)
    assert mac[:6] not in told
    assert "refuses" in str(raised.value)


async def test_other_mailbox_of_a_user(tmp_path: Path, dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """Who got another mailbox is registered there; that the former one may still carry the value is told."""
    async with anton_at(tmp_path, dovecot) as place:
        await place.listeners().start(ANTON, is_permanent=True)
        await place.opener.directory.remove(BERTA)
        await place.opener.keep(ANTON, "b4", PASSWORDS["b4"])
        later = place.listeners()
        adopted = await later.adopt([ANTON])
        await later.start(ANTON, is_permanent=True)
        (row,) = await place.remembered()

    assert (adopted, row.name, standing(dovecot, "b4")) == (frozenset(), "b4", signed(ANTON))
    assert "the mailbox that a user had before may still be registered for it" in caplog.text


async def test_switch(tmp_path: Path, dovecot: Dovecot) -> None:
    """One switch is for both kinds of listeners, and a reload heeds it."""
    async with anton_at(tmp_path, dovecot) as place:
        listeners = place.listeners()
        before = [listeners.is_on(is_permanent=each) for each in (True, False)]
        listeners.reload(settings({**place.values, DOVECOT_ENABLED: False}))
        after = [listeners.is_on(is_permanent=each) for each in (True, False)]

    assert (before, after) == ([True, True], [False, False])
