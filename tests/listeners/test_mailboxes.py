"""Mailboxes that are opened at a real Dovecot, each log-in through the gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oxpushctl.config.own import LOGIN_RATE, TLS_CA
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.config.property import MAIL_SERVER
from oxpushctl.config.settings import Settings
from oxpushctl.errors import NotPermitted, NotReachable, TryLater
from oxpushctl.interfaces import MailboxOpener
from oxpushctl.listeners.imap_troubles import LogInRefused, ServerUntrusted
from oxpushctl.listeners.log_in_gate import AT_A_TIME, REFUSALS, LogInsHeldBack
from oxpushctl.listeners.mail_server import LogIn
from oxpushctl.listeners.mailboxes import Mailboxes, NoMailServer
from tests.engine.parts import HandClock
from tests.listeners.people import MASTER, PASSWORDS, settings
from tests.listeners.scripted import SILENCE, scripted
from tests.peers.certificates import Authority
from tests.peers.dovecot import Dovecot, LogIns
from tests.peers.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    log_ins = LogIns(certificate=authority.server(), passwords=PASSWORDS, master=MASTER, trusted_networks="127.0.0.0/8")
    with Dovecot(log_ins=log_ins) as running:
        yield running


@asynccontextmanager
async def at(server: object, ca: Path | None = None, clock: HandClock | None = None) -> AsyncIterator[Mailboxes]:
    """Set a mail server up as an operator does."""
    values = settings({MAIL_SERVER_URL: MAIL_SERVER.parse(str(server)), LOGIN_RATE: 50, TLS_CA: ca})
    mailboxes = Mailboxes.from_settings(values, Path("/etc"), clock or HandClock())
    assert mailboxes is not None
    try:
        yield mailboxes
    finally:
        await mailboxes.aclose()


@pytest.mark.parametrize("name", PASSWORDS)
async def test_good_password(dovecot: Dovecot, name: str) -> None:
    """Every login with its password is let in, names and passwords beyond ASCII as well."""
    async with at(f"127.0.0.1:{dovecot.imap_port}") as mailboxes:
        await mailboxes.try_log_in(name, PASSWORDS[name])
    await until(lambda: f"user=<{name}>" in dovecot.log())


@pytest.mark.parametrize("password", ["anton", "schlüssel 🔒", "%{password}", ""])
async def test_wrong_password(dovecot: Dovecot, password: str) -> None:
    """What is not the password is refused, whatever it looks like."""
    async with at(f"127.0.0.1:{dovecot.imap_port}") as mailboxes:
        with pytest.raises(NotPermitted) as raised:
            await mailboxes.try_log_in("günter", password)
    assert "AUTHENTICATIONFAILED" in str(raised.value)


async def test_over_tls(dovecot: Dovecot, authority: Authority) -> None:
    """The certificate is verified before anything is sent, and Dovecot says that TLS is on."""
    server = f"imaps://127.0.0.1:{dovecot.imaps_port}"
    async with at(server, authority.pem) as mailboxes:
        await mailboxes.try_log_in("berta@example.com", "berta's", "192.0.2.8")
    async with at(server) as mailboxes:
        with pytest.raises(ServerUntrusted):
            await mailboxes.try_log_in("berta@example.com", "berta's", "192.0.2.9")
    await until(lambda: "rip=192.0.2.8" in dovecot.log())
    (line,) = (line for line in dovecot.log().splitlines() if "rip=192.0.2.8" in line and "Login:" in line)
    assert ", TLS," in line
    assert "192.0.2.9" not in dovecot.log()


async def test_open_mailbox(dovecot: Dovecot) -> None:
    """A mailbox that the master user opens is usable, and logged out of at the end."""

    def ends() -> int:
        return sum("imap(b4)" in line and "Logged out" in line for line in dovecot.log().splitlines())

    before = ends()
    async with at(f"127.0.0.1:{dovecot.imap_port}") as mailboxes:
        name, password = MASTER
        async with mailboxes.open(LogIn(f"b4*{name}", password)) as connection:
            assert "METADATA" in connection.capabilities
            assert ends() == before
        await until(lambda: ends() == before + 1)


async def test_nobody_listens() -> None:
    """A server that is not there is no refusal."""
    async with at(f"127.0.0.1:{free_port()}") as mailboxes:
        with pytest.raises(NotReachable, match="refuses connections"):
            await mailboxes.try_log_in("anton", "anton's")


async def test_many_wrong_passwords(dovecot: Dovecot) -> None:
    """Then the mail server is left alone, the right passwords included."""
    clock = HandClock()
    async with at(f"127.0.0.1:{dovecot.imap_port}", clock=clock) as mailboxes:
        guesses = (mailboxes.try_log_in(f"user{number}", "guessed") for number in range(REFUSALS))
        ended = await asyncio.gather(*guesses, return_exceptions=True)
        assert {type(each) for each in ended} == {LogInRefused}
        with pytest.raises(LogInsHeldBack, match="many were refused"):
            await mailboxes.try_log_in("anton", "anton's")
        clock.time += 30
        await mailboxes.try_log_in("anton", "anton's")


async def test_many_invented_names(dovecot: Dovecot) -> None:
    """They keep no user out; who was not here before is refused until the pause ends, without asking the server."""
    clock = HandClock()
    async with at(f"127.0.0.1:{dovecot.imap_port}", clock=clock) as mailboxes:
        strangers = mailboxes.for_strangers()
        guesses = (strangers.try_log_in(f"invented{number}", "guessed") for number in range(REFUSALS))
        ended = await asyncio.gather(*guesses, return_exceptions=True)
        assert {type(each) for each in ended} == {LogInRefused}
        await mailboxes.try_log_in("anton", "anton's")
        with pytest.raises(LogInRefused, match="many were refused"):
            await strangers.try_log_in("berta", "berta's")
        clock.time += 30
        await strangers.try_log_in("berta", "berta's")


async def test_other_authorities(dovecot: Dovecot, authority: Authority, tmp_path: Path) -> None:
    """Authorities that are configured later are trusted from then on, and so are others in the same file."""
    server = f"imaps://127.0.0.1:{dovecot.imaps_port}"

    def configured(ca: str | None) -> Settings:
        return settings({MAIL_SERVER_URL: MAIL_SERVER.parse("elsewhere.example.com"), TLS_CA: ca})

    async def is_trusted(mailboxes: Mailboxes) -> bool:
        try:
            await mailboxes.try_log_in("b4", "berta's")
            await mailboxes.for_strangers().try_log_in("b4", "berta's")
        except ServerUntrusted:
            return False
        return True

    found = []
    async with at(server) as mailboxes:
        found.append(await is_trusted(mailboxes))
        mailboxes.reload(configured(str(authority.pem)), tmp_path)
        found.append(await is_trusted(mailboxes))
        mailboxes.reload(configured(None), tmp_path)
        found.append(await is_trusted(mailboxes))
        (tmp_path / "ca.pem").write_bytes(Authority(tmp_path).pem.read_bytes())
        mailboxes.reload(configured("ca.pem"), tmp_path)
        found.append(await is_trusted(mailboxes))
        (tmp_path / "ca.pem").write_bytes(authority.pem.read_bytes())
        mailboxes.reload(configured("ca.pem"), tmp_path)
        found.append(await is_trusted(mailboxes))

    assert found == [False, True, False, False, True]


async def test_many_at_once_at_a_server_that_hangs() -> None:
    """All that may be under way are: none waits for a thread while its time runs out."""
    async with (
        scripted(answers={"AUTHENTICATE": "+ \r\n", "": SILENCE}) as (port, heard),
        at(f"127.0.0.1:{port}") as mailboxes,
    ):

        def tried() -> int:
            return sum("AUTHENTICATE" in line for line in heard)

        waiting = [asyncio.create_task(mailboxes.try_log_in(f"u{n}", "x")) for n in range(2 * AT_A_TIME)]
        await until(lambda: tried() == AT_A_TIME)
        for each in waiting:
            each.cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert ({type(each) for each in ended}, tried()) == ({asyncio.CancelledError}, AT_A_TIME)


async def test_failure_while_a_mailbox_is_open() -> None:
    """Whatever ends the block, the connection is closed."""
    answers = {"AUTHENTICATE": "+ \r\n", "": "TAG OK [CAPABILITY IMAP4rev1] in\r\n"}
    async with scripted(answers=answers) as (port, heard), at(f"127.0.0.1:{port}") as mailboxes:
        with pytest.raises(ZeroDivisionError):
            async with mailboxes.open(LogIn("berta", "berta's")):
                raise ZeroDivisionError
        assert heard[-1].endswith("LOGOUT")


async def test_no_mail_server() -> None:
    """Where none is set nobody is let in, and the property to set is named."""
    assert Mailboxes.from_settings(settings({}), Path("/etc"), HandClock()) is None
    opener: MailboxOpener = NoMailServer()
    with pytest.raises(NotReachable, match=r"com\.openexchange\.mail\.mailServer is not set") as raised:
        await opener.try_log_in("anton", "anton's")
    assert not isinstance(raised.value, TryLater)
