"""Subscribing as a mail app does: what is stored, for whom, and what of the session is kept."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from oxpushctl.errors import BadData, ConfigurationError, NotReachable
from oxpushctl.model import Credential, DirectoryEntry, Origin
from tests.engine.parts import ANTON, APP, BERTA
from tests.web.subscribing import DONE, LOGIN, SECRET, shop, wish


async def test_subscribe(tmp_path: Path) -> None:
    """What a device asks for is stored for the session's user, under both of the middleware's paths."""
    async with shop(tmp_path) as open_shop:
        first = await open_shop.subscribe(topics=["ox:mail:*", "ox:calendar:updates"], expires=1_700_000_001_000)
        second = await open_shop.subscribe("/appsuite/api/pns", transport="gcm", token="ef34", expires=0, meta={"a": 1})
        apple, google = await open_shop.devices.listing(ANTON, None)

    assert (first, second) == (DONE, DONE)
    assert (apple.client, apple.transport, apple.token) == (APP, "apn", "ab12cd")
    assert (apple.topics, apple.expires_ms) == (("ox:calendar:updates", "ox:mail:*"), 1_700_000_001_000)
    assert (google.transport, google.token, google.topics, google.expires_ms) == ("gcm", "ef34", ("ox:mail:new",), None)


async def test_client_of_the_session(tmp_path: Path) -> None:
    """An app that names no client is the one that logged in."""
    async with shop(tmp_path) as open_shop:
        session = open_shop.log_in(ANTON, LOGIN, client="another-app")
        await open_shop.subscribe(session=session, client=...)
        [device] = await open_shop.devices.listing(ANTON, None)

    assert device.client == "another-app"


async def test_spellings(tmp_path: Path) -> None:
    """The other words for a transport are understood."""
    async with shop(tmp_path) as open_shop:
        for n, transport in enumerate(("apns", "apns_http2", "fcm", "websocket")):
            await open_shop.subscribe(transport=transport, token=f"token {n}!")
        devices = await open_shop.devices.listing(None, APP)

    assert [device.transport for device in devices] == ["apn", "apn", "gcm", "websocket"]


async def test_unsubscribe(tmp_path: Path) -> None:
    """A device leaves; the others stay, and who was not there leaves as well."""
    async with shop(tmp_path) as open_shop:
        for token in ("one", "two"):
            await open_shop.subscribe(token=token)
        answers = [await open_shop.unsubscribe(token=token) for token in ("one", "one", "never there", "x" * 999)]
        left = await open_shop.devices.listing(ANTON, None)

    assert answers == [DONE, DONE, DONE, DONE]
    assert [device.token for device in left] == ["two"]


async def test_token_of_another_user(tmp_path: Path) -> None:
    """A phone that changes hands belongs to whom it subscribed last; the former user cannot take it back by leaving."""
    async with shop(tmp_path) as open_shop:
        await open_shop.users.add(DirectoryEntry(BERTA, "berta@nr.test"))
        session = open_shop.log_in(BERTA, "berta@nr.test")
        await open_shop.subscribe()
        await open_shop.subscribe(session=session)
        await open_shop.unsubscribe()
        devices = await open_shop.devices.listing(None, None)

    assert [device.user for device in devices] == [BERTA]


async def test_password_kept(tmp_path: Path) -> None:
    """The session's password is kept for an allowed app that wants new mail, and for no other."""
    async with shop(tmp_path) as open_shop:
        await open_shop.subscribe(client="not-allowed")
        await open_shop.subscribe(topics=["ox:calendar:updates"])
        before = list(open_shop.kept.given)
        await open_shop.subscribe()

    assert before == []
    assert open_shop.kept.given == [(Credential(ANTON, LOGIN, SECRET), Origin.SUBSCRIBING)]


@pytest.mark.parametrize("failure", [NotReachable("redis is away"), ConfigurationError("another passphrase")])
async def test_password_not_kept(
    failure: NotReachable | ConfigurationError, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An app whose password could not be kept is told to come again, and then is what it would have been."""
    async with shop(tmp_path) as open_shop:
        open_shop.kept.failure = failure
        answer = await open_shop.subscribe()
        open_shop.kept.failure = None
        again = await open_shop.subscribe()
        devices = await open_shop.devices.listing(ANTON, None)

    assert (answer["code"], answer["categories"], again) == ("PNS-0003", "TRY_AGAIN", DONE)
    assert len(open_shop.kept.given) == len(devices) == 1
    assert str(failure) not in str(answer)
    assert str(failure) in _log(caplog)


async def test_password_can_never_be_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An app whose password does not fit is not sent round for ever; why is said in our log."""
    async with shop(tmp_path) as open_shop:
        open_shop.kept.failure = BadData("encrypted password has 600 characters, 512 are possible")
        answer = await open_shop.subscribe()

    assert (answer["code"], answer["categories"]) == ("PNS-0001", "CONFIGURATION")
    assert answer["error"] == answer["error_desc"] == "The mail password cannot be kept on this server."
    assert "512 are possible" in _log(caplog)


async def test_id_of_somebody_else(tmp_path: Path) -> None:
    """A session whose login is not its user's any more stores nothing for whoever has the id now, and ends."""
    async with shop(tmp_path) as open_shop:
        await open_shop.users.add(DirectoryEntry(ANTON, "successor@nr.test"), rename=True)
        answers = [await open_shop.subscribe(), await open_shop.unsubscribe()]
        await open_shop.users.add(DirectoryEntry(ANTON, LOGIN), rename=True)
        answers.append(await open_shop.subscribe())
        devices = await open_shop.devices.listing(None, None)

    assert [answer["code"] for answer in answers] == ["SES-0203"] * 3
    assert (devices, open_shop.kept.given) == ([], [])


@pytest.mark.parametrize("alias", [LOGIN, LOGIN.upper()])
async def test_login_became_an_alias(alias: str, tmp_path: Path) -> None:
    """The successor's alias is no way back for who had the login before, though the name stands for the same id."""
    async with shop(tmp_path) as open_shop:
        await open_shop.users.add(DirectoryEntry(ANTON, "successor@nr.test", "", (alias,)), rename=True)
        answer = await open_shop.subscribe()
        devices = await open_shop.devices.listing(None, None)

    assert (answer["code"], devices, len(open_shop.sessions)) == ("SES-0203", [], 0)


async def test_login_in_another_case(tmp_path: Path) -> None:
    """A login that is spelt otherwise by now is the same."""
    async with shop(tmp_path) as open_shop:
        await open_shop.users.add(DirectoryEntry(ANTON, LOGIN.upper()))
        answer = await open_shop.subscribe()

    assert answer == DONE


async def test_user_is_removed(tmp_path: Path) -> None:
    """Nobody subscribes for a user that is not there any more."""
    async with shop(tmp_path) as open_shop:
        await open_shop.users.remove(ANTON)
        answer = await open_shop.subscribe()
        devices = await open_shop.devices.listing(None, None)

    assert (answer["code"], devices) == ("SES-0203", [])


async def test_nothing_secret_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No session id, password or whole token is written down, whatever becomes of a request."""
    caplog.set_level(logging.DEBUG)
    token = "0123456789abcdef" * 4
    async with shop(tmp_path) as open_shop:
        await open_shop.subscribe(token=token)
        await open_shop.unsubscribe(token=token)
        await open_shop.subscribe(token=token, topics=["no topic"])
        await open_shop.ask(wish(token=token), action="nonsense")
        open_shop.sessions.close(open_shop.session)
        await open_shop.subscribe(token=token)

    written = _log(caplog)
    assert "device subscribed" in written
    assert not [secret for secret in (open_shop.session, SECRET, token) if secret in written]


def _log(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in caplog.records)
