"""Basic authentication (RFC 7617) with the one login and password that mail servers share."""

from __future__ import annotations

import binascii
import hmac
from dataclasses import dataclass, field

from aiohttp import web

from oxpushctl.config.properties import REST_LOGIN, REST_PASSWORD
from oxpushctl.config.settings import Settings
from oxpushctl.web.answer import error

# As the middleware asks for it.
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="OX REST", encoding="UTF-8"'}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request has to carry; ``expected`` is ``login:password`` in UTF-8, ``None`` refuses everybody."""

    expected: bytes | None = field(repr=False)

    @classmethod
    def of(cls, login: str | None, password: str | None) -> Credentials:
        """Return the credentials of a login and password, both trimmed; nobody is let in unless both are set."""
        login, password = (login or "").strip(), (password or "").strip()
        return cls(f"{login}:{password}".encode() if login and password else None)

    @classmethod
    def from_settings(cls, settings: Settings) -> Credentials:
        """Return the credentials that the configuration asks for."""
        return cls.of(settings[REST_LOGIN], settings[REST_PASSWORD])

    def refusal(self, request: web.BaseRequest) -> web.Response | None:
        """Return the answer to a request that is not let in, ``None`` for one that is; compares in constant time."""
        if self.expected is None:
            return error(403, "no login and password are configured")
        given = _user_pass(request.headers.get("Authorization", ""))
        if given is not None and hmac.compare_digest(given, self.expected):
            return None
        return error(401, "the login or password is missing or wrong", _CHALLENGE)


def _user_pass(authorization: str) -> bytes | None:
    """Return ``login:password`` of an Authorization header, ``None`` when it is not Basic."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return binascii.a2b_base64(encoded.strip(), strict_mode=True)
    except ValueError:  # not base64, or not ASCII
        return None
