"""Never A's mail to B: every way on which one user's mail could reach another's phone, and that it is closed.

Each test delivers a mail to Anna and one to Berta, and looks at which phones show whose.
"""

from __future__ import annotations

import asyncio

import pytest

from oxpushctl.config.own import DATABASE_URL, INTAKE_LISTEN, PUBLIC_LISTEN, USERS_AUTO_CREATE
from oxpushctl.model import PushUser
from oxpushctl.registration import derive_key, sign
from oxpushctl.sandbox.write_etc import write_etc
from oxpushctl.stores.sql.connecting import opened
from tests.path.conftest import Ground
from tests.path.town import ANNA, BERTA, MASTER, PASSCRYPT_TEXT, PASSWORDS, Town, mail, town
from tests.peers.mariadb import MariaDb
from tests.stores.middleware_tables import RELEASE_8_19

_ANNAS_PHONE, _BERTAS_PHONE, _LAST = "aa" * 32, "bb" * 32, "ee" * 32
CARLA = "carla@example.com"


async def shown(place: Town, *mails: tuple[str, str]) -> list[tuple[str, str]]:
    """Deliver mails (login, subject), and one last for which everybody waits; return (phone, subject) pushed."""
    for login, subject in mails:
        await asyncio.to_thread(place.dovecot.deliver, [login], mail(login, subject))
    await place.ground.subscribe("apn", _LAST, user=9)
    async with place.ground.session(place.engine) as session:
        event = {"user": signed(9), "event": "messageNew", "folder": "INBOX", "imap-uid": 1, "subject": "last"}
        async with session.put("/preliminary/http-notify/v1/notify", json=event) as answer:
            assert answer.status == 200
    await place.ground.sandbox.wait_for(lambda push: push.token == _LAST)
    return sorted(
        (push.token, str(push.at("aps", "alert", "title")))
        for push in place.ground.sandbox.pushes
        if push.token != _LAST
    )


def signed(user: int) -> str:
    return sign(PushUser(1, user), derive_key(PASSCRYPT_TEXT))


async def test_moved_token(ground: Ground) -> None:
    """The phone that Berta logs in on, once Anna's, shows Berta's mails alone."""
    async with town(ground) as place:
        for login in (ANNA, BERTA):
            app = await place.logged_in(login)
            await asyncio.to_thread(app.subscribe, _ANNAS_PHONE)
        await registered(place)
        pushed = await shown(place, (ANNA, "for Anna"), (BERTA, "for Berta"))
        users = [row["user"] for row in await place.listed("registrations")]
    assert pushed == [(_ANNAS_PHONE, "for Berta")]
    assert users == [4, 9]


async def test_reused_id(ground: Ground) -> None:
    """The id of a user that left is nobody else's; who comes back has neither the devices nor sessions of before."""
    async with town(ground) as place:
        old = await place.logged_in(ANNA)
        await asyncio.to_thread(old.subscribe, _ANNAS_PHONE)
        await registered(place)
        codes = [
            (await ground.run("users", action, "-c", "1", "-u", "3", *login))[0]
            for action, *login in (
                ("add", "--login", CARLA),
                ("remove",),
                ("add", "--login", CARLA),
                ("add", "--login", ANNA),
            )
        ]
        late = await asyncio.to_thread(old.subscribe, _ANNAS_PHONE)
        pushed = await shown(place, (ANNA, "to the mailbox that still says user 3"))
        kept = await place.listed("credentials")
    assert codes == [65, 0, 65, 0]
    assert late["code"] == "SES-0203"
    assert pushed == []
    assert kept == []


@pytest.mark.parametrize("user", [("-u", "5"), ("-u", "3", "--rename")])
async def test_session_of_a_former_login(ground: Ground, user: tuple[str, ...]) -> None:
    """Who was logged in as Anna does nothing for Carla, though Anna's login is an alias of Carla by now."""
    async with town(ground) as place:
        old = await place.logged_in(ANNA)
        removed = await ground.run("users", "remove", "-c", "1", "-u", "3")
        added = await ground.run("users", "add", "-c", "1", *user, "--login", CARLA, "--alias", ANNA)
        late = await asyncio.to_thread(old.subscribe, _ANNAS_PHONE)
        devices = await place.listed("subscriptions")
    assert [removed[0], added[0]] == [0, 0]
    assert late["code"] == "SES-0203"
    assert devices == []


async def test_session_of_a_former_user(ground: Ground) -> None:
    """With `users remove` all sessions of the user end, also where the same user comes back."""
    async with town(ground) as place:
        apps = [await place.logged_in(ANNA) for _ in range(2)]
        other = await place.logged_in(BERTA)
        await ground.run("users", "remove", "-c", "1", "-u", "3")
        await ground.run("users", "add", "-c", "1", "-u", "3", "--login", ANNA)
        late = [await asyncio.to_thread(app.subscribe, _ANNAS_PHONE) for app in apps]
        berta = await asyncio.to_thread(other.subscribe, _BERTAS_PHONE)
        new = await place.logged_in(ANNA)
        again = await asyncio.to_thread(new.subscribe, _ANNAS_PHONE)
    assert [answer["code"] for answer in late] == ["SES-0203"] * 2
    assert [berta, again] == [{"data": {"success": True}}] * 2


async def test_master_user_at_the_public_address(ground: Ground) -> None:
    """The master password opens nobody's mailbox for an app, and makes and keeps nothing."""
    name, password = MASTER
    async with town(ground, oxpushctl_users_autoCreate="true") as place:
        answers = [await asyncio.to_thread(place.app().log_in, f"{login}*{name}", password) for login in (ANNA, CARLA)]
        users, kept = await place.listed("users"), await place.listed("credentials")
    assert [answer["code"] for answer in answers] == ["LGI-0006"] * 2
    assert ([row["user"] for row in users], kept) == ([3, 4], [])


async def test_name_that_two_users_have(ground: Ground) -> None:
    """A name cannot be given to a second user in any case, and one that nobody has reaches nobody."""
    async with town(ground, oxpushctl_dovecot_registration="plain") as place:
        await ground.subscribe("apn", _ANNAS_PHONE, user=3)
        code, _, _ = await ground.run("users", "add", "-c", "1", "-u", "5", "--login", "x", "--alias", ANNA.upper())
        async with ground.session(place.engine) as session:
            for name in ("x", f"{ANNA} ", f"\u200b{ANNA}", "anna", f"{ANNA}%", "%", "_nna@example.com"):
                event = {"user": name, "event": "messageNew", "folder": "INBOX", "imap-uid": 1, "subject": "whose?"}
                async with session.put("/preliminary/http-notify/v1/notify", json=event) as answer:
                    assert answer.status == 200
        pushed = await shown_plain(place)
    assert code == 65
    assert pushed == []


async def shown_plain(place: Town) -> list[str]:
    """Return the phones that were pushed to before a last push."""
    await place.ground.subscribe("apn", _LAST, user=9)
    async with place.ground.session(place.engine) as session:
        event = {"user": "9@1", "event": "messageNew", "folder": "INBOX", "imap-uid": 1, "subject": "last"}
        await session.put("/preliminary/http-notify/v1/notify", json=event)
    await place.ground.sandbox.wait_for(lambda push: push.token == _LAST)
    return [push.token for push in place.ground.sandbox.pushes if push.token != _LAST]


@pytest.mark.parametrize(
    "value",
    [
        "user=3@1",
        f"user=3@1/{signed(4).partition('/')[2]}",
        f"user={signed(3)}x",
        f"user={signed(3)[:-1]}",
        "user=3@1/",
        f"user={ANNA}",
    ],
)
async def test_forged_metadata(ground: Ground, value: str) -> None:
    """Berta writes a registration into her mailbox that names Anna: nothing of hers reaches Anna's phone."""
    async with town(ground, oxpushctl_dovecot_registration="signed") as place:
        await ground.subscribe("apn", _ANNAS_PHONE, user=3)
        await asyncio.to_thread(place.dovecot.register, BERTA, value, PASSWORDS[BERTA])
        pushed = await shown(place, (BERTA, "written by Berta"))
    assert pushed == []


async def test_auto_create_beside_the_middleware(ground: Ground) -> None:
    """Where the middleware gives the ids, no stranger becomes the user that has the next one: nothing starts."""
    with MariaDb() as server, server.fresh() as url:
        execute(url, *RELEASE_8_19.values())
        options = ("-o", f"{USERS_AUTO_CREATE.key}=true", "-o", f"{PUBLIC_LISTEN.key}=127.0.0.1:0")
        settings = {INTAKE_LISTEN.key: "127.0.0.1:0", DATABASE_URL.key: url}
        write_etc(ground.etc, ground.sandbox.identity, endpoint=ground.sandbox.url, settings=settings)
        code, out, err = await ground.run(*options, "run")
    assert (code, out) == (78, "")
    assert "the middleware made the tables" in err


async def registered(place: Town) -> None:
    """Register both mailboxes at Dovecot."""
    for user, login in ((3, ANNA), (4, BERTA)):
        await asyncio.to_thread(place.dovecot.register, login, f"user={signed(user)}", PASSWORDS[login])


def execute(url: str, *statements: str) -> None:
    engine = opened(url).engine
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
