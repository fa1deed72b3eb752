"""``oxpushctl config flow``: the tree, its JSON form, and whom it is about."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.command import Command

_CLIENT = "open-xchange-mobile-api-facade"
_LISTENING = (
    "com.openexchange.mail.mailServer=imaps://mail.example.com\n"
    "com.openexchange.mail.passwordSource=global\n"
    "com.openexchange.mail.masterPassword=sesame\n"
)


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation where a listener would be spawned, its user alice being 3 of context 1."""
    command = Command(tmp_path)
    (command.etc / "mail.properties").write_text(_LISTENING)
    (command.etc / "pns-apns-options.yml").write_text(f"{_CLIENT}:\n  keystore: none.p12\n  password: x\n")
    command("users", "add", "-c", "1", "-u", "3", "--login", "alice")
    return command


def _subscribe(oxpushctl: Command, client: str, topics: str = "ox:mail:*") -> None:
    phone = ("-i", client, "--transport", "apn", "--token", "a1b2c3", "--topics", topics)
    assert oxpushctl("subscriptions", "add", "-u", "alice", *phone).code == 0


def _decided(oxpushctl: Command, *arguments: str) -> dict[str, object]:
    ended = oxpushctl("config", "flow", "-f", "json", *arguments)
    assert ended.code == 0
    flow = json.loads(ended.stdout)
    assert isinstance(flow, dict)
    return flow


def test_node(oxpushctl: Command) -> None:
    """The installed program draws it, piped too, with the line that decided, and never a secret."""
    ended = oxpushctl.process("config", "flow")

    lines = ended.stdout.splitlines()
    assert (ended.code, ended.stderr) == (0, "")
    assert lines[0] == "Would a permanent listener be spawned on this node?"
    assert "com.openexchange.mail.masterPassword = (set)  (mail.properties:3)" in ended.stdout
    assert lines[1] == "✔ Yes: dovecot serves."
    assert "sesame" not in ended.stdout


@pytest.mark.parametrize("command", [("flow",), ("check", "--offline")])
def test_width_of_the_terminal(oxpushctl: Command, command: tuple[str, ...]) -> None:
    """The tree is drawn as wide as the terminal is, so that the terminal breaks none of its lines."""
    (oxpushctl.etc / "mail.properties").write_text("")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 62, 0, 0))
    program = [str(Path(sys.executable).with_name("oxpushctl")), "--etc", str(oxpushctl.etc), "config", *command]
    environment = {**os.environ, "STATE_DIRECTORY": str(oxpushctl.state), "PYTHONIOENCODING": "utf-8"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(program, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    shown = _read_to_the_end(ours)
    process.wait(timeout=60)

    lines = shown.decode().splitlines()
    tree = lines[lines.index("│") :]
    assert max(map(len, tree)) <= 62
    assert tree[7:9] == ['│          = "USM-EAS*", "open-xchange-mobile-api-facade*"', "│          (default)"]


def _read_to_the_end(terminal: int) -> bytes:
    """Return what is written to a terminal until nobody has it open any more."""
    shown = b""
    try:
        while more := os.read(terminal, 65536):
            shown += more
    except OSError:  # Linux's way to say that the other side is closed
        pass
    os.close(terminal)
    return shown


def test_node_without_a_database(oxpushctl: Command) -> None:
    """Without a user no database is asked: one that is not there does no harm."""
    url = "oxpushctl.database.url=sqlite:////nowhere/at/all.db\n"
    (oxpushctl.etc / "oxpushctl.properties").write_text(url)
    assert _decided(oxpushctl)["implementation"] == "dovecot"


def test_no_listener_is_no_failure(oxpushctl: Command) -> None:
    """The question is answered either way; scripts read the answer."""
    (oxpushctl.etc / "mail.properties").write_text("")
    ended = oxpushctl("config", "flow")
    assert ended.code == 0
    assert ended.stdout.splitlines()[1] == "✘ No: it stops at “Can dovecot register mailboxes?”"


def test_user_by_login(oxpushctl: Command) -> None:
    """A login needs no context; the device that is subscribed is found in the database."""
    _subscribe(oxpushctl, _CLIENT)
    flow = _decided(oxpushctl, "-u", "alice")
    asked = [flow[key] for key in ("spawned", "implementation", "stops_at", "user", "context", "client")]
    assert asked == [True, "dovecot", None, 3, 1, None]


def test_user_without_devices(oxpushctl: Command) -> None:
    """Nobody is listened for who has no device; a user by number need not be in the directory."""
    flow = _decided(oxpushctl, "-c", "7", "-u", "8")
    assert [flow[key] for key in ("spawned", "stops_at", "user")] == [False, "registration.subscription", 8]


def test_user_whose_device_wants_something_else(oxpushctl: Command) -> None:
    """A subscription to other topics does not count, and is named."""
    _subscribe(oxpushctl, _CLIENT, "ox:calendar:updates")
    ended = oxpushctl("config", "flow", "-u", "alice")
    assert f"(expired, or for other topics: {_CLIENT})" in ended.stdout


def test_user_with_another_client(oxpushctl: Command) -> None:
    """With -i only devices of that client count."""
    _subscribe(oxpushctl, _CLIENT)
    flow = _decided(oxpushctl, "-u", "alice", "-c", "1", "-i", f"{_CLIENT}-brand1")
    assert [flow["stops_at"], flow["client"]] == ["registration.subscription", f"{_CLIENT}-brand1"]


def test_client_alone(oxpushctl: Command) -> None:
    """Whether it is on the list is told without a user."""
    assert [_decided(oxpushctl, "-i", client)["stops_at"] for client in ("usm-eas", "web")] == [None, "registration"]


def test_configuration_with_errors(oxpushctl: Command) -> None:
    """A user's flow is drawn all the same: what stops it may be the very error."""
    _subscribe(oxpushctl, _CLIENT)
    (oxpushctl.etc / "mail.properties").write_text("com.openexchange.mail.mailServer=imaps://mail.example.com\n")
    (oxpushctl.etc / "mail-push.properties").write_text("com.openexchange.push.credstorage.enabled=true\n")
    flow = _decided(oxpushctl, "-u", "alice")
    assert [flow["spawned"], flow["stops_at"], flow["engine_errors"]] == [False, "dovecot.registration", 1]


def test_error_that_a_part_finds(oxpushctl: Command) -> None:
    """What stops the engine is counted as the check counts it: a certificate that is none, too."""
    (oxpushctl.etc / "chain.pem").write_text("no certificate")
    pair = "oxpushctl.tls.certificate=chain.pem\noxpushctl.tls.key=chain.pem\n"
    (oxpushctl.etc / "oxpushctl.properties").write_text(pair)

    assert _decided(oxpushctl)["engine_errors"] == 1
    assert "1 error in this configuration, with which nothing starts" in oxpushctl("config", "flow").stdout


@pytest.mark.parametrize("command", [("config", "flow"), ("config", "check", "--offline")])
def test_terminal_without_unicode(
    oxpushctl: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The tree is drawn in what the terminal has, and JSON is JSON, whatever the configuration holds."""
    allowed = "com.openexchange.push.allowedClients=\U0001f4ec-app, open-xchange-*\n"
    (oxpushctl.etc / "mail-push.properties").write_text(allowed, encoding="utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")

    drawn = oxpushctl.process(*command).stdout
    written = oxpushctl.process(*command, "-f", "json").stdout

    assert "|- + May this node run permanent listeners? yes" in drawn
    assert "\\u25" not in drawn
    assert "\U0001f4ec-app" in str(json.loads(written))


def test_error_about_the_database(oxpushctl: Command) -> None:
    """Where it is not known which database is meant, none is asked."""
    (oxpushctl.etc / "oxpushctl.properties").write_text("oxpushctl.database.url=nowhere\n")
    ended = oxpushctl("config", "flow", "-u", "alice")
    assert (ended.code, ended.stdout) == (78, "")
    assert "OXP109 oxpushctl.database.url" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("-u", "bob"), 67, "no user of the directory has the login or alias 'bob'", id="unknown login"),
        pytest.param(("-u", "alice", "-c", "2"), 67, "not of context 2", id="another context's"),
        pytest.param(("-u", "3"), 2, "a user id needs its context (-c)", id="number without a context"),
        pytest.param(("-c", "1"), 2, "-c goes with -u", id="context alone"),
    ],
)
def test_nobody_is_meant(oxpushctl: Command, arguments: tuple[str, ...], code: int, words: str) -> None:
    """It is said who is missing, and nothing is drawn."""
    ended = oxpushctl("config", "flow", *arguments)
    assert (ended.code, ended.stdout) == (code, "")
    assert words in ended.stderr


def test_folder_that_is_not_there(oxpushctl: Command) -> None:
    """Without a configuration there is nothing to decide on."""
    ended = oxpushctl("--etc", str(oxpushctl.etc / "none"), "config", "flow")
    assert (ended.code, ended.stdout) == (66, "")
