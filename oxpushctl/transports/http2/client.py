"""An HTTP/2 client for one origin: a few connections, and requests that wait for room on them.

::

    client = Http2Client("https://api.push.apple.com:443", tls=context, is_cautious=True)
    response = await client.request("POST", f"/3/device/{token}", headers, body, deadline_s=10)

It tries each request once. What the peer says it has not processed (streams above GOAWAY's last id, REFUSED_STREAM;
RFC 9113, 8.7) is sent again; where the fate of a request is unknown the caller is told.
"""

from __future__ import annotations

import asyncio
import collections
import random
import ssl
from collections.abc import Sequence

from oxpushctl import errors, log
from oxpushctl.transports.http2 import codec as codecs
from oxpushctl.transports.http2 import endpoint as endpoints
from oxpushctl.transports.http2 import proxy as proxies
from oxpushctl.transports.http2.connection import Connection
from oxpushctl.transports.http2.dial import dial
from oxpushctl.transports.http2.exchange import Exchange, Limits, Response, Unreachable

DEFAULT_LIMITS = Limits()
_SWEEP_S = 0.1

_log = log.get(__name__)


class Http2Client:
    """Requests to one origin; connects when the first one comes.

    ``endpoint`` is ``https://host:port`` (``http://`` on loopback only), ``proxy`` ``http://[login:password@]host:port``.
    The TLS context is the caller's: its ALPN list is set to h2. ``is_cautious``: see ``Connection``.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        tls: ssl.SSLContext,
        codec: codecs.CodecFactory | None = None,
        is_cautious: bool = False,
        proxy: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._endpoint = endpoints.parse(endpoint)
        self._tls = tls
        self._tls.set_alpn_protocols(["h2"])
        self._codec = codec or codecs.best_codec()
        self._is_cautious = is_cautious
        self._proxy = proxies.parse(proxy) if proxy else None
        self._limits = limits
        self._connections: list[Connection] = []
        self._leaving: set[Connection] = set()
        self._waiting: collections.deque[Exchange] = collections.deque()
        self._in_flight = 0
        self._dialling: asyncio.Task[Connection] | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._failures = 0
        self._failure = ""
        self._dial_again_at = 0.0
        self._is_pump_due = False
        self._is_closing = False
        self._is_closed = False
        self._is_quiet = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many connections are open, those that only finish what they began included."""
        return len(self._connections)

    @property
    def in_flight(self) -> int:
        """How many requests have begun and not ended."""
        return self._in_flight

    async def request(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes, *, deadline_s: float
    ) -> Response:
        """Make one request and return its answer, whatever its status; header names must be lower case.

        Raise ``Unreachable`` when there is no answer by the deadline, which is looked at every 0.1 s, and ``BadData``
        for a path or header value that cannot be sent. A caller that stops waiting ends the stream.
        """
        _check(path, headers)
        if self._is_closing:
            raise Unreachable(f"{self._endpoint}: we are closing")
        loop = asyncio.get_running_loop()
        exchange = Exchange(method, path, headers, body, loop.time() + deadline_s, loop.create_future())
        self._in_flight += 1
        try:
            self._submit(exchange)
            if self._sweeper is None:
                self._sweeper = loop.call_later(_SWEEP_S, self._sweep)
            return await exchange.answer
        except asyncio.CancelledError:
            for connection in self._connections:
                connection.cancel(exchange)
            raise
        finally:
            self._in_flight -= 1
            if self._is_closing and not self._in_flight:
                self._is_quiet.set()

    async def aclose(self) -> None:
        """Finish what is under way within a bound, say goodbye and close; what is left over fails."""
        self._is_closing = True
        try:
            if self._in_flight:
                async with asyncio.timeout(self._limits.close_s):
                    await self._is_quiet.wait()
        except TimeoutError:
            _log.info("requests left over", endpoint=str(self._endpoint), count=self._in_flight)
        finally:
            await self._close()

    async def _close(self) -> None:
        self._is_closed = True
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.wait([self._dialling])
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._pump()
        for connection in list(self._connections):
            connection.close()
        for connection in list(self._leaving):
            await connection.closed

    # What connections say

    def on_room(self, connection: Connection) -> None:
        """Send what waits."""
        if connection.is_proven:
            self._failures = 0
        self._pump_soon()

    def on_returned(self, exchanges: Sequence[Exchange]) -> None:
        """Send what was not processed before all that waits."""
        self._waiting.extendleft(reversed(exchanges))
        self._pump_soon()

    def on_lost(self, connection: Connection) -> None:
        """Forget a connection; one that never answered anything counts as a failed connect."""
        if connection in self._connections:
            self._connections.remove(connection)
            _log.debug("connection gone", endpoint=str(self._endpoint), reason=connection.failure)
            if not connection.is_proven:
                self._note_failure(connection.failure or "")
        self._leaving.add(connection)
        connection.closed.add_done_callback(lambda _: self._leaving.discard(connection))
        self._pump_soon()

    # Inside

    def _submit(self, exchange: Exchange) -> None:
        if not self._waiting:
            for connection in self._connections:
                if connection.has_room:
                    connection.send(exchange)
                    return
        if len(self._waiting) >= self._limits.waiting:
            raise Unreachable(f"{self._endpoint}: {len(self._waiting)} requests are waiting already")
        self._waiting.append(exchange)
        self._pump()

    def _pump_soon(self) -> None:
        if self._waiting and not self._is_pump_due:
            self._is_pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Send what waits while there is room; then see that there will be more."""
        self._is_pump_due = False
        for connection in self._connections:
            while self._waiting and connection.has_room:
                exchange = self._waiting.popleft()
                if not exchange.answer.done():
                    connection.send(exchange)
        if self._waiting:
            self._grow()

    def _grow(self) -> None:
        """Open another connection when all are full, one at a time, and none while a young one has yet to answer."""
        if self._is_closed:
            self._fail_waiting(f"{self._endpoint}: we are closing")
            return
        serving = self._serving()
        if (
            self._dialling is not None
            or len(serving) >= self._limits.connections
            or not all(connection.is_proven for connection in serving)
        ):
            return
        loop = asyncio.get_running_loop()
        wait_s = self._dial_again_at - loop.time()
        if wait_s <= 0:
            self._dialling = loop.create_task(
                dial(self._endpoint, self._tls, self._proxy, self._connection, self._limits.connect_s)
            )
            self._dialling.add_done_callback(self._on_dialled)
        elif not serving:
            self._fail_waiting(f"{self._failure} (the next attempt is in {wait_s:.0f} s)")

    def _serving(self) -> list[Connection]:
        return [connection for connection in self._connections if not connection.is_draining]

    def _connection(self) -> Connection:
        return Connection(self._endpoint, self._codec, self, self._limits, is_cautious=self._is_cautious)

    def _on_dialled(self, dialling: asyncio.Task[Connection]) -> None:
        self._dialling = None
        if dialling.cancelled():
            return
        error = dialling.exception()
        if error is None and dialling.result().failure is not None:
            error = Unreachable(dialling.result().failure or "")  # it was lost again before we came to look
        if error is None:
            self._connections.append(dialling.result())
            _log.debug("connected", endpoint=str(self._endpoint), connections=len(self._connections))
        elif isinstance(error, Unreachable):
            self._note_failure(str(error))
            if not self._serving():
                self._fail_waiting(str(error))
        else:
            for exchange in self._take_waiting():
                exchange.answer.set_exception(error)  # a bug: it shall be seen where the request was made
        self._pump()

    def _note_failure(self, reason: str) -> None:
        """Put off the next connect: not at all after the first failure, then longer each time, never in step."""
        self._failures += 1
        self._failure = reason
        limits = self._limits
        if self._failures > 1:
            delay_s = min(limits.first_delay_s * 2.0 ** min(self._failures - 2, 32), limits.longest_delay_s)
            jitter = random.uniform(0.5, 1)  # noqa: S311  # spreads load, guards nothing
            self._dial_again_at = asyncio.get_running_loop().time() + delay_s * jitter

    def _take_waiting(self) -> list[Exchange]:
        taken = [exchange for exchange in self._waiting if not exchange.answer.done()]
        self._waiting.clear()
        return taken

    def _fail_waiting(self, reason: str) -> None:
        for exchange in self._take_waiting():
            exchange.fail(reason, is_fate_unknown=False)

    def _sweep(self) -> None:
        """Fail what is over its deadline: one timer for all requests."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in self._connections:
            connection.expire(now)
        for exchange in self._take_waiting():
            if exchange.deadline > now:
                self._waiting.append(exchange)
            else:
                exchange.fail(f"{self._endpoint}: not sent in time", is_fate_unknown=False)
        if self._waiting:
            self._pump()
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep) if self._in_flight else None


def _check(path: str, headers: Sequence[tuple[str, str]]) -> None:
    """Refuse what would end a header early somewhere behind us; names are ours, values may come from outside."""
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise errors.BadData("a request path must be printable ASCII without blanks")
    if not "".join([value for _, value in headers]).isprintable():
        name = next(name for name, value in headers if not value.isprintable())
        raise errors.BadData(f"the value of the header {name} cannot be sent")
