"""Kept passwords and the master password, tried at a real Dovecot: what opens, what does not, and what is noted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oxpushctl.config.own import MASTER_USER
from oxpushctl.config.properties import CREDSTORAGE_ENABLED, LOGIN_SOURCE, MASTER_PASSWORD, PASSWORD_SOURCE
from oxpushctl.config.property import Property
from oxpushctl.errors import NotReachable
from oxpushctl.interfaces import MailboxOpener
from oxpushctl.listeners.log_in_gate import REFUSALS, LogInGate
from oxpushctl.listeners.mail_server import Encryption, MailServer
from oxpushctl.listeners.mailboxes import Mailboxes
from oxpushctl.listeners.verification import AT_A_TIME, MOST_UNJUDGED, Result, Verification, Verified
from oxpushctl.model import Credential, CredentialState, DirectoryEntry, KeptCredential, Origin, PushUser
from oxpushctl.stores.cipher import is_legacy
from oxpushctl.stores.memory import MemoryCredentialRows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.stores.vault import Vault
from tests.engine.parts import HandClock
from tests.listeners.people import ANTON, BERTA, GUENTER, MASTER, PASSWORDS, people, settings
from tests.listeners.scripted import scripted
from tests.peers.dovecot import Dovecot, LogIns
from tests.peers.ports import free_port

KEPT: Mapping[Property[Any], object] = {CREDSTORAGE_ENABLED: True}
GLOBAL: Mapping[Property[Any], object] = {
    PASSWORD_SOURCE: "global",
    MASTER_USER: MASTER[0],
    MASTER_PASSWORD: MASTER[1],
}
PASSPHRASE = "pass crypt 123"
# As the middleware 7.x encrypts it with this passphrase.
LEGACY, LEGACY_VALUE = "s3crét", "kUNmScXRsoGOMh5itvDYqg=="
OPENED, REFUSED, UNTRIED = CredentialState.OPENED, CredentialState.REFUSED, CredentialState.UNTRIED


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(passwords={**PASSWORDS, "carla": LEGACY}, master=MASTER)) as running:
        yield running


@dataclass
class Kept:
    """A vault in memory, at hand with its rows."""

    rows: MemoryCredentialRows
    vault: Vault

    async def put(self, user: PushUser, login: str, password: str) -> None:
        await self.vault.put(Credential(user, login, password), Origin.COMMAND)

    async def put_value(self, user: PushUser, login: str, value: str) -> None:
        """Store what somebody else encrypted, or nobody."""
        await self.vault.open()
        await self.rows.put([KeptCredential(user, login, value, Origin.COMMAND)], await self.rows.seals())

    async def states(self) -> dict[PushUser, CredentialState]:
        return {kept.user: kept.state for kept in await self.rows.page(None, 1000)}


@pytest.fixture
async def kept() -> AsyncIterator[Kept]:
    rows = MemoryCredentialRows()
    vault = Vault(rows, PASSPHRASE)
    yield Kept(rows, vault)
    await vault.aclose()


@asynccontextmanager
async def at(port: int) -> AsyncIterator[Mailboxes]:
    server = MailServer("127.0.0.1", port, Encryption.IF_DEMANDED)
    mailboxes = Mailboxes(server, LogInGate(HandClock(), 0, str(server)))
    try:
        yield mailboxes
    finally:
        await mailboxes.aclose()


async def verified(
    folder: Path, port: int, kept: Kept, values: Mapping[Property[Any], object] = KEPT
) -> dict[PushUser, Verified]:
    """Verify all that is kept."""
    async with at(port) as mailboxes, people(folder) as directory:
        verification = Verification(mailboxes, directory, settings(values))
        return {each.user: each async for each in verification.kept(kept.vault.kept(), kept.vault, is_legacy)}


def results(found: Mapping[PushUser, Verified]) -> dict[PushUser, Result]:
    return {user: each.result for user, each in found.items()}


async def test_good_and_bad_passwords(tmp_path: Path, dovecot: Dovecot, kept: Kept) -> None:
    """Each is judged for itself, and what the mail server said is noted beside the password."""
    await kept.put(ANTON, "anton", PASSWORDS["anton"])
    await kept.put(BERTA, "b4", "of last year")
    await kept.put(GUENTER, "günter", PASSWORDS["günter"])
    await kept.put_value(PushUser(2, 1), "x", "bm90aGluZw==")
    found = await verified(tmp_path, dovecot.imap_port, kept)
    assert results(found) == {
        ANTON: Result.OPENED,
        BERTA: Result.REFUSED,
        GUENTER: Result.OPENED,
        PushUser(2, 1): Result.UNDECIPHERABLE,
    }
    assert await kept.states() == {ANTON: OPENED, BERTA: REFUSED, GUENTER: OPENED, PushUser(2, 1): UNTRIED}
    assert (found[ANTON].login, found[ANTON].reason, found[ANTON].is_legacy) == ("anton", "", False)
    assert "AUTHENTICATIONFAILED" in found[BERTA].reason
    assert found[PushUser(2, 1)].reason
    assert "of last year" not in repr(found)


async def test_password_of_an_old_middleware(tmp_path: Path, dovecot: Dovecot, kept: Kept) -> None:
    """What 7.x has written opens its mailbox, and is told as that."""
    await kept.put_value(ANTON, "carla", LEGACY_VALUE)
    found = await verified(tmp_path, dovecot.imap_port, kept)
    assert (found[ANTON].result, found[ANTON].is_legacy) == (Result.OPENED, True)


async def test_password_that_is_good_again(tmp_path: Path, dovecot: Dovecot, kept: Kept) -> None:
    """What was noted before gives way to what is true now."""
    await kept.put(ANTON, "anton", PASSWORDS["anton"])
    [row] = await kept.rows.page(None, 1)
    await kept.rows.mark(row, REFUSED)
    await verified(tmp_path, dovecot.imap_port, kept)
    assert await kept.states() == {ANTON: OPENED}


async def test_no_mail_address(tmp_path: Path, dovecot: Dovecot, kept: Kept) -> None:
    """Who has no name to log in with is not tried, and the reason is told."""
    await kept.put(GUENTER, "günter", PASSWORDS["günter"])
    await kept.put(BERTA, "b4", PASSWORDS["b4"])
    found = await verified(tmp_path, dovecot.imap_port, kept, {**KEPT, LOGIN_SOURCE: "mail"})
    assert results(found) == {BERTA: Result.OPENED, GUENTER: Result.UNTRIED}
    assert "has no mail address" in found[GUENTER].reason
    assert (await kept.states())[GUENTER] is UNTRIED


async def test_unreachable_server(tmp_path: Path, kept: Kept) -> None:
    """Nobody is to blame, and after a few in a row the rest is not made to wait for it."""
    for number in range(1, 101):
        await kept.put(PushUser(1, number), "nobody", "pw")
    found = await verified(tmp_path, free_port(), kept)
    assert set(results(found).values()) == {Result.UNTRIED}
    reasons = [each.reason for each in found.values()]
    asked = [reason for reason in reasons if "refuses connections" in reason]
    assert MOST_UNJUDGED <= len(asked) <= MOST_UNJUDGED + AT_A_TIME
    assert len([reason for reason in reasons if reason.startswith("not tried, after")]) == 100 - len(asked)
    assert set((await kept.states()).values()) == {UNTRIED}


async def test_busy_server(tmp_path: Path, kept: Kept) -> None:
    """A server that can judge nobody now is no better."""
    await kept.put(ANTON, "anton", "pw")
    async with scripted(answers={"AUTHENTICATE": "+ \r\n", "": "TAG NO [UNAVAILABLE] not now\r\n"}) as (port, _):
        found = await verified(tmp_path, port, kept)
    assert (found[ANTON].result, "[UNAVAILABLE] not now" in found[ANTON].reason) == (Result.UNTRIED, True)
    assert await kept.states() == {ANTON: UNTRIED}


async def test_server_that_refuses_everybody(tmp_path: Path, kept: Kept) -> None:
    """When most are refused, all log-ins are paused, and the rest is told as untried, at once."""
    for number in range(1, 2 * REFUSALS + 1):
        await kept.put(PushUser(1, number), f"user{number}", "pw")
    async with scripted(answers={"AUTHENTICATE": "+ \r\n", "": "TAG NO never\r\n"}) as (port, heard):
        found = await verified(tmp_path, port, kept)
    tried = len([line for line in heard if "AUTHENTICATE" in line])
    assert REFUSALS <= tried < REFUSALS + AT_A_TIME
    untried = [each.reason for each in found.values() if each.result is Result.UNTRIED]
    assert len(untried) == 2 * REFUSALS - tried
    assert all("paused" in reason for reason in untried)


async def test_master_password(tmp_path: Path, dovecot: Dovecot) -> None:
    """The users that are handed in are opened with the master password; who is not in the directory is told."""
    async with at(dovecot.imap_port) as mailboxes, people(tmp_path) as directory:
        verification = Verification(mailboxes, directory, settings(GLOBAL))
        found = {each.user: each async for each in verification.users(of(ANTON, BERTA, PushUser(1, 9)))}
    assert results(found) == {ANTON: Result.OPENED, BERTA: Result.OPENED, PushUser(1, 9): Result.UNTRIED}
    assert (found[BERTA].login, found[PushUser(1, 9)].login) == ("b4", "")
    assert "oxpushctl users add" in found[PushUser(1, 9)].reason


async def test_master_password_that_is_wrong(tmp_path: Path, dovecot: Dovecot) -> None:
    """It is refused for each of them."""
    async with at(dovecot.imap_port) as mailboxes, people(tmp_path) as directory:
        verification = Verification(mailboxes, directory, settings({**GLOBAL, MASTER_PASSWORD: "guessed"}))
        found = [each async for each in verification.users(of(ANTON, BERTA))]
    assert [each.result for each in found] == [Result.REFUSED] * 2


class Doors(MailboxOpener):
    """A mail server that lets everybody in as soon as a full number is under way; or the first one, and no more."""

    def __init__(self, *, lets_one_in: bool = False) -> None:
        self.tried: list[str] = []
        self.most = 0
        self._now = 0
        self._full = asyncio.Event()
        self._lets_one_in = lets_one_in

    async def try_log_in(self, name: str, password: str, address: str | None = None) -> None:
        self.tried.append(name)
        self._now += 1
        self.most = max(self.most, self._now)
        if self._now == AT_A_TIME:
            self._full.set()
        await self._full.wait()
        if self._lets_one_in and name != self.tried[0]:
            await asyncio.Event().wait()
        self._now -= 1


async def test_many(tmp_path: Path) -> None:
    """So many are under way at a time, no more; everybody comes out once."""
    entries = [DirectoryEntry(PushUser(1, number), f"user{number}") for number in range(1, 101)]
    doors = Doors()
    async with people(tmp_path, *entries) as directory:
        verification = Verification(doors, directory, settings(GLOBAL))
        found = [each.user async for each in verification.users(of(*(entry.user for entry in entries)))]
    assert sorted(found) == [entry.user for entry in entries]
    assert (doors.most, len(doors.tried)) == (AT_A_TIME, 100)


async def test_reader_that_stops(tmp_path: Path) -> None:
    """Who reads no further ends the log-ins that are under way, and none begins any more."""
    entries = [DirectoryEntry(PushUser(1, number), f"user{number}") for number in range(1, 101)]
    doors = Doors(lets_one_in=True)
    async with (
        people(tmp_path, *entries) as directory,
        aclosing(
            Verification(doors, directory, settings(GLOBAL)).users(of(*(entry.user for entry in entries)))
        ) as results_as_they_come,
    ):
        async for _ in results_as_they_come:
            break
    assert len(doors.tried) == AT_A_TIME


class Away(Vault):
    """One that can be read and not written."""

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        raise NotReachable("the database does not answer")


async def test_state_that_cannot_be_noted(
    tmp_path: Path, dovecot: Dovecot, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    """The result counts all the same, and the log has the trouble."""
    caplog.set_level(logging.WARNING)
    away = Away(kept.rows, PASSPHRASE)
    await away.put(Credential(ANTON, "anton", PASSWORDS["anton"]), Origin.COMMAND)
    found = await verified(tmp_path, dovecot.imap_port, Kept(kept.rows, away))
    await away.aclose()
    assert results(found) == {ANTON: Result.OPENED}
    [record] = caplog.records
    assert "the database does not answer" in str(record.__dict__)
    assert PASSWORDS["anton"] not in str(record.__dict__)


async def test_state_that_is_known(
    tmp_path: Path, dovecot: Dovecot, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    """What is noted already is not written again."""
    await kept.put(ANTON, "anton", PASSWORDS["anton"])
    await verified(tmp_path, dovecot.imap_port, kept)
    away = Away(kept.rows, PASSPHRASE)
    await verified(tmp_path, dovecot.imap_port, Kept(kept.rows, away))
    await away.aclose()
    assert caplog.records == []


async def test_directory_that_does_not_answer() -> None:
    """A database that is away is no trouble of the mail server's: it ends the verification."""
    database = Database.open(f"mysql+pymysql://ox:pw@127.0.0.1:{free_port()}/ox")
    verification = Verification(Doors(), SqlUserDirectory(database), settings(GLOBAL))
    with pytest.raises(NotReachable):
        [each async for each in verification.users(of(ANTON, BERTA))]
    await database.aclose()


async def of(*users: PushUser) -> AsyncIterator[PushUser]:
    for user in users:
        yield user
