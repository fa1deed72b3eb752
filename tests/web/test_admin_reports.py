"""What commands ask a running engine to tell: lists of any length, whole or known not to be, and its status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from itertools import count
from pathlib import Path

import pytest
from aiohttp import web

from oxpushctl.errors import BadData, NotPermitted, NotReachable, TryLater
from oxpushctl.model import Health, PushListener, PushUser, Registration
from oxpushctl.web.admin_client import AdminClient
from oxpushctl.web.admin_reports import PUSHUSERS_PATH, REGISTRATIONS_PATH, STATUS_PATH
from oxpushctl.web.kept_json import Object
from oxpushctl.web.row_lines import BrokenOff, rows_of
from tests.waiting import until
from tests.web.administered import LOGIN, PASSWORD, admin, client
from tests.web.parts import Wire, basic, request
from tests.web.reporting import SINCE_TEXT, Told, listener, reporting

_PORT = "127.0.0.1:0"
_LET_IN = basic(LOGIN, PASSWORD)


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/admin.sock"


async def _listed(commands: AdminClient, path: str, **query: object) -> list[Object]:
    return [row async for row in commands.rows(path, query)]


def _many(number: int) -> Iterator[PushListener]:
    return (listener(user) for user in range(1, number + 1))


async def test_listener(address: str) -> None:
    """A listener is told with all that is known of it; half a character in a reason breaks nothing."""
    failed = listener(4, is_permanent=False, implementation="", health=Health.AUTH_FAILED, reason="said \udcff")
    async with reporting(Told([listener(3), failed]), [address]), client(address) as commands:
        rows = await _listed(commands, PUSHUSERS_PATH)

    common = {"context": 1, "node": "mx1", "since": SINCE_TEXT, "last_event": SINCE_TEXT, "proven_at": None}
    assert rows == [
        {**common, "user": 3, "permanent": True, "implementation": "dovecot", "health": "ok", "reason": ""},
        {
            **common,
            "user": 4,
            "permanent": False,
            "implementation": "",
            "health": "auth-failed",
            "reason": "said \udcff",
        },
    ]


async def test_choice(address: str) -> None:
    """Listeners are told of a context or a user, registrations of an app as well."""
    listeners = [listener(3), listener(4), listener(3, context=2)]
    registrations = [Registration(PushUser(1, 3), "a&b"), Registration(PushUser(2, 3), "c")]
    async with reporting(Told(listeners, registrations), [address]), client(address) as commands:
        of_context = await _listed(commands, PUSHUSERS_PATH, context=1, user=None)
        of_user = await _listed(commands, PUSHUSERS_PATH, context=2, user=3)
        of_app = await _listed(commands, REGISTRATIONS_PATH, client="a&b")
        everything = await _listed(commands, REGISTRATIONS_PATH)

    assert [(row["context"], row["user"]) for row in of_context] == [(1, 3), (1, 4)]
    assert [(row["context"], row["user"]) for row in of_user] == [(2, 3)]
    assert of_app == [{"context": 1, "user": 3, "client": "a&b"}]
    assert everything == [*of_app, {"context": 2, "user": 3, "client": "c"}]


@pytest.mark.parametrize("rows", [0, 1, 3000])
async def test_array(address: str, rows: int) -> None:
    """Whatever its length, the answer is JSON, and a row a line."""
    raw = request(b"", method="GET", path=PUSHUSERS_PATH, authorization=None, extra="Connection: close\r\n")
    async with reporting(Told(_many(rows)), [address]), Wire.to(address) as wire:
        wire.send(raw.replace(b"HTTP/1.1", b"HTTP/1.0"))  # in which nothing stands between chunks
        head, _, body = (await wire.end()).partition(b"\r\n\r\n")

    assert b"200 OK" in head
    assert [row["user"] for row in json.loads(body)] == list(range(1, rows + 1))
    assert len(body.splitlines()) == rows + 2


async def test_reader_that_takes_its_time(address: str) -> None:
    """Rows are read as fast as they are taken: neither side holds them all."""
    told = Told(listener(user) for user in count(1))  # without end
    async with (
        reporting(told, [address]),
        client(address) as commands,
        aclosing(commands.rows(PUSHUSERS_PATH, {})) as rows,
    ):
        taken = [(await anext(rows))["user"] for _ in range(5000)]
        await _until_it_stands_still(told)
        ahead = told.yielded - len(taken)
        taken += [(await anext(rows))["user"] for _ in range(5000)]

    assert taken == list(range(1, 10_001))
    assert ahead < 20_000


async def _until_it_stands_still(told: Told) -> None:
    before = -1
    while before != told.yielded:
        before = told.yielded
        await asyncio.sleep(0.2)


async def test_reader_that_goes_away(address: str) -> None:
    """It ends the walk over the rows, and others are answered as before."""
    told = Told(listener(user) for user in count(1))
    async with reporting(told, [address]), client(address) as commands:
        async with aclosing(commands.rows(PUSHUSERS_PATH, {})) as rows:
            await anext(rows)
        await until(lambda: told.closed)
        status = await commands.told(STATUS_PATH)

    assert (told.closed, status) == (1, {})


async def test_server_that_stops(address: str) -> None:
    """A list without end does not keep the engine from stopping."""
    told = Told(listener(user) for user in count(1))
    async with client(address) as commands, aclosing(commands.rows(PUSHUSERS_PATH, {})) as rows:
        async with reporting(told, [address], grace_s=0.2):
            await anext(rows)
        with pytest.raises(NotReachable, match="broke off"):
            async for _ in rows:
                pass

    assert told.closed == 1


@pytest.mark.parametrize(("rows", "kind", "words"), [(0, TryLater, "no answer"), (5000, NotReachable, "broke off")])
async def test_source_that_fails(address: str, rows: int, kind: type[Exception], words: str) -> None:
    """Before the first row the reader is told why; later that what it has is not all."""
    taken = []
    told = Told(_many(rows), failure=NotReachable("no answer of the database"))
    async with reporting(told, [address]), client(address) as commands:
        with pytest.raises(kind, match=words):
            async for row in commands.rows(PUSHUSERS_PATH, {}):
                taken += [row["user"]]

    assert taken == list(range(1, len(taken) + 1))
    assert (bool(taken), len(taken) <= rows) == (rows > 0, True)


@pytest.mark.parametrize(
    ("name", "value"), [("context", "x"), ("user", "-1"), ("context", "%C2%B2"), ("user", "1" * 11), ("user", "1_000")]
)
async def test_no_number(address: str, name: str, value: str) -> None:
    """What names no user is refused with words."""
    raw = request(b"", method="GET", path=f"{PUSHUSERS_PATH}?{name}={value}", authorization=None)
    async with reporting(Told([listener(1)]), [address]), Wire.to(address) as wire:
        answer = await wire.ask(raw)

    assert answer is not None
    assert (answer.status, json.loads(answer.body)) == (400, {"error": f"{name} is not a whole number"})


@pytest.mark.parametrize("path", [PUSHUSERS_PATH, REGISTRATIONS_PATH, STATUS_PATH])
@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ("Sec-Fetch-Site: none\r\n", 200),
        ("Sec-Fetch-Site: same-origin\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Origin: null\r\n", 403),
    ],
)
async def test_page_in_a_browser(path: str, extra: str, status: int) -> None:
    """A page learns nothing, with the admin's password neither; without it nobody does at a port."""
    async with reporting(Told(), [_PORT]) as serving:
        statuses = []
        for authorization in (_LET_IN, None):
            raw = request(
                b"", method="GET", path=path, authorization=authorization, extra=f"{extra}Connection: close\r\n"
            )
            async with Wire.to(serving.addresses[0]) as wire:
                wire.send(raw)
                statuses.append(int((await wire.end()).split(b" ")[1]))

    assert statuses == [status, 401]


async def test_password(address: str) -> None:
    """A command with another password is not told anything."""
    async with reporting(Told([listener(1)]), [_PORT]) as serving, client(*serving.addresses, password="x") as commands:
        with pytest.raises(NotPermitted):
            await _listed(commands, PUSHUSERS_PATH)


async def test_status(address: str) -> None:
    """It is told as it is at that moment."""
    told = Told(status={"node": "mx1", "outbox": {"depth": 3}})
    async with reporting(told, [address]), client(address) as commands:
        first = await commands.told(STATUS_PATH)
        told.status = {"node": "mx1", "outbox": {"depth": 0}}
        second = await commands.told(STATUS_PATH)

    assert (first, second) == ({"node": "mx1", "outbox": {"depth": 3}}, {"node": "mx1", "outbox": {"depth": 0}})


async def _page(_: web.BaseRequest) -> web.Response:
    return web.Response(text="<html>\n</html>\n")


async def test_what_is_no_engine(address: str) -> None:
    """Whatever else answers, or an engine too old to know the request, is told."""
    for path in (PUSHUSERS_PATH, REGISTRATIONS_PATH):  # the latter is not served at all
        async with admin([address], routes={PUSHUSERS_PATH: {"GET": _page}}), client(address) as commands:
            with pytest.raises(NotReachable, match="does not know this request"):
                await _listed(commands, path)


async def _parts(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_rows_in_pieces(size: int) -> None:
    """Wherever an array is cut into pieces, its rows are the same."""
    text = '[\n{"a":"é"},\n{"a":2}\n]\n'.encode()
    parts = [text[start : start + size] for start in range(0, len(text), size)]

    assert [row async for row in rows_of(_parts(parts))] == [{"a": "é"}, {"a": 2}]


@pytest.mark.parametrize("text", [b"", b"[", b"[\n", b'[\n{"a":1}', b'[\n{"a":1},\n{"a"', b'[\n{"a":1}\n', b"[\n]"])
async def test_rows_without_their_end(text: bytes) -> None:
    """Whatever was cut off is noticed."""
    with pytest.raises(BrokenOff):
        _ = [row async for row in rows_of(_parts([text]))]


@pytest.mark.parametrize(
    "text", [b"{}\n", b"[1]", b"<html>", b"[\n5\n]\n", b"[\n{}x\n]\n", b"[\n]\n\n", b"[\n" + b"x" * 2**21]
)
async def test_what_are_no_rows(text: bytes) -> None:
    """Anything else is no array of rows."""
    with pytest.raises(BadData):
        _ = [row async for row in rows_of(_parts([text]))]
