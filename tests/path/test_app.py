"""A mail app logs in, subscribes and is pushed to, over a real mail server, as with the middleware."""

from __future__ import annotations

import asyncio
import signal

from tests.path.conftest import Ground
from tests.path.mail_app import CLIENT, MailApp
from tests.path.town import ANNA, BERTA, MASTER, PASSWORDS, mail, town
from tests.peers import engine

_DONE = {"data": {"success": True}}


async def test_from_log_in_to_push_and_back(ground: Ground) -> None:
    """Log-in, subscription, registration, kept password, push; unsubscribing takes all of it back."""
    async with town(ground) as place:
        app = await place.logged_in()
        subscribed = await asyncio.to_thread(app.subscribe, "aa11")
        registered, kept = await place.listed("registrations"), await place.listed("credentials")
        await asyncio.to_thread(place.dovecot.register, ANNA, "user=3@1", PASSWORDS[ANNA])
        await asyncio.to_thread(place.dovecot.deliver, [ANNA], mail(ANNA))
        (push,) = await ground.sandbox.wait_for(count=1)
        unsubscribed = await asyncio.to_thread(app.unsubscribe, "aa11")
        left = [await place.listed(kind) for kind in ("subscriptions", "registrations", "credentials")]
    assert [subscribed, unsubscribed] == [_DONE, _DONE]
    assert registered == [{"context": 1, "user": 3, "client": CLIENT}]
    assert [(row["user"], row["login"], row["origin"]) for row in kept] == [(3, ANNA, "subscribing")]
    assert push.token == "aa11"
    assert left == [[], [], []]


async def test_log_in_answers_like_the_middleware(ground: Ground) -> None:
    """A session names the user; a wrong password, a user that nobody knows and an ended session have their codes."""
    async with town(ground, passwords={**PASSWORDS, "stranger@example.com": "pw"}) as place:
        app = await place.logged_in()
        session = app.session
        await asyncio.to_thread(app.log_out)
        ended = await asyncio.to_thread(app.subscribe, "aa11")
        wrong = await asyncio.to_thread(place.app().log_in, ANNA, "not hers")
        stranger = await asyncio.to_thread(place.app().log_in, "stranger@example.com", "pw")
        again = await asyncio.to_thread(place.app().log_in, ANNA, PASSWORDS[ANNA])
        log = place.engine.log()
    assert [answer["code"] for answer in (ended, wrong, stranger)] == ["SES-0203", "LGI-0006", "LGI-0016"]
    assert {key: again[key] for key in ("user", "user_id", "context_id")} == {
        "user": ANNA,
        "user_id": 3,
        "context_id": 1,
    }
    assert session not in log
    assert len(session) == 32


async def test_guessing_is_slowed_down(ground: Ground) -> None:
    """After some wrong passwords the mail server is not asked any more; another user gets in all the same."""
    async with town(ground) as place:
        answers = [await asyncio.to_thread(place.app().log_in, ANNA, f"guess {number}") for number in range(5)]
        right = await asyncio.to_thread(place.app().log_in, ANNA, PASSWORDS[ANNA])
        other = await place.logged_in(BERTA)
    assert {answer["code"] for answer in answers[:3]} == {"LGI-0006"}
    assert answers[-1]["code"] == right["code"] == "LGI-0028"
    assert len(other.session) == 32


async def test_invented_names_keep_nobody_out(ground: Ground) -> None:
    """Who tries names that nobody has, from a few addresses, stops the log-ins of such names and of no others."""
    async with town(ground, com_openexchange_server_knownProxies="127.0.0.1") as place:
        guesses = [
            asyncio.to_thread(place.app().log_in, f"invented{number}", "guess", f"192.0.2.{number % 4}")
            for number in range(36)
        ]
        codes = [answer["code"] for answer in await asyncio.gather(*guesses)]
        is_paused = "log-ins paused" in place.engine.log()
        known = [await place.logged_in(login) for login in (ANNA, BERTA)]
    assert set(codes) == {"LGI-0006"}
    assert is_paused
    assert [len(app.session) for app in known] == [32, 32]


async def test_changed_password_replaces_the_kept_one(ground: Ground) -> None:
    """The kept password fails once it was changed at the mail server, and opens the mailbox after the next log-in."""
    async with town(ground) as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        before, _, _ = await ground.run("credentials", "verify", "--all")
        await place.change_passwords({**PASSWORDS, ANNA: "a new one"})
        stale, _, _ = await ground.run("credentials", "verify", "--all")
        await place.logged_in(ANNA, "a new one")
        after, out, err = await ground.run("credentials", "verify", "--all")
    assert (before, stale, after) == (0, 77, 0), out + err


async def test_first_log_in_makes_a_user(ground: Ground) -> None:
    """With autoCreate whom the mail server lets in becomes a push user, with an id that nobody had."""
    async with town(ground, oxpushctl_users_autoCreate="true", oxpushctl_users_context="7") as place:
        new = "carla@example.com"
        await place.change_passwords({**PASSWORDS, new: "pw"})
        answer = await asyncio.to_thread(place.app().log_in, new, "pw")
        again = await asyncio.to_thread(place.app().log_in, new.upper(), "pw")
        users = await place.listed("users")
    assert (answer["user"], answer["context_id"]) == (new, 7)
    assert again["user_id"] == answer["user_id"]
    assert [row["login"] for row in users] == [ANNA, BERTA, new]


async def test_kept_password_outlives_the_engine_in_the_database_only(ground: Ground) -> None:
    """With rdb=true a restart changes nothing; in the engine's memory the password is gone with it."""
    left = {}
    for rdb in ("true", "false"):
        async with town(ground, com_openexchange_push_credstorage_rdb=rdb) as place:
            app = await place.logged_in()
            await asyncio.to_thread(app.subscribe, "aa11")
            kept = await place.listed("credentials")
            assert [row["login"] for row in kept] == [ANNA]
            place.engine.signal(signal.SIGTERM)
            assert await place.engine.wait() == 0
            async with engine.running(ground.etc, ground.state) as place.engine:
                left[rdb] = [row["login"] for row in await place.listed("credentials")]
                await asyncio.to_thread(MailApp(place.engine.public).log_in, ANNA, PASSWORDS[ANNA])
                await ground.run("subscriptions", "remove", "-c", "1", "-u", "3")
    assert left == {"true": [ANNA], "false": []}


async def test_master_password_serves(ground: Ground) -> None:
    """Where the master password opens all mailboxes, subscribing keeps no password at all."""
    async with town(
        ground,
        com_openexchange_mail_passwordSource="global",
        com_openexchange_mail_masterPassword=MASTER[1],
        oxpushctl_imap_masterUser=MASTER[0],
    ) as place:
        app = await place.logged_in()
        await asyncio.to_thread(app.subscribe, "aa11")
        registered, kept = await place.listed("registrations"), await place.listed("credentials")
        verified, out, err = await ground.run("credentials", "verify", "--all")
    assert [row["user"] for row in registered] == [3]
    assert kept == []
    assert verified == 0, out + err
