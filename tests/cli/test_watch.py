"""``--watch``: what changes is shown within seconds, until Ctrl-C; an engine that is away for a while ends nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oxpushctl.model import Health
from tests.cli.command import Command
from tests.cli.watched import watched
from tests.peers.engine import command
from tests.web.reporting import SINCE_TEXT, Told, listener, reporting

_LINES = re.MULTILINE


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation, of which nothing is configured."""
    made = Command(tmp_path)
    made.state.mkdir()
    return made


@pytest.fixture
def address(oxpushctl: Command) -> str:
    return f"unix:{oxpushctl.state}/admin.sock"


async def test_listeners_in_a_pipe(oxpushctl: Command, address: str) -> None:
    """A line tells what has come, or gone; of what stays nothing more is said. A number that changes goes and comes."""
    told = Told([listener(249), listener(402)])
    async with (
        reporting(told, [address]),
        watched(oxpushctl, "listpushusers", "--watch") as seen,
        watched(oxpushctl, "listpushusers", "--summary", "--watch") as summary,
    ):
        await seen.shows("user=402")
        await summary.shows("count=2")
        told.listeners = [listener(249), listener(402, health=Health.FAILED), listener(403), listener(404)]
        await seen.shows("user=404")
        await summary.shows("count=3")
        codes = [await seen.interrupt(), await summary.interrupt()]

    assert codes == [130, 130]
    assert (seen.stdout.splitlines(), seen.stderr) == (
        [
            "+ user=249, context=1, permanent=true",
            "+ user=402, context=1, permanent=true",
            "- user=402, context=1, permanent=true",
            "+ user=403, context=1, permanent=true",
            "+ user=404, context=1, permanent=true",
        ],
        "\n",  # behind the ^C of a terminal
    )
    kind = "implementation=dovecot, permanent=true, health"
    assert summary.stdout.splitlines() == [
        f"+ {kind}=ok, count=2",
        f"- {kind}=ok, count=2",
        f"+ {kind}=failed, count=1",
        f"+ {kind}=ok, count=3",
    ]


async def test_listeners_on_a_terminal(oxpushctl: Command, address: str) -> None:
    """A table is drawn in the place of the last one; what it has no room for is left out, and rows are counted."""
    told = Told([])
    size = (20, 120)
    async with reporting(told, [address]), watched(oxpushctl, "listpushusers", "--watch", terminal=size) as seen:
        await seen.shows("No running push users.")
        told.listeners = [listener(user) for user in range(1000, 1500)]
        await seen.shows("487 more")
        told.listeners = [listener(249)]
        await seen.shows("249")
        code = await seen.interrupt()

    drawn = _drawn(seen.stdout)
    assert code == 130
    assert re.search(rf"^ +1 +1000 +true +mx1 +dovecot +ok +{SINCE_TEXT} +{SINCE_TEXT} *\r$", drawn, _LINES)
    assert ("1012" in drawn, "1013" in drawn) == (True, False)
    assert "\x1b[1A" in seen.stdout  # up again, to draw over it


async def test_listeners_on_a_narrow_terminal(oxpushctl: Command, address: str) -> None:
    """Columns that it has no room for are left out."""
    told = Told([listener(1000)])
    size = (20, 60)
    async with reporting(told, [address]), watched(oxpushctl, "listpushusers", "--watch", terminal=size) as seen:
        await seen.shows("1000")

    assert re.search(r"^ +1 +1000 +true +mx1 +dovecot +ok *\r$", _drawn(seen.stdout), _LINES)


def _drawn(printed: str) -> str:
    """Leave out what steers a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)


async def test_engine_that_is_away(oxpushctl: Command, address: str) -> None:
    """It is said once that none answers, and that one does again."""
    told = Told([listener(249)])
    async with watched(oxpushctl, "listpushusers", "--watch") as seen:
        async with reporting(told, [address]):
            await seen.shows("user=249")
        await seen.shows("no engine answers")
        told.listeners = [listener(402)]
        async with reporting(told, [address]):
            await seen.shows("user=402")
        code = await seen.interrupt()

    assert (code, seen.stderr.count("no engine answers")) == (130, 1)
    assert seen.stderr.endswith("The engine answers again.\n\n")


@pytest.mark.parametrize("arguments", [("listpushusers", "--watch"), ("status", "--watch")])
async def test_no_engine_at_all(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """Without any engine there is nothing to wait for."""
    assert (await command(oxpushctl.etc, oxpushctl.state, *arguments))[0] == 69


async def test_status_in_a_pipe(oxpushctl: Command, address: str) -> None:
    """It is printed again when it has changed, as JSON a line each."""
    first, second = {"node": "mx1", "sockets": 0}, {"node": "mx1", "sockets": 1}
    told = Told(status=first)
    async with (
        reporting(told, [address]),
        watched(oxpushctl, "status", "--watch") as text,
        watched(oxpushctl, "status", "--watch", "-f", "json") as lines,
    ):
        await text.shows("sockets")
        await lines.shows("sockets")
        told.status = second
        await text.shows("1", times=3)
        await lines.shows("sockets", times=2)
        codes = [await text.interrupt(), await lines.interrupt()]

    assert codes == [130, 130]
    assert text.stdout == "node     mx1\nsockets  0\n\nnode     mx1\nsockets  1\n"
    assert [json.loads(line) for line in lines.stdout.splitlines()] == [first, second]


async def test_status_on_a_terminal(oxpushctl: Command, address: str) -> None:
    """It is drawn in the place of the last one, with colours."""
    told = Told(status={"node": "mx1", "ready": True})
    async with reporting(told, [address]), watched(oxpushctl, "status", "--watch", terminal=(24, 100)) as seen:
        await seen.shows("\x1b[32mready  yes")
        told.status = {"node": "mx1", "ready": False}
        await seen.shows("\x1b[31mready  no")
        code = await seen.interrupt()

    assert (code, "\x1b[1A" in seen.stdout) == (130, True)
