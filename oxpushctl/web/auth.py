"""Basic authentication (RFC 7617): the one login and password that mail servers share, and the administrators' one."""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from oxpushctl import log
from oxpushctl.config.own import ADMIN_LOGIN, ADMIN_PASSWORD
from oxpushctl.config.properties import REST_LOGIN, REST_PASSWORD
from oxpushctl.config.settings import Settings
from oxpushctl.web.answer import error
from oxpushctl.web.connections import Handler, Routes
from oxpushctl.web.seldom import Seldom

_log = log.get(__name__)

_REALM = "OX REST"  # as the middleware asks for it
_ADMIN_REALM = "oxpushctl"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request has to carry; ``expected`` is ``login:password`` in UTF-8, ``None`` refuses everybody."""

    expected: bytes | None = field(repr=False)
    realm: str = _REALM

    @classmethod
    def of(cls, login: str | None, password: str | None, realm: str = _REALM) -> Credentials:
        """Return the credentials of a login and password, both trimmed; nobody is let in unless both are set."""
        login, password = (login or "").strip(), (password or "").strip()
        return cls(f"{login}:{password}".encode() if login and password else None, realm)

    @classmethod
    def from_settings(cls, settings: Settings) -> Credentials:
        """Return the credentials that mail servers are asked for."""
        return cls.of(settings[REST_LOGIN], settings[REST_PASSWORD])

    @classmethod
    def of_admin(cls, settings: Settings) -> Credentials:
        """Return the credentials that requests to a TCP address of ``oxpushctl.admin.listen`` are asked for."""
        return cls.of(settings[ADMIN_LOGIN], settings[ADMIN_PASSWORD], _ADMIN_REALM)

    def refusal(self, request: web.BaseRequest) -> web.Response | None:
        """Return the answer to a request that is not let in, ``None`` for one that is; compares in constant time."""
        if self.expected is None:
            return error(403, "no login and password are configured")
        given = _user_pass(request.headers.get("Authorization", ""))
        if given is not None and hmac.compare_digest(given, self.expected):
            return None
        return error(401, "the login or password is missing or wrong", self._challenge)

    @property
    def _challenge(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Basic realm="{self.realm}", encoding="UTF-8"'}


def guarded(routes: Routes, credentials: Credentials, monotonic: Callable[[], float]) -> Routes:
    """Return the same routes for those only who carry the credentials; who does not is told of once a minute."""
    refused = Seldom(monotonic)

    def guard(handler: Handler) -> Handler:
        async def check(request: web.BaseRequest) -> web.StreamResponse:
            refusal = credentials.refusal(request)
            if refusal is None:
                return await handler(request)
            if count := refused.due():
                _log.warning(
                    "request refused", realm=credentials.realm, status=refusal.status, peer=request.remote, count=count
                )
            return refusal

        return check

    return {path: {method: guard(handler) for method, handler in methods.items()} for path, methods in routes.items()}


def _user_pass(authorization: str) -> bytes | None:
    """Return ``login:password`` of an Authorization header, ``None`` when it is not Basic."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return binascii.a2b_base64(encoded.strip(), strict_mode=True)
    except ValueError:  # not base64, or not ASCII
        return None
