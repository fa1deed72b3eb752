"""What somebody reads who asks for help, or mistypes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from oxpushctl.cli.main import oxpushctl
from tests.cli.command import Command


@pytest.mark.parametrize("group", ["config", "users", "subscriptions"])
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


def test_secret_on_the_command_line(tmp_path: Path) -> None:
    """A refusal that comes from below is told like the others."""
    ended = Command(tmp_path).process("-o", "com.openexchange.mail.masterPassword=x", "config", "check")

    assert ended.code == 2
    assert ended.stderr.startswith("Usage: oxpushctl [OPTIONS] COMMAND")
    assert "masterPassword.file=/path" in ended.stderr
