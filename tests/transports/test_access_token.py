"""The access token: fetched once for all who wait, renewed in time, and what is said when Google refuses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oxpushctl.transports.access_token import AccessToken, NoAccessToken
from oxpushctl.transports.credentials import load_service_account
from tests.peers.certificates import Authority
from tests.peers.http2_server import Http2Server, server_tls
from tests.peers.ports import free_port
from tests.transports.accounts import EMAIL, write_account
from tests.transports.faults import PASSWORD
from tests.transports.token_endpoint import TokenAnswer, TokenEndpoint


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def access_token(folder: Path, uri: str, clock: Clock) -> AsyncIterator[AccessToken]:
    account = load_service_account(write_account(folder / "account.json", token_uri=uri))
    token = AccessToken(account, tls=ssl.create_default_context(), clock=clock)
    try:
        yield token
    finally:
        await token.aclose()


async def test_what_google_is_asked(tmp_path: Path) -> None:
    """The assertion names the account, the scope of FCM, the endpoint and one hour."""
    clock = Clock()
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, clock) as token:
        assert await token.current() == "ya29.1"
    assert endpoint.claims == [
        {
            "iss": EMAIL,
            "scope": "https://www.googleapis.com/auth/firebase.messaging",
            "aud": endpoint.uri,
            "iat": 1_800_000_000,
            "exp": 1_800_003_600,
        }
    ]


async def test_many_who_want_it_at_once(tmp_path: Path) -> None:
    """One exchange serves all who wait."""
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, Clock()) as token:
        tokens = await asyncio.gather(*(token.current() for _ in range(50)))
    assert (set(tokens), len(endpoint.claims)) == ({"ya29.1"}, 1)


async def test_one_who_stops_waiting(tmp_path: Path) -> None:
    """When the one that fetches it is cancelled, another takes over."""
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, Clock()) as token:
        endpoint.open.clear()
        first, second = (asyncio.ensure_future(token.current()) for _ in range(2))
        await endpoint.asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        endpoint.open.set()
        assert (await second).startswith("ya29.")


async def test_a_token_near_its_end(tmp_path: Path) -> None:
    """Five minutes before its end one fetches another, and the rest go on with the one that still lives."""
    clock = Clock()
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, clock) as token:
        await token.current()
        clock.now += 3299
        assert await token.current() == "ya29.1"
        clock.now += 2
        endpoint.open.clear()
        endpoint.asked.clear()
        fetching = asyncio.ensure_future(token.current())
        await endpoint.asked.wait()
        assert await token.current() == "ya29.1"
        endpoint.open.set()
        assert await fetching == "ya29.2"


async def test_a_renewal_that_fails_in_time(tmp_path: Path) -> None:
    """While the old token lives a failing endpoint does no harm, and it is left in peace for some seconds."""
    clock = Clock()
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, clock) as token:
        await token.current()
        clock.now += 3400
        endpoint.answers = [TokenAnswer(503)]
        assert [await token.current() for _ in range(3)] == ["ya29.1"] * 3
        assert len(endpoint.claims) == 2
        clock.now += 6
        assert await token.current() == "ya29.2"


async def test_a_failing_endpoint_and_many_who_wait(tmp_path: Path) -> None:
    """All who waited learn of the one failure; the next attempt comes some seconds later."""
    clock = Clock()
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, clock) as token:
        endpoint.answers = [TokenAnswer(500)]
        failures = await asyncio.gather(*(token.current() for _ in range(20)), return_exceptions=True)
        assert {str(failure) for failure in failures} == {"the token endpoint answers 500 and no token"}
        assert len(endpoint.claims) == 1
        clock.now += 6
        assert await token.current() == "ya29.1"


async def test_a_token_that_is_refused(tmp_path: Path) -> None:
    """A refused token is replaced once, for all whom it was refused to; a minute must pass before the next time."""
    clock = Clock()
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, clock) as token:
        refused = await token.current()
        assert await asyncio.gather(*(token.renewed(refused) for _ in range(5))) == ["ya29.2"] * 5
        assert await token.renewed("ya29.2") == "ya29.2"
        clock.now += 61
        assert await token.renewed("ya29.2") == "ya29.3"
        assert len(endpoint.claims) == 3


async def test_a_refused_token_is_not_used_again(tmp_path: Path) -> None:
    """When the exchange after a refusal fails, the refused token does not come back."""
    clock = Clock()
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, clock) as token:
        refused = await token.current()
        endpoint.answers = [TokenAnswer(503)]
        with pytest.raises(NoAccessToken):
            await token.renewed(refused)
        clock.now += 6
        assert await token.current() == "ya29.2"


@pytest.mark.parametrize(("status", "error"), [(400, "invalid_grant"), (401, "invalid_client"), (403, "access_denied")])
async def test_an_account_that_google_refuses(tmp_path: Path, status: int, error: str) -> None:
    """Google's words are passed on, as a refusal of our credentials."""
    answer = TokenAnswer(status, {"error": error, "error_description": "Invalid JWT Signature."})
    async with TokenEndpoint([answer]) as endpoint, access_token(tmp_path, endpoint.uri, Clock()) as token:
        with pytest.raises(NoAccessToken) as caught:
            await token.current()
    assert caught.value.is_refused
    assert str(caught.value) == f"Google refuses the service account: {error}: Invalid JWT Signature."


@pytest.mark.parametrize(
    "answer",
    [
        TokenAnswer(500, {"error": "internal_failure"}),
        TokenAnswer(400, body=b"<html>"),
        TokenAnswer(302),
        TokenAnswer(200, {}),
        TokenAnswer(200, {"access_token": "a\r\nx: y"}),
        TokenAnswer(200, {"access_token": 7}),
        TokenAnswer(200, body=b"[]"),
        TokenAnswer(200, body=b" " * 100_000),
    ],
)
async def test_an_answer_that_is_no_token(tmp_path: Path, answer: TokenAnswer) -> None:
    """What is neither a token nor a refusal is trouble that passes."""
    async with TokenEndpoint([answer]) as endpoint, access_token(tmp_path, endpoint.uri, Clock()) as token:
        with pytest.raises(NoAccessToken) as caught:
            await token.current()
    assert not caught.value.is_refused


@pytest.mark.parametrize("lifetime", ["soon", -1, 0, None])
async def test_a_token_without_a_sensible_lifetime(tmp_path: Path, lifetime: object) -> None:
    """A token whose lifetime is not told is taken to live an hour."""
    clock = Clock()
    answer = TokenAnswer(200, {"access_token": "ya29.x", "expires_in": lifetime})
    async with TokenEndpoint([answer]) as endpoint, access_token(tmp_path, endpoint.uri, clock) as token:
        await token.current()
        clock.now += 3000
        assert await token.current() == "ya29.x"


async def test_an_endpoint_that_is_not_there(tmp_path: Path) -> None:
    """The reason names the endpoint and what went wrong."""
    uri = f"http://127.0.0.1:{free_port()}/token"
    async with access_token(tmp_path, uri, Clock()) as token:
        with pytest.raises(NoAccessToken, match=uri) as caught:
            await token.current()
    assert not caught.value.is_refused


async def test_an_endpoint_that_we_do_not_trust(tmp_path: Path) -> None:
    """The reason says that it is the certificate, and no assertion is sent."""
    certificate, key = Authority(tmp_path).server()
    async with Http2Server(tls=server_tls(certificate, key)) as server:
        async with access_token(tmp_path, f"{server.url}/token", Clock()) as token:
            with pytest.raises(NoAccessToken, match="certificate is not trusted"):
                await token.current()
        assert server.requests == []


async def test_a_proxy_that_refuses_us(tmp_path: Path) -> None:
    """The proxy's status is told, its password is not."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    account = load_service_account(write_account(tmp_path / "account.json"))
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        address = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        token = AccessToken(account, tls=ssl.create_default_context(), proxy=f"http://me:{PASSWORD}@{address}")
        with pytest.raises(NoAccessToken) as caught:
            await token.current()
        await token.aclose()
    assert str(caught.value) == "no access token from https://oauth2.googleapis.com/token: status 407"


async def test_after_the_end(tmp_path: Path) -> None:
    """Nothing is fetched any more once it is closed."""
    async with TokenEndpoint() as endpoint, access_token(tmp_path, endpoint.uri, Clock()) as token:
        await token.aclose()
        with pytest.raises(NoAccessToken, match="closed"):
            await token.current()
    assert endpoint.claims == []
