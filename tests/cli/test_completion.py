"""The tabulator: bash, zsh and fish complete what the program knows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from oxpushctl.cli.main import oxpushctl
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.table import TABLE
from tests.cli.shells import Bash, Fish, Shell, Terminal, Zsh
from tests.house.tree import ROOT

PROGRAM = Path(sys.executable).with_name("oxpushctl")
DELAY = "com.openexchange.pns.delayDuration"
GCM = "com.openexchange.pns.transport.gcm.enabled"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a configuration of two clients, a file and another folder."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "etc").mkdir()
    (folder / "etc" / "pns-gcm-options.yml").write_text("mail-app:\n  enabled: true\n  keyPath: account.json\n")
    (folder / "etc" / "pns-mobile-api-facade-clients.yml").write_text('mail-app-2:\n  enabled: true\n"a b": {}\n')
    (folder / "users of 2030.jsonl").touch()
    (folder / "elsewhere").mkdir()
    return folder


@pytest.fixture(scope="module")
def shells(folder: Path) -> Iterator[dict[str, Shell]]:
    with ExitStack() as running:
        bash, zsh = (running.enter_context(kind(folder)) for kind in (Bash, Zsh))
        yield {"bash": bash, "zsh": zsh, "fish": Fish(folder)}


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, shells: dict[str, Shell]) -> Shell:
    return shells[request.param]


@pytest.fixture(params=["bash", "zsh"])
def terminal(request: pytest.FixtureRequest, shells: dict[str, Shell]) -> Terminal:
    found = shells[request.param]
    assert isinstance(found, Terminal)
    return found


def groups() -> Iterator[tuple[str, set[str]]]:
    """Yield the words before each sub-command, and all that may follow."""
    context = click.Context(oxpushctl)
    yield "", set(oxpushctl.list_commands(context))
    for name in oxpushctl.list_commands(context):
        command = oxpushctl.get_command(context, name)
        if isinstance(command, click.Group):
            yield f"{name} ", set(command.list_commands(context))


@pytest.mark.parametrize(("before", "commands"), list(groups()))
def test_commands(shell: Shell, before: str, commands: set[str]) -> None:
    """Every command and sub-command is offered where it may stand."""
    assert set(shell.candidates(f"oxpushctl {before}")) == commands


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("--log", ["--log-format"]),
        ("config check --str", ["--strict"]),
        ("--log-format js", ["json"]),
        ("--log-format=js", ["--log-format=json"]),
        ("-o oxpushctl.push.content=fu", ["oxpushctl.push.content=full"]),
        ("-o com.openexchange.mail.masterP", ["com.openexchange.mail.masterPassword.file="]),
        ("-o com.openexchange.mail.masterPassword.file=els", ["com.openexchange.mail.masterPassword.file=elsewhere/"]),
        ("-o oxpushctl.tls.ca=els", ["oxpushctl.tls.ca=elsewhere/"]),
        ("-o oxpushctl.tls.key=els", ["oxpushctl.tls.key=elsewhere/"]),
        ("-o oxpushctl.pns.packaged=els", ["oxpushctl.pns.packaged=elsewhere/"]),
        ("config sample els", ["elsewhere/"]),
        ("--etc els", ["elsewhere/"]),
        ("--etc=els", ["--etc=elsewhere/"]),
        ("sandbox --write-etc els", ["elsewhere/"]),
        ("subscriptions add --transport a", ["apn"]),
        ("config explain OXP20", [code for code in CATALOGUE if code.startswith("OXP20")]),
        (f"config explain {DELAY[:-3]}", [DELAY]),
        ("config explain keyPa", ["keyPath"]),
        ("completion f", ["fish"]),
        (f"--frobnicate -o {DELAY[:-3]}", [f"{DELAY}="]),
    ],
)
def test_words(shell: Shell, line: str, offered: list[str]) -> None:
    """Options, choices, keys, their values, codes, files and folders are offered where they are expected."""
    found = shell.candidates(f"oxpushctl {line}")

    # bash inserts the folders of a list without a slash, the others with it.
    assert {word.rstrip("/") for word in found} == {word.rstrip("/") for word in offered}


@pytest.mark.parametrize("line", ["config sample ", "--etc ", "--etc=", "sandbox --write-etc="])
def test_folders(shell: Shell, line: str) -> None:
    """Where a folder is wanted no file is offered, not even as the only thing that begins like that."""
    every = shell.candidates(f"oxpushctl {line}")
    none = shell.candidates(f"oxpushctl {line}us")

    # fish makes hidden folders in what is its home here.
    assert {word.rpartition("=")[2].rstrip("/") for word in every} - {".config", ".local"} == {"elsewhere", "etc"}
    assert [word for word in none if "2030" in word] == []


def test_every_property(shell: Shell) -> None:
    """-o offers all properties; of a secret the file, since the secret itself is refused there."""
    found = shell.candidates("oxpushctl -o ")

    assert {word.removesuffix("=").removesuffix(".file") for word in found} == {row.key for row in TABLE}
    assert "com.openexchange.push.credstorage.passcrypt=" not in found


def test_values_of_a_switch(shell: Shell) -> None:
    """What a property takes is offered after its equals sign."""
    found = shell.candidates(f"oxpushctl -o {GCM}=")

    # bash begins a new word there and lists only what may follow.
    assert {word.removeprefix(f"{GCM}=") for word in found} == {"true", "false"}


@pytest.mark.parametrize("command", ["subscriptions list -i ", "test-push --client "])
def test_clients(shell: Shell, command: str) -> None:
    """Clients are those of the configuration; an id that a shell would take apart is left out."""
    assert set(shell.candidates(f"oxpushctl --etc etc {command}")) == {"mail-app", "mail-app-2"}


def test_clients_of_no_configuration(shell: Shell) -> None:
    """Where there is no configuration nothing is offered, and nothing is said."""
    assert shell.candidates("oxpushctl --etc nowhere subscriptions list -i ") == []


def test_clients_of_the_environment(folder: Path) -> None:
    """The configuration is the one that a command would read."""
    shown = subprocess.run(
        [PROGRAM],
        env={
            **os.environ,
            "_OXPUSHCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": "oxpushctl test-push -i mail-app-",
            "OXPUSHCTL_ETC": str(folder / "etc"),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert (shown.stdout, shown.stderr) == ("plain\tmail-app-2\t\n", "")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("sub", "subscriptions "),
        (f"-o {DELAY[:-3]}", f"-o {DELAY}="),
        ("-o oxpushctl.dovecot.registration=s", "-o oxpushctl.dovecot.registration=signed "),
        ("-o 'oxpushctl.dovecot.registration=s", "-o 'oxpushctl.dovecot.registration=signed' "),
        (f"--etc etc -o {GCM}.mail-app.o", f"--etc etc -o {GCM}.mail-app.ox:mail:new="),
        (f"--etc etc -o {GCM}.mail-app.ox:mail:new=t", f"--etc etc -o {GCM}.mail-app.ox:mail:new=true "),
        ("--etc els", "--etc elsewhere/"),
        ("-o no.such.key=", "-o no.such.key="),
        ("users import us", r"users import users\ of\ 2030.jsonl "),
        ("--etc etc subscriptions list -i m", "--etc etc subscriptions list -i mail-app"),
    ],
)
def test_line_on_a_terminal(terminal: Terminal, typed: str, completed: str) -> None:
    """What is certain is typed, with a blank after it where the word ends; colons and equals signs are no ends."""
    assert terminal.completed(f"oxpushctl {typed}") == f"oxpushctl {completed}"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("--log-format ", "json"),
        ("-o oxpushctl.push.content=", "oxpushctl.push.content=sender"),
        ("subscriptions add -", "--token"),
        ("config check -", "--format"),
    ],
)
def test_list_of_zsh(shells: dict[str, Shell], line: str, offered: str) -> None:
    """Words of help stand behind what has some, and no dashes where there are none."""
    zsh = shells["zsh"]
    assert isinstance(zsh, Zsh)

    shown = zsh.listing(f"oxpushctl {line}")

    assert offered in shown
    assert re.findall(r" --\s*\r", shown) == []


@pytest.mark.parametrize(
    ("shell", "file"), [("bash", "oxpushctl.bash"), ("zsh", "_oxpushctl"), ("fish", "oxpushctl.fish")]
)
def test_script_is_printed(shell: str, file: str, tmp_path: Path) -> None:
    """``completion`` prints the script that the repository has, wherever it is called."""
    shown = subprocess.run([PROGRAM, "completion", shell], cwd=tmp_path, capture_output=True, check=True)

    assert shown.stdout == (ROOT / "completions" / file).read_bytes()


def test_completion_is_light() -> None:
    """What a key press waits for loads neither the database's library nor the commands."""
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", PROGRAM],
        env={**os.environ, "_OXPUSHCTL_COMPLETE": "bash_complete", "COMP_WORDS": "oxpushctl -"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "plain\t--etc\t" in shown.stdout
    loaded = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert loaded & {"asyncio", "rich", "sqlalchemy", "yaml", "oxpushctl.config.table", "oxpushctl.cli.users"} == set()
