"""What somebody reads who asks for help, or mistypes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from oxpushctl.cli.main import oxpushctl
from tests.cli.command import Command


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a group and everything below it, by the words that call it."""
    yield before, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        path = f"{before} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, path)
        else:
            yield path, command


COMMANDS = list(commands(oxpushctl))
_STORAGE = "com.openexchange.push.credstorage"
_KEEPING = ("-o", f"{_STORAGE}.enabled=true", "-o", f"{_STORAGE}.rdb=true")


@pytest.mark.parametrize("group", ["config", "users", "subscriptions", "registrations", "credentials"])
def test_list_of_commands(group: str) -> None:
    """What a group says of its commands is not cut off at the edge of the terminal."""
    shown = CliRunner().invoke(oxpushctl, [group, "--help"], terminal_width=60)

    assert shown.exit_code == 0
    assert "..." not in shown.stdout.partition("Commands:")[2]


@pytest.mark.parametrize("arguments", [("config", "check"), ("users", "list"), ("demo",)])
def test_override_that_sets_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """-o without an equals sign is a mistake of the command line, told like any other, before anything is read."""
    ended = Command(tmp_path).process("-o", "oxpushctl.node", *arguments)

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: oxpushctl [OPTIONS] COMMAND")
    assert "Error: -o wants KEY=VALUE" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--etc", "closed", "config", "check"), "closed: the configuration folder cannot be read: Permission denied"),
        (("--etc", "closed", "users", "list"), "`oxpushctl config sample DIR` writes a first one"),
        (
            ("config", "check", "--offline", "--dovecot-config", "secret"),
            "secret: Dovecot's configuration cannot be read",
        ),
        (
            ("config", "check", "--probe-user", "3@1", "--password-file", "secret"),
            "secret: the password cannot be read",
        ),
        (("config", "sample", "closed"), "closed/pns.properties: cannot be written: Permission denied"),
        (("config", "sample", "closed/new"), "closed/new: cannot be written: Permission denied"),
        (("config", "sample", "secret"), "secret: is not a folder"),
        (("sandbox", "--write-etc", "closed"), "closed/sandbox: cannot be read: Permission denied"),
        (("sandbox", "--write-etc", "secret"), "secret: cannot be made: File exists"),
        (("users", "import", "secret"), "secret: Permission denied"),
        ((*_KEEPING, "credentials", "import", "secret"), "secret: Permission denied"),
        (
            (*_KEEPING, "credentials", "set", "-c", "1", "-u", "3", "--password-file", "secret"),
            "secret: the password cannot be read",
        ),
        ((*_KEEPING, "credentials", "rotate", "--old-passcrypt-file", "secret"), "the passphrase cannot be read"),
    ],
)
def test_path_that_we_may_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    """It ends with 66, as one that is not there, and says why: how the command is called is not at fault."""
    command = Command(tmp_path)
    command("users", "add", "-c", "1", "-u", "3", "--login", "anna")
    (command.etc / "mail-push.properties").write_text("com.openexchange.push.credstorage.passcrypt=abc\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "secret").touch(mode=0)

    ended = command.process(*arguments, is_held_back=True)

    assert (ended.code, ended.stdout) == (66, "")
    assert said in ended.stderr
    assert ended.stderr.startswith("oxpushctl: ")


@pytest.mark.parametrize("arguments", [("run",), ("users", "list"), ("test-push", "-i", "a", "--dry-run", "-u", "3@1")])
def test_refusal_has_the_order_of_the_check(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The errors with which nothing starts come by file and line, wherever they were found first."""
    command = Command(tmp_path)
    (command.etc / "a.properties").write_text("com.openexchange.pns.delayDuration=5s\noxpushctl.push.maxAge=1\n")
    (command.etc / "b.properties").write_text("oxpushctl.push.content=\\u12\n")
    (command.etc / "c.properties").write_text("com.openexchange.pns.delayDuration=6s\n")

    checked = command("config", "check", "--offline").stdout.splitlines()
    refused = command.process(*arguments).stderr.splitlines()

    errors = [line for line in checked if ": error " in line]
    assert len(errors) > 3
    assert [line for line in refused if ": error " in line] == errors


@pytest.mark.parametrize("words", [path.split() for path, _ in COMMANDS], ids=" ".join)
def test_help_fits_a_terminal(words: list[str]) -> None:
    """No line is wider than the 80 columns of a terminal."""
    shown = CliRunner().invoke(oxpushctl, [*words, "--help"], terminal_width=80)

    assert [line for line in shown.stdout.splitlines() if len(line) > 80] == []
    assert shown.exit_code == 0


def test_every_option_has_words_of_help() -> None:
    """They are what a shell shows beside it, too."""
    options = ((path, option) for path, command in COMMANDS for option in command.params)

    assert [f"{path} {each.name}" for path, each in options if isinstance(each, click.Option) and not each.help] == []


def test_dovecot_is_asked_for_what_it_hides() -> None:
    """The help of the check names the form of doveconf that prints the driver's login and password."""
    shown = CliRunner().invoke(oxpushctl, ["config", "check", "--help"], terminal_width=80)

    assert "`doveconf -nP`" in " ".join(shown.stdout.split())


def test_secret_on_the_command_line(tmp_path: Path) -> None:
    """A refusal that comes from below is told like the others."""
    ended = Command(tmp_path).process("-o", "com.openexchange.mail.masterPassword=x", "config", "check")

    assert ended.code == 2
    assert ended.stderr.startswith("Usage: oxpushctl [OPTIONS] COMMAND")
    assert "masterPassword.file=/path" in ended.stderr
