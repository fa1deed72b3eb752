"""What we tell the mail server of ourselves before a log-in, and of the client on whose behalf it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from oxpushctl import __version__
from oxpushctl.errors import OxpushctlError
from oxpushctl.listeners.imap import ImapConnection, ImapDoor
from oxpushctl.listeners.imap_troubles import ServerBusy
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer
from tests.listeners.scripted import END, scripted
from tests.peers.dovecot import PASSWORD, Dovecot, LogIns
from tests.waiting import until

ANTON = LogIn("anton", PASSWORD)
OFFER = {"CAPABILITY": "* CAPABILITY IMAP4rev1 ID AUTH=PLAIN\r\nTAG OK done\r\n"}
LET_IN = {"AUTHENTICATE": "+ \r\n", "": "TAG OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"}
US = f'"name" "oxpushctl" "version" "{__version__}"'


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[ImapConnection]:
    connection = await ImapDoor(MailServer("127.0.0.1", port, Encryption.IF_DEMANDED)).connect()
    try:
        yield connection
    finally:
        await connection.aclose()


async def told(address: str | None, answers: Mapping[str, str]) -> list[str]:
    """Return what a server heard before the log-in and with it, without tags."""
    async with scripted(answers=answers) as (port, heard), connected(port) as connection:
        await connection.log_in(ANTON, address)
        return [line.split(" ", 1)[1] for line in heard if " " in line and "CAPABILITY" not in line]


async def test_dovecot_logs_the_address_of_the_client() -> None:
    """A Dovecot that trusts this machine counts and logs a log-in under the address of the app."""
    with Dovecot(log_ins=LogIns(trusted_networks="127.0.0.0/8")) as dovecot:
        async with connected(dovecot.imap_port) as connection:
            await connection.log_in(ANTON, "192.0.2.7")
            assert "METADATA" in connection.capabilities
        await until(lambda: "Login: user=<anton>" in dovecot.log())
        (login,) = (line for line in dovecot.log().splitlines() if "Login: user=<anton>" in line)
    assert ", rip=192.0.2.7," in login


async def test_dovecot_that_trusts_nobody() -> None:
    """Without login_trusted_networks the log-in is that of this machine, and goes well."""
    with Dovecot() as dovecot:
        async with connected(dovecot.imap_port) as connection:
            await connection.log_in(ANTON, "192.0.2.7")
        await until(lambda: "Login: user=<anton>" in dovecot.log())
        (login,) = (line for line in dovecot.log().splitlines() if "Login: user=<anton>" in line)
    assert ", rip=127.0.0.1," in login


@pytest.mark.parametrize(
    ("address", "pairs"),
    [
        (None, US),
        ("192.0.2.7", f'{US} "x-originating-ip" "192.0.2.7"'),
        ("2001:DB8::7", f'{US} "x-originating-ip" "2001:db8::7"'),
        ("fe80::1%eth0", f'{US} "x-originating-ip" "fe80::1"'),
        ('192.0.2.7" "x-session-id" "forged', US),
        ("", US),
    ],
)
async def test_what_is_said(address: str | None, pairs: str) -> None:
    """Name and version, and the address if it is one: nothing else gets into the line."""
    answers = {**OFFER, **LET_IN, "ID": '* ID ("name" "Dovecot")\r\nTAG OK done\r\n'}
    assert await told(address, answers) == [f"ID ({pairs})", "AUTHENTICATE PLAIN"]


async def test_server_that_takes_no_id() -> None:
    """Where ID is not offered, nobody is told anything."""
    assert await told("192.0.2.7", LET_IN) == ["AUTHENTICATE PLAIN"]


@pytest.mark.parametrize("answer", ["TAG NO never mind", "TAG BAD what?", "* ID NIL\r\nTAG OK done"])
async def test_server_that_does_not_care(answer: str) -> None:
    """A refused ID is no refused log-in."""
    answers = {**OFFER, **LET_IN, "ID": f"{answer}\r\n"}
    assert (await told(None, answers))[-1] == "AUTHENTICATE PLAIN"


async def test_offer_beside_an_id() -> None:
    """What is offered along with the ID is offered to nobody yet: the user's own offer is asked for."""
    answers = {
        **OFFER,
        "ID": "* CAPABILITY IMAP4rev1 ID AUTH=PLAIN METADATA\r\nTAG OK done\r\n",
        "AUTHENTICATE": "+ \r\n",
        "": "TAG OK in\r\n",
    }
    async with scripted(answers=answers) as (port, _), connected(port) as connection:
        await connection.log_in(ANTON)
        assert "METADATA" not in connection.capabilities


@pytest.mark.parametrize("answer", ["", END, "* BYE not you\r\n", "* ID {99999999}\r\n"])
async def test_connection_that_ends_with_the_id(answer: str) -> None:
    """Without a judgement the user is not to blame, and no password is sent."""
    async with scripted(answers={**OFFER, "ID": answer}) as (port, heard):
        connection = await ImapDoor(MailServer("127.0.0.1", port, Encryption.IF_DEMANDED)).connect()
        with pytest.raises(OxpushctlError) as raised:
            await connection.log_in(ANTON)
        await connection.aclose()
    assert (type(raised.value), [line for line in heard if "AUTHENTICATE" in line]) == (ServerBusy, [])
