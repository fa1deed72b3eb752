"""Pushes to Google over real TLS, with access tokens from a real token endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import orjson
import pytest

from oxpushctl.config.clients.options import FcmOptions
from oxpushctl.config.own import FCM_ENDPOINT, TLS_CA
from oxpushctl.config.settings import Origin, Settings
from oxpushctl.model import Outcome, Scope, Verdict
from oxpushctl.transports.access_token import AccessToken
from oxpushctl.transports.credentials import load_service_account
from oxpushctl.transports.fcm import FcmRoute, FcmTransport
from oxpushctl.transports.http2.client import Http2Client
from oxpushctl.transports.http2.codec import codec_named
from oxpushctl.transports.trust import tls_context
from tests.peers.certificates import Authority
from tests.peers.http2_server import Http2Server, Request, Session, server_tls
from tests.peers.ports import free_port
from tests.transports.accounts import write_account
from tests.transports.messages import ANDROID, fcm_message
from tests.transports.token_endpoint import TokenAnswer, TokenEndpoint

PATH = "/v1/projects/example-project/messages:send"
NAME = "projects/example-project/messages/0:1"


class Google:
    """FCM that takes some access tokens, and the endpoint that hands them out."""

    def __init__(self, authority: Authority, token_answers: list[TokenAnswer]) -> None:
        certificate, key = authority.server()
        self.tokens = TokenEndpoint(token_answers)
        self.fcm = Http2Server(self._answer, tls=server_tls(certificate, key))
        self.refused: set[str] = set()

    @property
    def bodies(self) -> list[object]:
        return [orjson.loads(request.body) for _, request in self.fcm.requests]

    @property
    def bearers(self) -> list[str]:
        return [request.headers["authorization"] for _, request in self.fcm.requests]

    def _answer(self, session: Session, request: Request) -> None:
        if request.headers["authorization"].removeprefix("Bearer ") in self.refused:
            session.respond(request, 401, orjson.dumps({"error": {"status": "UNAUTHENTICATED"}}))
        else:
            session.respond(request, 200, orjson.dumps({"name": NAME}))


@asynccontextmanager
async def google(authority: Authority, *token_answers: TokenAnswer) -> AsyncIterator[Google]:
    peer = Google(authority, list(token_answers))
    async with peer.tokens, peer.fcm:
        yield peer


@asynccontextmanager
async def transport(peer: Google, authority: Authority, *clients: str) -> AsyncIterator[FcmTransport]:
    """A transport as the engine makes it."""
    folder = authority.pem.parent
    account = write_account(folder / "account.json", token_uri=peer.tokens.uri)
    options = [FcmOptions(client, Origin("pns-gcm-options.yml", 1, 1), account) for client in clients or ("mail",)]
    settings = Settings({FCM_ENDPOINT.key: peer.fcm.url, TLS_CA.key: authority.pem.name})
    made = FcmTransport.from_settings(settings, options, folder)
    try:
        yield made
    finally:
        await made.aclose()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("codec", ["ngh2", "h2"])
async def test_a_push_to_android(authority: Authority, tmp_path: Path, codec: Literal["ngh2", "h2"]) -> None:
    """Path, bearer and body are what Google asks for, and the payload arrives as it was written."""
    async with google(authority) as peer:
        account = load_service_account(write_account(tmp_path / "account.json", token_uri=peer.tokens.uri))
        token = AccessToken(account, tls=tls_context(authority.pem))
        connections = Http2Client(peer.fcm.url, tls=tls_context(authority.pem), codec=codec_named(codec))
        fcm = FcmTransport(connections, {"mail": FcmRoute(PATH, token)})
        outcome = await fcm.send(fcm_message())
        await fcm.aclose()
    headers = peer.fcm.requests[0][1].headers
    assert outcome == Outcome(Verdict.DELIVERED, status=200, provider_id=NAME)
    assert (headers[":method"], headers[":path"]) == ("POST", PATH)
    assert (headers["authorization"], headers["content-type"]) == ("Bearer ya29.1", "application/json")
    assert peer.bodies == [
        {
            "message": {
                "token": ANDROID,
                "data": {"subject": "✉"},
                "android": {"priority": "HIGH", "ttl": "14400s"},
            }
        }
    ]


async def test_a_rehearsal(authority: Authority) -> None:
    """validate_only asks Google to look at the message and deliver nothing."""
    async with google(authority) as peer, transport(peer, authority) as fcm:
        await fcm.send(fcm_message(validate_only="true"))
    body = peer.bodies[0]
    assert isinstance(body, dict)
    assert body["validate_only"] is True
    assert body["message"]["android"] == {"priority": "HIGH", "ttl": "14400s"}


async def test_many_pushes_at_the_start(authority: Authority) -> None:
    """Two brands and forty pushes at once need one access token."""
    async with google(authority) as peer, transport(peer, authority, "brand1", "brand2") as fcm:
        outcomes = await asyncio.gather(
            *(fcm.send(fcm_message(client)) for client in ("brand1", "brand2") for _ in range(20))
        )
    assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
    assert len(peer.tokens.claims) == 1


async def test_a_refused_access_token(authority: Authority) -> None:
    """401 renews the access token once, for all pushes that met it, and they arrive."""
    async with google(authority) as peer, transport(peer, authority) as fcm:
        peer.refused = {"ya29.1"}
        outcomes = await asyncio.gather(*(fcm.send(fcm_message()) for _ in range(10)))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
    assert len(peer.tokens.claims) == 2
    assert set(peer.bearers) == {"Bearer ya29.1", "Bearer ya29.2"}


async def test_access_tokens_that_stay_refused(authority: Authority) -> None:
    """After one renewal the verdict stands, and the next push does not begin again."""
    async with google(authority) as peer, transport(peer, authority) as fcm:
        peer.refused = {"ya29.1", "ya29.2"}
        first, second = await fcm.send(fcm_message()), await fcm.send(fcm_message())
    assert (first.verdict, first.scope, first.are_credentials_refused) == (Verdict.UNREACHABLE, Scope.CLIENT, True)
    assert second == first
    assert peer.bearers == ["Bearer ya29.1", "Bearer ya29.2", "Bearer ya29.2"]


async def test_a_refused_service_account(authority: Authority) -> None:
    """invalid_grant keeps the push, blames our credentials, and says what to look at."""
    answer = TokenAnswer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    async with google(authority, answer) as peer, transport(peer, authority) as fcm:
        outcome = await fcm.send(fcm_message())
    assert (outcome.verdict, outcome.scope, outcome.are_credentials_refused) == (
        Verdict.UNREACHABLE,
        Scope.CLIENT,
        True,
    )
    assert "invalid_grant" in outcome.reason
    assert "clock" in outcome.advice
    assert peer.bodies == []


async def test_a_token_endpoint_in_trouble(authority: Authority) -> None:
    """While no token is to be had the client is unreachable, and nobody's credentials are blamed."""
    async with google(authority, TokenAnswer(503)) as peer, transport(peer, authority) as fcm:
        outcome = await fcm.send(fcm_message())
    assert (outcome.verdict, outcome.scope, outcome.are_credentials_refused) == (
        Verdict.UNREACHABLE,
        Scope.CLIENT,
        False,
    )


async def test_fcm_is_not_there(authority: Authority, tmp_path: Path) -> None:
    """A closed port is an outcome that names it."""
    async with google(authority) as peer:
        account = write_account(tmp_path / "account.json", token_uri=peer.tokens.uri)
        endpoint = f"https://127.0.0.1:{free_port()}"
        fcm = FcmTransport.from_settings(
            Settings({FCM_ENDPOINT.key: endpoint}), [FcmOptions("mail", Origin(""), account)]
        )
        outcome = await fcm.send(fcm_message())
        await fcm.aclose()
    assert outcome.verdict is Verdict.UNREACHABLE
    assert endpoint.removeprefix("https://") in outcome.reason


@pytest.mark.parametrize("token", ["", "a b", "a\r\nb", "é", "\ud800", "a" * 4097])
async def test_a_token_that_is_none(authority: Authority, token: str) -> None:
    """A text that cannot be a token is not sent; it is gone, in doubt."""
    async with google(authority) as peer, transport(peer, authority) as fcm:
        outcome = await fcm.send(fcm_message(token=token))
    assert (outcome.verdict, outcome.scope, outcome.is_doubtful) == (Verdict.TOKEN_GONE, Scope.DEVICE, True)
    assert (peer.bodies, peer.tokens.claims) == ([], [])


async def test_a_token_that_would_end_the_string(authority: Authority) -> None:
    """A token with quotes and braces stays a token."""
    hostile = '","topic":"all"}}{\\'
    async with google(authority) as peer, transport(peer, authority) as fcm:
        await fcm.send(fcm_message(token=hostile))
    body = peer.bodies[0]
    assert isinstance(body, dict)
    assert (body["message"]["token"], "topic" in body["message"]) == (hostile, False)


async def test_a_client_whose_account_does_not_load(authority: Authority, tmp_path: Path) -> None:
    """It is not served, and the others are."""
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    good = write_account(tmp_path / "account.json")
    options = [
        FcmOptions("broken", Origin(""), broken),
        FcmOptions("none", Origin(""), None),
        FcmOptions("mail", Origin(""), good),
    ]
    fcm = FcmTransport.from_settings(Settings({}), options)
    served = [client for client in ("broken", "none", "mail") if fcm.serves(client)]
    outcome = await fcm.send(fcm_message("broken"))
    await fcm.aclose()
    assert served == ["mail"]
    assert (outcome.verdict, outcome.are_credentials_refused) == (Verdict.UNREACHABLE, True)
