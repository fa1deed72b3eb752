"""What config check says of datagrams: whether they could be heard, and whose are believed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from oxpushctl.config.check import Wishes
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.finding import Finding, Severity
from oxpushctl.config.listening import NOTIFY_ENABLED, NOTIFY_HOST, NOTIFY_MULTICAST, NOTIFY_PORT
from oxpushctl.config.own import NOTIFY_SOURCES
from oxpushctl.config.properties import MAIL_SERVER_URL
from oxpushctl.listeners.mailnotify_check import check_datagrams
from tests.config import folders
from tests.listeners.datagrams import GROUP
from tests.peers.ports import free_port

# RFC 5737: no machine has them.
ELSEWHERE = "192.0.2.1"


@pytest.fixture
def held() -> Iterator[int]:
    """Return a UDP port that somebody holds."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def configured(etc: Path, port: int, host: str = "127.0.0.1", more: str = "") -> Configuration:
    lines = f"{NOTIFY_HOST.key}={host}\n{NOTIFY_PORT.key}={port}\n{NOTIFY_ENABLED.key}=true\n{more}"
    return folders.read(etc, {"push_mailnotify.properties": lines})


async def running(_configuration: Configuration, *, answer: bool) -> bool:
    return answer


async def found(configuration: Configuration, *, is_running: bool = False) -> list[Finding]:
    findings = await check_datagrams(configuration, Wishes(), is_running=partial(running, answer=is_running))
    assert [each for each in findings if each.severity is Severity.ERROR] == []
    return findings


async def test_port_that_is_free(tmp_path: Path) -> None:
    """Nothing is said, and the port is free afterwards."""
    port = free_port(socket.SOCK_DGRAM)
    assert await found(configured(tmp_path, port)) == []
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as another:
        another.bind(("127.0.0.1", port))


async def test_port_of_another_program(tmp_path: Path, held: int) -> None:
    """A warning at the line of the port."""
    (finding,) = await found(configured(tmp_path, held))
    assert (finding.code, finding.severity, finding.key, finding.line) == (
        "OXP701",
        Severity.WARNING,
        NOTIFY_PORT.key,
        2,
    )
    assert f"UDP port {held} of 127.0.0.1 is taken" in finding.message


async def test_port_of_our_engine(tmp_path: Path, held: int) -> None:
    """It is held by whom it is for."""
    assert await found(configured(tmp_path, held), is_running=True) == []


@pytest.mark.parametrize("is_running", [False, True])
async def test_address_of_another_machine(tmp_path: Path, is_running: bool) -> None:
    """Whatever runs, nothing is ever heard there."""
    more = f"{NOTIFY_SOURCES.key}=192.0.2.0/24\n"
    (finding,) = await found(configured(tmp_path, 23420, ELSEWHERE, more), is_running=is_running)
    assert (finding.code, finding.key, finding.line) == ("OXP702", NOTIFY_HOST.key, 1)
    assert finding.message.startswith(f"{ELSEWHERE} is no address of this machine")


async def test_group(tmp_path: Path) -> None:
    """A group is joined, and left again."""
    more = f"{NOTIFY_MULTICAST.key}=true\n{NOTIFY_SOURCES.key}=192.0.2.0/24\n"
    assert await found(configured(tmp_path, free_port(socket.SOCK_DGRAM), GROUP, more)) == []


@pytest.mark.parametrize(
    ("server", "sources", "is_told"),
    [
        pytest.param(ELSEWHERE, "198.51.100.0/24", True, id="others are believed"),
        pytest.param(ELSEWHERE, "192.0.2.0/24", False, id="its network is"),
        pytest.param("127.0.0.1", "127.0.0.0/8", False, id="this machine"),
        pytest.param("mail.invalid", "198.51.100.0/24", False, id="an address that nobody knows"),
    ],
)
async def test_whose_datagrams_are_believed(tmp_path: Path, server: str, sources: str, is_told: bool) -> None:
    """It is told when the mail server's own are not; they may come from other addresses, so that it is no warning."""
    more = f"{MAIL_SERVER_URL.key}={server}\n{NOTIFY_SOURCES.key}={sources}\n"
    findings = await found(configured(tmp_path, free_port(socket.SOCK_DGRAM), more=more))
    expected = [("OXP753", Severity.INFO, NOTIFY_SOURCES.key, 5)] if is_told else []
    assert [(each.code, each.severity, each.key, each.line) for each in findings] == expected


async def test_nobody_believed_is_told_once(tmp_path: Path) -> None:
    """That only this machine is believed is said by the rules already."""
    more = f"{NOTIFY_MULTICAST.key}=true\n{MAIL_SERVER_URL.key}={ELSEWHERE}\n"
    configuration = configured(tmp_path, free_port(socket.SOCK_DGRAM), GROUP, more)
    assert "OXP345" in folders.codes(configuration)
    assert await found(configuration) == []


@pytest.mark.parametrize("more", [f"{NOTIFY_ENABLED.key}=false\n", f"{NOTIFY_MULTICAST.key}=true\n"])
async def test_nothing_to_ask(tmp_path: Path, held: int, more: str) -> None:
    """One that is off hears nothing anyway, and an error is told already."""
    assert await found(configured(tmp_path, held, more=more)) == []


async def test_offline(tmp_path: Path, held: int) -> None:
    """Nothing is tried."""
    offline = Wishes(is_offline=True)
    assert (await check_datagrams(configured(tmp_path, held), offline, is_running=partial(running, answer=False))) == []
