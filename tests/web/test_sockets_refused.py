"""Web sockets that are refused: which answer each gets, and that nothing is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from oxpushctl.config.own import PUBLIC_LISTEN
from oxpushctl.config.properties import KNOWN_PROXIES, WEBSOCKETS_ENABLED
from oxpushctl.config.settings import Settings
from tests.engine.parts import ANTON, BERTA
from tests.waiting import until
from tests.web.parts import Names
from tests.web.socketing import serving


@pytest.mark.parametrize("session", ["", "0" * 32])
async def test_no_session(tmp_path: Path, session: str) -> None:
    """Without a session that stands nobody gets in."""
    async with serving(tmp_path) as web:
        assert await web.refusal(web.url(session)) == (403, "the session has ended")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"transport": "polling"}, "Transport unknown"),
        ({"transport": None}, "Transport unknown"),
        ({"EIO": "2"}, "Unsupported protocol version"),
        ({"EIO": "٣"}, "Unsupported protocol version"),
        ({"sid": "abc"}, "Session ID unknown"),
        ({"connection": "x" * 129}, "Bad request"),
        ({"connection": "a\nb"}, "Bad request"),
    ],
)
async def test_bad_query(tmp_path: Path, query: dict[str, str | None], message: str) -> None:
    """A request that Engine.IO would refuse gets Engine.IO's answer."""
    async with serving(tmp_path) as web:
        assert await web.refusal(web.url(web.log_in(), **query)) == (400, message)


async def test_error_of_engine_io(tmp_path: Path) -> None:
    """The answer is the JSON object that clients of Engine.IO read."""
    async with serving(tmp_path) as web, web.http.get(web.url("", transport="polling")) as answer:
        assert answer.status == 400
        assert await answer.json() == {"code": 0, "message": "Transport unknown"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": ""},
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Protocol": "chat"},
    ],
)
async def test_no_upgrade(tmp_path: Path, headers: dict[str, str]) -> None:
    """A request that is no handshake of RFC 6455, or asks for a sub-protocol, is a bad one."""
    async with serving(tmp_path) as web:
        assert await web.refusal(web.url(web.log_in()), **headers) == (400, "Bad request")


async def test_other_method(tmp_path: Path) -> None:
    """Nothing is posted here."""
    async with serving(tmp_path) as web, web.http.post(web.url(web.log_in())) as answer:
        assert answer.status == 405


_OTHER_HOST = (403, "the page is from another host")
_OPENED = (101, "")


@pytest.mark.parametrize(
    ("origin", "proxies", "forwarded_host", "expected"),
    [
        ("https://mail.example.com", (), "", _OPENED),
        ("https://MAIL.example.com:8443", (), "", _OPENED),
        ("https://evil.example.com", (), "", _OTHER_HOST),
        ("https://mail.example.com.evil.example", (), "", _OTHER_HOST),
        ("https://evil.example@mail.example.com", (), "", _OPENED),
        ("null", (), "", _OTHER_HOST),
        ("https://[bad", (), "", _OTHER_HOST),
        ("https://web.example.com", (), "web.example.com", _OTHER_HOST),
        ("https://web.example.com", ("127.0.0.1",), "web.example.com:443", _OPENED),
        ("https://web.example.com", ("127.0.0.1",), "forged.example.com, web.example.com", _OPENED),
        ("https://forged.example.com", ("127.0.0.1",), "forged.example.com, web.example.com", _OTHER_HOST),
        ("https://mail.example.com", ("127.0.0.1",), "web.example.com", _OPENED),
    ],
)
async def test_origin(
    tmp_path: Path, origin: str, proxies: Sequence[str], forwarded_host: str, expected: tuple[int, str]
) -> None:
    """A page of this host gets in, under the name that we or a known proxy were asked by; no other page does."""
    async with serving(tmp_path, proxies=proxies) as web:
        headers = {"Origin": origin, "X-Forwarded-Host": forwarded_host, "Host": "mail.example.com:8080"}

        assert await web.refusal(web.url(web.log_in()), **headers) == expected


async def test_page_of_another_host_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What a proxy that changes the host keeps out is told once a minute, with what is to be done about it."""
    async with serving(tmp_path) as web:
        for _ in range(3):
            await web.refusal(web.url(web.log_in()), Origin="https://mail.example.com", Host="10.0.0.7:8020")
        web.clock.time += 60
        await web.refusal(web.url(web.log_in()), Origin=f"https://{'e' * 500}.example", Host="10.0.0.7:8020")

    told = [record.__dict__["fields"] for record in caplog.records if record.levelname == "WARNING"]
    assert [(fields["count"], fields["page"], fields["host"]) for fields in told] == [
        (1, "https://mail.example.com", "10.0.0.7:8020"),
        (3, f"https://{'e' * 72}", "10.0.0.7:8020"),
    ]
    assert "com.openexchange.server.knownProxies" in told[0]["todo"]


async def test_ninth(tmp_path: Path) -> None:
    """A user has at most eight, of all sessions together; others are not touched, and a place becomes free again."""
    async with serving(tmp_path) as web, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(web.opened()) for _ in range(8)]

        refusal = await web.refusal(web.url(web.log_in()))
        async with web.opened(web.log_in(BERTA)):
            count = len(web.sockets)
        await clients[0].say("1")
        await until(lambda: len(web.sockets) == 7)

        assert refusal == (429, "more than 8 connections of a user")
        assert count == 9
        async with web.opened():
            pass


async def test_ninth_at_the_same_time(tmp_path: Path) -> None:
    """Handshakes that come together do not pass each other."""
    async with serving(tmp_path) as web:
        session = web.log_in()
        answers = await asyncio.gather(
            *(web.http.ws_connect(web.url(session)) for _ in range(12)), return_exceptions=True
        )

        opened = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(opened) == 8
        for socket in opened:
            await socket.close()


async def test_duplicate(tmp_path: Path) -> None:
    """A connection is open once: of a user, whichever session it names; another user may have the same name."""
    async with serving(tmp_path) as web, web.opened(connection="17"):
        refusal = await web.refusal(web.url(web.log_in(), connection="17"))
        async with web.opened(web.log_in(BERTA), connection="17"):
            pass

    assert refusal == (409, "the connection is open already")


async def test_too_many(tmp_path: Path) -> None:
    """There is a bound on all of them."""
    async with serving(tmp_path, most=1) as web, web.opened():
        assert await web.refusal(web.url(web.log_in(BERTA))) == (503, "too many connections")


async def test_names_of_clients(tmp_path: Path) -> None:
    """One user alone cannot use up the names that clients may have; what is known already is open to all."""
    async with serving(tmp_path) as web:
        for number in range(16):
            async with web.opened(web.log_in(client=f"made-up-{number}")):
                pass

        assert await web.refusal(web.url(web.log_in(client="another"))) == (429, "more than 16 clients of a user")
        async with web.opened(web.log_in(client="made-up-0")), web.opened(web.log_in(BERTA, client="another")):
            pass
        async with web.opened(web.log_in(client="another")):
            pass


async def test_directory_down(tmp_path: Path) -> None:
    """While nobody can say whose the session's user is, it is to be tried again later."""
    async with serving(tmp_path, directory=Names(user=None)) as web:
        assert await web.refusal(web.url(web.log_in())) == (503, "try again later")


async def test_login_has_changed_hands(tmp_path: Path) -> None:
    """A session whose user has another login by now has ended."""
    async with serving(tmp_path) as web:
        session = web.sessions.open(ANTON, "former@nr.test", client="ui", secret="pw", address=None)

        assert await web.refusal(web.url(session)) == (403, "the session has ended")
        assert web.sessions.find(session.id) is None


async def test_reload(tmp_path: Path) -> None:
    """A reload switches web sockets off, and brings other proxies; those that are open stay."""
    async with serving(tmp_path) as web, web.opened() as client:
        page = {"Origin": "https://web.example.com", "X-Forwarded-Host": "web.example.com"}
        before = await web.refusal(web.url(web.log_in()), **page)
        web.sockets.reload(Settings({KNOWN_PROXIES.key: KNOWN_PROXIES.kind.parse("127.0.0.1"), PUBLIC_LISTEN.key: ()}))
        behind_proxy = await web.refusal(web.url(web.log_in()), **page)
        web.sockets.reload(Settings({WEBSOCKETS_ENABLED.key: False}))

        assert (before, behind_proxy) == (_OTHER_HOST, _OPENED)
        assert await web.refusal(web.url(web.log_in())) == (403, "there are no web sockets here")
        await client.say("2")
        assert await client.text() == "3"


async def test_stopping(tmp_path: Path) -> None:
    """A server that stops opens no more."""
    async with serving(tmp_path) as web:
        await web.sockets.aclose()

        assert await web.refusal(web.url(web.log_in())) == (503, "try again later")


async def test_nothing_is_left(tmp_path: Path) -> None:
    """Who is refused takes no place."""
    async with serving(tmp_path) as web:
        await web.refusal(web.url("none"))
        await web.refusal(web.url(web.log_in(), transport="polling"))
        await web.refusal(web.url(web.log_in()), Origin="https://evil.example.com")

        assert len(web.sockets) == 0
        assert web.sockets.counts == {"no_session": 1, "malformed": 1, "other_origin": 1}
