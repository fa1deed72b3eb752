"""Sockets that datagrams of mail servers arrive at: real ones, over this machine's own addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from oxpushctl.errors import ConfigurationError, NotReachable
from oxpushctl.listeners.mailnotify_ears import Ears
from oxpushctl.listeners.mailnotify_socket import Address, bound, bound_to
from tests.listeners.datagrams import GROUP, GROUP_V6, send, send_to_group
from tests.peers.ports import free_port
from tests.waiting import until

_ATTEMPTS = 5


@dataclass
class _Heard:
    port: int
    datagrams: list[bytes] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    dropped: int = 0
    ears: Ears | None = None

    def note(self, datagram: bytes, sender: str) -> None:
        self.datagrams.append(datagram)
        self.senders.append(sender)

    def note_dropped(self, count: int) -> None:
        self.dropped += count


@asynccontextmanager
async def _hearing(host: str, *, port: int = 0, is_multicast: bool = False) -> AsyncIterator[_Heard]:
    for attempt in range(1, _ATTEMPTS + 1):
        heard = _Heard(port or free_port(socket.SOCK_DGRAM))
        try:
            sockets = await bound(host, heard.port, is_multicast=is_multicast)
            break
        except NotReachable as error:
            if port or attempt == _ATTEMPTS or "taken" not in str(error):
                raise
    heard.ears = Ears(sockets, heard.note, heard.note_dropped)
    try:
        yield heard
    finally:
        heard.ears.close()


@pytest.mark.parametrize(
    ("host", "target", "sender"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("::1", "::1", "::1"),
        ("localhost", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("::", "::1", "::1"),
        pytest.param("::", "127.0.0.1", "::ffff:127.0.0.1", id="IPv4 at a socket of IPv6"),
    ],
)
async def test_unicast(host: str, target: str, sender: str) -> None:
    """What is sent to the host is heard, whole, and from where."""
    datagrams = [b"", b"one", b"x" * 60_000]
    async with _hearing(host) as heard:
        send(*datagrams, port=heard.port, host=target)
        await until(lambda: len(heard.datagrams) == len(datagrams))
    assert (heard.datagrams, set(heard.senders)) == (datagrams, {sender})


async def test_host_of_several_addresses() -> None:
    """All of them are heard, without those that this machine does not have."""
    port = free_port(socket.SOCK_DGRAM)
    addresses: list[Address] = [
        (socket.AF_INET6, ("2001:db8::9", port, 0, 0)),
        (socket.AF_INET6, ("::", port, 0, 0)),
        (socket.AF_INET, ("0.0.0.0", port)),
        (socket.AF_INET, ("203.0.113.9", port)),
    ]
    heard = _Heard(port)
    ears = Ears(bound_to(addresses, "mail", port, is_multicast=False), heard.note, heard.note_dropped)
    try:
        send(b"4", port=port)
        send(b"6", port=port, host="::1")
        await until(lambda: len(heard.datagrams) == 2)
    finally:
        ears.close()
    assert sorted(zip(heard.datagrams, heard.senders, strict=True)) == [(b"4", "127.0.0.1"), (b"6", "::1")]


@pytest.mark.parametrize("group", [GROUP, GROUP_V6])
async def test_multicast(group: str) -> None:
    """Everybody on this machine who joined the group hears what is sent to it."""
    async with _hearing(group, is_multicast=True) as one, _hearing(group, port=one.port, is_multicast=True) as other:
        send_to_group(b"hello", port=one.port, group=group)
        await until(lambda: one.datagrams and other.datagrams)
    assert (one.datagrams, other.datagrams) == ([b"hello"], [b"hello"])


@pytest.mark.parametrize(("group", "foreign"), [(GROUP, "239.255.23.43"), (GROUP_V6, "ff15::2343")])
async def test_foreign_group(group: str, foreign: str) -> None:
    """A group that another program joined is not heard."""
    async with (
        _hearing(foreign, is_multicast=True) as other,
        _hearing(group, port=other.port, is_multicast=True) as one,
    ):
        send_to_group(b"not ours", port=one.port, group=foreign)
        await until(lambda: other.datagrams)
        send_to_group(b"ours", port=one.port, group=group)
        await until(lambda: one.datagrams)
    assert one.datagrams == [b"ours"]


async def test_last_words() -> None:
    """What had come when the sockets are closed is heard."""
    async with _hearing("127.0.0.1") as heard:
        send(b"at last", port=heard.port)
        before = list(heard.datagrams)
    assert (before, heard.datagrams) == ([], [b"at last"])


async def test_more_than_the_kernel_has_room_for() -> None:
    """What it drops is counted, each datagram once, as soon as another one arrives."""
    count, size = 1000, 60_000
    drops = []
    async with _hearing("127.0.0.1") as heard:
        for end in (b"one", b"other"):
            send(*[b"x" * size] * count, port=heard.port)
            await until(lambda: heard.datagrams)
            send(end, port=heard.port)
            await until(partial(heard.datagrams.__contains__, end))
            drops.append(heard.dropped)
    assert drops[0] > 0
    assert drops[1] > drops[0]
    assert len(heard.datagrams) + heard.dropped == 2 * (count + 1)


async def test_socket_that_fails() -> None:
    """It is not read for ever, and whoever waits for the end learns why."""
    useless = socket.socket()
    ears = Ears([useless], lambda _datagram, _sender: None, lambda _count: None)
    try:
        with pytest.raises(NotReachable, match=r"datagrams cannot be received: .*not connected"):
            await ears.ended
        is_still_read = asyncio.get_running_loop().remove_reader(useless.fileno())
    finally:
        ears.close()
    assert not is_still_read


async def test_taken_port() -> None:
    """The port is named, and what to do; nothing stays bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        addresses: list[Address] = [(socket.AF_INET6, ("::1", port, 0, 0)), (socket.AF_INET, ("127.0.0.1", port))]
        with pytest.raises(NotReachable, match=rf"UDP port {port} of localhost is taken: .*udp_listen_port"):
            bound_to(addresses, "localhost", port, is_multicast=False)
    async with _hearing("::1", port=port):
        pass


@pytest.mark.parametrize(
    ("host", "is_multicast", "kind", "reason"),
    [
        ("203.0.113.9", False, NotReachable, "203.0.113.9 is no address of this machine"),
        ("a" * 64, False, NotReachable, "the name a+ cannot be resolved"),
        ("127.0.0.1", True, ConfigurationError, "127.0.0.1 is no multicast group"),
        ("localhost", True, ConfigurationError, "localhost is no multicast group"),
    ],
)
async def test_host_of_no_use(host: str, is_multicast: bool, kind: type[Exception], reason: str) -> None:
    """The property is named, and what is wrong with its value."""
    with pytest.raises(kind, match=rf"udp_listen_host: {reason}"):
        await bound(host, free_port(socket.SOCK_DGRAM), is_multicast=is_multicast)
