"""Both codecs, bytes in and bytes out, without a socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, RstStreamFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from oxpushctl.transports.http2 import codec as codecs

CODECS: list[Literal["ngh2", "h2"]] = ["ngh2", "h2"]


@dataclass
class Heard:
    """A handler that writes down what it is told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def on_settings(self, max_streams: int) -> None:
        self.told.append(("settings", max_streams))

    def on_head(self, stream_id: int, headers: Sequence[tuple[bytes, bytes]], is_end: bool) -> None:
        self.told.append(("head", stream_id, dict(headers)[b":status"], is_end))

    def on_body(self, stream_id: int, data: bytes, is_end: bool) -> None:
        self.told.append(("body", stream_id, data, is_end))

    def on_reset(self, stream_id: int, code: int) -> None:
        if code:
            self.told.append(("reset", stream_id, int(code)))

    def on_goaway(self, last_stream_id: int, code: int, debug: bytes) -> None:
        self.told.append(("goaway", last_stream_id, int(code), debug))


class Wire:
    """A codec and a server's protocol state, bound together."""

    def __init__(self, name: Literal["ngh2", "h2"]) -> None:
        self.heard = Heard()
        self.codec = codecs.codec_named(name)(self.heard, "https", "push.example")
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.server.initiate_connection()
        self.codec.start()
        self.exchange()
        self.heard.told.clear()

    def exchange(self) -> list[h2.events.Event]:
        """Carry everything both ways until there is nothing left; return what the server saw."""
        seen: list[h2.events.Event] = []
        while True:
            up, down = self.codec.take(), self.server.data_to_send()
            if not up and not down:
                return seen
            seen += self.server.receive_data(up)
            if down:
                self.codec.receive(down)

    def request(self, body: bytes = b"") -> int:
        stream_id = self.codec.request("POST", "/3/device/a", [("apns-id", "1"), ("authorization", "bearer x")], body)
        self.exchange()
        return stream_id


@pytest.fixture(params=CODECS)
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)


def test_answer_with_trailers_and_a_hint_before_it(wire: Wire) -> None:
    """Informational answers are passed over, and trailers end the stream."""
    stream_id = wire.request()
    wire.server.send_headers(stream_id, [(":status", "103")])
    wire.server.send_headers(stream_id, [(":status", "200")])
    wire.server.send_data(stream_id, b"{}")
    wire.server.send_headers(stream_id, [("checksum", "1")], end_stream=True)
    wire.exchange()
    assert wire.heard.told == [
        ("head", stream_id, b"200", False),
        ("body", stream_id, b"{}", False),
        ("body", stream_id, b"", True),
    ]


def test_goaway_lets_earlier_streams_finish(wire: Wire) -> None:
    """After GOAWAY the answers that the peer still owes are read; stock h2 would refuse them (python-hyper/h2#1181)."""
    first, second = wire.request(), wire.request()
    wire.codec.receive(GoAwayFrame(0, last_stream_id=first, additional_data=b"bye").serialize())
    wire.server.send_headers(first, [(":status", "200")], end_stream=True)
    wire.exchange()
    assert [told for told in wire.heard.told if told[:2] != ("reset", second)] == [
        ("goaway", first, 0, b"bye"),
        ("head", first, b"200", True),
    ]


def test_second_goaway_with_a_lower_id(wire: Wire) -> None:
    """A graceful shutdown comes in two steps (RFC 9113, 6.8), and both are told."""
    stream_id = wire.request()
    wire.codec.receive(GoAwayFrame(0, last_stream_id=2**31 - 1).serialize())
    wire.codec.receive(GoAwayFrame(0, last_stream_id=0).serialize())
    assert [told for told in wire.heard.told if told[:2] != ("reset", stream_id)] == [
        ("goaway", 2**31 - 1, 0, b""),
        ("goaway", 0, 0, b""),
    ]


def test_reset_by_the_peer(wire: Wire) -> None:
    """The code of a RST_STREAM arrives."""
    stream_id = wire.request()
    wire.codec.receive(RstStreamFrame(stream_id, error_code=codecs.ErrorCode.REFUSED_STREAM).serialize())
    assert wire.heard.told == [("reset", stream_id, 7)]


@pytest.mark.parametrize("status", ["", "abc", "20", "2000", "٣٣٣"])
def test_status_that_is_none(wire: Wire, status: str) -> None:
    """An answer without a status of three digits is no answer: that stream ends, the others go on."""
    stream_id, other = wire.request(), wire.request()
    head = hpack.Encoder().encode([(":status", status)])
    wire.codec.receive(HeadersFrame(stream_id, head, flags=["END_HEADERS", "END_STREAM"]).serialize())
    wire.server.send_headers(other, [(":status", "200")], end_stream=True)
    wire.exchange()
    assert wire.heard.told == [("reset", stream_id, 1), ("head", other, b"200", True)]


def test_body_beyond_the_windows(wire: Wire) -> None:
    """What flow control holds back goes out as the peer opens its windows, and is whole."""
    body = bytes(range(256)) * 1024
    stream_id = wire.codec.request("POST", "/", [], body)
    received = b""
    while len(received) < len(body):
        parts = [event for event in wire.exchange() if isinstance(event, h2.events.DataReceived)]
        assert parts, "nothing more comes although the window is open"
        for part in parts:
            received += part.data
            wire.server.acknowledge_received_data(part.flow_controlled_length, stream_id)
    assert received == body


def test_smaller_initial_window(wire: Wire) -> None:
    """A setting that makes the window of an open stream negative stops its body until there is room again."""
    wire.server.update_settings({4: 10})
    wire.exchange()
    wire.codec.request("POST", "/", [], b"x" * 100)
    sent = [event.data for event in wire.exchange() if isinstance(event, h2.events.DataReceived)]
    assert b"".join(sent) == b"x" * 10


def test_answer_before_the_whole_body(wire: Wire) -> None:
    """A request that is answered early is ended, so that its stream counts no more."""
    stream_id = wire.codec.request("POST", "/", [], b"x" * 100_000)
    wire.exchange()
    wire.server.send_headers(stream_id, [(":status", "413")], end_stream=True)
    resets = [event for event in wire.exchange() if isinstance(event, h2.events.StreamReset)]
    assert [(event.stream_id, event.error_code) for event in resets] == [(stream_id, 0)]


def test_reset_of_a_stream_that_has_ended(wire: Wire) -> None:
    """Ending what has ended already, or never began, is nothing."""
    stream_id = wire.request()
    wire.server.send_headers(stream_id, [(":status", "200")], end_stream=True)
    wire.exchange()
    wire.codec.reset(stream_id, codecs.ErrorCode.CANCEL)
    wire.codec.reset(99, codecs.ErrorCode.CANCEL)
    assert [event for event in wire.exchange() if isinstance(event, h2.events.StreamReset)] == []


def test_thousands_of_streams_one_after_another(wire: Wire) -> None:
    """Streams that ended are forgotten: the server hears every request, and the codec goes on."""
    for _ in range(2000):
        stream_id = wire.request(b"{}")
        wire.server.send_headers(stream_id, [(":status", "200")], end_stream=True)
        wire.exchange()
    assert len(wire.heard.told) == 2000


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3, b"\0" * 100, b"\xff" * 100])
def test_bytes_that_are_not_http2(name: Literal["ngh2", "h2"], garbage: bytes) -> None:
    """What cannot be read as frames is reported as such."""
    codec = codecs.codec_named(name)(Heard(), "https", "push.example")
    codec.start()
    codec.take()
    with pytest.raises(codecs.Malformed):
        codec.receive(garbage)


@pytest.mark.parametrize("name", CODECS)
@given(data=st.binary(max_size=200))
def test_any_bytes_after_the_settings(name: Literal["ngh2", "h2"], data: bytes) -> None:
    """No input ends in anything but answers, resets or Malformed."""
    codec = codecs.codec_named(name)(Heard(), "https", "push.example")
    codec.start()
    codec.receive(SettingsFrame(0).serialize())
    codec.request("POST", "/", [], b"{}")
    codec.take()
    try:
        codec.receive(data)
    except codecs.Malformed:
        codec.take()
    codec.reset(1, codecs.ErrorCode.CANCEL)
    codec.goaway()
    codec.take()


@pytest.mark.parametrize("name", CODECS)
@given(kind=st.integers(0, 12), flags=st.integers(0, 255), stream_id=st.integers(0, 4), body=st.binary(max_size=60))
def test_any_frame_after_the_settings(
    name: Literal["ngh2", "h2"], kind: int, flags: int, stream_id: int, body: bytes
) -> None:
    """No frame, however odd, ends in anything but answers, resets or Malformed."""
    frame = len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + body
    test_any_bytes_after_the_settings.hypothesis.inner_test(name, frame)


def test_best_codec_is_the_native_one() -> None:
    """Where ngh2 is installed it is chosen."""
    assert codecs.best_codec() is codecs.codec_named("ngh2")
