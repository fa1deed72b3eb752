"""What a check says about Dovecot's side: one fault at a time, as a file and as the installed doveconf prints it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from oxpushctl.config import render
from oxpushctl.config.check import Wishes
from oxpushctl.config.codes import CATALOGUE
from oxpushctl.config.finding import Finding, Reach
from oxpushctl.config.reading import Configuration
from oxpushctl.errors import MissingFile
from oxpushctl.listeners.dovecot_check import DOVECONF, check_dovecot
from oxpushctl.listeners.dovecot_rules_delivery import NOTIFY_PATH
from oxpushctl.web import notify
from tests.config import folders
from tests.listeners.dovecot_faults import (
    FAULTS,
    LOGIN_KEY,
    OX,
    PASSWORD,
    PASSWORD_KEY,
    PLUGINS_24,
    REFUSED,
    SAMPLES,
    SETTINGS,
    SIGNED,
    Fault,
    sample,
)


def _configuration(folder: Path, settings: Mapping[str, str | None] = {}) -> Configuration:
    lines = [f"{key}={value}" for key, value in {**SETTINGS, **settings}.items() if value is not None]
    etc = folder / "etc"
    etc.mkdir(exist_ok=True)
    return folders.read(etc, {"oxpushctl.properties": "\n".join(lines)})


async def _check(folder: Path, text: str, settings: Mapping[str, str | None] = {}) -> list[Finding]:
    (folder / "dovecot.conf").write_text(text)
    wishes = Wishes(dovecot_config=folder / "dovecot.conf", is_offline=True)
    return await check_dovecot(_configuration(folder, settings), wishes)


def _printed(folder: Path, text: str, *options: str) -> str:
    """Return what the installed doveconf prints about a configuration."""
    (folder / "asked.conf").write_text(text)
    program = shutil.which("doveconf")
    assert program is not None, "install dovecot-core"
    command = [program, "-c", str(folder / "asked.conf"), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _brief(found: list[Finding]) -> list[str]:
    return [f"{finding.severity.value} {finding.code} {finding.key}: {finding.message}" for finding in found]


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.parametrize("settings", [{}, SIGNED, {"com.openexchange.mail.mailServer": "imap://localhost:143"}])
async def test_a_good_configuration(tmp_path: Path, version: str, settings: dict[str, str | None]) -> None:
    """Of a configuration as it should be nothing is said."""
    assert _brief(await _check(tmp_path, sample(version), settings)) == []


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_the_samples_as_they_are(tmp_path: Path, version: str) -> None:
    """The samples suit an installation without log-ins that listens where they say."""
    settings = {"com.openexchange.mail.mailServer": None, "oxpushctl.intake.listen": "192.0.2.10:8019"}
    wishes = Wishes(dovecot_config=SAMPLES / f"dovecot-{version}.conf")

    assert _brief(await check_dovecot(_configuration(tmp_path, settings), wishes)) == []


@pytest.mark.parametrize("options", ["-n", "-nP", "-a"])
async def test_a_good_configuration_as_doveconf_prints_it(tmp_path: Path, options: str) -> None:
    """What doveconf prints of it is good as well, with its secrets or without, all defaults or none."""
    printed = _printed(tmp_path, sample("2.3"), options)

    assert _brief(await _check(tmp_path, printed)) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_of_2_3(tmp_path: Path, fault: Fault) -> None:
    """A fault is told once, at its line, and nothing else is."""
    text = _replaced(sample("2.3"), fault.old)
    found = await _check(tmp_path, text, fault.settings)

    assert _brief(found) == fault.said
    assert {finding.file for finding in found} <= {str(tmp_path / "dovecot.conf")}
    assert {finding.code for finding in found} <= set(CATALOGUE)
    assert Reach.ENGINE not in {finding.reach for finding in found}  # the engine starts all the same
    if fault.line:
        assert found[0].line is not None
        assert text.splitlines()[found[0].line - 1].removesuffix(" user_from_metadata") == fault.line.removesuffix(
            " user_from_metadata"
        )
    assert not any(PASSWORD in render.line(finding) or "%24s" in render.line(finding) for finding in found)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_of_2_3_as_doveconf_prints_it(tmp_path: Path, fault: Fault) -> None:
    """The same is said about what the installed doveconf makes of the file."""
    printed = _printed(tmp_path, _replaced(sample("2.3"), fault.old), "-nP")

    assert _brief(await _check(tmp_path, printed, fault.settings)) == fault.said


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.new is not None], ids=lambda fault: fault.name)
async def test_a_fault_of_2_4(tmp_path: Path, fault: Fault) -> None:
    """The same fault in the syntax of 2.4 is told as well."""
    assert fault.new is not None
    found = await _check(tmp_path, _replaced(sample("2.4"), fault.new), fault.settings)

    assert _brief(found) == (fault.said if fault.said_new is None else fault.said_new)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_hint_is_what_to_write(tmp_path: Path, fault: Fault) -> None:
    """The lines of a hint are Dovecot's syntax, and cure the fault."""
    text = _replaced(sample("2.3"), fault.old)
    for finding in await _check(tmp_path, text, fault.settings):
        if finding.code in ("OXP606", "OXP609", "OXP610", "OXP617", "OXP618", "OXP619"):
            text += "\n" + finding.hint.removeprefix("write: ").removesuffix(" instead").replace(" ⏎ ", "\n") + "\n"
            _printed(tmp_path, text)
    left = {finding.code for finding in await _check(tmp_path, text, fault.settings)}

    assert left.isdisjoint({"OXP606", "OXP609", "OXP610", "OXP617", "OXP618", "OXP619"})


def test_the_path_is_that_of_the_endpoint() -> None:
    """The path that drivers are held against is the one that is served."""
    assert notify.PATH == NOTIFY_PATH


async def test_the_lines_for_2_4(tmp_path: Path) -> None:
    """To a Dovecot 2.4 the hint speaks 2.4."""
    (found,) = await _check(
        tmp_path,
        "dovecot_config_version = 2.4.0\n" + _replaced(sample("2.4"), {f"protocol lda {{\n{PLUGINS_24}}}\n": ""}),
    )

    assert found.hint == "write: protocol lda { ⏎ mail_plugins { ⏎ notify = yes ⏎ push_notification = yes ⏎ } ⏎ }"


@pytest.mark.parametrize(
    ("listen", "host", "is_ours"),
    [
        ("0.0.0.0:8019", "192.0.2.7:8019", True),
        ("[::]:8019", "push.example.com:8019", True),
        ("0.0.0.0:8019", "192.0.2.7:8020", False),
        ("push.example.com:8019", "PUSH.example.com:8019", True),
        ("push.example.com:8019", "other.example.com:8019", False),
        ("192.0.2.10:8019", "push.example.com:8019", True),
        ("127.0.0.1:8019", "localhost:8019", True),
        ("127.0.0.1:8019", "[::1]:8019", False),
        ("127.0.0.1:8019", "push.example.com:8019", False),
        ("127.0.0.1:1, 192.0.2.10:8019", "192.0.2.10:8019", True),
        ("192.0.2.10:80", "192.0.2.10", True),
        ("unix:/run/push.sock", "push.example.com", True),
    ],
)
async def test_whose_address_a_driver_calls(tmp_path: Path, listen: str, host: str, is_ours: bool) -> None:
    """An address is ours if we listen there, or may: names are not looked up."""
    text = sample("2.3").replace("@127.0.0.1:8019", f"@{host}")
    found = await _check(tmp_path, text, {"oxpushctl.intake.listen": listen})

    assert [finding.code for finding in found] == ([] if is_ours else ["OXP613"])


async def test_dovecot_push_that_is_off(tmp_path: Path) -> None:
    """Where Dovecot tells nothing on purpose, only what log-ins meet with is looked at."""
    found = await _check(tmp_path, "", {"com.openexchange.push.dovecot.enabled": "false"})

    assert [finding.code for finding in found] == ["OXP617"]


async def test_a_dovecot_without_the_driver(tmp_path: Path) -> None:
    """A Dovecot from before the driver is told, and so is one from before https."""
    old = "# 2.2.9: /etc/dovecot/dovecot.conf\n" + sample("2.3")
    (found,) = await _check(tmp_path, old)
    assert _brief([found]) == ["error OXP605 Dovecot: is 2.2.9: the driver ox came with 2.2.19"]

    found, _ = await _check(tmp_path, old.replace("2.2.9", "2.2.36").replace("http:", "https:"))
    assert _brief([found]) == [f"error OXP605 {OX}: calls https, which Dovecot can from 2.3 on"]


async def test_credentials_that_are_not_ours_to_judge(tmp_path: Path) -> None:
    """Without a login of our own there is nothing to compare: that is said elsewhere."""
    assert _brief(await _check(tmp_path, sample("2.3"), {PASSWORD_KEY: None})) == []


async def test_a_syntax_error(tmp_path: Path) -> None:
    """A file that Dovecot would refuse is one finding at its line."""
    (found,) = await _check(tmp_path, "protocol imap {\n")

    assert render.line(found) == (
        f"{tmp_path}/dovecot.conf:1: error OXP601: there is no }} that ends the block protocol"
    )


async def test_a_part_for_others_only(tmp_path: Path) -> None:
    """What hangs on a part that cannot be read is not guessed at."""
    os.mkfifo(tmp_path / "secret.conf")  # root may read every file
    (found,) = await _check(tmp_path, "!include_try secret.conf\n")

    assert (found.severity.value, found.code, found.line) == ("warning", "OXP602", 1)


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that was named and is not there ends the check."""
    with pytest.raises(MissingFile, match=r"nowhere.conf: Dovecot's configuration cannot be read: No such file"):
        await check_dovecot(_configuration(tmp_path), Wishes(dovecot_config=tmp_path / "nowhere.conf"))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that the installed Dovecot reads, by a variable of its own."""
    path = tmp_path / "installed.conf"
    monkeypatch.setenv("CONFIG_FILE", str(path))
    return path


async def test_the_dovecot_of_this_machine(tmp_path: Path, installed: Path) -> None:
    """Without a file doveconf is asked, secrets included; what it says is at most a warning."""
    installed.write_text(sample("2.3"))
    assert _brief(await check_dovecot(_configuration(tmp_path), Wishes())) == []

    installed.write_text(sample("2.3").replace("dovecot:pa", "cyrus:pa"))
    (found,) = await check_dovecot(_configuration(tmp_path), Wishes())
    assert _brief([found]) == [f"warning OXP614 {OX}: carries another login than {LOGIN_KEY}: {REFUSED}"]
    assert found.file == DOVECONF
    assert found.line is not None


async def test_a_dovecot_that_nobody_set_up(tmp_path: Path, installed: Path) -> None:
    """A Dovecot that happens to be installed is one line, unless it is the mail server."""
    installed.write_text("ssl = no\n")
    found = await check_dovecot(_configuration(tmp_path, {"com.openexchange.mail.mailServer": None}), Wishes())
    assert _brief(found) == [
        "info OXP604 Dovecot: of this machine is not judged: it is not set up for push, and no mail server is named"
    ]

    found = await check_dovecot(_configuration(tmp_path), Wishes())
    assert {finding.code for finding in found} == {"OXP606", "OXP609", "OXP610", "OXP611", "OXP617"}
    assert {finding.severity.value for finding in found} == {"warning"}


@pytest.mark.parametrize(
    ("listeners", "is_judged"),
    [
        ("", False),
        ("service imap-login {\n  inet_listener imap {\n    port = 1143\n  }\n}\n", True),
        ("service imap-login {\n  inet_listener more {\n    port = 1143\n  }\n}\n", True),
        ("service pop3-login {\n  inet_listener pop3 {\n    port = 1143\n  }\n}\n", False),
    ],
)
async def test_a_mail_server_at_another_port(tmp_path: Path, installed: Path, listeners: str, is_judged: bool) -> None:
    """What listens at another port than the mail server's is another Dovecot, and not held against anybody."""
    installed.write_text(sample("2.3").replace("dovecot:pa", "cyrus:pa") + listeners)
    settings = {"com.openexchange.mail.mailServer": "imap://127.0.0.1:1143"}
    (found,) = await check_dovecot(_configuration(tmp_path, settings), Wishes())

    assert found.code == ("OXP614" if is_judged else "OXP604")


async def test_a_doveconf_that_fails(tmp_path: Path, installed: Path) -> None:
    """A doveconf that refuses is no fault of ours: its first complaint is told."""
    installed.write_text("protocol imap {\n")
    (found,) = await check_dovecot(_configuration(tmp_path), Wishes())

    assert (found.severity.value, found.code, found.file) == ("info", "OXP603", DOVECONF)
    assert "Missing '}'" in found.message


@pytest.mark.parametrize(
    ("settings", "wishes"),
    [
        ({}, Wishes(is_offline=True)),
        ({"com.openexchange.mail.mailServer": "imaps://mail.example.com"}, Wishes()),
        ({"com.openexchange.mail.mailServer": "192.0.2.1:143"}, Wishes()),
    ],
)
async def test_when_doveconf_is_not_asked(
    tmp_path: Path, installed: Path, settings: dict[str, str | None], wishes: Wishes
) -> None:
    """Offline, or with mail on another machine, this machine's Dovecot is left alone."""
    installed.write_text("ssl = no\n")

    assert await check_dovecot(_configuration(tmp_path, settings), wishes) == []


def _program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a doveconf of another kind before the installed one."""
    folder.mkdir()
    (folder / "doveconf").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "doveconf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


async def test_an_older_doveconf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A doveconf from before -P is asked without it."""
    (tmp_path / "printed").write_text(sample("2.3"))
    script = f"""[ "$1" = -n ] && exec cat {tmp_path}/printed\necho "doveconf: invalid option -- 'P'" >&2; exit 89"""
    _program(tmp_path / "bin", script, monkeypatch)

    assert _brief(await check_dovecot(_configuration(tmp_path), Wishes())) == []


async def test_a_complaint_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complaint of doveconf's is told without the password that it quotes."""
    script = "echo 'doveconf: Fatal: Invalid value http://dovecot:geheim@h/x' >&2; exit 89"
    _program(tmp_path / "bin", script, monkeypatch)
    (found,) = await check_dovecot(_configuration(tmp_path), Wishes())

    assert found.message == "cannot be used: Invalid value http://h/x"


@pytest.mark.slow
async def test_a_doveconf_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A doveconf that does not answer is given up, and does not stay behind."""
    _program(tmp_path / "bin", f"echo $$ >{tmp_path}/pid; exec sleep 100", monkeypatch)
    (found,) = await check_dovecot(_configuration(tmp_path), Wishes())

    assert found.message == "cannot be used: no answer within 5 s"
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
