"""`config sample`: a first configuration that passes the check and tells what each line is for."""

from __future__ import annotations

import os
import re
import resource
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oxpushctl.config import reading, sample
from oxpushctl.config.clients import option_table
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Severity
from oxpushctl.config.properties import REST_LOGIN, REST_PASSWORD
from oxpushctl.config.property import Property
from oxpushctl.config.settings import Settings
from oxpushctl.config.table import TABLE
from tests.cli.command import Command
from tests.config import folders
from tests.house.tree import ROOT
from tests.peers.engine import COMMAND

_YAML = ("pns-apns-options.yml", "pns-gcm-options.yml", "pns-mobile-api-facade-clients.yml")
_FILES = {*(row.file for row in TABLE), *_YAML}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    made = Command(tmp_path)
    made.etc.rmdir()  # no sample needs it
    return made


def _read(etc: Path) -> Configuration:
    return reading.read(etc, environ={"STATE_DIRECTORY": "/nowhere"}, overrides=())


def _values(settings: Settings) -> dict[str, object]:
    return {row.key: settings[row] for row in TABLE}


def test_files_are_private(command: Command) -> None:
    """A file for each customary place and kind of options, 0600 in a folder of 0700, whatever the umask."""
    before = os.umask(0)
    try:
        ended = command("config", "sample", str(command.etc))
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in command.etc.iterdir()}
    assert modes == dict.fromkeys(_FILES, 0o600)
    assert stat.S_IMODE(command.etc.stat().st_mode) == 0o700
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.stderr.startswith(f"{len(_FILES)} files written to {command.etc}, mode 0600")
    assert ended.stderr.endswith(f"Then: oxpushctl --etc {command.etc} config check\n")


def test_sample_passes_the_check(command: Command) -> None:
    """What is warned of is only what nobody but the operator knows: the mail server and the apps."""
    command("config", "sample", str(command.etc))

    ended = command.process("config", "check", "--offline")

    assert ended.code == 0
    warned = [line for line in ended.stdout.splitlines() if " warning " in f" {line}"]
    assert [re.findall(r"mailServer|no client is configured", line) for line in warned] == [
        ["mailServer"],
        ["no client is configured"],
    ]


def test_password_is_random_and_not_printed(command: Command, tmp_path: Path) -> None:
    """Each sample has its own login for Dovecot's requests, long enough to withstand guessing."""
    others = tmp_path / "others"
    talk = command("config", "sample", str(command.etc)).stderr + command("config", "sample", str(others)).stderr

    passwords = [str(_read(etc).settings[REST_PASSWORD]) for etc in (command.etc, others)]

    assert _read(command.etc).settings[REST_LOGIN] == "dovecot"
    assert passwords[0] != passwords[1]
    assert all(len(password) >= 24 and password not in talk for password in passwords)


def test_lines_for_dovecot(command: Command, tmp_path: Path) -> None:
    """Those that server.properties has, copied as they are, leave our check of Dovecot's side nothing to mend."""
    command("config", "sample", str(command.etc))
    text = (command.etc / "server.properties").read_text()
    lines = "\n".join(re.findall(r"^##   (.*)", text, re.MULTILINE))
    settings = _read(command.etc).settings
    ours = lines.replace("LOGIN:PASSWORD", f"{settings[REST_LOGIN]}:{settings[REST_PASSWORD]}")
    (tmp_path / "dovecot.conf").write_text(f"# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n{ours}\n")

    ended = command.process("config", "check", "--offline", "--dovecot-config", str(tmp_path / "dovecot.conf"))

    told = re.findall(r"(error|warning) (OXP6\d\d)", ended.stdout)
    assert ("METADATA" in lines.upper(), "user_from_metadata" in lines) == (True, True)
    assert told == []


def test_lines_for_dovecot_are_those_of_the_readme(sampled: dict[str, str]) -> None:
    """Whoever reads either is told the same."""
    lines = re.findall(r"^##   (.*)", sampled["server.properties"], re.MULTILINE)

    assert "".join(f"    {line}\n" for line in lines) in (ROOT / "README.rst").read_text(encoding="utf-8")


def test_login_that_is_set_is_no_example(sampled: dict[str, str]) -> None:
    """A line without # takes effect, and says so."""
    above = sampled["server.properties"].partition(f"\n{REST_LOGIN.key}=")[0].splitlines()[-1]

    assert above == "## text; set here, unset by default; takes effect on reload"


@pytest.mark.parametrize("name", sorted(_FILES))
def test_nothing_is_overwritten(command: Command, name: str) -> None:
    """With one of the files there, even as a link that leads nowhere, none is written."""
    command.etc.mkdir()
    (command.etc / name).symlink_to("nowhere")

    ended = command("config", "sample", str(command.etc))

    assert (ended.code, ended.stdout) == (65, "")
    assert f"{name} already there: nothing was written" in ended.stderr
    assert [path.name for path in command.etc.iterdir()] == [name]


def test_second_sample_is_refused(command: Command) -> None:
    """The files of the first, and its password, stay."""
    command("config", "sample", str(command.etc))
    before = {path: path.read_bytes() for path in command.etc.iterdir()}

    ended = command("config", "sample", str(command.etc))

    assert ended.code == 65
    assert {path: path.read_bytes() for path in command.etc.iterdir()} == before


def test_other_files_do_not_matter(command: Command) -> None:
    """A folder that has something else in it, and its mode, stay as they are."""
    command.etc.mkdir(mode=0o750)
    folders.write(command.etc, {"other.properties": "a=b\n"})

    ended = command("config", "sample", str(command.etc))

    assert ended.code == 0
    assert {path.name for path in command.etc.iterdir()} == {*_FILES, "other.properties"}
    assert stat.S_IMODE(command.etc.stat().st_mode) == 0o750


def test_folder_that_cannot_be_made(command: Command, tmp_path: Path) -> None:
    """The reason is told in a line."""
    (tmp_path / "file").write_text("")

    ended = command("config", "sample", str(tmp_path / "file" / "etc"))

    assert (ended.code, ended.stdout) == (66, "")
    assert ended.stderr == f"oxpushctl: {tmp_path}/file/etc: cannot be written: Not a directory\n"


def test_trouble_half_way_leaves_nothing(tmp_path: Path) -> None:
    """Where one file cannot be written the others go as well, and the folder that was made for them."""
    ended = subprocess.run(
        [COMMAND, "config", "sample", tmp_path / "etc"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),  # the longest file is larger
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 66
    assert ended.stderr.endswith(": cannot be written: File too large\n")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def sampled() -> dict[str, str]:
    return sample.files("dovecot", "sesame")


def test_every_property_is_there_with_its_words(sampled: dict[str, str]) -> None:
    """Each stands once, in its customary file, below what it means."""
    for row in TABLE:
        lines = sampled[row.file].splitlines()
        [at] = [number for number, line in enumerate(lines) if re.match(rf"(# )?{re.escape(row.key)}=", line)]
        above = "\n".join(lines[:at]).split("\n\n")[-1]
        assert " ".join(line.removeprefix("## ") for line in above.splitlines()).startswith(row.doc)


def test_every_default_uncommented_is_the_default(sampled: dict[str, str], tmp_path: Path) -> None:
    """All lines that show a default may lose their # together: the same settings, and nothing to warn of."""
    files = {name: _uncommented(text, _is_default) for name, text in sampled.items() if name not in _YAML}

    told = folders.read(tmp_path / "all", files)
    untouched = folders.read(tmp_path / "none", sampled)

    assert _values(told.settings) == _values(untouched.settings)
    assert {row.key for row in TABLE if row.default is not None and row.default != ()} <= set(told.settings.origins)
    worse = {found.code for found in told.findings if found.severity is not Severity.INFO}
    # Whoever asks for signatures needs a passcrypt.
    assert worse <= {found.code for found in untouched.findings} | {"OXP311"}


def _lines() -> Iterator[tuple[str, int]]:
    for name, text in sample.files("dovecot", "sesame").items():
        if name not in _YAML:
            yield from ((name, at) for at, line in enumerate(text.splitlines()) if line.startswith("# "))


@pytest.mark.parametrize(("name", "at"), list(_lines()))
def test_any_line_uncommented_is_valid(sampled: dict[str, str], tmp_path: Path, name: str, at: int) -> None:
    """A line is a setting that reads: its key is known, stands where it is looked for, and the value is of its kind."""
    lines = sampled[name].splitlines()
    lines[at] = lines[at].removeprefix("# ")

    told = folders.read(tmp_path, {**sampled, name: "\n".join(lines)})

    worse = [found for found in told.findings if found.severity is not Severity.INFO]
    assert {found.code for found in worse if found.code < "OXP2"} == set()
    assert {found.code for found in told.findings} & {"OXP102", "OXP104"} == set()


def test_options_uncommented_are_clients(sampled: dict[str, str], tmp_path: Path) -> None:
    """The sections of the YAML files are whole: what they lack are the files that they name."""
    files = {name: _uncommented(sampled[name], lambda _line: True) for name in _YAML}

    told = folders.read(tmp_path, files)

    lacking = {found.message for found in told.findings if found.severity is Severity.ERROR}
    assert lacking == {
        f"there is no file {tmp_path}/{name}"
        for name in ("apn/mail.p12", "apn/AuthKey_ABC123DEFG.p8", "fcm/service-account.json")
    }
    assert {client.client for client in told.clients} == {
        "open-xchange-mobile-api-facade",
        "open-xchange-mobile-api-facade-brand",
    }
    assert told.facade_clients == {"our-own-mail-app"}


def test_every_option_of_7_is_in_the_sample(sampled: dict[str, str]) -> None:
    """But for the legacy key, which nobody should set, and the type that only 8.x has."""
    there = {name for file in _YAML for name in re.findall(r"^#   (\w+): ", sampled[file], re.MULTILINE)}

    assert there == {option.name for option in option_table.OPTIONS} - {"key", "_type"}


def _uncommented(text: str, is_wanted: Callable[[str], bool]) -> str:
    lines = text.splitlines()
    return "".join(f"{line[2:] if line.startswith('# ') and is_wanted(line[2:]) else line}\n" for line in lines)


def _is_default(line: str) -> bool:
    row = _row(line)
    return row.default is not None and row.default != ()


def _row(line: str) -> Property[object]:
    return next(row for row in TABLE if row.key == line.partition("=")[0])
