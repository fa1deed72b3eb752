"""``config check`` with everything around it: mail server, engine, providers, Dovecot's configuration, the flow."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oxpushctl.config import reading
from oxpushctl.config.flow import flow
from oxpushctl.config.flow.drawing import drawn
from oxpushctl.config.listening import NOTIFY_ENABLED, NOTIFY_PORT
from oxpushctl.config.own import INTAKE_LISTEN
from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.write_etc import identity_in, write_etc
from tests.cli.command import Command, Ended
from tests.listeners.scripted import scripted
from tests.peers import engine
from tests.peers.dovecot import PASSWORD, Dovecot, LogIns
from tests.peers.ports import free_port
from tests.waiting import until

PROGRAM = str(Path(sys.executable).with_name("oxpushctl"))
SECRET = "s3same-öffne"
GLOBAL = f"com.openexchange.mail.passwordSource=global\ncom.openexchange.mail.masterPassword={SECRET}\n"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(log_ins=LogIns(master=("push", SECRET))) as running:
        yield running


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """An installation that listens where nobody else does."""
    command = Command(tmp_path)
    (command.etc / "oxpushctl.properties").write_text(f"{INTAKE_LISTEN.key}=127.0.0.1:0\n")
    return command


def mail_server(command: Command, port: int, more: str = "") -> None:
    (command.etc / "mail.properties").write_text(f"com.openexchange.mail.mailServer=127.0.0.1:{port}\n{more}")


def codes(ended: Ended) -> set[str]:
    """Return the codes of the report in JSON."""
    return {finding["code"] for finding in json.loads(ended.stdout)["findings"]}


@pytest.mark.parametrize(
    "options",
    [
        ("--syntax-only", "--offline"),
        ("--syntax-only", "--dovecot-config", "dovecot.conf"),
        ("--offline", "--probe-user", "3@1"),
        ("--syntax-only", "--probe-user", "3@1"),
        ("--offline", "--probe-providers"),
        ("--syntax-only", "--probe-providers"),
        ("--password-file", "password"),
        ("--format", "yaml"),
    ],
)
def test_options_that_contradict_each_other(command: Command, options: tuple[str, ...]) -> None:
    """They are usage errors, before anything is read."""
    ended = command("config", "check", *options)
    assert (ended.code, ended.stdout) == (2, "")


def test_flow_follows_the_findings(command: Command) -> None:
    """An empty line stands between the two, and the summary is talk."""
    ended = command("config", "check", "--offline")
    configuration = reading.read(command.etc, environ={"STATE_DIRECTORY": str(command.state)}, overrides=())
    findings, _, drawing = ended.stdout.partition("\n\n")
    assert all(" OXP" in line for line in findings.splitlines())
    assert drawing == f"{drawn(flow.evaluate(configuration))}\n"
    assert ended.stderr.startswith(f"{command.etc}: ")


def test_flow_in_json(command: Command) -> None:
    """Findings, flow and counts are one object, in this order."""
    report = json.loads(command("config", "check", "--offline", "-f", "json").stdout)
    configuration = reading.read(command.etc, environ={"STATE_DIRECTORY": str(command.state)}, overrides=())
    assert list(report) == ["findings", "flow", "errors", "warnings"]
    assert report["flow"] == json.loads(json.dumps(flow.as_object(flow.evaluate(configuration))))


def test_syntax_has_no_flow(command: Command) -> None:
    """Nothing was evaluated, so nothing is drawn."""
    ended = command("config", "check", "--syntax-only")
    assert (ended.code, ended.stdout) == (0, "")


def test_offline_loads_only_what_it_needs(command: Command) -> None:
    """Who asks nobody waits for no client of anything."""
    run = [sys.executable, "-X", "importtime", PROGRAM, "--etc", str(command.etc), "config", "check", "--offline"]
    ended = subprocess.run(run, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    heavy = {"aiohttp", "asyncio", "h2", "imapclient", "ngh2", "requests", "rich", "sqlalchemy", "uvloop"}
    assert loaded & heavy == set()
    assert "yaml" in loaded


async def test_offline_asks_nobody(command: Command) -> None:
    """Neither the mail server nor the ports are touched."""
    async with scripted() as (port, heard):
        mail_server(command, port, f"{INTAKE_LISTEN.key}=127.0.0.1:{port}\n")
        (command.etc / "oxpushctl.properties").unlink()
        ended = await asyncio.to_thread(command.process, "config", "check", "--offline", "-f", "json")
    assert [code for code in codes(ended) if code.startswith("OXP7")] == []
    assert heard == []


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 78)])
def test_mail_server_that_is_down(command: Command, options: tuple[str, ...], code: int) -> None:
    """What the network answers is a warning, and fails the check only on request."""
    mail_server(command, free_port(), GLOBAL)
    ended = command("config", "check", "-f", "json", *options)
    assert (ended.code, "OXP711" in codes(ended)) == (code, True)


async def test_mail_server_that_says_nothing(command: Command) -> None:
    """The check is over within seconds all the same."""
    began = time.monotonic()
    async with scripted("") as (port, _):
        mail_server(command, port)
        ended = await asyncio.to_thread(command.process, "config", "check", "-f", "json")
    assert "OXP713" in codes(ended)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("user", ["3@1", "anton", "anton@example.com"])
def test_user_is_let_in(command: Command, dovecot: Dovecot, user: str) -> None:
    """The user is named by its id or a login, the password comes over standard input and is not shown."""
    mail_server(command, dovecot.imap_port)
    command("users", "add", "-c", "1", "-u", "3", "--login", "anton", "--alias", "anton@example.com")
    ended = command.process("config", "check", "--probe-user", user, stdin=f"{PASSWORD}\nnot this\n")
    assert (ended.code, "OXP718" in ended.stdout) == (0, True), ended
    assert "'anton' is let in and offered METADATA and IDLE" in ended.stdout


def test_login_source_counts(command: Command, dovecot: Dovecot) -> None:
    """The mail server is told what loginSource says."""
    mail_server(command, dovecot.imap_port, "com.openexchange.mail.loginSource=mail\n")
    command("users", "add", "-c", "1", "-u", "3", "--login", "anton", "--mail", "a@example.com")
    ended = command.process("config", "check", "--probe-user", "3@1", stdin=f"{PASSWORD}\n")
    assert "'a@example.com' is let in" in ended.stdout


def test_master_password_asks_for_none(command: Command, dovecot: Dovecot) -> None:
    """Standard input is left alone where the master password opens the mailbox."""
    mail_server(command, dovecot.imap_port, f"{GLOBAL}oxpushctl.imap.masterUser=push\n")
    command("users", "add", "-c", "1", "-u", "3", "--login", "anton")
    ended = command.process("config", "check", "--probe-user", "anton")
    assert "'anton*push' is let in" in ended.stdout, ended
    assert SECRET not in ended.stdout + ended.stderr


def test_password_from_a_file(command: Command, dovecot: Dovecot, tmp_path: Path) -> None:
    """A refused password is a warning, and stays in its file."""
    mail_server(command, dovecot.imap_port)
    command("users", "add", "-c", "1", "-u", "3", "--login", "anton")
    (tmp_path / "password").write_text(f"{SECRET}\n")
    ended = command.process("config", "check", "--probe-user", "3@1", "--password-file", str(tmp_path / "password"))
    assert (ended.code, "OXP714" in ended.stdout) == (0, True), ended
    assert SECRET not in ended.stdout + ended.stderr


def test_password_is_typed(command: Command, dovecot: Dovecot) -> None:
    """On a terminal it is asked for on standard error, and not shown; it is what the mail server gets to judge."""
    mail_server(command, dovecot.imap_port)
    command("users", "add", "-c", "1", "-u", "3", "--login", "anton")
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [PROGRAM, "--etc", str(command.etc), "config", "check", "--probe-user", "anton"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "STATE_DIRECTORY": str(command.state)},
    )
    os.close(theirs)
    shown = b""
    while b"Password of anton" not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, f"{SECRET}\n".encode())
    out, _ = process.communicate(timeout=60)
    shown += os.read(ours, 65536)
    os.close(ours)
    assert "does not let 'anton' in: [AUTHENTICATIONFAILED]" in out.decode()
    assert SECRET not in shown.decode() + out.decode()


@pytest.mark.parametrize(
    ("options", "stdin", "code", "words"),
    [
        (("--probe-user", "4@1"), "x\n", 67, "the directory has no such user"),
        (("--probe-user", "berta"), "x\n", 67, "no user of the directory"),
        (("--probe-user", "3@1"), "", 65, "there is no password"),
        (("--probe-user", "3@1", "--password-file", "/nowhere/password"), "", 66, "/nowhere/password"),
        (("--dovecot-config", "/nowhere/dovecot.conf"), "", 66, "/nowhere/dovecot.conf"),
    ],
)
def test_things_that_are_not_there(
    command: Command, options: tuple[str, ...], stdin: str, code: int, words: str
) -> None:
    """Exit codes tell a missing user from a missing password and a missing file."""
    command("users", "add", "-c", "1", "-u", "3", "--login", "anton")
    ended = command("config", "check", *options, stdin=stdin)
    assert (ended.code, words in ended.stderr) == (code, True), ended


def test_errors_come_first(command: Command) -> None:
    """With errors nobody is logged in, and the findings are there all the same."""
    (command.etc / "oxpushctl.properties").write_text("oxpushctl.database.url=nosuch://anton:sesame@127.0.0.1/push\n")
    ended = command("config", "check", "--probe-user", "3@1")
    assert (ended.code, "OXP501" in ended.stdout, "nobody is logged in" in ended.stderr) == (78, True, True)
    assert "sesame" not in ended.stdout + ended.stderr
    assert command.process("run").code == 78


@pytest.mark.parametrize("options", [(), ("--offline",)])
def test_configuration_of_dovecot(command: Command, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A file that is named is read, offline as well."""
    named = tmp_path / "dovecot.conf"
    named.write_text("# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\nprotocols = imap lmtp\n")
    ended = command("config", "check", "-f", "json", "--dovecot-config", str(named), *options)
    assert [code for code in codes(ended) if code.startswith("OXP6")] != []


def test_flow_believes_the_findings(command: Command, tmp_path: Path) -> None:
    """Where Dovecot's configuration has no place for registrations, the flow below says no as well, in both forms."""
    named = tmp_path / "dovecot.conf"
    named.write_text("protocols = imap lmtp\n")
    (command.etc / "mail.properties").write_text(f"com.openexchange.mail.mailServer=imaps://mail.example.com\n{GLOBAL}")
    options = ("config", "check", "--offline", "--dovecot-config", str(named))
    flow = json.loads(command(*options, "-f", "json").stdout)["flow"]
    assert (flow["spawned"], flow["stops_at"]) == (False, "dovecot.registration")
    assert "✘ Can dovecot register mailboxes? no: see OXP606, OXP609\n" in command(*options).stdout


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(identity_in(tmp_path / "etc"))
    await sandbox.start()
    write_etc(tmp_path / "etc", sandbox.identity, endpoint=sandbox.url, settings={INTAKE_LISTEN.key: "127.0.0.1:0"})
    yield sandbox
    await sandbox.aclose()


async def test_providers_are_tried(sandbox: Sandbox, tmp_path: Path) -> None:
    """Every client of Apple and Google is told of."""
    options = ("config", "check", "--probe-providers", "-f", "json")
    _, out, err = await engine.command(tmp_path / "etc", tmp_path / "state", *options)
    told = [finding["key"] for finding in json.loads(out)["findings"] if finding["code"] == "OXP724"]
    assert (len(told), len(sandbox.pushes)) == (4, 2), err


async def test_engine_that_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its addresses are held by whom they are for: nothing is said of them, as of what another program holds."""
    etc, state = tmp_path / "etc", tmp_path / "state"
    port, datagrams = free_port(), free_port(socket.SOCK_DGRAM)
    addresses = {INTAKE_LISTEN.key: f"127.0.0.1:{port}", NOTIFY_ENABLED.key: "true", NOTIFY_PORT.key: str(datagrams)}
    write_etc(etc, sandbox.identity, endpoint=sandbox.url, settings=addresses)

    async def told() -> list[str]:
        _, out, _ = await engine.command(etc, state, "config", "check", "-f", "json")
        return [each["key"] for each in json.loads(out)["findings"] if each["code"].startswith("OXP70")]

    async with engine.running(etc, state) as running:
        await until(lambda: "datagrams are listened for" in running.log())
        while_it_runs = await told()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as another:
        another.bind(("127.0.0.1", datagrams))
        afterwards = await told()
    assert (while_it_runs, afterwards) == ([], [NOTIFY_PORT.key])
