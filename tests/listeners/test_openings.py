"""Mailboxes that are opened for listeners at a real Dovecot, with what is at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.config.properties import CREDSTORAGE_ENABLED, LOGIN_SOURCE, MASTER_PASSWORD
from oxpushctl.config.property import Property
from oxpushctl.errors import (
    BadData,
    ConfigurationError,
    NotPermitted,
    NotReachable,
    OxpushctlError,
    TryLater,
    Undecipherable,
    UnknownEntry,
)
from oxpushctl.listeners.imap_mailbox import examined
from oxpushctl.listeners.imap_troubles import LogInRefused
from oxpushctl.listeners.log_in_gate import REFUSALS
from oxpushctl.listeners.openings import Openings
from oxpushctl.listeners.refusals import FIRST_S, REPEAT_EVERY_S
from oxpushctl.model import Credential, CredentialState, DirectoryEntry, KeptCredential, PushUser
from oxpushctl.stores.memory import MemoryCredentialRows
from tests.engine.parts import HandClock
from tests.listeners.openers import GLOBAL, KEPT, Sessions, opener
from tests.listeners.people import ANTON, BERTA, GUENTER, MASTER, PASSWORDS, people, settings
from tests.peers.dovecot import Dovecot, LogIns
from tests.peers.ports import free_port

OPENED, REFUSED, UNTRIED = CredentialState.OPENED, CredentialState.REFUSED, CredentialState.UNTRIED
GOOD, WRONG = PASSWORDS["anton"], "of-last-year"
NOBODY = PushUser(1, 9)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords=PASSWORDS, master=MASTER)) as running:
        yield running


@pytest.mark.parametrize(
    ("source", "user", "name"),
    [
        ("login", ANTON, "anton"),
        ("mail", BERTA, "berta@example.com"),
        ("name", BERTA, "berta"),
        ("login", GUENTER, "günter"),
    ],
)
@pytest.mark.parametrize("is_permanent", [True, False])
async def test_master_password(
    tmp_path: Path, dovecot: Dovecot, source: str, user: PushUser, name: str, is_permanent: bool
) -> None:
    """The master password opens everybody's mailbox, which stays open for the caller, and nothing else is tried."""
    async with opener(tmp_path, dovecot.imap_port, {**GLOBAL, **KEPT, LOGIN_SOURCE: source}) as door:
        await door.keep(user, "x", GOOD)
        door.log_in(user, "x", GOOD)
        with door.tried(f"{name}*push"):
            opened = await door.openings.opened(user, is_permanent=is_permanent)
        assert f"{name}*push" == opened.name
        assert (await examined(opened.connection, "INBOX")).exists == 0
        await opened.connection.aclose()


async def test_master_password_that_is_refused(tmp_path: Path, dovecot: Dovecot) -> None:
    """Then nobody else's password is tried, and the master password not for a while."""
    async with opener(tmp_path, dovecot.imap_port, {**GLOBAL, MASTER_PASSWORD: WRONG}) as door:
        door.log_in(ANTON, "anton", GOOD)
        with door.tried("anton*push"):
            for _ in range(3):
                with pytest.raises(NotPermitted, match=MASTER_PASSWORD.key):
                    await door.open(ANTON, is_permanent=False)
        door.openings.reload(settings(GLOBAL))
        assert await door.open(ANTON) == "anton*push"


async def test_kept_password(tmp_path: Path, dovecot: Dovecot) -> None:
    """A permanent listener takes the kept password, and it is noted once that it opens the mailbox."""
    async with opener(tmp_path, dovecot.imap_port, {**KEPT, LOGIN_SOURCE: "mail"}) as door:
        await door.keep(BERTA, "b4", PASSWORDS["b4"])
        door.log_in(BERTA, "b4", WRONG)
        with door.tried("berta@example.com", "berta@example.com"):
            assert (await door.open(BERTA), await door.open(BERTA)) == ("berta@example.com",) * 2
        assert await door.state(BERTA) is OPENED


async def test_password_of_a_session(tmp_path: Path, dovecot: Dovecot) -> None:
    """A listener bound to a session takes its password, and leaves the kept one alone."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", WRONG)
        door.log_in(ANTON, "anton", GOOD)
        with door.tried("anton"):
            await door.open(ANTON, is_permanent=False)
        kept = await door.vault.get(ANTON)
        assert (await door.state(ANTON), kept) == (UNTRIED, Credential(ANTON, "anton", WRONG))


async def test_session_without_a_vault(tmp_path: Path, dovecot: Dovecot) -> None:
    """A session's password opens a mailbox where none are kept, for a permanent listener as well."""
    async with opener(tmp_path, dovecot.imap_port, {}, has_vault=False) as door:
        door.log_in(ANTON, "anton", GOOD)
        assert (await door.open(ANTON), await door.open(ANTON, is_permanent=False)) == ("anton", "anton")


async def test_kept_password_of_last_year(tmp_path: Path, dovecot: Dovecot) -> None:
    """Where a session's password opens what the kept one does not, it is kept from then on."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", WRONG)
        with door.tried("anton"), pytest.raises(NotPermitted, match="credentials set -c 1 -u 3"):
            await door.open(ANTON)
        assert await door.state(ANTON) is REFUSED
        door.log_in(ANTON, "anton", GOOD)
        with door.tried("anton"):
            await door.open(ANTON)
        kept = await door.vault.get(ANTON)
        assert (await door.state(ANTON), kept) == (OPENED, Credential(ANTON, "anton", GOOD))
        door.log_in(ANTON, "anton")
        assert await door.open(ANTON) == "anton"


async def test_session_of_last_year(tmp_path: Path, dovecot: Dovecot) -> None:
    """Where the sessions' passwords open nothing, the kept one is tried."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", GOOD)
        door.log_in(ANTON, "anton", "a", "b", "c", "d")
        with door.tried(*["anton"] * 4):  # of many sessions three
            await door.open(ANTON, is_permanent=False)
        with door.tried("anton"):
            await door.open(ANTON, is_permanent=False)


async def test_same_password_twice(tmp_path: Path, dovecot: Dovecot) -> None:
    """What is kept and a session's as well is tried once."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", WRONG)
        door.log_in(ANTON, "anton", WRONG)
        for is_permanent in (True, False):
            with pytest.raises(NotPermitted):
                await door.open(ANTON, is_permanent=is_permanent)
        assert (door.gate.names, await door.state(ANTON)) == (["anton"], REFUSED)


@pytest.mark.parametrize(
    ("values", "user", "kind", "words"),
    [
        (KEPT, ANTON, UnknownEntry, "no password of 3@1 is kept: set it with"),
        ({}, ANTON, ConfigurationError, f"{CREDSTORAGE_ENABLED.key} is false"),
        (GLOBAL, NOBODY, UnknownEntry, "the directory has no 9@1"),
        ({**GLOBAL, LOGIN_SOURCE: "mail"}, GUENTER, BadData, "has no mail address"),
        ({**GLOBAL, MASTER_PASSWORD: None}, ANTON, ConfigurationError, MASTER_PASSWORD.key),
    ],
)
async def test_nothing_at_hand(
    tmp_path: Path, values: Mapping[Property[Any], object], user: PushUser, kind: type[OxpushctlError], words: str
) -> None:
    """It is said what is missing, and no mail server is asked."""
    async with opener(tmp_path, free_port(), values, has_vault=values is KEPT) as door:
        with door.tried(), pytest.raises(kind, match=words):
            await door.open(user)


async def test_no_mail_server(tmp_path: Path) -> None:
    """Where no mail server is configured that is said."""
    async with people(tmp_path) as directory:
        openings = Openings(None, directory, None, Sessions(), settings(KEPT), HandClock())
        with pytest.raises(ConfigurationError, match="mailServer"):
            await openings.opened(ANTON, is_permanent=True)


async def test_password_that_cannot_be_decrypted(tmp_path: Path, dovecot: Dovecot) -> None:
    """It is told as it is, whatever else is refused, but keeps no session from opening the mailbox."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.put_value(ANTON, "anton", "bm90aGluZw==")
        for passwords in ((), (WRONG,)):
            door.log_in(ANTON, "anton", *passwords)
            with pytest.raises(Undecipherable):
                await door.open(ANTON)
        door.log_in(ANTON, "anton", GOOD)
        assert (await door.open(ANTON), await door.state(ANTON)) == ("anton", UNTRIED)


async def test_login_that_is_another_s_by_now(tmp_path: Path, dovecot: Dovecot) -> None:
    """Neither a kept password nor a session's opens the mailbox of whoever has that login now."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "b4", PASSWORDS["b4"])
        door.log_in(ANTON, "b4", PASSWORDS["b4"])
        with door.tried(), pytest.raises(BadData, match="which is the one of 4@1"):
            await door.open(ANTON)


async def test_refused_password_later(tmp_path: Path, dovecot: Dovecot) -> None:
    """It is tried again after a long while, and at once when somebody gives it again, or another."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", WRONG)
        for later_s, tries in ((0.0, 1), (FIRST_S - 1, 0), (1, 1), (2 * FIRST_S - 1, 0), (1, 1)):
            door.clock.time += later_s
            with door.tried(*["anton"] * tries), pytest.raises(NotPermitted):
                await door.open(ANTON)
        await door.keep(ANTON, "anton", WRONG)
        with door.tried("anton"), pytest.raises(NotPermitted):
            await door.open(ANTON)
        await door.keep(ANTON, "anton", GOOD)
        assert await door.open(ANTON) == "anton"


async def test_refused_in_an_earlier_run(tmp_path: Path, dovecot: Dovecot) -> None:
    """Passwords that are known to be refused are tried one by one after a restart, however many there are."""
    rows = MemoryCredentialRows()
    users = (ANTON, BERTA, GUENTER)
    async with opener(tmp_path, dovecot.imap_port, rows=rows) as door:
        for user in users:
            await door.keep(user, f"x{user.user}", WRONG)
            with pytest.raises(NotPermitted):
                await door.open(user)
    async with opener(tmp_path, dovecot.imap_port, rows=rows) as door:
        for later_s, names in ((0.0, ["x3"]), (REPEAT_EVERY_S, ["x4"]), (REPEAT_EVERY_S, ["x5"]), (REPEAT_EVERY_S, [])):
            door.clock.time += later_s
            with door.tried(*names):
                for user in users:
                    with pytest.raises(NotPermitted):
                        await door.open(user)


async def test_kept_password_is_the_session_s(tmp_path: Path, dovecot: Dovecot) -> None:
    """What a session's password shows of the same one that is kept is noted."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", GOOD)
        door.log_in(ANTON, "anton", GOOD)
        await door.open(ANTON, is_permanent=False)
        assert await door.state(ANTON) is OPENED


async def test_many_at_once(tmp_path: Path, dovecot: Dovecot) -> None:
    """However many listeners ask at once, a wrong password is tried once, and a good one by each."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", WRONG)
        await door.keep(BERTA, "b4", PASSWORDS["b4"])
        with door.tried("anton"):
            ends = await asyncio.gather(*(door.open(ANTON) for _ in range(5)), return_exceptions=True)
        assert [type(end) for end in ends] == [LogInRefused] * 5
        assert await asyncio.gather(*(door.open(BERTA) for _ in range(3))) == ["b4"] * 3


async def test_server_that_is_down(tmp_path: Path) -> None:
    """Nothing is held against a password that nobody has judged."""
    async with opener(tmp_path, free_port()) as door:
        await door.keep(ANTON, "anton", GOOD)
        for _ in range(2):
            with door.tried("anton"), pytest.raises(NotReachable):
                await door.open(ANTON)
        assert await door.state(ANTON) is UNTRIED


async def test_log_ins_that_are_paused(tmp_path: Path, dovecot: Dovecot) -> None:
    """While log-ins are held back, a good password has to wait, and is not said to be refused."""
    async with opener(tmp_path, dovecot.imap_port) as door:
        await door.keep(ANTON, "anton", GOOD)
        for number in range(REFUSALS):
            with pytest.raises(NotPermitted):
                async with door.gate.admitted(f"bad {number}"):
                    raise NotPermitted
        with door.tried(), pytest.raises(TryLater, match="paused"):
            await door.open(ANTON)
        assert await door.state(ANTON) is UNTRIED


class _Unwritable(MemoryCredentialRows):
    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        raise NotReachable("the database does not answer")


async def test_vault_that_cannot_be_written(tmp_path: Path, dovecot: Dovecot) -> None:
    """What a password is worth is not noted then; it opens the mailbox all the same, or is left alone for a while."""
    async with opener(tmp_path, dovecot.imap_port, rows=_Unwritable()) as door:
        await door.keep(ANTON, "anton", GOOD)
        await door.keep(BERTA, "b4", WRONG)
        with door.tried("anton", "b4"):
            await door.open(ANTON)
            for _ in range(2):
                with pytest.raises(NotPermitted):
                    await door.open(BERTA)


async def test_nothing_tells_a_password(tmp_path: Path, dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is raised nor what is logged has a password in it."""
    async with opener(tmp_path, dovecot.imap_port, rows=_Unwritable()) as door:
        await door.keep(ANTON, "anton", WRONG)
        door.log_in(ANTON, "anton", "another-wrong-one")
        told = []
        for _ in range(2):
            with pytest.raises(NotPermitted) as raised:
                await door.open(ANTON)
            told.append(str(raised.value) + repr(raised.value.__cause__))
    assert [word for word in (WRONG, "another-wrong-one") if word in caplog.text + "".join(told)] == []


async def test_two_with_one_mailbox(tmp_path: Path, dovecot: Dovecot) -> None:
    """Whose mail address has the same name before its @ is refused, both of them, and nobody else."""
    entries = (
        DirectoryEntry(ANTON, "a", "anton@example.com"),
        DirectoryEntry(BERTA, "b", "Anton@example.org"),
        DirectoryEntry(GUENTER, "g", "berta@example.com"),
    )
    async with opener(tmp_path, dovecot.imap_port, {**GLOBAL, LOGIN_SOURCE: "mail"}, entries=entries) as door:
        assert await door.open(ANTON) == "anton@example.com*push"
        door.openings.reload(settings({**GLOBAL, LOGIN_SOURCE: "name"}))
        for user in (ANTON, BERTA):
            with door.tried(), pytest.raises(BadData, match="3@1") as raised:
                await door.open(user)
            assert "4@1" in str(raised.value)
        assert await door.open(GUENTER) == "berta*push"
