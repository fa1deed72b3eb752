"""Google's token endpoint on 127.0.0.1: it believes the throw-away accounts' assertions and answers as a test says."""

from __future__ import annotations

import asyncio
import base64
import itertools
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import orjson
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.transports.accounts import account_key

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """An answer other than the next token."""

    status: int = 200
    fields: dict[str, object] | None = None
    body: bytes | None = None


@dataclass(slots=True)
class TokenEndpoint:
    """Hands out ``ya29.1``, ``ya29.2`` and so on; ``open`` holds answers back while it is cleared."""

    answers: list[TokenAnswer] = field(default_factory=list)
    claims: list[dict[str, object]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    uri: str = ""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        self.open.set()
        app = web.Application()
        app.router.add_post("/token", self._exchange)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.uri = f"http://127.0.0.1:{self._runner.addresses[0][1]}/token"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["grant_type"] == GRANT_TYPE
        self.claims.append(_verified(str(form["assertion"])))
        self.asked.set()
        await self.open.wait()
        if self.answers:
            answer = self.answers.pop(0)
            body = orjson.dumps(answer.fields or {}) if answer.body is None else answer.body
            return web.Response(status=answer.status, body=body, content_type="application/json")
        token = {"access_token": f"ya29.{next(self._numbers)}", "expires_in": 3600, "token_type": "Bearer"}
        return web.Response(body=orjson.dumps(token), content_type="application/json")


def _verified(assertion: str) -> dict[str, object]:
    """Return the claims of an assertion that the account's key signed."""
    text, _, signature = assertion.rpartition(".")
    account_key().public_key().verify(_decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    header, claims = (orjson.loads(_decoded(part)) for part in text.split("."))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "0123abcd"}
    assert isinstance(claims, dict)
    return claims


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
