"""Mailboxes of a real Dovecot that are registered and taken back over doveadm, where no password helps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from oxpushctl.config.listening import DOVEADM_ENDPOINTS, DOVEADM_PROXY_DELIMITER, DOVEADM_SECRET
from oxpushctl.config.properties import LOGIN_SOURCE, PASSCRYPT
from oxpushctl.errors import BadData, ConfigurationError, NotReachable, UnknownEntry, Unsupported
from oxpushctl.listeners.dovecot_registrar import Cleared, Registered, Standing
from oxpushctl.listeners.dovecot_value import about
from oxpushctl.model import DirectoryEntry, PushUser, RegisteredMailbox
from oxpushctl.registration import Trust, derive_key
from tests.listeners.doveadm_scripted import Heard, answered, scripted_doveadm
from tests.listeners.people import ANTON, BERTA, GUENTER, PASSWORDS
from tests.listeners.registering import DOVEADM_KEY, Watched, ground, over_doveadm, signed, with_doveadm
from tests.peers.dovecot import PASSWORD, Dovecot, LogIns
from tests.waiting import until

ANOTHERS = "user=999@1/AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS), doveadm_key=DOVEADM_KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left(dovecot: Dovecot) -> Iterator[None]:
    yield
    for login, password in PASSWORDS.items():
        dovecot.unregister(login, password)


def standing(dovecot: Dovecot, login: str = "anton") -> str | None:
    return dovecot.registration(login, PASSWORDS[login])


async def test_preferred(tmp_path: Path, dovecot: Dovecot) -> None:
    """Users of the directory are registered and taken back without a log-in."""
    async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
        listeners = place.listeners()
        with place.opener.tried():
            await listeners.start(GUENTER, is_permanent=True)
            begun, remembered = standing(dovecot, "günter"), await place.remembered()
            adopted = await place.listeners().adopt([GUENTER])
            await listeners.stop(GUENTER)
        left = await place.remembered()

    assert begun == signed(GUENTER)
    assert remembered == [RegisteredMailbox(GUENTER, "günter", about(signed(GUENTER)), 1_000_000)]
    assert adopted == {GUENTER}
    assert (standing(dovecot, "günter"), left) == (None, [])


@pytest.mark.parametrize("password", ["wrong", None], ids=["refused", "none at hand"])
async def test_where_no_password_helps(tmp_path: Path, dovecot: Dovecot, password: str | None) -> None:
    """Over IMAP first; where nothing at hand opens the mailbox, doveadm does."""
    async with ground(tmp_path, dovecot, with_doveadm(dovecot)) as place:
        await place.opener.keep(BERTA, "b4", PASSWORDS["b4"])
        if password is not None:
            await place.opener.keep(ANTON, "anton", password)
        listeners = place.listeners()
        with place.opener.tried(*(["anton"] if password else []), "b4"):
            await listeners.start(ANTON, is_permanent=True)
            await listeners.start(BERTA, is_permanent=True)
        begun = standing(dovecot), standing(dovecot, "b4")
        await listeners.stop(ANTON)

    assert begun == (signed(ANTON), signed(BERTA))
    assert standing(dovecot) is None


async def test_login_given_to_another(tmp_path: Path, dovecot: Dovecot) -> None:
    """Who gets another login is registered in that mailbox while it is listened for, and no more in the former."""
    async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
        listeners = place.listeners()
        await listeners.start(ANTON, is_permanent=True)
        await place.opener.directory.remove(BERTA)
        await place.opener.directory.add(DirectoryEntry(ANTON, "b4"), rename=True)
        running = asyncio.create_task(listeners.run(Watched()))
        listeners.look()
        await until(lambda: standing(dovecot, "b4"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert (standing(dovecot), standing(dovecot, "b4")) == (None, signed(ANTON))


async def test_other_passphrase(tmp_path: Path, dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """After another passphrase nobody is adopted; each start writes the value of today, and that is no alarm."""
    async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
        await place.listeners().start(ANTON, is_permanent=True)
    rotated = {**over_doveadm(dovecot), PASSCRYPT: "another passphrase"}
    async with ground(tmp_path, dovecot, rotated) as place:
        listeners = place.listeners()
        adopted = await listeners.adopt([ANTON])
        await listeners.start(ANTON, is_permanent=True)
        again = await place.listeners().adopt([ANTON])

    trust = Trust("signed", derive_key("another passphrase"))
    assert (list(adopted), list(again)) == ([], [ANTON])
    assert trust.believe(str(standing(dovecot)).removeprefix("user=")) == ANTON
    assert "replaced" not in caplog.text


async def test_many(tmp_path: Path, dovecot: Dovecot) -> None:
    """Each of many is judged for itself: there, written, replaced, unknown."""
    dovecot.register("anton", signed(ANTON), PASSWORDS["anton"])
    dovecot.register("b4", ANOTHERS, PASSWORDS["b4"])
    nobody = PushUser(7, 7)
    async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
        dry = await place.registry.register([BERTA, nobody, GUENTER, ANTON], is_dry=True)
        untouched = standing(dovecot, "b4"), await place.remembered()
        done = await place.registry.register([BERTA, nobody, GUENTER, ANTON])
        remembered = [row.user for row in await place.remembered()]

    expected = [
        Registered(BERTA, "b4", Standing.REPLACED),
        Registered(GUENTER, "günter", Standing.WRITTEN),
        Registered(ANTON, "anton", Standing.ALREADY),
    ]
    for answers in (dry, done):
        assert [each for each in answers if isinstance(each, Registered)] == expected
        assert isinstance(answers[1], UnknownEntry)
    assert untouched == (ANOTHERS, [])
    assert [standing(dovecot, login) for login in ("anton", "b4", "günter")] == [
        signed(user) for user in (ANTON, BERTA, GUENTER)
    ]
    assert remembered == [ANTON, BERTA, GUENTER]


async def test_clear(tmp_path: Path, dovecot: Dovecot) -> None:
    """What is ours goes and is forgotten, remembered or not; what is another's stays."""
    async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
        await place.registry.register([ANTON, BERTA])
        dovecot.register("b4", ANOTHERS, PASSWORDS["b4"])
        dovecot.register("günter", "user=5@1", PASSWORDS["günter"])
        dry = await place.registry.clear([ANTON, BERTA, GUENTER], is_dry=True)
        untouched = standing(dovecot), len(await place.remembered())
        done = await place.registry.clear([ANTON, BERTA, GUENTER])
        again = await place.registry.clear([ANTON, BERTA, GUENTER])
        remembered = await place.remembered()

    assert list(dry) == list(done) == [Cleared.REMOVED, Cleared.ANOTHERS, Cleared.REMOVED]
    assert untouched == (signed(ANTON), 2)
    assert list(again) == [Cleared.NOTHING, Cleared.ANOTHERS, Cleared.NOTHING]
    assert [standing(dovecot, login) for login in ("anton", "b4", "günter")] == [None, ANOTHERS, None]
    assert remembered == []


async def test_other_mailbox_of_a_user(tmp_path: Path, dovecot: Dovecot) -> None:
    """Who got another mailbox is registered there, and no more in the former one, which may be somebody else's."""
    async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
        await place.listeners().start(ANTON, is_permanent=True)
        await place.opener.directory.remove(BERTA)
        await place.opener.directory.add(DirectoryEntry(ANTON, "b4"), rename=True)
        later = place.listeners()
        adopted = await later.adopt([ANTON])
        await later.start(ANTON, is_permanent=True)
        (row,) = await place.remembered()

    assert (adopted, row.name) == (frozenset(), "b4")
    assert (standing(dovecot), standing(dovecot, "b4")) == (None, signed(ANTON))


async def test_stop_of_a_user_that_has_left_the_directory(tmp_path: Path, dovecot: Dovecot) -> None:
    """The name that was remembered is enough."""
    async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
        listeners = place.listeners()
        await listeners.start(ANTON, is_permanent=True)
        await place.opener.directory.remove(ANTON)
        await listeners.stop(ANTON)
        assert await place.remembered() == []

    assert standing(dovecot) is None


async def test_behind_a_proxy(tmp_path: Path, dovecot: Dovecot) -> None:
    """doveadm knows users by what stands before the delimiter of a proxy; remembered is what opens the mailbox."""
    more = {**over_doveadm(dovecot), DOVEADM_PROXY_DELIMITER: "#"}
    async with ground(tmp_path, dovecot, more, entries=[DirectoryEntry(ANTON, "anton#proxy")]) as place:
        await place.listeners().start(ANTON, is_permanent=True)
        (row,) = await place.remembered()

    assert (row.name, standing(dovecot)) == ("anton#proxy", signed(ANTON))


async def test_two_users_with_one_mailbox(tmp_path: Path, dovecot: Dovecot) -> None:
    """doveadm opens any mailbox, so that two users who would share one are refused both."""
    people = [DirectoryEntry(ANTON, "a", "anton@example.com"), DirectoryEntry(BERTA, "b", "anton@example.net")]
    more = {**over_doveadm(dovecot), LOGIN_SOURCE: "name"}
    async with ground(tmp_path, dovecot, more, entries=people) as place:
        for user in (ANTON, BERTA):
            with pytest.raises(BadData, match="would log in at the mail server as the same"):
                await place.listeners().start(user, is_permanent=True)
        assert await place.remembered() == []


async def test_two_users_whom_a_proxy_makes_one(tmp_path: Path, dovecot: Dovecot) -> None:
    """So are those who differ only in what doveadm does not see, where they are asked for together."""
    people = [DirectoryEntry(ANTON, "anton#east"), DirectoryEntry(BERTA, "anton#west"), DirectoryEntry(GUENTER, "b4")]
    more = {**over_doveadm(dovecot), DOVEADM_PROXY_DELIMITER: "#"}
    async with ground(tmp_path, dovecot, more, entries=people) as place:
        answers = await place.registry.register([ANTON, BERTA, GUENTER])

    assert [type(each) for each in answers] == [BadData, BadData, Registered]
    assert standing(dovecot) is None


async def test_key_that_is_wrong(tmp_path: Path, dovecot: Dovecot) -> None:
    """That says nothing about any user: the configuration is to blame."""
    more = {**over_doveadm(dovecot), DOVEADM_SECRET: "of last year"}
    async with ground(tmp_path, dovecot, more) as place:
        with pytest.raises(ConfigurationError, match=DOVEADM_SECRET.key):
            await place.listeners().start(ANTON, is_permanent=True)
        assert await place.remembered() == []


async def test_doveadm_that_is_away(tmp_path: Path) -> None:
    """What was remembered stays so, and can be taken back later."""
    with Dovecot(doveadm_key=DOVEADM_KEY) as dovecot:
        async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
            listeners = place.listeners()
            await listeners.start(ANTON, is_permanent=True)
            dovecot.halt()
            with pytest.raises(NotReachable):
                await listeners.stop(ANTON)
            remembered = len(await place.remembered())
            dovecot.resume()
            await listeners.stop(ANTON)
            assert (remembered, await place.remembered()) == (1, [])
        assert dovecot.registration("anton", PASSWORD) is None


async def test_mailbox_that_has_gone(tmp_path: Path, dovecot: Dovecot) -> None:
    """Where Dovecot knows a remembered user no more, nothing is left to be taken back; of a new one it is an error."""

    async def say(heard: Heard) -> bytes:
        return answered(
            json.dumps([["error", {"type": "exitCode", "exitCode": 67}, tag] for *_, tag in heard.commands])
        )

    async with scripted_doveadm(say) as server:
        more = {**over_doveadm(dovecot), DOVEADM_ENDPOINTS: (server.url,)}
        async with ground(tmp_path, dovecot, more) as place:
            await place.mailboxes.put([RegisteredMailbox(ANTON, "anton", about(signed(ANTON)), 1)])
            await place.listeners().stop(ANTON)
            [unknown] = await place.registry.clear([BERTA])
            remembered = await place.remembered()

    assert remembered == []
    assert isinstance(unknown, UnknownEntry)


async def test_attributes_that_are_not_kept(tmp_path: Path) -> None:
    """A Dovecot without a place for attributes is one that does not support it."""
    with Dovecot(doveadm_key=DOVEADM_KEY, extra="mail_attribute_dict =") as dovecot:
        async with ground(tmp_path, dovecot, over_doveadm(dovecot)) as place:
            with pytest.raises(Unsupported):
                await place.listeners().start(ANTON, is_permanent=True)
