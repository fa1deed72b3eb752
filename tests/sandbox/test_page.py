"""The page's port: pushes as JSON, the live stream, and who may ask."""

from __future__ import annotations

import asyncio
import json
import re

import aiohttp
import pytest

from oxpushctl.sandbox.exchange import Json
from oxpushctl.sandbox.sandbox import Sandbox
from tests.sandbox.provider_requests import ALERT, apns


async def _deliver(sandbox: Sandbox, *tokens: str) -> None:
    for token in tokens:
        await sandbox.handle(apns(sandbox.identity, token))


async def _get(sandbox: Sandbox, path: str, **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox.page_url}{path}", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def _tokens(sandbox: Sandbox, query: str) -> list[str]:
    _, text = await _get(sandbox, f"/pushes{query}")
    return [push["token"] for push in json.loads(text)]


async def _event(stream: aiohttp.StreamReader) -> dict[str, str]:
    """Read one event of a live stream."""
    fields = {}
    async with asyncio.timeout(10):
        while line := (await stream.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(":")
            fields[name] = value.lstrip()
    return fields


async def test_pushes_as_json(sandbox: Sandbox) -> None:
    """A push is shown with everything that came with it, its credentials left out."""
    await sandbox.handle(apns(sandbox.identity, "410", apns_collapse_id="mail", authorization="basic secret"))
    _, text = await _get(sandbox, "/pushes")
    (push,) = json.loads(text)
    at = push.pop("received_at")
    assert isinstance(at, float)
    assert re.fullmatch(r"[0-9A-F-]{36}", push.pop("id"))
    expected: dict[str, Json] = {
        "number": 1,
        "provider": "apns",
        "authentication": "certificate",
        "topic": "com.example.mail",
        "project": "",
        "token": "410",
        "headers": {
            "apns-topic": "com.example.mail",
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-collapse-id": "mail",
        },
        "payload": ALERT,
        "status": 410,
        "reason": "Unregistered",
    }
    assert push == expected


async def test_newest_first_and_narrowed(sandbox: Sandbox) -> None:
    """The array is newest first; a token or the last known number narrow it."""
    await _deliver(sandbox, "a", "b", "a", "c")
    assert await _tokens(sandbox, "") == ["c", "a", "b", "a"]
    assert await _tokens(sandbox, "?token=a") == ["a", "a"]
    assert await _tokens(sandbox, "?after=2") == ["c", "a"]
    assert await _tokens(sandbox, "?after=2&token=a") == ["a"]
    assert await _get(sandbox, "/pushes?after=x") == (400, "after: not the number of a push\n")


async def test_record_is_bounded(sandbox: Sandbox) -> None:
    """The oldest pushes fall out."""
    small = Sandbox(sandbox.identity, keep=2)
    await _deliver(small, "a", "b", "c")
    assert [push.token for push in small.pushes] == ["b", "c"]


async def test_forgotten(sandbox: Sandbox) -> None:
    """DELETE empties the record; numbers go on."""
    await _deliver(sandbox, "a")
    async with aiohttp.ClientSession() as session, session.delete(f"{sandbox.page_url}/pushes") as answer:
        assert answer.status == 204
    await _deliver(sandbox, "b")
    assert [(push.number, push.token) for push in sandbox.pushes] == [(2, "b")]


async def test_live_stream(sandbox: Sandbox) -> None:
    """Who watches gets what was before, what comes, and that all was forgotten."""
    await _deliver(sandbox, "before")
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.page_url}/events") as answer:
        before = await _event(answer.content)
        await _deliver(sandbox, "after")
        after = await _event(answer.content)
        sandbox.log.clear()
        cleared = await _event(answer.content)
    assert (before["id"], json.loads(before["data"])["token"]) == ("1", "before")
    assert (after["id"], json.loads(after["data"])["token"]) == ("2", "after")
    assert cleared["event"] == "cleared"


async def test_live_stream_resumed(sandbox: Sandbox) -> None:
    """A browser that connects again gets only what it missed."""
    await _deliver(sandbox, "a", "b")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox.page_url}/events", headers={"Last-Event-ID": "1"}) as answer,
    ):
        assert (await _event(answer.content))["id"] == "2"


async def test_live_stream_of_another_sandbox(sandbox: Sandbox) -> None:
    """A page left open from an earlier sandbox starts anew."""
    await _deliver(sandbox, "a")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox.page_url}/events", headers={"Last-Event-ID": "77"}) as answer,
    ):
        assert (await _event(answer.content))["event"] == "cleared"
        assert (await _event(answer.content))["id"] == "1"


async def test_stop_ends_the_live_stream(sandbox: Sandbox) -> None:
    """A page that stays open does not hold up the end."""
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.page_url}/events") as answer:
        async with asyncio.timeout(10):
            await sandbox.aclose()
            assert await answer.content.read() == b""


@pytest.mark.parametrize("host", ["localhost:8020", "127.0.0.1", "127.0.0.5:1", "[::1]:8020", "LOCALHOST"])
async def test_names_of_this_machine(sandbox: Sandbox, host: str) -> None:
    """Every name of this machine is answered."""
    assert (await _get(sandbox, "/pushes", Host=host))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8020", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io"]
)
@pytest.mark.parametrize("path", ["/", "/pushes", "/events"])
async def test_name_that_was_made_to_lead_here(sandbox: Sandbox, host: str, path: str) -> None:
    """A foreign site whose name points at this machine learns nothing."""
    assert (await _get(sandbox, path, Host=host))[0] == 421


@pytest.mark.parametrize("host", ["", "[", "a b", "127.0.0.1:x"])
async def test_host_that_is_none(sandbox: Sandbox, host: str) -> None:
    """A broken Host header is the client's fault."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.page_port)
    writer.write(f"GET /pushes HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status = int((await reader.read()).split()[1])
    writer.close()
    await writer.wait_closed()
    assert 400 <= status < 500


async def test_page_runs_nothing_but_its_own(sandbox: Sandbox) -> None:
    """The page fetches nothing from elsewhere, and its policy lets only its own script and style run."""
    async with aiohttp.ClientSession() as session, session.get(sandbox.page_url) as answer:
        text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', text))
    assert f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'" in policy
    assert re.findall(r"https?://|innerHTML|document\.write|\ssrc=|\son[a-z]+=", text) == []
