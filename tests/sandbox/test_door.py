"""One port, two versions of HTTP, and client certificates."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest

from oxpushctl.errors import NotReachable
from oxpushctl.sandbox.identity import Identity
from oxpushctl.sandbox.sandbox import Sandbox
from tests.sandbox.http2_client import client_context
from tests.sandbox.provider_requests import ALERT, APNS_HEADERS


async def _post(sandbox: Sandbox, token: str, context: ssl.SSLContext | None = None) -> tuple[int, dict[str, str]]:
    context = context or client_context(sandbox.identity, "http/1.1")
    url = f"{sandbox.url}/3/device/{token}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=ALERT, headers=APNS_HEADERS, ssl=context) as answer,
    ):
        return answer.status, dict(answer.headers)


async def test_http1(sandbox: Sandbox) -> None:
    """HTTP/1.1 is answered by the same providers on the same port."""
    status, headers = await _post(sandbox, "429@7")
    assert (status, headers["Retry-After"]) == (429, "7")


async def test_http1_without_certificate(sandbox: Sandbox) -> None:
    """A client without a certificate gets in, and is told what is missing."""
    context = client_context(sandbox.identity, "http/1.1", is_certified=False)
    assert (await _post(sandbox, "phone", context))[0] == 403


async def test_certificate_of_another_authority(sandbox: Sandbox) -> None:
    """A certificate that the sandbox did not issue is refused by TLS itself."""
    context = client_context(Identity.create(), "http/1.1")
    context.load_verify_locations(cadata=sandbox.identity.ca_pem.decode())
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await _post(sandbox, "phone", context)


async def test_http1_cut(sandbox: Sandbox) -> None:
    """A token can cut a connection of HTTP/1.1 as well."""
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await _post(sandbox, "reset")


async def test_http1_closed_with_the_answer(sandbox: Sandbox) -> None:
    """What is GOAWAY in HTTP/2 is Connection: close here."""
    status, headers = await _post(sandbox, "goaway")
    assert (status, headers["Connection"]) == (200, "close")


async def test_stop_while_http1_is_held(sandbox: Sandbox) -> None:
    """A sandbox that stops cuts what it holds open."""
    held = asyncio.create_task(_post(sandbox, "hang"))
    await sandbox.wait_for(lambda push: push.token == "hang")
    await sandbox.aclose()
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await held


async def test_header_that_is_no_text(sandbox: Sandbox) -> None:
    """Bytes beyond ASCII in a header are data like any other, and the record can be shown."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", sandbox.port, ssl=client_context(sandbox.identity, "http/1.1")
    )
    head = b"POST /3/device/x HTTP/1.1\r\nHost: x\r\napns-topic: com.example.mail\r\napns-collapse-id: \xff\xfe\r\n"
    writer.write(head + b"Connection: close\r\nContent-Length: 8\r\n\r\n" + b'{"a": 1}')
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert sandbox.pushes[0].headers["apns-collapse-id"] == "ÿþ"


@pytest.mark.parametrize("taken", ["port", "page_port"])
async def test_port_in_use(sandbox: Sandbox, taken: str) -> None:
    """A port that is taken is an error with a name, and the other port is given back."""
    second = Sandbox(sandbox.identity, **{taken: getattr(sandbox, taken)})
    with pytest.raises(NotReachable):
        await second.start()
