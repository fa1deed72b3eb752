"""The sandbox: Apple and Google on this machine, with a page that shows what the phones show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from oxpushctl.errors import NotReachable
from oxpushctl.sandbox.apns import Apns, Authentication
from oxpushctl.sandbox.door import Door, tls_context
from oxpushctl.sandbox.exchange import Answer, Ending, Request
from oxpushctl.sandbox.fcm import Fcm
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.oauth import TOKEN_PATH, AccessTokens
from oxpushctl.sandbox.page import Page
from oxpushctl.sandbox.provider import Provider, Received, Refusal
from oxpushctl.sandbox.pushes import Push, PushLog
from oxpushctl.sandbox.script import Script

KEPT_PUSHES = 1000
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # looked for, not bound
_WORDS = {Ending.HELD: "held open", Ending.CUT: "connection cut"}


class Sandbox:
    """Takes pushes on ``port`` (TLS; APNs, FCM and Google's token endpoint) and shows them on ``page_port``.

    A port of 0 is replaced by a free one on start. ``script`` may be exchanged while it runs. ``accepts`` is what
    APNs clients have to show: ``certificate``, ``bearer`` or ``either``.
    """

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        page_host: str = "127.0.0.1",
        page_port: int = 0,
        accepts: Authentication = "either",
        script: Script | None = None,
        keep: int = KEPT_PUSHES,
    ) -> None:
        self.identity = identity or Identity.create()
        self.host, self.port = host, port
        self.page_host, self.page_port = page_host, page_port
        self.script = script or Script()
        self.access_tokens = AccessTokens(self.identity)
        self.log = PushLog(keep)
        self._apns = Apns(self.identity, accepts)
        self._fcm = Fcm(self.access_tokens)
        self._opened = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where pushes go: the endpoint of both providers."""
        return f"https://{_reachable(self.host)}:{self.port}"

    @property
    def page_url(self) -> str:
        """Where a browser sees the phones."""
        return f"http://{_reachable(self.page_host)}:{self.page_port}"

    @property
    def pushes(self) -> tuple[Push, ...]:
        """The newest pushes, oldest first."""
        return self.log.listing()

    async def start(self) -> None:
        """Listen on both ports; raise ``NotReachable`` when one of them cannot be had."""
        context = tls_context(self.identity, self.host)
        try:
            async with AsyncExitStack() as opened:
                door = await Door.open(self.handle, self.host, self.port, context)
                opened.push_async_callback(door.aclose)
                page = await Page.open(self.log, self.page_host, self.page_port)
                opened.push_async_callback(page.aclose)
                self._opened = opened.pop_all()
        except OSError as error:
            hint = "--listen and --page take other addresses"
            raise NotReachable(f"sandbox: {error.strerror or error} ({hint})") from error
        self.port, self.page_port = door.port, page.port

    async def aclose(self) -> None:
        """Close both ports; pushes stay readable."""
        await self._opened.aclose()

    async def wait_for(
        self, wanted: Callable[[Push], bool] = lambda _: True, *, count: int = 1, timeout_s: float = 10.0
    ) -> tuple[Push, ...]:
        """Return the pushes that are wanted as soon as there are ``count``; raise ``TimeoutError`` with what came."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.log.wait_for(wanted, count)
        except TimeoutError as error:
            raise TimeoutError(f"fewer than {count} of these pushes are wanted: {self.pushes}") from error

    async def handle(self, request: Request) -> Answer:
        """Answer one request of either protocol."""
        if request.path == TOKEN_PATH:
            return self.access_tokens.exchange(request, f"{self.url}{TOKEN_PATH}")
        return await self._deliver(self._fcm if request.path.startswith("/v1/") else self._apns, request)

    async def _deliver(self, provider: Provider, request: Request) -> Answer:
        at = time.time()
        received = provider.receive(request)
        refusal, ending, number = received.refusal, Ending.KEPT, None
        if refusal is None and not received.is_rehearsal:
            trick = self.script.next(received.token)
            ending, number = trick.ending, trick.number
            if trick.status not in (0, 200):
                refusal = provider.refusal(trick.status)
        if self.script.delay_ms:
            await asyncio.sleep(self.script.delay_ms / 1000)
        if ending in (Ending.HELD, Ending.CUT):
            answer = Answer(0, ending=ending)
        else:
            answer = replace(provider.answer(received, refusal, at=at, number=number), ending=ending)
        if received.token and not received.is_rehearsal:
            self.log.add(_push(self.log.next_number, provider.name, received, at, answer, refusal))
        return answer


def _push(number: int, provider: str, received: Received, at: float, answer: Answer, refusal: Refusal | None) -> Push:
    return Push(
        number=number,
        provider=provider,
        authentication=received.authentication,
        topic=received.topic,
        project=received.project,
        token=received.token,
        headers=received.headers,
        payload=received.payload,
        received_at=at,
        status=answer.status,
        reason=refusal.reason if refusal else _WORDS.get(answer.ending, ""),
        id=received.id,
    )


def _reachable(host: str) -> str:
    """Write a host for a URL; who listens on all addresses is reached on this machine's own."""
    host = _WILDCARDS.get(host, host)
    return f"[{host}]" if ":" in host else host
