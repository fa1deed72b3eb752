"""The door at servers that answer with anything but IMAP: each ends in time, with one error of ours."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from oxpushctl.config.check import Mailbox, Wishes
from oxpushctl.errors import OxpushctlError
from oxpushctl.listeners.imap import ImapDoor
from oxpushctl.listeners.imap_check import check_mail_server
from oxpushctl.listeners.imap_echo import quoted
from oxpushctl.listeners.imap_troubles import (
    LogInRefused,
    NotAnImapServer,
    ServerBusy,
    ServerUnreachable,
    ServerUntrusted,
)
from oxpushctl.listeners.mail_server import Encryption, LogIn, MailServer
from tests.config import folders
from tests.listeners.scripted import END, RESET, SILENCE, scripted
from tests.peers.certificates import Authority

ANTON = LogIn("anton", "sesame")
_MANY_DIGITS = "9" * 5000
_MEGABYTES = 3 * 1024 * 1024
_NO_PLAIN = "* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n"
_STARTTLS = "* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK done\r\n"


async def failure(server: MailServer, log_in: LogIn | None = None, *, seconds: float = 10.0) -> OxpushctlError:
    """Return the error that connecting, or a log-in, ends with."""
    door = ImapDoor(server, connect_s=seconds, answer_s=seconds)
    try:
        connection = await door.connect()
    except OxpushctlError as error:
        return error
    with pytest.raises(OxpushctlError) as raised:
        await connection.log_in(log_in or ANTON)
    await connection.aclose()
    return raised.value


def at(port: int, encryption: Encryption = Encryption.IF_DEMANDED, ca: Path | None = None) -> MailServer:
    return MailServer("127.0.0.1", port, encryption, ca)


@pytest.mark.parametrize(
    "greeting",
    [
        f"* OK {{{_MANY_DIGITS}}}\r\n",
        "* OK {99999999}\r\n",
        "\0\xff\xfe\r\n",
        "\r\n",
        "+\r\n",
        "x" * _MEGABYTES,
        "* OK ready\r\n" + "* 1 FETCH x\r\n" * (_MEGABYTES // 13),
        "* OK ready\r\n" + "* OK {70000}\r\n" + "x" * _MEGABYTES,
    ],
    ids=["long-size", "large-literal", "bytes", "empty-line", "go-on", "no-line-end", "many-lines", "many-literals"],
)
async def test_greetings_that_are_garbage(greeting: str) -> None:
    """What is said at the begin is judged at once, however long it is, and never kept whole."""
    async with scripted(greeting) as (port, _), asyncio.timeout(8):
        error = await failure(at(port))
    assert type(error) is NotAnImapServer, error
    assert "does not speak IMAP" in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "capability",
    [
        "* CAPABILITY IMAP4rev1 \xff\r\nTAG OK done\r\n",
        f"* CAPABILITY {{{_MANY_DIGITS}}}\r\n",
        "* CAPABILITY {99999999}\r\n",
        "* CAPABILITY POP3\r\nTAG OK done\r\n",
        "TAG OK done\r\n",
        "TAG NO\r\n",
        "TAG NO never\r\n",
        "TAG BAD what\r\n",
        "+ \r\n" * 400_000,
    ],
    ids=["bytes", "long-size", "large-literal", "not-imap", "nothing", "half-a-line", "no", "bad", "go-on"],
)
async def test_capabilities_that_are_garbage(capability: str) -> None:
    """So is the answer to the first question, and the check says it in one line."""
    async with scripted(answers={"CAPABILITY": capability}) as (port, _), asyncio.timeout(8):
        error = await failure(at(port))
    assert isinstance(error, NotAnImapServer), error
    assert str(port) in str(error)


@pytest.mark.parametrize(
    ("greeting", "answers", "code"),
    [
        ("* OK ready\r\n", {"CAPABILITY": "* CAPABILITY IMAP4rev1 \xff\r\nTAG OK done\r\n"}, "OXP713"),
        (f"* OK {{{_MANY_DIGITS}}}\r\n", {}, "OXP713"),
        ("* PREAUTH welcome\r\n", {}, "OXP713"),
        ("* BYE gone\r\n", {}, "OXP715"),
        (RESET, {}, "OXP711"),
        ("* OK ready\r\n", {"CAPABILITY": ""}, "OXP711"),
        ("* OK ready\r\n", {"CAPABILITY": "* BYE gone\r\n"}, "OXP711"),
        ("* OK ready\r\n", {"AUTHENTICATE": f"* OK {{{_MANY_DIGITS}}}\r\n"}, "OXP715"),
        ("* OK ready\r\n", {"AUTHENTICATE": "+ \r\n", "": "* \xff\r\n"}, "OXP715"),
        ("* OK ready\r\n", {"AUTHENTICATE": "+ a\r\n"}, "OXP715"),
        ("* OK ready\r\n", {"AUTHENTICATE": "+ \r\n", "": ""}, "OXP715"),
        ("* OK ready\r\n", {"AUTHENTICATE": "+ \r\n", "": RESET}, "OXP715"),
        ("* OK ready\r\n", {"AUTHENTICATE": "* BYE gone\r\n"}, "OXP715"),
    ],
)
async def test_one_finding(tmp_path: Path, greeting: str, answers: Mapping[str, str], code: str) -> None:
    """Whatever is answered, a check ends with one finding, of the kind that it is."""
    async with scripted(greeting, answers) as (port, _), asyncio.timeout(15):
        etc = {"mail.properties": f"com.openexchange.mail.mailServer=127.0.0.1:{port}\n"}
        wishes = Wishes(mailbox=Mailbox("anton", "sesame"))
        (finding,) = await check_mail_server(folders.read(tmp_path, etc), wishes)
    assert finding.code == code, finding


async def test_everybody_is_logged_in_already() -> None:
    """A server that asks nobody for a password is known by its greeting, and asked nothing."""
    async with scripted("* PREAUTH welcome\r\n", {"CAPABILITY": SILENCE}) as (port, heard):
        error = await failure(at(port), seconds=0.5)
    assert (type(error), "everybody is logged in already" in str(error), heard) == (NotAnImapServer, True, [])


async def test_reset_in_words() -> None:
    """A connection that is torn down is told in words, not as a number."""
    async with scripted(answers={"CAPABILITY": RESET}) as (port, _):
        error = await failure(at(port))
    assert type(error) is ServerUnreachable
    assert str(error).startswith(
        f"imap://127.0.0.1:{port} ends the connection before a log-in: connection reset by peer"
    )


@pytest.mark.parametrize("reply", ["", RESET, "* BYE gone\r\n", "+ a\r\n"])
async def test_log_in_that_is_cut_off(reply: str) -> None:
    """A log-in that was not judged is worth another try: the user is not to blame."""
    async with scripted(answers={"AUTHENTICATE": "+ \r\n", "": reply}) as (port, _):
        error = await failure(at(port))
    assert type(error) is ServerBusy, error


@pytest.mark.parametrize(
    "offer",
    [
        "* CAPABILITY {5}\r\nMETA \r\n",
        "* CAPABILITY \xff METADATA\r\n",
        "",
    ],
)
async def test_odd_offers_after_a_log_in(offer: str) -> None:
    """What cannot be read of the offer to a user is not there."""
    answers = {"AUTHENTICATE": "+ \r\n", "": f"{offer}TAG OK [CAPABILITY IMAP4rev1 METADATA] in\r\n"}
    async with scripted(answers=answers) as (port, _):
        connection = await ImapDoor(at(port)).connect()
        await connection.log_in(ANTON)
        await connection.aclose()
    assert "METADATA" in connection.capabilities


async def test_farewell_that_is_garbage() -> None:
    """Who closes a connection is not told how badly the server takes it."""
    async with scripted(answers={"LOGOUT": f"* BYE {{{_MANY_DIGITS}}}\r\n"}) as (port, heard):
        connection = await ImapDoor(at(port)).connect()
        await connection.aclose()
    assert heard[-1].endswith("LOGOUT")


@pytest.mark.parametrize(
    "answer", ["TAG OK \xff\r\n", f"* OK {{{_MANY_DIGITS}}}\r\n", SILENCE, "", RESET, "* BYE x\r\n"]
)
async def test_starttls_that_goes_wrong(answer: str) -> None:
    """Whatever comes in the place of TLS, nobody is sent a password."""
    async with scripted(answers={"CAPABILITY": _STARTTLS, "STARTTLS": answer}) as (port, heard):
        error = await failure(at(port, Encryption.STARTTLS), seconds=0.5)
    assert isinstance(error, ServerUnreachable), error
    assert [line for line in heard if "AUTHENTICATE" in line] == []


@pytest.mark.parametrize("first", [END, RESET, "", "x" * 10, "\x16\x03\x03", "* OK ready\r\n"])
async def test_tls_that_ends_early(first: str) -> None:
    """A server that ends while TLS begins is told as one without TLS, in time."""
    began = time.monotonic()
    async with scripted(first) as (port, _):
        error = await failure(at(port, Encryption.TLS), seconds=0.5)
    # What is torn down at once never got as far as TLS.
    assert isinstance(error, ServerUnreachable if first == RESET else ServerUntrusted), error
    assert time.monotonic() - began < 5


async def test_tls_that_drips() -> None:
    """A handshake that goes on a byte at a time ends at the deadline as well."""
    began = time.monotonic()
    async with scripted("\x16\x03\x03\x40\x00" + "x" * 5000, pause_s=0.05) as (port, _):
        error = await failure(at(port, Encryption.TLS), seconds=0.4)
    assert (type(error), time.monotonic() - began < 5) == (ServerUntrusted, True)


async def test_garbage_under_tls(tmp_path: Path) -> None:
    """Behind a good certificate there may be anything, too."""
    authority = Authority(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.server())
    capability = {"CAPABILITY": "* CAPABILITY IMAP4rev1 \xff\r\nTAG OK done\r\n"}
    async with scripted(answers=capability, tls=tls) as (port, _):
        error = await failure(at(port, Encryption.TLS, authority.pem))
    assert (type(error), "does not speak IMAP" in str(error)) == (NotAnImapServer, True)


def _plain(*parts: str) -> str:
    return base64.b64encode("\0".join(parts).encode()).decode()


_ODD = LogIn("anton", 'sö"h\\r')
_LINE = LogIn("alice", 'S3CR"ET')


def _echoes(log_in: LogIn) -> list[str]:
    """Return what a server may write that quotes a log-in, in whatever it is written."""
    name, password = log_in.name, log_in.password
    line = f"LOGIN {quoted(name)} {quoted(password)}"
    plain = _plain("", name, password)
    return [
        password,
        line,
        line[:-2],
        repr(line),
        repr(line.encode()),
        json.dumps(line),
        quote(password, safe=""),
        html.escape(password),
        plain,
        plain[:-4] + "...",
        "x" + plain,
        repr(plain.encode()),
        _plain(name, name, password),
        _plain(password),
        password.encode().hex(),
        f"\0{name}\0{password}".encode().hex(" "),
        "x" * 190 + password,
        "x" * 195 + plain,
    ]


@pytest.mark.parametrize("log_in", [LogIn("a", "b"), ANTON, _ODD, _LINE], ids=["short", "plain", "odd", "quoted"])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("NO <{}> refused", ""),
        ("NO [ALERT] <{}> refused", "[ALERT] "),
        ("BAD <{}> refused", ""),
        ("NO [AUTHENTICATIONFAILED] {}", "[AUTHENTICATIONFAILED] "),
    ],
)
async def test_answer_that_quotes_what_was_sent(
    caplog: pytest.LogCaptureFixture, log_in: LogIn, answer: str, code: str
) -> None:
    """Of an answer that holds the password in any form, whole or cut off, only the response code is repeated."""
    for text in _echoes(log_in):
        answers = {"AUTHENTICATE": "+ \r\n", "": f"TAG {answer.format(text)}\r\n".replace("\0", "")}
        async with scripted(answers=answers) as (port, _):
            error = await failure(at(port), log_in)
        told = f"{code}its words quote the log-in, and are not repeated here"
        assert str(error).startswith(f"imap://127.0.0.1:{port} does not let {log_in.name!r} in: {told}"), text
    assert caplog.records == []


async def test_response_code_that_is_the_password() -> None:
    """Not even that is repeated if it is the password."""
    answers = {"AUTHENTICATE": "+ \r\n", "": "TAG NO [SESAME] never\r\n"}
    async with scripted(answers=answers) as (port, _):
        error = await failure(at(port), LogIn("anton", "SESAME"))
    assert "SESAME" not in str(error)


@pytest.mark.parametrize(
    "words",
    ["Authentication failed.", "[AUTHENTICATIONFAILED] no such user <anton@example.com>", "try AGFudG9u later"],
)
async def test_answer_that_quotes_no_password(words: str) -> None:
    """What holds nothing of the password is told as the server says it, its user's name included."""
    answers = {"AUTHENTICATE": "+ \r\n", "": f"TAG NO {words}\r\n"}
    async with scripted(answers=answers) as (port, _):
        error = await failure(at(port))
    assert str(error).startswith(f"imap://127.0.0.1:{port} does not let 'anton' in: {words}")


@pytest.mark.parametrize("kind", ["NO", "BAD"])
async def test_answer_that_quotes_a_quoted_password(kind: str) -> None:
    """LOGIN writes a password in quotes, so that it may come back with backslashes."""
    answers = {"CAPABILITY": _NO_PLAIN, "LOGIN": f'TAG {kind} LOGIN "anton" "p\\\\w\\"x"\r\n'}
    async with scripted(answers=answers) as (port, _):
        error = await failure(at(port), LogIn("anton", 'p\\w"x'))
    assert type(error) is LogInRefused
    assert "p\\" not in str(error)


def test_name_service_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that nobody resolves ends at the deadline, and holds neither the loop nor the program's end."""
    going_on = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        going_on.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    try:
        error = asyncio.run(failure(MailServer("mail.example.com", 143, Encryption.STARTTLS), seconds=0.3))
        taken_s = time.monotonic() - began
        held_up = [
            thread for thread in threading.enumerate() if thread.name.startswith("look up") and not thread.daemon
        ]
    finally:
        going_on.set()
    assert "the name mail.example.com cannot be resolved" in str(error)
    assert (taken_s < 5, held_up) == (True, [])
