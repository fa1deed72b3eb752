"""Google's FCM, HTTP v1: one message becomes one request, one answer an outcome.

::

    POST /v1/projects/<project id>/messages:send
    {"message": {"token": "…", "data": <payload>, "android": {"priority": "HIGH", "ttl": "14400s"}}}

No ``collapse_key``: FCM keeps only four of them a device and throttles what can be collapsed. Source: Google, "FCM
REST v1: projects.messages.send".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from oxpushctl.config.clients.options import FcmOptions
from oxpushctl.config.own import FCM_ENDPOINT, PROXY
from oxpushctl.config.settings import Settings
from oxpushctl.model import Message, Outcome
from oxpushctl.transports import fcm_verdicts, verdicts
from oxpushctl.transports.access_token import AccessToken, NoAccessToken
from oxpushctl.transports.credentials import UnusableCredentials, load_service_account
from oxpushctl.transports.http2.client import Http2Client
from oxpushctl.transports.http2.exchange import Unreachable
from oxpushctl.transports.trust import authorities, tls_context

DEADLINE_S = 15.0
_TOKEN = re.compile(r"[!-~]{1,4096}")
_ANDROID = ("priority", "ttl")
_REFUSED_ADVICE = "Check this machine's clock, and that the service account and its key were not deleted (keyPath)."


@dataclass(frozen=True, slots=True)
class FcmRoute:
    """How pushes of one client go: its Firebase project's path and access token."""

    path: str
    access_token: AccessToken


class FcmTransport:
    """Pushes to Google for the clients that it has a route for; all share the connections."""

    name = "gcm"
    max_payload = 4096

    def __init__(
        self,
        connections: Http2Client,
        routes: Mapping[str, FcmRoute],
        *,
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connections = connections
        self._routes = dict(routes)
        self._deadline_s = deadline_s
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings, options: Sequence[FcmOptions], etc: Path = Path()) -> FcmTransport:
        """Make routes for the clients whose account loads; relative paths in settings are relative to ``etc``."""
        ca, proxy = authorities(settings, etc), settings[PROXY]
        connections = Http2Client(settings[FCM_ENDPOINT], tls=tls_context(ca), proxy=proxy)
        exchange_tls = tls_context(ca)  # one of its own: the other is for HTTP/2 only
        routes: dict[str, FcmRoute] = {}
        tokens: dict[tuple[str, str], AccessToken] = {}
        for each in options:
            if each.key_path is None:
                continue
            try:
                account = load_service_account(each.key_path)
            except UnusableCredentials:
                continue  # of which the check has told
            token = tokens.setdefault(
                (account.client_email, account.key_id), AccessToken(account, tls=exchange_tls, proxy=proxy)
            )
            routes[each.client] = FcmRoute(f"/v1/projects/{account.project_id}/messages:send", token)
        return cls(connections, routes)

    def serves(self, client: str) -> bool:
        """Tell whether the client's credentials are at hand."""
        return client in self._routes

    async def send(self, message: Message) -> Outcome:
        """Make one attempt; only an access token that Google refuses is renewed and tried once more."""
        subscription = message.subscription
        route = self._routes.get(subscription.client)
        if route is None:
            return verdicts.not_configured(subscription.client)
        if not _TOKEN.fullmatch(subscription.token):
            return verdicts.malformed_token()
        body = _body(message)
        try:
            bearer = await route.access_token.current()
            outcome = await self._request(route, body, bearer)
            if fcm_verdicts.is_renewable(outcome):
                renewed = await route.access_token.renewed(bearer)
                if renewed != bearer:
                    outcome = await self._request(route, body, renewed)
        except NoAccessToken as error:
            return _without_token(error)
        except Unreachable as error:
            return verdicts.unreachable(error)
        return outcome

    async def aclose(self) -> None:
        """Finish what is in flight and close all connections."""
        await self._connections.aclose()
        for token in {id(route.access_token): route.access_token for route in self._routes.values()}.values():
            await token.aclose()

    async def _request(self, route: FcmRoute, body: bytes, bearer: str) -> Outcome:
        headers = (("authorization", f"Bearer {bearer}"), ("content-type", "application/json"))
        response = await self._connections.request("POST", route.path, headers, body, deadline_s=self._deadline_s)
        return fcm_verdicts.judge(response.status, response.headers, response.body, self._clock())


def _body(message: Message) -> bytes:
    """Put the payload, which is JSON already, into its envelope."""
    options = message.options
    android = {name: options[name] for name in _ANDROID if name in options}
    return b"".join(
        (
            b'{"validate_only":true,"message":{"token":' if "validate_only" in options else b'{"message":{"token":',
            orjson.dumps(message.subscription.token),
            b',"data":',
            message.payload,
            b',"android":',
            orjson.dumps(android),
            b"}}",
        )
    )


def _without_token(error: NoAccessToken) -> Outcome:
    if error.is_refused:
        return verdicts.unreachable(error, advice=_REFUSED_ADVICE, are_credentials_refused=True)
    return verdicts.unreachable(error)
