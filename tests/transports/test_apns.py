"""Pushes to Apple over real TLS: what is sent, with whose credentials, and what becomes of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.config.clients.options import ApnsOptions
from oxpushctl.config.own import APNS_PRODUCTION, APNS_SANDBOX, TLS_CA
from oxpushctl.config.settings import Settings
from oxpushctl.model import Outcome, Scope, Verdict
from oxpushctl.transports.apns import ApnsRoute, ApnsTransport
from oxpushctl.transports.certificates import load_certificate
from oxpushctl.transports.credentials import load_signing_key
from oxpushctl.transports.http2.client import Http2Client
from oxpushctl.transports.http2.codec import codec_named
from oxpushctl.transports.tokens import ProviderToken
from oxpushctl.transports.trust import tls_context
from tests.peers.certificates import Authority, ec_key, rsa_key
from tests.peers.http2_server import Answer, Http2Server, Request, Session, answer_200, server_tls
from tests.peers.ports import free_port
from tests.transports.client_options import apns_options
from tests.transports.faults import PASSWORD
from tests.transports.messages import APNS_OPTIONS, ID, IPHONE, apns_message

MAIL = "com.example.mail"
ON_THE_GRID = 1_800_000_000.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def apple(authority: Authority, answer: Answer = answer_200, *, wants_certificate: bool = False) -> Http2Server:
    certificate, key = authority.server()
    client_ca = authority.pem if wants_certificate else None
    return Http2Server(answer, tls=server_tls(certificate, key, client_ca=client_ca))


def answers(*each: tuple[int, str]) -> Answer:
    """Give one answer after the other, the last one for ever."""
    left = list(each)

    def answer(session: Session, request: Request) -> None:
        status, reason = left.pop(0) if len(left) > 1 else left[0]
        session.respond(request, status, orjson.dumps({"reason": reason}) if reason else b"")

    return answer


@asynccontextmanager
async def transport(server: Http2Server, authority: Authority, *options: ApnsOptions) -> AsyncIterator[ApnsTransport]:
    """A transport as the engine makes it; the authorities' file is named relative to the etc folder."""
    settings = Settings({APNS_PRODUCTION.key: server.url, TLS_CA.key: authority.pem.name})
    made = ApnsTransport.from_settings(settings, options, authority.pem.parent)
    try:
        yield made
    finally:
        await made.aclose()


@asynccontextmanager
async def bearer_transport(
    endpoint: str,
    folder: Path,
    *,
    ca: Path | None = None,
    codec: Literal["ngh2", "h2"] = "h2",
    clock: Callable[[], float] = lambda: ON_THE_GRID + 300,
    deadline_s: float = 10.0,
) -> AsyncIterator[ApnsTransport]:
    key = load_signing_key(ec_key(folder / "AuthKey.p8"), "KEY1234567", "TEAM123456")
    connections = Http2Client(endpoint, tls=tls_context(ca), codec=codec_named(codec), is_cautious=True)
    routes = {"mail": ApnsRoute(MAIL, connections, ProviderToken(key))}
    made = ApnsTransport(routes, clock=clock, deadline_s=deadline_s)
    try:
        yield made
    finally:
        await made.aclose()


def jwt_options(folder: Path, client: str = "mail", **changes: object) -> ApnsOptions:
    key = folder / "AuthKey.p8"
    if not key.exists():
        ec_key(key)
    given: dict[str, object] = {
        "authtype": "jwt",
        "topic": MAIL,
        "privatekey": key,
        "keyid": "KEY1234567",
        "teamid": "TEAM123456",
    }
    return apns_options(client=client, **{**given, **changes})


def uids(sessions: Sequence[Session]) -> list[str]:
    """Return whom the client certificates of the connections name."""
    subjects = [session.transport.get_extra_info("peercert")["subject"] for session in sessions]
    return [value for subject in subjects for part in subject for name, value in part if name == "userId"]


@pytest.mark.parametrize("codec", ["ngh2", "h2"])
async def test_a_push_with_a_certificate(authority: Authority, codec: Literal["ngh2", "h2"]) -> None:
    """The certificate is shown, and path, headers and body are what Apple asks for; no token is sent."""
    certificate = load_certificate(authority.client(MAIL, PASSWORD), PASSWORD)
    async with apple(authority, wants_certificate=True) as server:
        tls = tls_context(authority.pem, certificate)
        connections = Http2Client(server.url, tls=tls, codec=codec_named(codec))
        transport = ApnsTransport({"mail": ApnsRoute(MAIL, connections, certificate=certificate)})
        outcome = await transport.send(apns_message(payload=b'{"aps":{"badge":3}}'))
        assert uids(server.sessions) == [MAIL]
        await transport.aclose()
    (_, request), headers = server.requests[0], server.requests[0][1].headers
    assert outcome == Outcome(Verdict.DELIVERED, status=200)
    assert (headers[":method"], request.path, request.body) == ("POST", f"/3/device/{IPHONE}", b'{"aps":{"badge":3}}')
    assert {name: value for name, value in headers.items() if name.startswith("apns-")} == {
        **APNS_OPTIONS,
        "apns-topic": MAIL,
        "apns-id": ID,
    }
    assert "authorization" not in headers


@pytest.mark.parametrize("codec", ["ngh2", "h2"])
async def test_a_push_with_a_provider_token(authority: Authority, tmp_path: Path, codec: Literal["ngh2", "h2"]) -> None:
    """The team's token is the bearer, and the same for every push."""
    async with (
        apple(authority) as server,
        bearer_transport(server.url, tmp_path, ca=authority.pem, codec=codec) as transport,
    ):
        outcomes = [await transport.send(apns_message()) for _ in range(3)]
    key = load_signing_key(tmp_path / "AuthKey.p8", "KEY1234567", "TEAM123456")
    assert [outcome.verdict for outcome in outcomes] == [Verdict.DELIVERED] * 3
    assert {request.headers["authorization"] for _, request in server.requests} == {
        f"bearer {ProviderToken(key).at(ON_THE_GRID)}"
    }


async def test_two_brands_of_one_team(authority: Authority, tmp_path: Path) -> None:
    """Clients with the same key share a connection, each with its topic; another certificate has its own."""
    options = (
        jwt_options(tmp_path, "brand1", topic="com.example.one"),
        jwt_options(tmp_path, "brand2", topic="com.example.two"),
        apns_options(client="old", keystore=authority.client("com.example.old", PASSWORD)),
    )
    async with apple(authority) as server, transport(server, authority, *options) as apns:
        for client in ("brand1", "brand2", "old"):
            assert (await apns.send(apns_message(client))).verdict is Verdict.DELIVERED
    sessions, requests = zip(*server.requests, strict=True)
    assert [request.headers["apns-topic"] for request in requests] == [
        "com.example.one",
        "com.example.two",
        "com.example.old",
    ]
    assert (sessions[0] is sessions[1], sessions[1] is sessions[2]) == (True, False)


async def test_sandbox_and_production(authority: Authority, tmp_path: Path) -> None:
    """production: false goes to the other endpoint, on a connection of its own."""
    options = [jwt_options(tmp_path, "live"), jwt_options(tmp_path, "test", is_production=False)]
    async with apple(authority) as production, apple(authority) as sandbox:
        settings = Settings(
            {
                APNS_PRODUCTION.key: production.url,
                APNS_SANDBOX.key: sandbox.url,
                TLS_CA.key: str(authority.pem),
            }
        )
        apns = ApnsTransport.from_settings(settings, options)
        for client in ("live", "test", "test"):
            await apns.send(apns_message(client))
        await apns.aclose()
    assert (len(production.requests), len(sandbox.requests)) == (1, 2)


async def test_a_client_whose_credentials_do_not_load(authority: Authority, tmp_path: Path) -> None:
    """It is not served, and the others are."""
    broken = (
        apns_options(client="password", keystore=authority.client(MAIL, PASSWORD), password="wrong"),
        jwt_options(tmp_path, "rsa", privatekey=rsa_key(tmp_path / "rsa.p8")),
        apns_options(client="nothing"),
        jwt_options(tmp_path, "no-keyid", keyid=None),
    )
    async with apple(authority) as server, transport(server, authority, *broken, jwt_options(tmp_path)) as apns:
        served = [client for client in ("password", "rsa", "nothing", "no-keyid", "mail") if apns.serves(client)]
        outcome = await apns.send(apns_message("password"))
    assert served == ["mail"]
    assert (outcome.verdict, outcome.are_credentials_refused) == (Verdict.UNREACHABLE, True)
    assert server.requests == []


async def test_a_provider_token_that_is_too_old(authority: Authority, tmp_path: Path) -> None:
    """ExpiredProviderToken renews the token once, and the push arrives."""
    answer = answers((403, "ExpiredProviderToken"), (200, ""))
    async with (
        apple(authority, answer) as server,
        bearer_transport(server.url, tmp_path, ca=authority.pem) as transport,
    ):
        outcome = await transport.send(apns_message())
        await transport.send(apns_message())
    first, second, third = [request.headers["authorization"] for _, request in server.requests]
    assert outcome.verdict is Verdict.DELIVERED
    assert (first != second, second == third) == (True, True)


@pytest.mark.parametrize("reason", ["ExpiredProviderToken", "MissingProviderToken"])
async def test_a_provider_token_that_stays_refused(authority: Authority, tmp_path: Path, reason: str) -> None:
    """After one renewal the verdict stands: our credentials are refused."""
    async with (
        apple(authority, answers((403, reason))) as server,
        bearer_transport(server.url, tmp_path, ca=authority.pem) as transport,
    ):
        outcome = await transport.send(apns_message())
    assert (outcome.verdict, outcome.reason, outcome.are_credentials_refused) == (Verdict.UNREACHABLE, reason, True)
    assert len(server.requests) == 2


async def test_other_refusals_are_not_tried_again(authority: Authority, tmp_path: Path) -> None:
    """A transport tries once: InvalidProviderToken, 429 and 503 come back as they are."""
    answer = answers((403, "InvalidProviderToken"), (429, "TooManyRequests"), (503, "ServiceUnavailable"))
    async with (
        apple(authority, answer) as server,
        bearer_transport(server.url, tmp_path, ca=authority.pem) as transport,
    ):
        outcomes = [await transport.send(apns_message()) for _ in range(3)]
    assert [outcome.reason for outcome in outcomes] == [
        "InvalidProviderToken",
        "TooManyRequests",
        "ServiceUnavailable",
    ]
    assert len(server.requests) == 3


@pytest.mark.parametrize("token", ["", "../../x", "a b", "a\r\nx: y", "a?b", "a#b", "a%2f", "é", "\ud800", "a" * 513])
async def test_a_token_that_is_none(authority: Authority, tmp_path: Path, token: str) -> None:
    """A text that would change path or headers is never sent; it is gone, in doubt."""
    async with apple(authority) as server, transport(server, authority, jwt_options(tmp_path)) as apns:
        outcome = await apns.send(apns_message(token=token))
    assert (outcome.verdict, outcome.scope, outcome.is_doubtful) == (Verdict.TOKEN_GONE, Scope.DEVICE, True)
    assert server.requests == []


@given(st.text(st.characters(codec="utf-8"), max_size=20))
async def test_any_text_as_token(token: str) -> None:
    """Whatever an app registers either is refused here or gets as far as the connection."""
    connections = Http2Client(f"http://127.0.0.1:{free_port()}", tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    transport = ApnsTransport({"mail": ApnsRoute(MAIL, connections)})
    outcome = await transport.send(apns_message(token=token))
    await transport.aclose()
    is_plain = bool(token) and token.isascii() and all(c.isalnum() or c in "_:@-" for c in token)
    assert outcome.verdict is (Verdict.UNREACHABLE if is_plain else Verdict.TOKEN_GONE)


async def test_only_headers_of_apples(authority: Authority, tmp_path: Path) -> None:
    """Options that are not Apple's headers are not sent."""
    message = apns_message()
    async with apple(authority) as server, transport(server, authority, jwt_options(tmp_path)) as apns:
        await apns.send(
            type(message)(
                message.id, message.subscription, message.payload, {**message.options, "validate_only": "1"}, "n1"
            )
        )
    assert "validate_only" not in server.requests[0][1].headers


async def test_nobody_answers_there(tmp_path: Path) -> None:
    """A closed port is an outcome that says so, and blames nobody's credentials."""
    endpoint = f"https://127.0.0.1:{free_port()}"
    async with bearer_transport(endpoint, tmp_path) as transport:
        outcome = await transport.send(apns_message())
    assert (outcome.verdict, outcome.scope, outcome.are_credentials_refused) == (
        Verdict.UNREACHABLE,
        Scope.CLIENT,
        False,
    )
    assert endpoint.removeprefix("https://") in outcome.reason


async def test_apple_keeps_silent(authority: Authority, tmp_path: Path) -> None:
    """A push that is not answered ends with its deadline."""

    def silent(session: Session, request: Request) -> None:
        pass

    async with (
        apple(authority, silent) as server,
        bearer_transport(server.url, tmp_path, ca=authority.pem, deadline_s=0.2) as transport,
    ):
        outcome = await transport.send(apns_message())
    assert outcome.verdict is Verdict.UNREACHABLE


async def test_an_authority_that_we_do_not_know(authority: Authority, tmp_path: Path) -> None:
    """A server with somebody else's certificate gets no push."""
    async with apple(authority) as server, bearer_transport(server.url, tmp_path) as transport:
        outcome = await transport.send(apns_message())
    assert outcome.verdict is Verdict.UNREACHABLE
    assert server.requests == []


async def test_a_certificate_that_expired_meanwhile(authority: Authority) -> None:
    """When nobody answers after the certificate's end it is the certificate that is blamed."""
    certificate = load_certificate(authority.client(MAIL, PASSWORD), PASSWORD)
    connections = Http2Client(f"https://127.0.0.1:{free_port()}", tls=tls_context(None, certificate))
    transport = ApnsTransport(
        {"mail": ApnsRoute(MAIL, connections, certificate=certificate)},
        clock=lambda: certificate.not_after.timestamp() + 60,
    )
    outcome = await transport.send(apns_message())
    await transport.aclose()
    assert outcome.are_credentials_refused
    assert "expired" in outcome.advice
