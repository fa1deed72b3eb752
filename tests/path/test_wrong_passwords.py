"""Some users' kept passwords are wrong: nobody else notices, neither in the gateway nor at the mail server."""

from __future__ import annotations

import asyncio
import imaplib
import json
import re
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median

import pytest

from oxpushctl.config.listening import DOVECOT_ENABLED, IDLE_ENABLED, IDLE_PERMANENT
from oxpushctl.model import Credential, DirectoryEntry, Origin, PushUser, Registration
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.users import SqlUserDirectory
from oxpushctl.stores.vault import Vault
from tests.path.conftest import Ground
from tests.path.mail_app import CLIENT
from tests.path.town import PASSCRYPT_TEXT, Town, mail, town
from tests.peers.dovecot import LogIns
from tests.waiting import until

pytestmark = pytest.mark.slow

_USERS = range(101, 141)
_BAD = {110, 130}
_IDLE = {DOVECOT_ENABLED.key: "false", IDLE_ENABLED.key: "true", IDLE_PERMANENT.key: "true"}


def login_of(user: int) -> str:
    return f"user{user}@example.com"


async def test_five_percent_wrong_with_the_penalty_on(ground: Ground) -> None:
    """All the others are listened for; each wrong one costs one attempt, is told, and stays; who logs in is not slowed.

    How long a person's log-in takes is printed: ``pytest -s`` shows it.
    """
    passwords = {login_of(user): f"pw-{user}" for user in _USERS}
    async with town(ground, passwords=passwords, log_ins=LogIns(has_penalty=True), settings=_IDLE) as place:
        idle_s = [await asyncio.to_thread(_person_logs_in, place.dovecot.imap_port) for _ in range(5)]
        await place.stop()
        await _move_in(ground)
        await place.start()
        good = [f"user={user}, context=1, permanent=true" for user in _USERS if user not in _BAD]
        listening = asyncio.create_task(place.listening(*good, timeout_s=60))
        busy_s = await _persons_log_in(place.dovecot.imap_port, listening)
        refused = await _until_refused(place)
        place.engine.signal(signal.SIGHUP)
        await until(lambda: "reloaded" in place.engine.log())
        await ground.subscribe("apn", "aa11", user=140, client=CLIENT)
        await asyncio.to_thread(place.dovecot.deliver, [login_of(140)], mail(login_of(140)))
        (push,) = await ground.sandbox.wait_for(count=1)
        kept, registered = await place.listed("credentials"), await place.listed("registrations")
        attempts = Counter(re.findall(r"\(auth failed, .* user=<user(\d+)@", place.dovecot.log()))
        slowed = [line.split()[0] for line in place.dovecot.doveadm("penalty").splitlines()[1:] if line]
    sys.stdout.write(f"\na person's log-in: {_told(idle_s)} before, {_told(busy_s)} while the listeners start ")
    assert push.token == "aa11"
    assert refused == _BAD
    assert {each["user"] for each in kept if each["state"] == "refused"} == _BAD
    assert [each["user"] for each in kept] == [each["user"] for each in registered] == list(_USERS)
    assert attempts == {str(user): 1 for user in _BAD}
    assert slowed == ["127.0.0.1"]


async def _until_refused(place: Town) -> set[int]:
    """Return who is told as refused, once each of the bad ones has been tried: the server lets them wait."""
    refused: set[int] = set()
    for _ in range(100):
        _, out, _ = await place.ground.run("listpushusers", "--all", "-f", "json")
        refused = {each["user"] for each in json.loads(out) if each["health"] == "auth-failed"}
        if len(refused) >= len(_BAD):
            break
    return refused


async def _move_in(ground: Ground) -> None:
    """Put the users where the engine will find them, some with a password that is none."""
    database = Database.open(f"sqlite:///{ground.state}/oxpushctl.db")
    directory, registrations = SqlUserDirectory(database), SqlRegistrationStore(database)
    vault = Vault(SqlCredentialRows(database), PASSCRYPT_TEXT)
    for number in _USERS:
        user, login = PushUser(1, number), login_of(number)
        secret = "not any more" if number in _BAD else f"pw-{number}"
        await directory.add(DirectoryEntry(user, login))
        await vault.put(Credential(user, login, secret), Origin.COMMAND)
        await registrations.add(Registration(user, CLIENT))
    await vault.aclose()
    await database.aclose()


async def _persons_log_in(port: int, meanwhile: asyncio.Task[None]) -> list[float]:
    """Log in again and again while something is done; return the seconds of each."""
    taken_s: list[float] = []
    try:
        while not meanwhile.done():
            taken_s.append(await asyncio.to_thread(_person_logs_in, port))
            await asyncio.wait([meanwhile], timeout=0.2)
    finally:
        await meanwhile
    return taken_s


def _person_logs_in(port: int) -> float:
    """Log in as a person at another address does; return the seconds that it takes."""
    began = time.monotonic()
    with _FromElsewhere("127.0.0.1", port) as imap:
        imap.login(login_of(101), "pw-101")
    return time.monotonic() - began


def _told(log_ins_s: Sequence[float]) -> str:
    return f"{1000 * median(log_ins_s):.0f} ms (the longest of {len(log_ins_s)}: {1000 * max(log_ins_s):.0f} ms)"


class _FromElsewhere(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> socket.socket:  # imaplib's name
        return socket.create_connection((self.host, self.port), timeout, source_address=("127.0.0.2", 0))
