"""The Dovecot that is installed here, asked through doveconf."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest

from oxpushctl.config.check import Wishes
from oxpushctl.listeners.dovecot_check import DOVECONF, check_dovecot
from tests.listeners.dovecot_checking import brief, configuration_of, write_for_ourselves
from tests.listeners.dovecot_faults import (
    LOGIN_KEY,
    OX,
    REFUSED,
    sample,
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that the installed Dovecot reads, by a variable of its own."""
    path = tmp_path / "installed.conf"
    monkeypatch.setenv("CONFIG_FILE", str(path))
    return path


async def test_the_dovecot_of_this_machine(tmp_path: Path, installed: Path) -> None:
    """Without a file doveconf is asked, secrets included; what it says is at most a warning."""
    installed.write_text(sample("2.3"))
    assert brief(await check_dovecot(configuration_of(tmp_path), Wishes())) == []

    installed.write_text(sample("2.3").replace("dovecot:pa", "cyrus:pa"))
    (found,) = await check_dovecot(configuration_of(tmp_path), Wishes())
    assert brief([found]) == [f"warning OXP614 {OX}: carries another login than {LOGIN_KEY}: {REFUSED}"]
    assert found.file == DOVECONF
    assert found.line is not None


async def test_a_dovecot_that_nobody_set_up(tmp_path: Path, installed: Path) -> None:
    """A Dovecot that happens to be installed is one line, unless it is the mail server."""
    installed.write_text("ssl = no\n")
    found = await check_dovecot(configuration_of(tmp_path, {"com.openexchange.mail.mailServer": None}), Wishes())
    assert brief(found) == [
        "info OXP604 Dovecot: this machine's own is not judged: it is not set up for push, and no mail server is named"
    ]

    found = await check_dovecot(configuration_of(tmp_path), Wishes())
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
    (found,) = await check_dovecot(configuration_of(tmp_path, settings), Wishes())

    assert found.code == ("OXP614" if is_judged else "OXP604")


async def test_a_doveconf_that_fails(tmp_path: Path, installed: Path) -> None:
    """A doveconf that refuses is no fault of ours: its first complaint is told."""
    installed.write_text("protocol imap {\n")
    (found,) = await check_dovecot(configuration_of(tmp_path), Wishes())

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

    assert await check_dovecot(configuration_of(tmp_path, settings), wishes) == []


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

    assert brief(await check_dovecot(configuration_of(tmp_path), Wishes())) == []


async def test_a_complaint_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complaint of doveconf's is told without the password that it quotes."""
    script = "echo 'doveconf: Fatal: Invalid value http://dovecot:geheim@h/x' >&2; exit 89"
    _program(tmp_path / "bin", script, monkeypatch)
    (found,) = await check_dovecot(configuration_of(tmp_path), Wishes())

    assert found.message == "cannot be used: Invalid value http://h/x"


@pytest.mark.slow
def test_a_name_service_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where our log-ins come from is not worth a long wait, nor one at the end of the program."""
    going_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: going_on.wait(60))
    write_for_ourselves(tmp_path / "dovecot.conf", sample("2.3"))
    configuration = configuration_of(tmp_path, {"com.openexchange.mail.mailServer": "mail.example.com"})
    began = time.monotonic()
    try:
        found = asyncio.run(check_dovecot(configuration, Wishes(dovecot_config=tmp_path / "dovecot.conf")))
        taken_s = time.monotonic() - began
    finally:
        going_on.set()

    assert (brief(found), taken_s < 10) == ([], True)


@pytest.mark.slow
async def test_a_doveconf_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A doveconf that does not answer is given up, and does not stay behind."""
    _program(tmp_path / "bin", f"echo $$ >{tmp_path}/pid; exec sleep 100", monkeypatch)
    (found,) = await check_dovecot(configuration_of(tmp_path), Wishes())

    assert found.message == "cannot be used: no answer within 5 s"
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
