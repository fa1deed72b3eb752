"""The command itself: exit codes, one line an error, sub-commands that exist."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.peers.engine import command


async def run(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    return await command(tmp_path / "etc", tmp_path / "state", *arguments)


async def test_version(tmp_path: Path) -> None:
    """Name and version, on standard output."""
    assert await run(tmp_path, "--version") == (0, "oxpushctl 0.1.0\n", "")


@pytest.mark.parametrize("name", ["run", "config", "users", "subscriptions", "test-push", "sandbox", "demo"])
async def test_every_command_helps(tmp_path: Path, name: str) -> None:
    """What the overview lists can be asked for help, without any configuration."""
    code, out, _ = await run(tmp_path, name, "--help")
    assert (code, out.startswith("Usage: oxpushctl " + name)) == (0, True)


@pytest.mark.parametrize("name", ["run", "users list", "subscriptions list", "config check"])
async def test_missing_folder_is_66(tmp_path: Path, name: str) -> None:
    """No configuration: where it was looked for, what to do, and no traceback."""
    code, out, err = await run(tmp_path, *name.split())
    assert (code, out, str(tmp_path / "etc") in err, "Traceback" in err) == (66, "", True, False)


async def test_unknown_command_is_usage(tmp_path: Path) -> None:
    """Exit code 2 and a hint."""
    code, _, err = await run(tmp_path, "rnu")
    assert (code, "No such command" in err) == (2, True)


async def test_secret_on_the_command_line_is_refused(tmp_path: Path) -> None:
    """-o is visible to everybody on the machine: a secret does not belong there, and is not repeated."""
    (tmp_path / "etc").mkdir()
    override = "com.openexchange.rest.services.basic-auth.password=tell-nobody"
    code, out, err = await run(tmp_path, "-o", override, "config", "check")
    assert (code, "tell-nobody" in out + err) == (2, False)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("users", "list"), ("users", "list", "-f", "csv"), ("users", "list", "-f", "json")]
)
def test_reader_who_went_away(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Output that nobody reads any more, as with `| head`, is the end of the work, and no error."""
    oxpushctl = Command(tmp_path)
    oxpushctl("users", "add", "-c", "1", "-u", "3", "--login", "alice")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        ended = subprocess.run(
            [Path(sys.executable).with_name("oxpushctl"), "--etc", oxpushctl.etc, *arguments],
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "STATE_DIRECTORY": str(oxpushctl.state)},
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        (b"users", b"add", b"-c", b"1", b"-u", b"3", b"--login", b"J\xfcrgen"),
        (b"test-push", b"-i", b"x", b"--token", b"aa", b"--transport", b"apn", b"--subject", b"Gr\xfc\xdfe"),
        (b"-o", b"oxpushctl.node=\xff", b"config", b"check"),
    ],
)
def test_argument_that_is_no_text(tmp_path: Path, arguments: tuple[bytes, ...]) -> None:
    """Bytes that are not of the terminal's encoding are refused at the door, and shown as escapes."""
    oxpushctl = Command(tmp_path)
    ended = oxpushctl.process(*(os.fsdecode(argument) for argument in arguments))
    assert (ended.code, ended.stdout) == (2, "")
    assert "\\udcf" in ended.stderr
    assert "is not UTF-8" in ended.stderr
