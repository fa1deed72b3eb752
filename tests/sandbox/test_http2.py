"""The provider port over HTTP/2, frame by frame."""

from __future__ import annotations

import asyncio

import h2.events
import h2.settings
import orjson
import pytest

from oxpushctl.sandbox.sandbox import Sandbox
from oxpushctl.sandbox.script import Script
from tests.sandbox.http2_client import connected
from tests.waiting import until

_UUID = "7d5c1a9e-41f8-4f57-8a2e-0a2d4f6b8c0e"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = bytes.fromhex("000000 04 00 00000000")
_DATA_ON_STREAM_0 = bytes.fromhex("000001 00 00 00000000 ff")


async def test_push(sandbox: Sandbox) -> None:
    """A push is answered with its own id, and stands in the record with the certificate's topic."""
    async with connected(sandbox) as client:
        stream = client.push("8f1c", apns_id=_UUID)
        await client.until(lambda: client.has_ended(stream))
        assert client.headers(stream) == {":status": "200", "apns-id": _UUID}
    (push,) = sandbox.pushes
    assert (push.provider, push.token, push.status, push.authentication) == ("apns", "8f1c", 200, "certificate")
    assert push.at("aps", "alert") == "Lunch?"


async def test_many_pushes_at_once(sandbox: Sandbox) -> None:
    """As many streams as were promised run side by side on one connection."""
    async with connected(sandbox) as client:
        await client.until(lambda: client.has(h2.events.RemoteSettingsChanged))
        assert client.h2.remote_settings.max_concurrent_streams == 1000
        sandbox.script = Script(delay_ms=200)
        for number in range(1000):
            client.push(str(number))
            await client.flush()
        await client.until(lambda: len(client.statuses()) == 1000)
        assert len(sandbox.pushes) == 1000


async def test_answer_waits_for_the_window(sandbox: Sandbox) -> None:
    """A body is sent as far as the client's window allows, and goes on when it opens."""
    async with connected(sandbox, INITIAL_WINDOW_SIZE=10) as client:
        stream = client.push("410")
        await client.until(lambda: len(client.body(stream)) == 10)
        assert not client.has_ended(stream)
        client.h2.increment_flow_control_window(1000, stream)
        await client.until(lambda: client.has_ended(stream))
        assert orjson.loads(client.body(stream))["reason"] == "Unregistered"


async def test_window_opened_for_all_streams(sandbox: Sandbox) -> None:
    """A changed initial window counts for the answers that wait as well."""
    async with connected(sandbox, INITIAL_WINDOW_SIZE=0) as client:
        stream = client.push("400")
        await client.until(lambda: stream in client.statuses())
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        await client.until(lambda: client.has_ended(stream))
        assert orjson.loads(client.body(stream)) == {"reason": "BadDeviceToken"}


async def test_ping(sandbox: Sandbox) -> None:
    """An idle connection answers PING."""
    async with connected(sandbox) as client:
        client.h2.ping(b"stillup?")
        await client.until(lambda: client.has(h2.events.PingAckReceived))


async def test_body_larger_than_any_push(sandbox: Sandbox) -> None:
    """A body without measure is read and thrown away: windows keep opening, memory does not grow."""
    async with connected(sandbox) as client:
        stream = client.push("phone", b"{}")
        big = client.h2.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/3/device/phone")]
        client.h2.send_headers(big, [*head, ("apns-topic", "com.example.mail")])
        for _ in range(40):
            await client.until(lambda: client.h2.local_flow_control_window(big) >= 16384)
            client.h2.send_data(big, b" " * 16384)
        client.h2.end_stream(big)
        await client.until(lambda: client.has_ended(big))
        assert client.statuses() == {stream: "400", big: "413"}


async def test_hanging_token_holds_up_nobody(sandbox: Sandbox) -> None:
    """A push that is held open stands in the record at once; others on the connection are answered."""
    async with connected(sandbox) as client:
        hanging, other = client.push("hang"), client.push("phone")
        await client.until(lambda: client.has_ended(other))
        assert hanging not in client.statuses()
    assert [(push.token, push.status, push.reason) for push in sandbox.pushes] == [
        ("hang", 0, "held open"),
        ("phone", 200, ""),
    ]


async def test_goaway_token(sandbox: Sandbox) -> None:
    """The push is answered, and the connection ends in good order."""
    async with connected(sandbox) as client:
        stream = client.push("goaway")
        await client.until(lambda: client.is_at_end)
        assert client.statuses() == {stream: "200"}
        goaway = next(event for event in client.events if isinstance(event, h2.events.ConnectionTerminated))
        assert (goaway.error_code, goaway.last_stream_id) == (0, stream)


async def test_reset_token(sandbox: Sandbox) -> None:
    """The connection is cut: no answer, no GOAWAY."""
    async with connected(sandbox) as client:
        client.push("reset")
        await client.until(lambda: client.is_at_end)
        assert client.statuses() == {}
        assert not client.has(h2.events.ConnectionTerminated)
    assert sandbox.pushes[0].reason == "connection cut"


async def test_client_that_says_goaway_first(sandbox: Sandbox) -> None:
    """A client that takes its leave still gets the answers that are due, then the connection ends."""
    async with connected(sandbox) as client:
        sandbox.script = Script(delay_ms=50)
        stream = client.push("phone")
        await client.flush()
        # h2's own close_connection() would refuse the answer that follows; the frame is the same.
        client.writer.write(bytes.fromhex("0000080700000000000000000000000000"))
        await client.until(lambda: client.is_at_end)
        assert client.statuses() == {stream: "200"}


async def test_stream_that_the_client_gives_up(sandbox: Sandbox) -> None:
    """A stream that was reset gets no answer; the connection goes on."""
    async with connected(sandbox) as client:
        sandbox.script = Script(delay_ms=60_000)
        given_up = client.push("slow")
        await client.flush()
        client.h2.reset_stream(given_up)
        await client.flush()
        sandbox.script = Script()
        other = client.push("phone")
        await client.until(lambda: client.has_ended(other))
    assert [push.token for push in sandbox.pushes] == ["phone"]


async def test_stop_in_good_order(sandbox: Sandbox) -> None:
    """A sandbox that stops sends what is due after its GOAWAY, and does not wait for what hangs."""
    async with connected(sandbox) as client:
        _, early = client.push("hang"), client.push("phone")
        await client.until(lambda: client.has_ended(early))
        sandbox.script = Script(delay_ms=100)
        late = client.push("phone")
        await client.flush()
        client.h2.ping(b"received")
        await client.until(lambda: client.has(h2.events.PingAckReceived))
        stopping = asyncio.create_task(sandbox.aclose())
        await client.until(lambda: client.is_at_end)
        await stopping
        assert client.has(h2.events.ConnectionTerminated)
        assert client.statuses() == {early: "200", late: "200"}


async def test_window_opened_for_a_stream_given_up(sandbox: Sandbox) -> None:
    """A window that opens and a stream that ends in one packet do not cost the connection."""
    async with connected(sandbox, INITIAL_WINDOW_SIZE=0) as client:
        given_up = client.push("400")
        await client.until(lambda: given_up in client.statuses())
        client.h2.increment_flow_control_window(5)
        client.h2.reset_stream(given_up)
        other = client.push("phone")
        await client.until(lambda: client.has_ended(other))
        assert client.body(given_up) == b""


async def test_stop_with_slow_answers(sandbox: Sandbox) -> None:
    """A sandbox that stops does not wait for answers that take too long."""
    async with connected(sandbox) as client:
        sandbox.script = Script(delay_ms=60_000)
        client.push("phone")
        client.h2.ping(b"received")
        await client.until(lambda: client.has(h2.events.PingAckReceived))
        async with asyncio.timeout(20):
            await sandbox.aclose()
        await client.until(lambda: client.is_at_end)
        assert client.statuses() == {}


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(200), _PREFACE + _SETTINGS + _DATA_ON_STREAM_0]
)
async def test_noise(sandbox: Sandbox, noise: bytes) -> None:
    """Who breaks the protocol loses the connection; the next client is served."""
    async with connected(sandbox) as client:
        client.writer.write(noise)
        async with asyncio.timeout(10):
            while await client.reader.read(65536):
                continue
    async with connected(sandbox) as client:
        stream = client.push("phone")
        await client.until(lambda: client.has_ended(stream))


async def test_client_that_disappears(sandbox: Sandbox) -> None:
    """A client that goes away takes its unanswered pushes with it."""
    before = asyncio.all_tasks()
    sandbox.script = Script(delay_ms=60_000)
    async with connected(sandbox) as client:
        client.push("slow")
        client.h2.ping(b"received")
        await client.until(lambda: client.has(h2.events.PingAckReceived))
        assert asyncio.all_tasks() != before
    await until(lambda: asyncio.all_tasks() == before)
    assert sandbox.pushes == ()
