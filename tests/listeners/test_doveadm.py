"""doveadm as all callers ask it: together, one request at a time, and each hears of its own."""

from __future__ import annotations

import asyncio

import pytest

from oxpushctl.config.listening import DOVEADM_CHECK_INTERVAL, DOVEADM_ENABLED, DOVEADM_ENDPOINTS, DOVEADM_SECRET
from oxpushctl.config.listening import DOVEADM_CONNECT_TIMEOUT as CONNECT_TIMEOUT
from oxpushctl.config.listening import DOVEADM_PROXY_DELIMITER as DELIMITER
from oxpushctl.config.listening import DOVEADM_READ_TIMEOUT as READ_TIMEOUT
from oxpushctl.listeners.doveadm import MOST_AT_ONCE, MOST_HALVINGS, MOST_WAITING, Doveadm
from oxpushctl.listeners.doveadm_answers import NO_ANSWER, NOT_ASKED, Answer, Command, Done, Failed
from oxpushctl.listeners.doveadm_names import name_of
from oxpushctl.listeners.doveadm_troubles import EndpointTrouble, TooSlow
from tests.engine.parts import HandClock
from tests.listeners.doveadm_scripted import IN_BASE64, Heard, answered, asking, scripted_doveadm, values
from tests.listeners.people import settings
from tests.waiting import until


def command(user: str) -> Command:
    return Command("mailboxMetadataGet", {"user": user, "key": "/private/x"})


def value(user: str) -> Answer:
    return Done([{"value": user}])


def users(count: int) -> list[str]:
    return [f"user{number}" for number in range(count)]


async def asked(doveadm: Doveadm, *names: str) -> list[Answer]:
    return list(await doveadm.ask([command(name) for name in names]))


class Gate:
    """Holds answers until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def say(self, heard: Heard) -> bytes:
        await self.opened.wait()
        return await values(heard)


async def test_on_the_wire() -> None:
    """A request carries the key and leaves the end of the connection to Dovecot, which never answers otherwise."""
    async with scripted_doveadm() as server, asking(server.url) as doveadm:
        await asked(doveadm, "anton")
    (heard,) = server.heard
    lines = heard.head.split("\r\n")
    assert lines[0] == "POST /doveadm/v1 HTTP/1.1"
    assert f"Authorization: X-Dovecot-API {IN_BASE64}" in lines
    assert "Content-Type: application/json" in lines
    assert "Connection: keep-alive" in lines
    assert "close" not in heard.head.lower()
    assert [each[:2] for each in heard.commands] == [["mailboxMetadataGet", {"user": "anton", "key": "/private/x"}]]


async def test_gathered() -> None:
    """While a request is under way, what all others ask is gathered for the next."""
    gate = Gate()
    async with scripted_doveadm(gate.say) as server, asking(server.url) as doveadm, asyncio.TaskGroup() as group:
        callers = [group.create_task(asked(doveadm, "first"))]
        await until(lambda: server.heard)
        callers += [group.create_task(asked(doveadm, name, f"{name}'s")) for name in users(100)]
        await asyncio.sleep(0)
        gate.opened.set()
    assert [caller.result() for caller in callers[1:]] == [[value(name), value(f"{name}'s")] for name in users(100)]
    assert [len(heard.commands) for heard in server.heard] == [1, 200]
    assert server.most_under_way == 1
    tags = [tag for heard in server.heard for _, _, tag in heard.commands]
    assert len(tags) == len(set(tags))


async def test_many_at_once() -> None:
    """However much is asked, a request has 500 commands at most, and the answers are in order."""
    names = users(2 * MOST_AT_ONCE + 7)
    async with scripted_doveadm() as server, asking(server.url) as doveadm:
        answers = await asked(doveadm, *names)
    assert answers == [value(name) for name in names]
    assert [len(heard.commands) for heard in server.heard] == [MOST_AT_ONCE, MOST_AT_ONCE, 7]


async def test_no_more_wait() -> None:
    """Callers wait for room rather than fill the memory, and all are served in the end."""
    gate = Gate()
    async with scripted_doveadm(gate.say) as server, asking(server.url) as doveadm, asyncio.TaskGroup() as group:
        callers = [
            group.create_task(asked(doveadm, *users(MOST_AT_ONCE))) for _ in range(2 * MOST_WAITING // MOST_AT_ONCE)
        ]
        await until(lambda: server.heard)
        await until(lambda: len(doveadm._waiting) == MOST_WAITING - MOST_AT_ONCE)
        gate.opened.set()
    assert all(caller.result() == [value(name) for name in users(MOST_AT_ONCE)] for caller in callers)
    assert sum(len(heard.commands) for heard in server.heard) == len(callers) * MOST_AT_ONCE


async def test_nothing_asked() -> None:
    """Who asks nothing costs nothing."""
    async with scripted_doveadm() as server, asking(server.url) as doveadm:
        assert await doveadm.ask([]) == []
    assert server.heard == []


@pytest.mark.parametrize("spoiling", [["user7"], ["user0", "user499"], ["user3", "user250", "user251"]])
async def test_spoiling_command(spoiling: list[str]) -> None:
    """A command that costs all others their answers is found and stands alone; the others have theirs."""

    async def say(heard: Heard) -> bytes:
        return b"" if set(heard.users) & set(spoiling) else await values(heard)

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        answers = await asked(doveadm, *users(MOST_AT_ONCE))
    expected = [
        Failed(NO_ANSWER, 0, command(name)) if name in spoiling else value(name) for name in users(MOST_AT_ONCE)
    ]
    assert answers == expected
    assert len(server.heard) <= MOST_HALVINGS + 1


async def test_everything_spoils() -> None:
    """Where no command has an answer but the end-point is well, there is an end to it."""

    async def say(heard: Heard) -> bytes:
        return b"" if heard.commands else answered("[]")

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        answers = await asked(doveadm, *users(MOST_AT_ONCE))
    assert answers == [Failed(NO_ANSWER, 0, command(name)) for name in users(MOST_AT_ONCE)]
    assert len(server.heard) <= MOST_HALVINGS + 1


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[[",
        answered("JSON parse error: Invalid unicode escape seen\r\n", "400 Bad Request", "text/plain"),
        answered('[["doveadmResponse",[{"value":'),
        answered("x" * (17 << 20)),
        answered("", "502 Bad Gateway"),
    ],
    ids=["nothing", "cut off", "refused", "not to its end", "too much", "proxy without an answer"],
)
async def test_spoilt(spoilt: bytes) -> None:
    """Whatever a request comes to for one of its commands, the others are asked again without it."""

    async def say(heard: Heard) -> bytes:
        return spoilt if "user2" in heard.users else await values(heard)

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        answers = await asked(doveadm, *users(4))
    assert answers == [value("user0"), value("user1"), Failed(NO_ANSWER, 0, command("user2")), value("user3")]


async def test_partly_answered() -> None:
    """Who has no answer among others that have is asked once more; the others are not."""

    async def say(heard: Heard) -> bytes:
        if len(heard.commands) != 3:
            return await values(heard)
        return await values(Heard(heard.head, heard.commands[1:2]))

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        answers = await asked(doveadm, *users(3))
    assert answers == [value(name) for name in users(3)]
    assert [heard.users for heard in server.heard] == [users(3), [], ["user0", "user2"]]


async def test_given_up() -> None:
    """Who does not wait any more is not asked for, and others are."""
    gate = Gate()
    async with scripted_doveadm(gate.say) as server, asking(server.url) as doveadm, asyncio.TaskGroup() as group:
        first = group.create_task(asked(doveadm, "first"))
        await until(lambda: server.heard)
        impatient, patient = (group.create_task(asked(doveadm, name)) for name in ("impatient", "patient"))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        gate.opened.set()
    assert (first.result(), patient.result()) == ([value("first")], [value("patient")])
    assert [heard.users for heard in server.heard] == [["first"], ["patient"]]


@pytest.mark.parametrize("pause_s", [0.0, 0.02], ids=["silent", "dripping"])
async def test_no_answer_in_time(pause_s: float) -> None:
    """An answer that does not come in time, or not to its end, is none; the connection ends with it."""

    async def say(heard: Heard) -> bytes:
        if pause_s:
            return answered(" " * 10_000)
        await asyncio.Event().wait()
        return b""

    async with (
        scripted_doveadm(say, pause_s=pause_s) as server,
        asking(server.url, more={CONNECT_TIMEOUT: 100, READ_TIMEOUT: 200}) as doveadm,
    ):
        (answer,) = await asked(doveadm, "anton")
        await until(lambda: not server.under_way or not pause_s)
    assert isinstance(answer, Failed) and answer.type == NOT_ASKED
    assert isinstance(answer.error, TooSlow)


async def test_end() -> None:
    """At the end whoever waits hears so, what is under way ends, and nothing more is asked."""
    gate = Gate()
    async with scripted_doveadm(gate.say) as server, asking(server.url) as doveadm, asyncio.TaskGroup() as group:
        callers = [group.create_task(asked(doveadm, "first"))]
        await until(lambda: server.heard)
        callers.append(group.create_task(asked(doveadm, "second")))
        await asyncio.sleep(0)
        await doveadm.aclose()
        callers.append(group.create_task(asked(doveadm, "third")))
    answers = [caller.result()[0] for caller in callers]
    assert [answer.type for answer in answers if isinstance(answer, Failed)] == [NOT_ASKED] * 3
    assert [heard.users for heard in server.heard] == [["first"]]


async def test_second_end_point() -> None:
    """What one end-point cannot answer another does; the first is left alone for the check interval."""
    clock = HandClock()

    async def say(heard: Heard) -> bytes:
        return answered("", "503 Service Unavailable")

    async with (
        scripted_doveadm(say) as ill,
        scripted_doveadm() as well,
        asking(ill.url, well.url, clock=clock, more={DOVEADM_CHECK_INTERVAL: 60_000}) as doveadm,
    ):
        for _ in range(3):
            assert await asked(doveadm, "anton", "berta") == [value("anton"), value("berta")]
        assert len(ill.heard) == 1
        clock.time += 60
        await asked(doveadm, *users(MOST_AT_ONCE))
        await until(lambda: len(ill.heard) == 2)


async def test_no_end_point_left() -> None:
    """Where all end-points failed a moment ago nobody is asked, and the reason is told at once."""

    async def say(heard: Heard) -> bytes:
        return answered("", "503 Service Unavailable")

    async with (
        scripted_doveadm(say) as one,
        scripted_doveadm(say) as other,
        asking(one.url, other.url) as doveadm,
    ):
        answers = [(await asked(doveadm, "anton"))[0] for _ in range(3)]
    assert all(isinstance(answer, Failed) and isinstance(answer.error, EndpointTrouble) for answer in answers)
    assert (len(one.heard), len(other.heard)) == (1, 1)


async def test_only_end_point() -> None:
    """The only end-point is asked again at once, and is well as soon as it answers."""
    is_well = False

    async def say(heard: Heard) -> bytes:
        return await values(heard) if is_well else answered("", "503 Service Unavailable")

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        (before,) = await asked(doveadm, "anton")
        is_well = True
        after = await asked(doveadm, "anton")
    assert isinstance(before, Failed) and "503" in str(before.error)
    assert after == [value("anton")]


@pytest.mark.parametrize("lacking", [DOVEADM_ENABLED, DOVEADM_SECRET, DOVEADM_ENDPOINTS], ids=lambda row: row.key)
def test_not_configured(lacking: object, tmp_path: object) -> None:
    """Where something lacks there is no doveadm."""
    complete = {DOVEADM_ENABLED: True, DOVEADM_SECRET: "key", DOVEADM_ENDPOINTS: ("http://127.0.0.1:1/doveadm/v1",)}
    values = settings({row: value for row, value in complete.items() if row is not lacking})
    assert Doveadm.from_settings(values, tmp_path, HandClock()) is None  # type: ignore[arg-type]  # pytest's fixture


@pytest.mark.parametrize(
    ("delimiter", "login", "name"),
    [
        (None, "anton#mail3", "anton#mail3"),
        ("#", "anton#mail3", "anton"),
        ("#", "anton#a#b", "anton"),
        ("@@", "anton@@mail3", "anton"),
        ("#", "anton", "anton"),
        ("#", "#anton", "#anton"),
        ("", "anton", "anton"),
    ],
)
def test_proxy_delimiter(delimiter: str | None, login: str, name: str) -> None:
    """A login is cut at the delimiter, unless nothing would be left of it."""
    assert name_of(login, settings({DELIMITER: delimiter})) == name
