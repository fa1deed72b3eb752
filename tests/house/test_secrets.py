"""No secret is ever printed: not by any command, nor in a log, an error, a file elsewhere or a list of processes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import click
import pytest

from oxpushctl.cli.main import oxpushctl
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import CERTIFICATE_CLIENT, identity_in
from oxpushctl.web.notify import PATH
from tests.house import planted_etc
from tests.house.machine import Lasting, Machine
from tests.house.planted import Planted
from tests.listeners.scripted import scripted
from tests.peers.ports import free_port

_DEVICE = ("-c", "1", "-u", "3", "-i", CERTIFICATE_CLIENT)
_STORAGE = "com.openexchange.push.credstorage"
_AT_ONCE = 4
_TALK = ((), ("-v", "--log-format", "json"), ("-vv", "--debug"), ("--debug",))

# Plausible arguments of every command that ends by itself; {etc} and {new} are folders.
_COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "completion": (("bash",),),
    "config check": (
        (),
        ("--offline", "-f", "json"),
        ("--syntax-only",),
        ("--dovecot-config", "{etc}/dovecot.conf", "--probe-user", "3@1", "--probe-providers"),
    ),
    "config explain": ((), ("oxpushctl.proxy",)),
    "config flow": (("-f", "json"), ("-u", "3", "-c", "1", "-i", CERTIFICATE_CLIENT)),
    "config sample": (("{new}/sample",),),
    "config show": (("--all", "--sources"),),
    "credentials export": ((),),
    "credentials import": (("-",),),
    "credentials list": (("-f", "json"),),
    "credentials remove": (("-c", "1", "-u", "4"),),
    "credentials rotate": ((), ("--old-passcrypt-file", "{etc}/secrets/old-passcrypt")),
    "credentials set": (
        ("-c", "1", "-u", "3", "--login", "anna@example.com"),
        ("-c", "1", "-u", "4", "--login", "b", "--verify", "--password-file", "{etc}/secrets/password"),
    ),
    "credentials verify": (("--all",), ("-c", "1", "-u", "3")),
    "database create": ((),),
    "database upgrade": ((),),
    "dovecot sync": (("--dry-run",), ("-f", "json"), ("--remove",)),
    "listpushusers": ((), ("-l",), ("--all", "-f", "json")),
    "registrations add": (_DEVICE,),
    "registrations list": ((),),
    "registrations remove": (("-c", "1", "-u", "4"),),
    "status": ((), ("-f", "json")),
    "subscriptions add": ((*_DEVICE, "--transport", "apn", "--token", "aa" * 32),),
    "subscriptions list": (("-f", "json"),),
    "subscriptions remove": (("-c", "1", "-u", "4"),),
    "test-push": (
        (*_DEVICE, "-f", "json"),
        ("-i", CERTIFICATE_CLIENT, "--transport", "gcm", "--token", "phone", "--validate-only"),
        ("-i", f"{CERTIFICATE_CLIENT}-jwt", "--transport", "apn", "--token", "bb" * 32),
        ("-i", f"{CERTIFICATE_CLIENT}-packaged", "--transport", "apn", "--token", "cc" * 32),
    ),
    "users add": (("-c", "1", "-u", "3", "--login", "anna@example.com"),),
    "users import": (("-",),),
    "users list": ((),),
    "users remove": (("-c", "1", "-u", "4"),),
}
# Those that run until they are told to end.
_LASTING = ("run", "sandbox", "demo")


@pytest.fixture
def files() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's path of 107 bytes, which those of pytest do not."""
    with tempfile.TemporaryDirectory(prefix="oxp-") as folder:
        yield Path(folder)


@pytest.fixture(params=["good", "ailing", "broken"])
async def machine(request: pytest.FixtureRequest, tmp_path: Path, files: Path) -> AsyncIterator[Machine]:
    etc, planted = tmp_path / "etc", Planted()
    sandbox = Sandbox(identity_in(etc))
    await sandbox.start()
    make = getattr(planted_etc, request.param)
    yield Machine(make(etc, planted, sandbox.identity, sandbox.url), planted, sandbox, files)
    await sandbox.aclose()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["machine"])


@pytest.mark.timeout(180)
async def test_no_command_prints_a_secret(machine: Machine, name: str) -> None:
    """Whatever the configuration is worth, six characters of a secret show neither in output nor in files."""
    etc, new = machine.etc.folder, machine.files
    await machine.run("subscriptions", "add", *_DEVICE, "--transport", "gcm", "--token", "phone")
    calls = [
        (*command.split(), *(argument.format(etc=etc, new=new) for argument in arguments))
        for command, variants in _COMMANDS.items()
        for arguments in variants
    ]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def call(number: int, arguments: tuple[str, ...]) -> tuple[int | None, str]:
        async with gate:
            return await machine.run(*arguments, options=_TALK[number % len(_TALK)])

    ended = await asyncio.gather(*(call(number, arguments) for number, arguments in enumerate(calls)))

    for arguments, (code, text) in zip(calls, ended, strict=True):
        assert machine.planted.leaks(text) == set(), arguments
        assert code not in (1, 2), (arguments, text)
        assert name != "broken" or arguments[0] in ("config", "completion") or code == 78, arguments
    assert _in_files(machine) == {}


@pytest.mark.timeout(180)
async def test_running_engine_tells_no_secret(machine: Machine, name: str) -> None:
    """Nor does the engine: at its start, for events with and without the right password, at a reload, at its end."""
    await machine.run("users", "add", "-c", "1", "-u", "3", "--login", "anna@example.com")
    for transport, token in (("apn", "aa" * 32), ("gcm", "phone")):
        await machine.run("subscriptions", "add", *_DEVICE, "--transport", transport, "--token", token)

    async with machine.running("run", options=("-vv", "--log-format", "json", "--debug")) as engine:
        await engine.says("ready intake=")
        if name != "broken":
            assert machine.planted.leaks(engine.command_lines()) == set()
            await _talk_to(engine, machine)
            await engine.says("(?s)push delivered.*push delivered" if name == "good" else "push dropped")
            engine.process.send_signal(signal.SIGHUP)
            await engine.says("reload")

    assert (engine.process.returncode == 78) == (name == "broken"), engine.text
    assert machine.planted.leaks(engine.text) == set()
    assert _in_files(machine) == {}


@pytest.mark.parametrize("machine", ["good"], indirect=True)
async def test_sandbox_and_demo_tell_no_secret(machine: Machine) -> None:
    """They have secrets of their own, and leave those of the machine that they run on alone."""
    for arguments in (("sandbox", "--listen", "127.0.0.1:0", "--page", "127.0.0.1:0"), ("demo",)):
        async with machine.running(*arguments) as command:
            await command.says("configuration  |Ctrl-C ends")
        assert machine.planted.leaks(command.text) == set()
        assert command.process.returncode in (0, 130), command.text


@pytest.mark.parametrize("machine", ["good"], indirect=True)
@pytest.mark.parametrize(("source", "place"), [("session", "typed"), ("global", "master password")])
async def test_log_in_tells_no_secret(machine: Machine, source: str, place: str) -> None:
    """Neither the password that was typed nor the master password, even where the mail server repeats it."""
    refusal = f"TAG NO [AUTHENTICATIONFAILED] {machine.planted.secret(place)} opens nothing\r\n"
    await machine.run("users", "add", "-c", "1", "-u", "3", "--login", "anna@example.com")

    async with scripted(answers={"AUTHENTICATE": refusal, "LOGIN": refusal}) as (port, heard):
        options = _set(f"mailServer=127.0.0.1:{port}", f"passwordSource={source}")
        _, text = await machine.run("config", "check", "--probe-user", "3@1", options=("--debug", *options))

    assert any("AUTHENTICATE" in line or "LOGIN" in line for line in heard), text
    assert machine.planted.leaks(text) == set()


@pytest.mark.parametrize("machine", ["good"], indirect=True)
async def test_kept_password_tells_no_secret(machine: Machine) -> None:
    """Neither the password nor a passphrase, however it is kept, tried, refused, moved or brought elsewhere."""
    secret = machine.planted.secret("typed")
    row = {"context": 1, "user": 4, "login": "b"}
    rows = [json.dumps({**row, "password": secret}), json.dumps({**row, "encrypted": secret})]
    (machine.files / "kept.jsonl").write_text("\n".join([*rows, rows[0][:-5]]))
    refusal = f"TAG NO [AUTHENTICATIONFAILED] {secret} opens nothing\r\n"
    anna = ("credentials", "set", "-c", "1", "-u", "3", "--login", "anna@example.com")
    async with scripted(answers={"AUTHENTICATE": refusal, "LOGIN": refusal}) as (port, heard):
        options = ("-vv", "--debug", *_set(f"mailServer=127.0.0.1:{port}", "passwordSource=session"))
        calls = {
            anna: 0,
            (*anna, "--verify"): 77,
            ("credentials", "verify", "--all"): 77,
            ("credentials", "list"): 0,
            ("credentials", "export"): 0,
            ("credentials", "import", "kept.jsonl"): 65,
            ("credentials", "rotate"): 0,
        }
        for arguments, expected in calls.items():
            code, text = await machine.run(*arguments, options=options)
            assert (code, machine.planted.leaks(text)) == (expected, set()), text
        wrong = ("-o", f"{_STORAGE}.passcrypt.file=secrets/password")
        for arguments in (("credentials", "rotate"), ("credentials", "list")):
            code, text = await machine.run(*arguments, options=(*options, *wrong))
            assert (code in (77, 78), machine.planted.leaks(text)) == (True, set()), text
    (machine.files / "kept.jsonl").unlink()

    assert len(heard) > 1
    assert _in_files(machine) == {}


@pytest.mark.parametrize("machine", ["good"], indirect=True)
async def test_engine_with_passwords_tells_no_secret(machine: Machine) -> None:
    """What an engine keeps in its memory, and commands reach it with, shows in no output and no list of processes."""
    admin = ("-o", f"oxpushctl.admin.listen=127.0.0.1:{free_port()}", "-o", f"{_STORAGE}.rdb=false")
    options = ("-vv", "--debug", *admin, *_set("passwordSource=session"))
    anna = ("credentials", "set", "-c", "1", "-u", "3", "--login", "anna@example.com")
    async with machine.running("run", options=options) as engine:
        await engine.says("ready intake=")
        async with machine.running(*anna, "--password-file", "/dev/stdin", options=options) as waiting:
            lists = engine.command_lines() + waiting.command_lines()
        ended = [await machine.run(*arguments, options=options) for arguments in (anna, ("credentials", "export"))]

    assert [code for code, _ in ended] == [0, 0], ended
    assert [machine.planted.leaks(text) for text in (lists, engine.text, *(text for _, text in ended))] == [set()] * 4
    assert _in_files(machine) == {}


@pytest.mark.parametrize("machine", ["good"], indirect=True)
@pytest.mark.parametrize(
    "override", ["com.openexchange.mail.masterPassword={}", "oxpushctl.proxy=http://u:{}@127.0.0.1:1", "{}", "{}=1"]
)
async def test_refused_option_is_not_repeated(machine: Machine, override: str) -> None:
    """A secret that was written on the command line is refused without saying it again."""
    secret = machine.planted.in_url("command line")

    code, text = await machine.run("config", "show", options=("--debug", "-o", override.format(secret)))

    assert code in (0, 2)
    assert machine.planted.leaks(text) == set()


def test_every_command_is_tried() -> None:
    """Whoever adds a command says here with which arguments it might tell a secret."""
    assert set(_leaves(oxpushctl, "")) == {*_COMMANDS, *_LASTING}


@pytest.mark.parametrize(
    "form",
    [
        lambda secret: secret,
        lambda secret: secret[3:9],
        lambda secret: quote(secret, safe=""),
        lambda secret: b64encode(f"dovecot:{secret}".encode()).decode(),
        lambda secret: b64encode(f"a:{secret}".encode()).decode(),
        lambda secret: repr(secret.encode()),
    ],
)
def test_fragment_is_found(form: Callable[[str], str]) -> None:
    """What these tests look with sees a secret whole, in parts, and encoded."""
    planted = Planted()

    assert planted.leaks(f"x{form(planted.secret('REST'))}y") == {"REST"}
    assert Planted().leaks("Authorization: Basic ZG92ZWNvdDpzZXNhbWU=") != set()


def _leaves(group: click.Group, path: str) -> Iterator[str]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{path}{word} ")
        else:
            yield f"{path}{word}"


def _set(*mail_settings: str) -> tuple[str, ...]:
    """Return the options that set properties of mail."""
    return tuple(word for setting in mail_settings for word in ("-o", f"com.openexchange.mail.{setting}"))


def _in_files(machine: Machine) -> dict[str, set[str]]:
    """Return the files outside the etc folder that hold a secret."""
    written = (path for path in machine.files.rglob("*") if path.is_file())
    leaks = {str(path): machine.planted.leaks(path.read_bytes().decode("latin-1")) for path in written}
    return {path: places for path, places in leaks.items() if places}


async def _talk_to(engine: Lasting, machine: Machine) -> None:
    """Send what Dovecot sends, what an intruder does, and what is no request at all."""
    match = re.search(r"ready intake=(\S+):(\d+) admin=unix:(\S+)", engine.text)
    assert match is not None, engine.text
    right = b64encode(f"dovecot:{machine.etc.rest_password}".encode()).decode()
    wrong = b64encode(f"dovecot:{machine.planted.secret('guessed')}".encode()).decode()
    mail = '{"user":"3@1","event":"messageNew","folder":"INBOX","imap-uid":1,"imap-uidvalidity":1,"subject":"x"}'
    for authorization in (f"Basic {right}", f"Basic {wrong}", f"Bearer {right}", f"Basic {right[:-2]}!"):
        for first_line, body in ((f"PUT {PATH} HTTP/1.1", mail), (f"PUT {PATH} HTTP/1.1", "{"), ("GET /", "")):
            head = f"{first_line}\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Length: {len(body)}\r\n"
            request = f"{head}Connection: close\r\n\r\n{body}".encode()
            answers = (
                await _answer(request, *await asyncio.open_connection(match[1], int(match[2]))),
                await _answer(request, *await asyncio.open_unix_connection(match[3])),
            )
            assert machine.planted.leaks("\n".join(answers)) == set()


async def _answer(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer.decode()
