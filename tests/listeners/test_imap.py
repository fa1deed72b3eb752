"""The door to the mail server, at a real Dovecot and at servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oxpushctl.errors import ConfigurationError, NotPermitted, NotReachable, OxpushctlError, TryLater
from oxpushctl.listeners.imap import ImapConnection, ImapDoor
from oxpushctl.listeners.imap_troubles import (
    LogInRefused,
    NotAnImapServer,
    ServerBusy,
    ServerUnreachable,
    ServerUntrusted,
    TakesNoPasswords,
)
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer
from tests.listeners.scripted import CAPABILITY, SILENCE, scripted
from tests.peers.certificates import Authority
from tests.peers.dovecot import PASSWORD, Dovecot, LogIns
from tests.peers.ports import free_port
from tests.waiting import until

ANTON = LogIn("anton", PASSWORD)
SECRET = 'söhr\\geheim" *(%{'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    """One with TLS and a master user, for every test that leaves nothing behind in it."""
    with Dovecot(log_ins=LogIns(certificate=authority.server(), master=("push", SECRET))) as running:
        yield running


def at(port: int, encryption: Encryption = Encryption.IF_DEMANDED, ca: Path | None = None) -> MailServer:
    return MailServer("127.0.0.1", port, encryption, ca)


@contextlib.asynccontextmanager
async def connected(
    server: MailServer, *, connect_s: float = 10.0, answer_s: float = 10.0
) -> AsyncIterator[ImapConnection]:
    connection = await ImapDoor(server, connect_s=connect_s, answer_s=answer_s).connect()
    try:
        yield connection
    finally:
        await connection.aclose()


async def refusal(server: MailServer, *log_ins: LogIn, seconds: float = 10.0) -> OxpushctlError:
    """Return the error that connecting and logging in end with."""
    with pytest.raises(OxpushctlError) as raised:
        async with connected(server, connect_s=seconds, answer_s=seconds) as connection:
            for log_in in log_ins:
                await connection.log_in(log_in)
    return raised.value


async def test_log_in(dovecot: Dovecot) -> None:
    """After a log-in the user's own capabilities are there, METADATA among them."""
    async with connected(at(dovecot.imap_port)) as connection:
        assert "METADATA" not in connection.capabilities
        await connection.log_in(ANTON)
        assert {"METADATA", "IDLE", "IMAP4REV1"} <= connection.capabilities


@pytest.mark.parametrize("encryption", [Encryption.TLS, Encryption.STARTTLS, Encryption.IF_OFFERED])
async def test_log_in_over_tls(dovecot: Dovecot, authority: Authority, encryption: Encryption) -> None:
    """TLS from the first byte on and by STARTTLS, against an authority of our own; Dovecot says that it is on."""
    port = dovecot.imaps_port if encryption is Encryption.TLS else dovecot.imap_port
    name = f"{encryption.name.lower()}@tls.test"
    async with connected(at(port, encryption, authority.pem)) as connection:
        await connection.log_in(LogIn(name, PASSWORD))
    await until(lambda: f"user=<{name}>" in dovecot.log())
    login = next(line for line in dovecot.log().splitlines() if "Login:" in line and name in line)
    assert ", TLS," in login


async def test_tls_where_the_server_demands_it(authority: Authority) -> None:
    """On this machine STARTTLS is used when there is no log-in without."""
    log_ins = LogIns(certificate=authority.server(), is_tls_required=True)
    with Dovecot(log_ins=log_ins) as strict:
        async with connected(at(strict.imap_port, ca=authority.pem)) as connection:
            await connection.log_in(ANTON)
            assert "METADATA" in connection.capabilities


async def test_no_tls_on_this_machine(dovecot: Dovecot) -> None:
    """Where nobody can listen in, a certificate that nobody vouches for keeps nobody out."""
    async with connected(at(dovecot.imap_port)) as connection:
        await connection.log_in(ANTON)
        assert "IDLE" in connection.capabilities


async def test_master_user_opens_a_mailbox(dovecot: Dovecot) -> None:
    """The master's password opens the user's mailbox, beyond ASCII as well."""
    async with connected(at(dovecot.imap_port)) as connection:
        await connection.log_in(LogIn("berta*push", SECRET))
        assert "METADATA" in connection.capabilities


async def test_refused_then_let_in(dovecot: Dovecot) -> None:
    """A refusal ends with 77, says whose it was and no password, and the connection lives on."""
    async with connected(at(dovecot.imap_port)) as connection:
        with pytest.raises(LogInRefused) as raised:
            await connection.log_in(LogIn("anton", SECRET))
        await connection.log_in(ANTON)
    error = raised.value
    assert isinstance(error, NotPermitted)
    assert f"127.0.0.1:{dovecot.imap_port} does not let 'anton' in: [AUTHENTICATIONFAILED]" in str(error)
    assert SECRET not in str(error)


async def test_nothing_of_a_log_in_is_logged(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    """The library's own debug records know no password."""
    caplog.set_level(logging.DEBUG)
    async with connected(at(dovecot.imap_port)) as connection:
        await connection.log_in(LogIn("berta*push", SECRET))
    assert [record.getMessage() for record in caplog.records if "geheim" in record.getMessage()] == []


@pytest.mark.parametrize(
    ("passdb", "kind", "words"),
    [
        ("contactadmin", LogInRefused, "the account is blocked"),
        ("unavailable", ServerBusy, "its user database or a server behind it does not answer"),
    ],
)
async def test_account_troubles(tmp_path: Path, passdb: str, kind: type[OxpushctlError], words: str) -> None:
    """A blocked account is refused, a user database that is down is worth another try."""
    folder = tmp_path
    for each in (folder, *folder.parents[:-1]):
        each.chmod(each.stat().st_mode | 0o011)  # Dovecot's own user has to get there
    users, script = folder / "users", folder / "fail.sh"
    users.write_text("anton:{PLAIN}pw::::::nologin=y\n")
    users.chmod(0o644)
    script.write_text("#!/bin/sh\nexit 111\n")
    script.chmod(0o755)
    passdbs = {
        "contactadmin": f"passdb {{\n  driver = passwd-file\n  args = {users}\n}}",
        "unavailable": f"passdb {{\n  driver = checkpassword\n  args = {script}\n}}",
    }
    with Dovecot(log_ins=LogIns(passdbs=passdbs[passdb])) as troubled:
        error = await refusal(at(troubled.imap_port), ANTON)
    assert type(error) is kind, error
    assert words in str(error)


async def test_too_many_sessions() -> None:
    """A limit is worth another try, and the setting behind it is named."""
    with Dovecot(log_ins=LogIns(most_sessions=1)) as narrow:
        async with connected(at(narrow.imap_port)) as first:
            await first.log_in(ANTON)
            error = await refusal(at(narrow.imap_port), ANTON)
    assert isinstance(error, TryLater)
    assert "mail_max_userip_connections" in str(error)


async def test_certificate_of_an_unknown_authority(dovecot: Dovecot) -> None:
    """Nobody is sent a password whom the system's authorities do not vouch for."""
    error = await refusal(at(dovecot.imaps_port, Encryption.TLS), ANTON)
    assert type(error) is ServerUntrusted
    assert "is of an authority that is not trusted here (name the file" in str(error)


@pytest.mark.parametrize(
    ("names", "host", "words"),
    [
        (("mail.example.com",), "localhost", "is for another name"),
        (("mail.example.com",), "127.0.0.1", "is for another address"),
    ],
)
async def test_certificate_of_somebody_else(
    authority: Authority, names: tuple[str, ...], host: str, words: str
) -> None:
    """A good certificate for another name is not good."""
    with Dovecot(log_ins=LogIns(certificate=authority.server(*names))) as other:
        error = await refusal(MailServer(host, other.imaps_port, Encryption.TLS, authority.pem))
    assert type(error) is ServerUntrusted
    assert words in str(error)


async def test_tls_at_a_port_without(dovecot: Dovecot) -> None:
    """imaps:// to a port of imap:// is told as that."""
    error = await refusal(at(dovecot.imap_port, Encryption.TLS))
    assert (type(error), "does not speak TLS" in str(error)) == (ServerUntrusted, True)


async def test_no_tls_at_a_port_with(dovecot: Dovecot) -> None:
    """A port of imaps:// waits for us to begin, and we tell what that means."""
    error = await refusal(at(dovecot.imaps_port), seconds=0.3)
    assert (type(error), "is written imaps://" in str(error)) == (NotAnImapServer, True)


async def test_authorities_that_are_none(dovecot: Dovecot, tmp_path: Path) -> None:
    """A file without certificates is the configuration's fault, not the server's."""
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing")
    error = await refusal(at(dovecot.imaps_port, Encryption.TLS, ca))
    assert isinstance(error, ConfigurationError)


async def test_nobody_listens() -> None:
    """A refused connection ends with 69 and names the address."""
    error = await refusal(at(port := free_port()))
    assert isinstance(error, NotReachable)
    assert str(error).startswith(f"imap://127.0.0.1:{port} refuses connections")


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "-"])
async def test_no_such_host(host: str) -> None:
    """A name that cannot be resolved, or cannot be one."""
    error = await refusal(MailServer(host, 143, Encryption.STARTTLS))
    assert f"the name {host} cannot be resolved" in str(error)


@pytest.mark.parametrize(
    ("greeting", "kind", "words"),
    [
        ("220 mail.example.com ESMTP\r\n", NotAnImapServer, "does not speak IMAP"),
        ("+OK POP3 ready\r\n", NotAnImapServer, "does not speak IMAP"),
        ("x" * 5000 + "\r\n", NotAnImapServer, "does not speak IMAP"),
        ("* PREAUTH welcome\r\n", NotAnImapServer, "everybody is logged in already"),
        ("* BYE Too many connections\r\n", ServerBusy, "turns us away: BYE Too many connections"),
        ("", NotAnImapServer, "says nothing"),
        ("* OK never ends", NotAnImapServer, "begins to answer, but does not end in time"),
    ],
)
async def test_greetings_of_others(greeting: str, kind: type[OxpushctlError], words: str) -> None:
    """What is no IMAP server, or one that lets nobody in, is told apart."""
    async with scripted(greeting) as (port, _):
        error = await refusal(at(port), seconds=0.5)
    assert type(error) is kind, error
    assert words in str(error)
    assert len(str(error)) < 500


async def test_end_without_a_greeting() -> None:
    """A server that closes at once does so for a reason that its log knows."""
    async with scripted(answers={"CAPABILITY": ""}) as (port, _):
        error = await refusal(at(port))
    assert (type(error), "ends the connection before a log-in" in str(error)) == (ServerUnreachable, True)


async def test_greeting_behind_another() -> None:
    """Dovecot under load says that it waits before it greets: that is no greeting yet, nor an error."""
    late = "* OK Waiting for authentication process to respond..\r\n"
    answers = {"CAPABILITY": f"* OK [CAPABILITY IMAP4rev1] ready\r\n{CAPABILITY}TAG OK done\r\n"}
    async with scripted(late, answers) as (port, _), connected(at(port)) as connection:
        assert "AUTH=PLAIN" in connection.capabilities


async def test_dripping_server_does_not_hold_us() -> None:
    """There is one deadline for all: a byte now and then does not put it off."""
    began = time.monotonic()
    async with scripted(pause_s=0.05) as (port, _):
        error = await refusal(at(port), seconds=0.4)
    assert type(error) is NotAnImapServer
    assert time.monotonic() - began < 5


async def test_no_answer_to_a_log_in() -> None:
    """A log-in that hangs, as at Dovecot without a free process, is worth another try."""
    async with scripted(answers={"AUTHENTICATE": "+ \r\n", "": SILENCE}) as (port, _):
        error = await refusal(at(port), ANTON, seconds=0.5)
    assert (type(error), "does not answer to the log-in of 'anton'" in str(error)) == (ServerBusy, True)


async def test_starttls_is_not_offered() -> None:
    """Beyond this machine no password goes out in clear."""
    async with scripted() as (port, heard):
        error = await refusal(at(port, Encryption.STARTTLS), ANTON)
    assert (type(error), "offers no STARTTLS" in str(error)) == (ServerUntrusted, True)
    assert [line for line in heard if "AUTHENTICATE" in line] == []


@pytest.mark.parametrize(("answer", "words"), [("TAG NO not now", "not now"), ("TAG BAD what", "STARTTLS")])
async def test_starttls_is_refused(answer: str, words: str) -> None:
    """What is offered and then refused ends there, too."""
    offer = "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\nTAG OK done\r\n"
    async with scripted(answers={"CAPABILITY": offer, "STARTTLS": f"{answer}\r\n"}) as (port, heard):
        error = await refusal(at(port, Encryption.IF_OFFERED), ANTON)
    assert (type(error), f"refuses STARTTLS: {words}" in str(error)) == (ServerUntrusted, True)
    assert [line for line in heard if "AUTHENTICATE" in line] == []


async def test_words_smuggled_in_before_tls() -> None:
    """What somebody on the way appends to the answer to STARTTLS is not taken for the server's, under TLS."""
    answers = {
        "CAPABILITY": "* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK done\r\n",
        "STARTTLS": "TAG OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
    }
    async with scripted(answers=answers) as (port, _):
        error = await refusal(at(port, Encryption.STARTTLS), ANTON)
    assert (type(error), "before TLS began" in str(error)) == (ServerUntrusted, True)


async def test_login_where_plain_is_not_offered() -> None:
    """The command LOGIN carries names and passwords with everything that ASCII has."""
    offer = {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n", "LOGIN": "TAG OK in\r\n"}
    async with scripted(answers=offer) as (port, heard), connected(at(port)) as connection:
        await connection.log_in(LogIn('an ton"', 'p\\w "x"'))
    assert [line.split(maxsplit=1)[1] for line in heard if "LOGIN" in line] == [r'LOGIN "an ton\"" "p\\w \"x\""']


@pytest.mark.parametrize(
    ("offer", "log_in", "kind", "words"),
    [
        ("IMAP4rev1", LogIn("anton", "pässword"), TakesNoPasswords, "LOGIN takes ASCII only"),
        ("IMAP4rev1 LOGINDISABLED", ANTON, TakesNoPasswords, "takes no passwords"),
        ("IMAP4rev1 AUTH=PLAIN", LogIn("anton", "x\r\nTAG LOGOUT"), LogInRefused, "no log-in can carry"),
        ("IMAP4rev1 AUTH=PLAIN", LogIn("an\0ton", "x"), LogInRefused, "no log-in can carry"),
        ("IMAP4rev1 AUTH=PLAIN", LogIn("anton", "x\ud800"), LogInRefused, "no log-in can carry"),
    ],
)
async def test_log_ins_that_cannot_be_sent(offer: str, log_in: LogIn, kind: type[Exception], words: str) -> None:
    """Nothing is sent of what would be understood as something else, or not at all.

    A server that judges no password at all has refused none.
    """
    async with scripted(answers={"CAPABILITY": f"* CAPABILITY {offer}\r\nTAG OK done\r\n"}) as (port, heard):
        error = await refusal(at(port), log_in)
    assert (type(error), words in str(error)) == (kind, True)
    assert {line.split()[1] for line in heard} == {"CAPABILITY", "LOGOUT"}


async def test_answer_that_quotes_the_password() -> None:
    """A server that repeats what it was sent does not make us repeat it."""
    answers = {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n", "LOGIN": "TAG NO no anton/sesame here\r\n"}
    async with scripted(answers=answers) as (port, _):
        error = await refusal(at(port), LogIn("anton", "sesame"))
    assert str(error).startswith(f"imap://127.0.0.1:{port} does not let 'anton' in: its words quote the log-in")


async def test_cancelled_while_it_waits() -> None:
    """Who no longer waits leaves no thread and no connection behind."""
    async with scripted(answers={"AUTHENTICATE": "+ \r\n", "": SILENCE}) as (port, heard):
        connection = await ImapDoor(at(port), answer_s=60).connect()
        waiting = asyncio.create_task(connection.log_in(ANTON))
        await until(lambda: len(heard) == 3)  # CAPABILITY, AUTHENTICATE and what is to be judged
        began = time.monotonic()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await connection.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
    assert time.monotonic() - began < 20


def test_contexts_verify() -> None:
    """The context that servers are verified with is the strict one."""
    context = ImapDoor(at(993, Encryption.TLS))._tls
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
