"""What a person sees: the page in a real browser, watched while pushes arrive."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import orjson

from oxpushctl.sandbox.exchange import Json
from oxpushctl.sandbox.sandbox import Sandbox
from tests.sandbox.browser import showing
from tests.sandbox.provider_requests import apns, assertion, fcm, token_request

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def _text(selector: str) -> str:
    return f"[...document.querySelectorAll({selector!r})].map((node) => node.textContent)"


def _alert(title: str, body: str, badge: int = 1) -> Json:
    return {"aps": {"alert": {"title": title, "body": body}, "badge": badge}}


async def _send_to_android(sandbox: Sandbox, data: dict[str, Json]) -> None:
    form = urlencode({"grant_type": _GRANT, "assertion": assertion(sandbox.identity, f"{sandbox.url}/token")})
    access_token = orjson.loads((await sandbox.handle(token_request(form))).body)["access_token"]
    await sandbox.handle(fcm({"message": {"token": "android", "data": data}}, access_token))


async def test_lock_screens(sandbox: Sandbox, tmp_path: Path) -> None:
    """Pushes appear by themselves, newest first, each on its phone; a collapse id replaces the earlier card."""
    mail = sandbox.identity
    await sandbox.handle(apns(mail, "iphone", _alert("Jane Doe", "Lunch?"), apns_collapse_id="1"))
    async with showing(sandbox.page_url, tmp_path) as page:
        await page.becomes(_text(".ios .title"), ["Jane Doe"])
        await sandbox.handle(apns(mail, "iphone", _alert("Kōji 田中", "会議 🎉", 2), apns_collapse_id="2"))
        await page.becomes(_text(".ios .title"), ["Kōji 田中", "Jane Doe"])
        await sandbox.handle(apns(mail, "iphone", _alert("Jane Doe", "Dinner?", 3), apns_collapse_id="1"))
        await page.becomes(_text(".ios .body"), ["Dinner?", "会議 🎉"])
        await page.becomes(_text(".ios .badge"), ["3"])
        await _send_to_android(sandbox, {"displayname": "Jane Doe", "subject": "Lunch?", "unread": "4"})
        await page.becomes(
            _text(".android .app, .android .title, .android .body"), ["Mail · 4 unread", "Jane Doe", "Lunch?"]
        )
        await page.becomes(_text("#phone-count, #push-count"), ["2", "4"])


async def test_hostile_text(sandbox: Sandbox, tmp_path: Path) -> None:
    """Markup in a mail is shown as the text that it is."""
    hostile = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"
    await sandbox.handle(apns(sandbox.identity, f"%3Cb%3E{'x' * 9}", _alert(hostile, hostile)))
    async with showing(sandbox.page_url, tmp_path) as page:
        await page.becomes(_text(".title, .body"), [hostile, hostile])
        assert await page.value("document.querySelectorAll('main img, main script, .words b, .token b').length") == 0
        assert await page.value("document.title") == "oxpushctl sandbox"


async def test_phones_in_trouble(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was not delivered is told on the phone, and a background push shows as such."""
    background: Json = {"aps": {"content-available": 1}}
    async with showing(sandbox.page_url, tmp_path) as page:
        await sandbox.handle(apns(sandbox.identity, "410"))
        await page.becomes(_text(".is-gone .notice"), ["This phone is gone410 Unregistered"])
        await sandbox.handle(apns(sandbox.identity, "hang"))
        await page.becomes(_text(".phone:not(.is-gone) .notice"), ["No answerheld open"])
        await sandbox.handle(
            apns(sandbox.identity, "iphone", background, apns_push_type="background", apns_priority="5")
        )
        await page.becomes(_text(".silent span:first-child"), ["⟳ background push"])
        await page.value("document.getElementById('clear').click()")
        await page.becomes("document.querySelectorAll('.phone').length", 0)
    assert sandbox.pushes == ()
