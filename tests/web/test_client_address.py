"""Whose request it is: what proxies are believed, and what clients make up is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from aiohttp import web

from oxpushctl.config.property import Network
from oxpushctl.web.answer import json_answer
from oxpushctl.web.client_address import client_address, household
from oxpushctl.web.server import Server
from tests.engine.parts import HandClock
from tests.web.parts import Wire, request

_LOOPBACK = ("127.0.0.1",)
_FLEET = ("127.0.0.1", "10.1.0.0/16", "2001:db8:1::/48")


@asynccontextmanager
async def _asked(listen: str, proxies: Sequence[str], *headers: str) -> AsyncIterator[str]:
    """Yield the address that a request with some X-Forwarded-For headers is taken to come from."""
    networks: list[Network] = [ip_network(text) for text in proxies]

    async def tell(given: web.BaseRequest) -> web.StreamResponse:
        return json_answer(str(client_address(given, networks)).encode())

    server = Server([listen], {"/who": {"GET": tell}}, is_ready=lambda: True, clock=HandClock())
    [address] = await server.start()
    try:
        extra = "".join(f"X-Forwarded-For: {header}\r\n" for header in headers)
        async with Wire.to(address) as wire:
            answer = await wire.ask(request(b"", method="GET", path="/who", authorization=None, extra=extra))
        assert answer is not None
        yield answer.body.decode()
    finally:
        await server.aclose()


@pytest.mark.parametrize(
    ("proxies", "headers", "expected"),
    [
        ((), (), "127.0.0.1"),
        ((), ("192.0.2.7",), "127.0.0.1"),
        (("10.1.0.0/16",), ("192.0.2.7",), "127.0.0.1"),
        (_LOOPBACK, (), "127.0.0.1"),
        (_LOOPBACK, ("192.0.2.7",), "192.0.2.7"),
        (_LOOPBACK, ("6.6.6.6, 192.0.2.7",), "192.0.2.7"),
        (_LOOPBACK, ("6.6.6.6", "192.0.2.7"), "192.0.2.7"),
        (_LOOPBACK, ("6.6.6.6, 192.0.2.7, 10.1.2.3",), "10.1.2.3"),
        (_FLEET, ("6.6.6.6, 192.0.2.7, 10.1.2.3",), "192.0.2.7"),
        (_FLEET, ("6.6.6.6,192.0.2.7 ,2001:db8:1::7,\t10.1.2.3",), "192.0.2.7"),
        (_FLEET, ("10.1.2.3, 10.1.2.4",), "10.1.2.3"),
        (_LOOPBACK, ("",), "127.0.0.1"),
        (_LOOPBACK, ("unknown",), "127.0.0.1"),
        (_FLEET, ("192.0.2.7, unknown, 10.1.2.3",), "10.1.2.3"),
        (_FLEET, ("192.0.2.7, , 10.1.2.3",), "10.1.2.3"),
        (_FLEET, ("192.0.2.7, 10.1.2.3.4",), "127.0.0.1"),
        (_LOOPBACK, ("192.0.2.7:50123",), "192.0.2.7"),
        (_LOOPBACK, ("[2001:db8::7]:50123",), "2001:db8::7"),
        (_LOOPBACK, ("[2001:db8::7]",), "2001:db8::7"),
        (_LOOPBACK, ("2001:DB8:0::7",), "2001:db8::7"),
        (_LOOPBACK, ("::ffff:192.0.2.7",), "192.0.2.7"),
        (_FLEET, ("192.0.2.7, ::ffff:10.1.2.3",), "192.0.2.7"),
        (_LOOPBACK, ("fe80::1%eth0",), "fe80::1"),
        (_LOOPBACK, ("192.0.2.7; x",), "127.0.0.1"),
    ],
)
async def test_over_tcp(proxies: Sequence[str], headers: Sequence[str], expected: str) -> None:
    """Known proxies are believed one after the other, from the last one; who is none ends the walk."""
    async with _asked("127.0.0.1:0", proxies, *headers) as address:
        assert address == expected


@pytest.mark.parametrize(
    ("proxies", "headers", "expected"),
    [
        ((), (), "None"),
        ((), ("6.6.6.6, 192.0.2.7",), "192.0.2.7"),
        ((), ("unknown",), "None"),
        (_FLEET, ("6.6.6.6, 192.0.2.7, 10.1.2.3",), "192.0.2.7"),
    ],
)
async def test_over_a_socket(proxies: Sequence[str], headers: Sequence[str], expected: str, tmp_path: Path) -> None:
    """Who comes through a socket of this machine is a proxy, without an address of its own."""
    async with _asked(f"unix:{tmp_path}/public.sock", proxies, *headers) as address:
        assert address == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ],
)
def test_household(address: str, expected: str) -> None:
    """All IPv6 addresses of a /64 are one place; an IPv4 address is one by itself."""
    assert household(ip_address(address)) == expected
