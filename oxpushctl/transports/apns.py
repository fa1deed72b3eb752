"""Apple's APNs: one message becomes one request, one answer an outcome.

::

    POST /3/device/<token>
    apns-topic, apns-id, authorization (provider token only); apns-push-type, apns-priority, apns-expiration and
    apns-collapse-id as the message generator wrote them

Source: Apple, "Sending notification requests to APNs".
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from oxpushctl.config.clients.options import ApnsOptions
from oxpushctl.config.own import APNS_PRODUCTION, APNS_SANDBOX, PROXY
from oxpushctl.config.settings import Settings
from oxpushctl.model import Message, Outcome
from oxpushctl.transports import apns_verdicts, verdicts
from oxpushctl.transports.certificates import PushCertificate
from oxpushctl.transports.credentials import UnusableCredentials
from oxpushctl.transports.http2.client import Http2Client
from oxpushctl.transports.http2.exchange import Unreachable
from oxpushctl.transports.identity import ApnsIdentity, load_identity
from oxpushctl.transports.tokens import ProviderToken
from oxpushctl.transports.trust import authorities, tls_context

DEADLINE_S = 15.0
# Apple's tokens are hexadecimal; whatever else a path segment takes as it is (RFC 3986, 3.3) is Apple's to judge.
_TOKEN = re.compile(r"[A-Za-z0-9_:@-]{1,512}")


@dataclasses.dataclass(frozen=True, slots=True)
class ApnsRoute:
    """How pushes of one client go: its topic and the connections of its certificate or signing key."""

    topic: str
    connections: Http2Client
    provider_token: ProviderToken | None = None
    certificate: PushCertificate | None = None


class ApnsTransport:
    """Pushes to Apple for the clients that it has a route for."""

    name = "apn"
    max_payload = 4096

    def __init__(
        self,
        routes: Mapping[str, ApnsRoute],
        *,
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._routes = dict(routes)
        self._deadline_s = deadline_s
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings, options: Sequence[ApnsOptions], etc: Path = Path()) -> ApnsTransport:
        """Make routes for the clients whose credentials load; relative paths in settings are relative to ``etc``."""
        routes = _Routes(settings, etc)
        for each in options:
            routes.add(each)
        return cls(routes.by_client)

    def serves(self, client: str) -> bool:
        """Tell whether the client's credentials are at hand."""
        return client in self._routes

    async def send(self, message: Message) -> Outcome:
        """Make one attempt; only a provider token that Apple finds too old is renewed and tried once more."""
        subscription = message.subscription
        route = self._routes.get(subscription.client)
        if route is None:
            return verdicts.not_configured(subscription.client)
        if not _TOKEN.fullmatch(subscription.token):
            return verdicts.malformed_token()
        if route.provider_token is None:
            return await self._request(route, message, None)
        bearer = route.provider_token.at(self._clock())
        outcome = await self._request(route, message, bearer)
        if outcome.reason in apns_verdicts.RENEWABLE:
            bearer = route.provider_token.renewed(self._clock(), bearer)
            outcome = await self._request(route, message, bearer)
        return outcome

    async def aclose(self) -> None:
        """Finish what is in flight and close all connections."""
        for connections in {id(route.connections): route.connections for route in self._routes.values()}.values():
            await connections.aclose()

    async def _request(self, route: ApnsRoute, message: Message, bearer: str | None) -> Outcome:
        headers = [("apns-topic", route.topic), ("apns-id", message.id)]
        headers += [(name, value) for name, value in message.options.items() if name.startswith("apns-")]
        if bearer is not None:
            headers.append(("authorization", f"bearer {bearer}"))
        try:
            response = await route.connections.request(
                "POST",
                f"/3/device/{message.subscription.token}",
                headers,
                message.payload,
                deadline_s=self._deadline_s,
            )
        except Unreachable as error:
            return self._unreachable(route, error)
        return apns_verdicts.judge(response.status, response.headers, response.body, self._clock())

    def _unreachable(self, route: ApnsRoute, error: Unreachable) -> Outcome:
        """Blame the certificate when it expired: TLS then ends without a word of Apple's."""
        if route.certificate is not None and route.certificate.not_after.timestamp() <= self._clock():
            advice = f"The certificate expired on {route.certificate.not_after:%Y-%m-%d}: renew it and set keystore."
            return verdicts.unreachable(error, advice=advice, are_credentials_refused=True)
        return verdicts.unreachable(error)


class _Routes:
    """Routes in the making: what has the same certificate, or team and key, shares connections and token."""

    def __init__(self, settings: Settings, etc: Path) -> None:
        self.by_client: dict[str, ApnsRoute] = {}
        self._settings = settings
        self._ca = authorities(settings, etc)
        self._shared: dict[tuple[object, ...], ApnsRoute] = {}

    def add(self, options: ApnsOptions) -> None:
        """Make a client's route unless its credentials are unusable, of which the check has told."""
        endpoint = self._settings[APNS_PRODUCTION if options.is_production else APNS_SANDBOX]
        try:
            identity = load_identity(options)
            name = (endpoint, *identity.name)
            if name not in self._shared:
                self._shared[name] = self._route(endpoint, identity)
        except UnusableCredentials:
            return
        self.by_client[options.client] = dataclasses.replace(self._shared[name], topic=identity.topic)

    def _route(self, endpoint: str, identity: ApnsIdentity) -> ApnsRoute:
        connections = Http2Client(
            endpoint,
            tls=tls_context(self._ca, identity.certificate),
            is_cautious=identity.key is not None,
            proxy=self._settings[PROXY],
        )
        provider_token = None if identity.key is None else ProviderToken(identity.key)
        return ApnsRoute(identity.topic, connections, provider_token, identity.certificate)
