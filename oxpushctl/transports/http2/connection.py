"""One HTTP/2 connection on the loop: many requests at a time, written once a turn, watched for silence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, cast

from oxpushctl import log
from oxpushctl.transports.http2.causes import explained
from oxpushctl.transports.http2.codec import CodecFactory, ErrorCode, Malformed, error_name
from oxpushctl.transports.http2.endpoint import Endpoint
from oxpushctl.transports.http2.exchange import Exchange, Limits

_LAST_STREAM_ID = 2**31 - 2**12  # ids cannot be used twice: before they run out, another connection takes over
_HANG_UP_S = 1.0

_log = log.get(__name__)


class Owner(Protocol):
    """Who gives requests to a connection, though not within these calls: the codec may not be done telling."""

    def on_room(self, connection: Connection) -> None:
        """Take that an answer came or that the peer allows more."""

    def on_returned(self, exchanges: Sequence[Exchange]) -> None:
        """Take back requests that the peer has not processed, in the order of their sending."""

    def on_lost(self, connection: Connection) -> None:
        """Take that the connection is gone; its requests were told."""


class Connection(asyncio.Protocol):
    """One connection; ``settled`` is done once the peer's settings have come or never will (see ``failure``).

    ``is_cautious``: one request at a time until the first answer, which Apple asks of provider tokens.
    """

    def __init__(
        self, endpoint: Endpoint, codec: CodecFactory, owner: Owner, limits: Limits, *, is_cautious: bool
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._codec = codec(self, endpoint.scheme, endpoint.authority)
        self._owner = owner
        self._limits = limits
        self._is_cautious = is_cautious
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Exchange] = {}
        self._room = 0  # how many streams may be open right now
        self._peer_streams = 0
        self._ceiling = float(limits.streams)  # sinks where streams are refused, and rises again with answers
        self._is_blocked = False
        self._is_flush_due = False
        self._heard_at = self._loop.time()
        self._pinged_at: float | None = None
        self._watcher: asyncio.TimerHandle | None = None
        self._hang_up: asyncio.TimerHandle | None = None
        self._goodbye = ""
        self.settled: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.failure: str | None = None
        self.is_proven = False
        self.is_draining = False

    @property
    def has_room(self) -> bool:
        """Whether one more request may be sent now."""
        return len(self._streams) < self._room

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answers."""
        return len(self._streams)

    def send(self, exchange: Exchange) -> None:
        """Start a request; the caller has made sure that there is room."""
        try:
            stream_id = self._codec.request(exchange.method, exchange.path, exchange.headers, exchange.body)
        except Malformed as error:
            _log.debug("connection takes no more requests", endpoint=str(self._endpoint), reason=str(error))
            self._drain()
            self._owner.on_returned([exchange])
            self._after_stream()
            return
        self._streams[stream_id] = exchange
        exchange.stream_id = stream_id
        if stream_id >= _LAST_STREAM_ID:
            self._drain()
        self._flush_soon()

    def cancel(self, exchange: Exchange) -> None:
        """Stop waiting for an answer, if this connection is."""
        if self._streams.get(exchange.stream_id) is exchange:
            self._reset(exchange.stream_id)
            self._after_stream()

    def expire(self, now: float) -> None:
        """Fail the requests whose deadline has come."""
        late = [number for number, exchange in self._streams.items() if exchange.deadline <= now]
        for stream_id in late:
            self._reset(stream_id).fail(f"{self._endpoint}: no answer in time", is_fate_unknown=True)
        if late:
            self._after_stream()

    def close(self) -> None:
        """Say goodbye and close; requests under way fail."""
        if self.failure is None:
            self._codec.goaway()
            self._give_up(f"we closed the connection{self._goodbye}")

    def abort(self) -> None:
        """Close without a word."""
        self._end("we closed the connection")
        if self._transport is not None:
            self._transport.abort()
        elif not self.closed.done():
            self.closed.set_result(None)

    # What the loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say our preface and begin to watch."""
        self._transport = cast(asyncio.Transport, transport)
        self._heard_at = self._loop.time()
        self._codec.start()
        self._flush()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Have the codec read what came."""
        if self.failure is not None:
            return
        self._heard_at = self._loop.time()
        try:
            self._codec.receive(data)
        except Malformed as error:
            self._give_up(f"it breaks the HTTP/2 protocol: {error}")
            return
        self._flush_soon()

    def pause_writing(self) -> None:
        """Start no more requests: the peer does not keep up."""
        self._is_blocked = True
        self._measure()

    def resume_writing(self) -> None:
        """Start requests again."""
        self._is_blocked = False
        self._measure()
        self._owner.on_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone why."""
        reason = explained(exc)
        if exc is None and not self.settled.done() and self._endpoint.scheme == "https":
            # With TLS 1.3 a server judges our certificate after our handshake, and many then just close.
            reason += " without a word: it may want a client certificate, or another than ours"
        self._end(reason + self._goodbye)
        if self._hang_up is not None:
            self._hang_up.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    # What the codec says

    def on_settings(self, max_streams: int) -> None:
        """Obey the number of streams, and forget earlier refusals."""
        self._peer_streams = max_streams
        self._ceiling = float(self._limits.streams)
        self._measure()
        if self.settled.done():
            self._owner.on_room(self)
        else:
            self.settled.set_result(None)

    def on_head(self, stream_id: int, headers: Sequence[tuple[bytes, bytes]], is_end: bool) -> None:
        """Keep the head of an answer."""
        exchange = self._streams.get(stream_id)
        if exchange is None:
            return
        exchange.head = headers
        if is_end:
            self._answered(stream_id, exchange)

    def on_body(self, stream_id: int, data: bytes, is_end: bool) -> None:
        """Keep a part of an answer, up to the bound."""
        exchange = self._streams.get(stream_id)
        if exchange is None:
            return
        if exchange.received is None:
            exchange.received = bytearray(data)
        else:
            exchange.received += data
        if len(exchange.received) > self._limits.answer_bytes:
            reason = f"{self._endpoint}: its answer is longer than {self._limits.answer_bytes} bytes"
            self._reset(stream_id).fail(reason, is_fate_unknown=True)
            self._after_stream()
        elif is_end:
            self._answered(stream_id, exchange)

    def on_reset(self, stream_id: int, code: int) -> None:
        """Hand back what was refused; of anything else the fate is unknown."""
        exchange = self._streams.pop(stream_id, None)
        if exchange is None:
            return
        if code != ErrorCode.REFUSED_STREAM:
            reason = f"{self._endpoint}: it reset the stream ({error_name(code)})"
            exchange.fail(reason, is_fate_unknown=True)
        else:
            self._ceiling = max(1.0, float(len(self._streams)))
            self._measure()
            exchange.refusals += 1
            if exchange.refusals > self._limits.refusals:
                reason = f"{self._endpoint}: it refused the stream {exchange.refusals} times"
                exchange.fail(reason, is_fate_unknown=False)
            else:
                self._owner.on_returned([exchange])
        self._after_stream()

    def on_goaway(self, last_stream_id: int, code: int, debug: bytes) -> None:
        """Finish what the peer still answers, and hand back the rest."""
        words = debug[:200].decode("ascii", "replace")
        self._goodbye = f" after GOAWAY ({error_name(code)}{': ' if words else ''}{words})"
        _log.debug("goaway", endpoint=str(self._endpoint), code=error_name(code), words=words)
        self._drain()
        unprocessed = [number for number in self._streams if number > last_stream_id]
        if unprocessed:
            self._owner.on_returned([self._streams.pop(number) for number in unprocessed])
        self._after_stream()

    # Inside

    def _answered(self, stream_id: int, exchange: Exchange) -> None:
        del self._streams[stream_id]
        exchange.complete()
        if not self.is_proven:
            self.is_proven = True
            self._measure()
        elif self._ceiling < self._limits.streams:
            self._ceiling += 1 / self._ceiling
            self._measure()
        self._after_stream()

    def _after_stream(self) -> None:
        """Use the room that a stream left, or close behind the last one."""
        if self.is_draining and not self._streams and self.failure is None:
            # Not now: the codec may be in the middle of what it has to tell.
            self._loop.call_soon(self.close)
        self._owner.on_room(self)

    def _reset(self, stream_id: int) -> Exchange:
        self._codec.reset(stream_id, ErrorCode.CANCEL)
        self._flush_soon()
        return self._streams.pop(stream_id)

    def _drain(self) -> None:
        self.is_draining = True
        self._measure()

    def _measure(self) -> None:
        """Work out how many streams may be open."""
        if self.is_draining or self._is_blocked:
            self._room = 0
        else:
            self._room = min(self._peer_streams, int(self._ceiling))
            if self._is_cautious and not self.is_proven:
                self._room = min(self._room, 1)

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write all that came together in this turn of the loop: one system call, one TLS record."""
        self._is_flush_due = False
        if self._transport is not None and not self._transport.is_closing():
            data = self._codec.take()
            if data:
                self._transport.write(data)

    def _watch(self) -> None:
        """Ask for a sign of life after a silence, and give up when there is none."""
        limits = self._limits
        now = self._loop.time()
        if self._pinged_at is not None and self._heard_at >= self._pinged_at:
            self._pinged_at = None
        if self._pinged_at is not None:
            if now - self._pinged_at >= limits.ping_s:
                self._end(f"it has not answered a ping for {limits.ping_s:g} s")
                self.abort()
                return
        elif now - self._heard_at >= (limits.quiet_s if self._streams else limits.idle_s):
            self._pinged_at = now
            self._codec.ping()
            self._flush_soon()
        interval_s = min(limits.quiet_s, limits.idle_s, limits.ping_s) / 2
        self._watcher = self._loop.call_later(interval_s, self._watch)

    def _give_up(self, reason: str) -> None:
        """Send what the codec has to say last, close, and tell everyone."""
        self._end(reason)
        self._flush()
        if self._transport is not None:
            self._transport.close()
            self._hang_up = self._loop.call_later(_HANG_UP_S, self._transport.abort)

    def _end(self, reason: str) -> None:
        """Fail what is under way and leave the pool, once."""
        if self.failure is not None:
            return
        self.failure = f"{self._endpoint}: {reason}"
        self._drain()
        if self._watcher is not None:
            self._watcher.cancel()
        streams, self._streams = self._streams, {}
        for exchange in streams.values():
            exchange.fail(self.failure, is_fate_unknown=True)
        if not self.settled.done():
            self.settled.set_result(None)
        self._owner.on_lost(self)
