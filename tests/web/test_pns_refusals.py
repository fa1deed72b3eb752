"""What a mail app is told when it cannot subscribe: an error object with the middleware's code."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from oxpushctl.errors import BadData, ConfigurationError, NotReachable, OxpushctlError, TryLater
from oxpushctl.model import Subscription
from oxpushctl.stores.devices import Devices
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from tests.web.parts import Names, request
from tests.web.subscribing import shop, wish

_NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("body", "code", "params"),
    [
        (b"", "SVL-0009", []),
        (b"{", "SVL-0009", []),
        (b"[1]", "SVL-0009", []),
        (b"\xff{}", "SVL-0009", []),
        (b'{"token":"\\ud800"}', "SVL-0009", []),
        (wish(client=""), "SVL-0002", ["client"]),
        (wish(client=5), "SVL-0009", ["client"]),
        (wish(token=...), "SVL-0002", ["token"]),
        (wish(token=None), "SVL-0002", ["token"]),
        (wish(token=""), "SVL-0002", ["token"]),
        (wish(token=["x"]), "SVL-0009", ["token"]),
        (wish(transport=...), "SVL-0002", ["transport"]),
        (wish(transport={}), "SVL-0009", ["transport"]),
        (wish(topics=...), "SVL-0002", ["topics"]),
        (wish(topics="ox:mail:new"), "SVL-0009", ["topics"]),
        (wish(topics=["ox:mail:new", 5]), "SVL-0009", ["topics"]),
        (wish(expires="soon"), "SVL-0009", ["expires"]),
        (wish(expires=True), "SVL-0009", ["expires"]),
        (wish(expires=1.5), "SVL-0009", ["expires"]),
        (wish(expires=2**63), "SVL-0009", ["expires"]),
        (wish(meta=[]), "SVL-0009", ["meta"]),
        (wish(meta=0), "SVL-0009", ["meta"]),
        (wish(topics=[]), "PNS-0007", []),
        (wish(topics=["ox:mail:new", "ox mail", "a::b"]), "PNS-0007", ["ox mail", "a::b"]),
        (wish(topics=["ox:mail*"]), "PNS-0007", ["ox:mail*"]),
        (wish(topics=[":" * 300]), "PNS-0007", [":" * 100 + "…"]),
        (wish(topics=[f"ox:{n}" for n in range(101)]), "PNS-0007", []),
        (wish(topics=["ox:" + "x" * 300]), "PNS-0007", []),
        (wish(topics=["ox:a", "ox:A"]), "PNS-0007", []),
        (wish(transport="wns"), "PNS-0005", []),
        (wish(transport="APN"), "PNS-0005", []),
        (wish(token="x" * 256), "PNS-0001", []),
        (wish(token="\N{PILE OF POO}"), "PNS-0001", []),
        (wish(token="a\0b"), "PNS-0001", []),
        (wish(client="c" * 65), "PNS-0001", []),
    ],
)
async def test_body_of_no_use(body: bytes, code: str, params: list[str], tmp_path: Path) -> None:
    """Each mistake has its code and names what is wrong; nothing is stored, nothing is cut."""
    async with shop(tmp_path) as open_shop:
        refusal = await open_shop.refusal(body)
        devices = await open_shop.devices.listing(None, None)

    assert refusal == (code, "USER_INPUT", params)
    assert devices == []


@pytest.mark.parametrize("expires", [_NOW_MS, _NOW_MS - 1, 1, -1])
async def test_expired_at_once(expires: int, tmp_path: Path) -> None:
    """A wish that is over before it begins is denied."""
    async with shop(tmp_path) as open_shop:
        refusal = await open_shop.refusal(wish(expires=expires))

    assert refusal == ("PNS-0012", "PERMISSION_DENIED", [])


@pytest.mark.parametrize(
    ("query", "code", "category", "params"),
    [
        ({"session": "-"}, "SVL-0002", "USER_INPUT", ["session"]),
        ({"action": "-"}, "SVL-0002", "USER_INPUT", ["action"]),
        ({"action": "update"}, "SVL-0021", "USER_INPUT", ["update", "pns"]),
        ({"session": "0" * 32}, "SES-0203", "TRY_AGAIN", []),
        ({"session": "nonsense \N{PILE OF POO}"}, "SES-0203", "TRY_AGAIN", []),
    ],
)
async def test_query_of_no_use(
    query: dict[str, str], code: str, category: str, params: list[str], tmp_path: Path
) -> None:
    """Without a session that lives and an action that there is nothing happens."""
    async with shop(tmp_path) as open_shop:
        refusal = await open_shop.refusal(wish(), **query)

    assert refusal == (code, category, params)


async def test_session_is_over(tmp_path: Path) -> None:
    """A session that was not used for long is unknown."""
    async with shop(tmp_path) as open_shop:
        open_shop.clock.time += 3600
        refusal = await open_shop.refusal(wish())

    assert refusal[0] == "SES-0203"


async def test_half_a_character(tmp_path: Path) -> None:
    """A query that is no UTF-8 is refused in words that are."""
    async with shop(tmp_path) as open_shop:
        raw = request(wish(), path=f"/ajax/pns?action=%ED%A0%80&session={open_shop.session}", authorization=None)
        answer = await open_shop.send(raw)

    assert (answer.status, orjson.loads(answer.body)["code"]) == (200, "SVL-0021")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_other_methods(method: str, tmp_path: Path) -> None:
    """Subscribing is a PUT."""
    async with shop(tmp_path) as open_shop:
        target = f"/ajax/pns?action=subscribe&session={open_shop.session}"
        answer = await open_shop.send(request(wish(), method=method, path=target, authorization=None))

    assert (answer.status, answer.headers["allow"]) == (405, "PUT")


async def test_body_too_large(tmp_path: Path) -> None:
    """64 KiB are enough for everybody."""
    async with shop(tmp_path) as open_shop:
        target = f"/ajax/pns?action=subscribe&session={open_shop.session}"
        answer = await open_shop.send(request(wish(meta={"a": "x" * 65536}), path=target, authorization=None))

    assert answer.status == 413


class _Failing(Devices):
    """A store whose database gives trouble."""

    def __init__(self, database: Database, failure: OxpushctlError) -> None:
        super().__init__(SqlSubscriptionStore(database), SqlRegistrationStore(database))
        self._failure = failure

    async def subscribe(self, subscription: Subscription) -> bool:
        raise self._failure


@pytest.mark.parametrize(
    ("failure", "code", "category"),
    [
        (NotReachable("db.internal is away"), "PNS-0003", "TRY_AGAIN"),
        (TryLater("db.internal is busy"), "PNS-0003", "TRY_AGAIN"),
        (ConfigurationError("db.internal is too narrow"), "PNS-0001", "CONFIGURATION"),
        (BadData("PNS-0013: 200 subscriptions are possible"), "PNS-0013", "PERMISSION_DENIED"),
    ],
)
async def test_store_gives_trouble(failure: OxpushctlError, code: str, category: str, tmp_path: Path) -> None:
    """What is wrong with our database is said in our log, not to apps."""
    database = Database.open(f"sqlite:///{tmp_path}/other.db")
    async with shop(tmp_path, subscriptions=_Failing(database, failure)) as open_shop:
        answer = await open_shop.subscribe()
    await database.aclose()

    assert (answer["code"], answer["categories"]) == (code, category)
    assert "db.internal" not in str(answer)
    assert open_shop.kept.given == []


async def test_directory_is_away(tmp_path: Path) -> None:
    """While nobody can tell whose the session is nothing is stored, and the session stays."""
    async with shop(tmp_path, directory=Names(user=None)) as open_shop:
        refusal = await open_shop.refusal(wish())
        devices = await open_shop.devices.listing(None, None)

    assert refusal == ("PNS-0003", "TRY_AGAIN", [])
    assert devices == []
    assert open_shop.sessions.find(open_shop.session) is not None
