"""Whom new mail is heard for, as a running engine tells it, and who is registered."""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import PIPE
from itertools import count
from pathlib import Path

import pytest

from oxpushctl.errors import NotReachable
from oxpushctl.model import Health, PushListener, PushUser, Registration
from tests.cli.command import Command, Ended
from tests.cli.watched import watched
from tests.peers.engine import COMMAND, command, environ_of
from tests.waiting import until
from tests.web.reporting import SINCE_TEXT, Told, listener, reporting

APP = "open-xchange-mobile-api-facade"
_REFUSED = "none of the passwords opens it, \x1b[31m"
_LISTENERS = (
    listener(249),
    listener(250, health=Health.AUTH_FAILED, implementation="", reason=_REFUSED),
    listener(402, is_permanent=False, implementation="imapidle"),
    listener(7, context=2, health=Health.RECONNECTING, reason="closed"),
    listener(8, context=2, health=Health.STARTING),
)
_RUNNING = (
    "user=249, context=1, permanent=true\nuser=402, context=1, permanent=false\nuser=7, context=2, permanent=true\n"
)
_HINT = "2 more do not run: oxpushctl listpushusers --all -f table\n"


@pytest.fixture
def oxpushctl(tmp_path: Path) -> Command:
    """An installation, of which nothing is configured."""
    return Command(tmp_path)


async def _listed(oxpushctl: Command, told: Told, *arguments: str) -> Ended:
    """Run the command beside an engine."""
    oxpushctl.state.mkdir(exist_ok=True)
    async with reporting(told, [f"unix:{oxpushctl.state}/admin.sock"]):
        return Ended(*await command(oxpushctl.etc, oxpushctl.state, "listpushusers", *arguments))


async def test_running(oxpushctl: Command) -> None:
    """A line each that runs, in the very words that scripts rely on; of the others it is said how many there are."""
    ended = await _listed(oxpushctl, Told(_LISTENERS))

    assert ended == Ended(0, _RUNNING, _HINT)


@pytest.mark.parametrize(
    ("listeners", "said"),
    [
        ((), "No running push users.\n"),
        (
            (_LISTENERS[1],),
            "No running push users.\n1 more does not run: oxpushctl listpushusers --all -f table\n",
        ),
    ],
)
async def test_nothing_runs(oxpushctl: Command, listeners: tuple[PushListener, ...], said: str) -> None:
    """Then nothing is printed but to a person, and it is no error."""
    assert await _listed(oxpushctl, Told(listeners)) == Ended(0, "", said)


async def test_no_engine(oxpushctl: Command) -> None:
    """Without an engine there is nobody to ask."""
    ended = oxpushctl.process("listpushusers")

    words = f"oxpushctl: no engine answers at unix:{oxpushctl.state}/admin.sock: start it with oxpushctl run\n"
    assert ended == Ended(69, "", words)


async def test_forms(oxpushctl: Command) -> None:
    """The other forms tell more, with the same names."""
    told = Told(_LISTENERS[:3])
    row = {
        "context": 1,
        "user": 249,
        "permanent": True,
        "node": "mx1",
        "implementation": "dovecot",
        "health": "ok",
        "since": SINCE_TEXT,
        "last_event": SINCE_TEXT,
    }
    rows = [row, {**row, "user": 402, "permanent": False, "implementation": "imapidle"}]
    ended = {form: await _listed(oxpushctl, told, "-f", form) for form in ("json", "jsonl", "csv", "table")}

    texts = ["context,user,permanent,node,implementation,health,since,last_event"]
    texts += [
        f"1,249,true,mx1,dovecot,ok,{SINCE_TEXT},{SINCE_TEXT}",
        f"1,402,false,mx1,imapidle,ok,{SINCE_TEXT},{SINCE_TEXT}",
    ]
    assert json.loads(ended["json"].stdout) == rows
    assert [json.loads(line) for line in ended["jsonl"].stdout.splitlines()] == rows
    assert ended["csv"].stdout.splitlines() == texts
    assert ended["table"].stdout.splitlines() == [text.replace(",", "\t") for text in texts]


@pytest.mark.parametrize(("form", "shown"), [("json", "[]\n"), ("jsonl", ""), ("table", "")])
async def test_forms_of_nothing(oxpushctl: Command, form: str, shown: str) -> None:
    """Nothing is something that programs can read."""
    ended = await _listed(oxpushctl, Told(), "-f", form)

    assert (ended.code, ended.stdout) == (0, shown)


async def test_all(oxpushctl: Command) -> None:
    """Those that do not run are there as well, with the reason, which can do no harm to a terminal."""
    told = Told(_LISTENERS)
    plain = await _listed(oxpushctl, told, "--all")
    full = await _listed(oxpushctl, told, "--all", "-f", "json", "-c", "1", "-u", "250")

    assert plain.stdout.splitlines() == [
        "user=249, context=1, permanent=true, health=ok",
        r"user=250, context=1, permanent=true, health=auth-failed, reason=none of the passwords opens it, \x1b[31m",
        "user=402, context=1, permanent=false, health=ok",
        "user=7, context=2, permanent=true, health=reconnecting, reason=closed",
        "user=8, context=2, permanent=true, health=starting",
    ]
    assert [(row["user"], row["health"], row["reason"]) for row in json.loads(full.stdout)] == [
        (250, "auth-failed", _REFUSED)
    ]
    assert plain.stderr == ""


async def test_reason_that_steers_a_terminal(oxpushctl: Command) -> None:
    """JSON has it as it is and does not show it; no form of them has a terminal obey."""
    reason = "\x1b[2J\x9b31m\u202e \ud83d"
    told = Told([listener(250, health=Health.FAILED, reason=reason)])
    forms = [(await _listed(oxpushctl, told, "--all", "-f", form)).stdout for form in ("json", "jsonl", "plain")]
    oxpushctl.state.mkdir(exist_ok=True)
    async with (
        reporting(told, [f"unix:{oxpushctl.state}/admin.sock"]),
        watched(oxpushctl, "listpushusers", "--all", "-f", "csv", terminal=(24, 80)) as seen,
    ):
        await seen.shows("failed")

    shown = [form.replace("\n", "") for form in forms] + [seen.stdout.replace("\r\n", "")]
    assert [text for text in shown if not text.isprintable()] == []
    assert json.loads(forms[0])[0]["reason"] == json.loads(forms[1])["reason"] == reason


async def test_choice(oxpushctl: Command) -> None:
    """A context, a user by number, or by a name of the directory."""
    oxpushctl.process("users", "add", "-c", "2", "-u", "7", "--login", "anna")
    told = Told(_LISTENERS)
    choices = (("-c", "2"), ("-c", "1", "-u", "402"), ("-u", "anna"), ("-c", "3"))
    found = [(await _listed(oxpushctl, told, *choice)).stdout for choice in choices]

    anna = "user=7, context=2, permanent=true\n"
    assert found == [anna, "user=402, context=1, permanent=false\n", anna, ""]


async def test_nobody_of_that_name(oxpushctl: Command) -> None:
    """A name that nobody has is told; a number without its context is a mistake of usage."""
    codes = [(await _listed(oxpushctl, Told(_LISTENERS), "-u", user)).code for user in ("nobody", "7")]

    assert codes == [67, 2]


async def test_summary(oxpushctl: Command) -> None:
    """All are counted, running or not."""
    told = Told((*_LISTENERS, listener(251)))
    plain = await _listed(oxpushctl, told, "--summary")
    rows = json.loads((await _listed(oxpushctl, told, "--summary", "-f", "json")).stdout)

    assert plain == Ended(
        0,
        "permanent=true, health=auth-failed, count=1\n"
        "implementation=dovecot, permanent=true, health=ok, count=2\n"
        "implementation=dovecot, permanent=true, health=reconnecting, count=1\n"
        "implementation=dovecot, permanent=true, health=starting, count=1\n"
        "implementation=imapidle, permanent=false, health=ok, count=1\n",
        "",
    )
    assert rows[1] == {"implementation": "dovecot", "permanent": True, "health": "ok", "count": 2}


@pytest.mark.parametrize(
    "arguments",
    [("-l", "--all"), ("-l", "--watch"), ("-l", "--summary"), ("--summary", "--all"), ("--watch", "-f", "json")],
)
def test_what_does_not_go_together(oxpushctl: Command, arguments: tuple[str, ...]) -> None:
    """It is a mistake of usage."""
    assert oxpushctl("listpushusers", *arguments).code == 2


def test_registrations(oxpushctl: Command) -> None:
    """Registrations are listed without an engine, of everybody or as chosen, ordered, in every form."""
    for context, user, client in (("2", "3", APP), ("1", "402", APP), ("1", "249", APP), ("1", "249", "a")):
        oxpushctl("registrations", "add", "-c", context, "-u", user, "-i", client)

    everybody = oxpushctl.process("listpushusers", "-l")
    one = oxpushctl("listpushusers", "-l", "-c", "1", "-u", "402", "-f", "json")
    none = oxpushctl("listpushusers", "-l", "-c", "3")

    lines = f"user=249, context=1, client=a\nuser=249, context=1, client={APP}\nuser=402, context=1, client={APP}\n"
    assert everybody == Ended(0, f"{lines}user=3, context=2, client={APP}\n", "")
    assert json.loads(one.stdout) == [{"context": 1, "user": 402, "client": APP}]
    assert none == Ended(0, "", "No registered push users.\n")


async def test_engine_that_breaks_off(oxpushctl: Command) -> None:
    """A list that is not whole is an error, whatever of it was printed."""
    many = [listener(user) for user in range(1, 2000)]

    ended = await _listed(oxpushctl, Told(many, failure=NotReachable("the database went away")))

    assert ended.code == 69
    assert ended.stderr.endswith("broke off its answer: its log says why\n")


async def test_broken_configuration(oxpushctl: Command) -> None:
    """With errors in the configuration another engine might be meant."""
    (oxpushctl.etc / "oxpushctl.properties").write_text("oxpushctl.admin.listen=nonsense:x:y\n")

    ended = await _listed(oxpushctl, Told(_LISTENERS))

    assert (ended.code, ended.stdout) == (78, "")


async def test_registrations_of_the_engine(oxpushctl: Command) -> None:
    """The command asks the database for registrations, whatever an engine would tell."""
    told = Told(registrations=[Registration(PushUser(1, 3), "b")])

    assert await _listed(oxpushctl, told, "-l") == Ended(0, "", "No registered push users.\n")


async def test_reader_who_has_seen_enough(oxpushctl: Command) -> None:
    """When nobody reads any more, command and engine end their work, and nothing is said of it."""
    oxpushctl.state.mkdir()
    told = Told(listener(user) for user in count(1))  # without end
    async with reporting(told, [f"unix:{oxpushctl.state}/admin.sock"]):
        mine, its = os.pipe()
        line = b"user=1, context=1, permanent=true\n"
        process = await asyncio.create_subprocess_exec(
            COMMAND, "--etc", oxpushctl.etc, "listpushusers", env=environ_of(oxpushctl.state), stdout=its, stderr=PIPE
        )
        os.close(its)
        first = await asyncio.to_thread(os.read, mine, len(line))
        os.close(mine)
        _, said = await process.communicate()
        await until(lambda: told.closed)

    assert (first, said, process.returncode) == (line, b"", 0)
