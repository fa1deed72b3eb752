"""Google's access token: a service account's signed assertion in exchange for a bearer token (RFC 7523).

::

    POST token_uri
    grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=<JWT, RS256: iss, scope, aud, iat, exp>

    200 {"access_token": "…", "expires_in": 3599, "token_type": "Bearer"}
    400 {"error": "invalid_grant", "error_description": "…"}              RFC 6749, 5.2
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus

import aiohttp
import orjson

from oxpushctl.errors import NotReachable
from oxpushctl.transports.credentials import ServiceAccount
from oxpushctl.transports.tokens import signed_jwt
from oxpushctl.transports.verdicts import clip

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME_S = 3600
_RENEW_BEFORE_S = 300.0
_FORCED_EVERY_S = 60.0
_QUIET_AFTER_FAILURE_S = 5.0
_DEADLINE_S = 10.0
_LARGEST_ANSWER = 1 << 16
_BEARER = re.compile(r"[A-Za-z0-9._~+/=-]+")
_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class NoAccessToken(NotReachable):
    """No access token is to be had; ``is_refused`` when Google does not accept the service account."""

    def __init__(self, reason: str, *, is_refused: bool = False) -> None:
        super().__init__(reason)
        self.is_refused = is_refused


class AccessToken:
    """A service account's access token, fetched when first wanted and again before it expires.

    Whoever finds it missing fetches it and the others wait; near its end one fetches and the others go on with it.
    A failure is remembered for some seconds, so that those who waited do not each try for themselves.
    """

    def __init__(
        self,
        account: ServiceAccount,
        *,
        tls: ssl.SSLContext,
        proxy: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._tls = tls
        self._proxy = proxy if proxy is None or "://" in proxy else f"http://{proxy}"
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._fetching = asyncio.Lock()
        self._text = ""
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._forced_at = 0.0
        self._failed_at = 0.0
        self._failure: NoAccessToken | None = None
        self._is_closed = False

    async def current(self) -> str:
        """Return a token that is valid now; raise ``NoAccessToken``."""
        now = self._clock()
        if now < self._renew_at or (now < self._expires_at and self._fetching.locked()):
            return self._text
        async with self._fetching:
            now = self._clock()
            if now >= self._renew_at:
                await self._renew(now)
            return self._text

    async def renewed(self, refused: str) -> str:
        """Return another token than one that was refused, or the same when that was done less than a minute ago."""
        async with self._fetching:
            now = self._clock()
            if self._text == refused and not self._forced_at <= now < self._forced_at + _FORCED_EVERY_S:
                self._forced_at = now
                self._renew_at = self._expires_at = 0.0
                await self._renew(now)
            return self._text

    async def aclose(self) -> None:
        """Close the connection to the token endpoint for good."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()

    async def _renew(self, now: float) -> None:
        if self._failure is None or not self._failed_at <= now < self._failed_at + _QUIET_AFTER_FAILURE_S:
            try:
                self._text, lifetime_s = await self._exchange(now)
            except NoAccessToken as failure:
                self._failure, self._failed_at = failure, now
            else:
                self._failure = None
                self._expires_at = now + lifetime_s
                self._renew_at = self._expires_at - min(_RENEW_BEFORE_S, lifetime_s / 2)
        if self._failure is not None and now >= self._expires_at:
            raise NoAccessToken(str(self._failure), is_refused=self._failure.is_refused) from self._failure

    async def _exchange(self, now: float) -> tuple[str, float]:
        """Return a new token and how many seconds it lives."""
        if self._is_closed:
            raise NoAccessToken("the transport is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_DEADLINE_S))
        uri = self._account.token_uri
        form = {"grant_type": _GRANT_TYPE, "assertion": self._assertion(now)}
        try:
            async with self._session.post(
                uri, data=form, ssl=self._tls, proxy=self._proxy, allow_redirects=False
            ) as response:
                return _read(response.status, await _body(response))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAccessToken(f"no access token from {uri}: {_words(error)}") from error

    def _assertion(self, now: float) -> str:
        account = self._account
        header = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
        claims: dict[str, str | int] = {
            "iss": account.client_email,
            "scope": _SCOPE,
            "aud": account.token_uri,
            "iat": int(now),
            "exp": int(now) + _LIFETIME_S,
        }
        return signed_jwt(header, claims, account.sign)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise NoAccessToken("the token endpoint answers with more than 64 KiB")
    return body


def _read(status: int, body: bytes) -> tuple[str, float]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    fields = answer if isinstance(answer, dict) else {}
    error, token, lifetime_s = fields.get("error"), fields.get("access_token"), fields.get("expires_in", _LIFETIME_S)
    if status in _REFUSALS and isinstance(error, str):
        description = fields.get("error_description")
        words = f"{error}: {description}" if isinstance(description, str) else error
        raise NoAccessToken(f"Google refuses the service account: {clip(words)}", is_refused=True)
    if status != HTTPStatus.OK or not isinstance(token, str) or not _BEARER.fullmatch(token):
        raise NoAccessToken(f"the token endpoint answers {status} and no token")
    return token, float(lifetime_s) if type(lifetime_s) is int and lifetime_s > 0 else float(_LIFETIME_S)


def _words(error: aiohttp.ClientError | TimeoutError) -> str:
    """Say what went wrong; a library's text could hold a proxy's password."""
    match error:
        case TimeoutError():
            return f"no answer within {_DEADLINE_S:.0f} s"
        case aiohttp.ClientResponseError():
            return f"status {error.status}"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return error.strerror or "no connection"
        case _:
            return type(error).__name__
