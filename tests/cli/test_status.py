"""How the running engine fares, for people and for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oxpushctl.web.kept_json import Object
from tests.cli.command import Command, Ended
from tests.cli.watched import watched
from tests.peers.engine import command
from tests.web.reporting import Told, reporting

_STATUS: Object = {
    "node": "mx1",
    "version": "0.1.0",
    "since": "2030-03-17T17:46:40Z",
    "ready": True,
    "outbox": {"depth": 3},
    "listeners": [
        {"implementation": "dovecot", "permanent": True, "health": "ok", "count": 1200},
        {"implementation": "imapidle", "permanent": False, "health": "reconnecting", "count": 1},
        {"implementation": "", "permanent": True, "health": "auth-failed", "count": 7},
    ],
    "sessions": 4,
    "sockets": 2,
    "handshakes": {"opened": 5, "other_origin": 1},
    "notify": {"accepted": 120, "unknown_user": 1},
    "mailnotify": {},
    "mail_server": {"name": "imap://127.0.0.1:143", "log_ins_paused_s": 28.4},
    "of_a_later_release": [{"a": None, "b": [1.5, False]}],
}
_TEXT = """\
node                mx1
version             0.1.0
since               2030-03-17T17:46:40Z
ready               yes
outbox              3 not done
listeners           1201 run, 7 do not
                    dovecot   permanent  ok            1200
                    imapidle  session    reconnecting     1
                    none      permanent  auth-failed      7
sessions            4
sockets             2
handshakes          opened 5, other origin 1
notify              accepted 120, unknown user 1
mailnotify          none
mail server         imap://127.0.0.1:143, log-ins are paused for 28.4 s: many were refused
of a later release  a –, b 1.5; no
"""


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation, of which nothing is configured."""
    made = Command(tmp_path)
    made.state.mkdir()
    return made


async def _told(oxpushctl: Command, status: Object, *arguments: str) -> Ended:
    async with reporting(Told(status=status), [f"unix:{oxpushctl.state}/admin.sock"]):
        return Ended(*await command(oxpushctl.etc, oxpushctl.state, "status", *arguments))


async def test_text(oxpushctl: Command) -> None:
    """A line each with a label, aligned; what this release does not know comes last."""
    assert await _told(oxpushctl, _STATUS) == Ended(0, _TEXT, "")


async def test_json(oxpushctl: Command) -> None:
    """Programs get the engine's own words."""
    ended = await _told(oxpushctl, _STATUS, "-f", "json")

    assert (ended.code, json.loads(ended.stdout), ended.stderr) == (0, _STATUS, "")


@pytest.mark.parametrize("form", ["text", "json"])
async def test_not_ready(oxpushctl: Command, form: str) -> None:
    """It is told, and the exit code says to try again later."""
    ended = await _told(oxpushctl, {"node": "mx1", "ready": False}, "-f", form)

    assert (ended.code, ended.stderr) == (75, "Not ready: the engine cannot keep events now.\n")
    assert "mx1" in ended.stdout


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({}, "\n"),
        ({"mail_server": None}, "mail server  none is configured\n"),
        ({"mail_server": {"name": "imaps://a:993", "log_ins_paused_s": None}}, "mail server  imaps://a:993\n"),
        ({"mail_server": {"name": "a\x1b[31m", "trouble": "x"}}, "mail server  a\\x1b[31m, trouble x\n"),
        ({"listeners": []}, "listeners  0 run\n"),
        ({"outbox": {"depth": 0, "oldest_seconds": 2.0}}, "outbox  0 not done, oldest seconds 2\n"),
    ],
)
async def test_odd_answers(oxpushctl: Command, status: Object, shown: str) -> None:
    """What is missing or more is taken as it comes, and nothing steers a terminal."""
    assert await _told(oxpushctl, status) == Ended(0, shown, "")


def test_no_engine(oxpushctl: Command) -> None:
    """Without an engine there is nobody to ask."""
    ended = oxpushctl.process("status")

    assert (ended.code, ended.stdout) == (69, "")
    assert ended.stderr.startswith("oxpushctl: no engine answers at unix:")


async def test_colours(oxpushctl: Command) -> None:
    """On a terminal what is good is green, and what is bad is red."""
    async with (
        reporting(Told(status=_STATUS), [f"unix:{oxpushctl.state}/admin.sock"]),
        watched(oxpushctl, "status", terminal=(24, 100)) as seen,
    ):
        await seen.shows("later release")

    coloured = re.findall(r"\x1b\[(3\d)m *(\w+)", seen.stdout)
    assert coloured == [("32", "ready"), ("32", "dovecot"), ("31", "imapidle"), ("31", "none"), ("31", "mail")]
