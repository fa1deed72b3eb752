"""A mail delivered by a real Dovecot appears on a phone."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage

from oxpushctl.sandbox.pushes import Push
from tests.path.conftest import Ground
from tests.peers import engine
from tests.peers.dovecot import MakeDovecot
from tests.waiting import until

LOGIN = "anton@example.com"


def mail(subject: str = "昼食は金曜日? 🍜") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Änna Smith <anna@example.com>"
    message["To"] = LOGIN
    message["Subject"] = subject
    message.set_content("Shall we meet at noon?\n")
    return message


async def test_mail_becomes_a_push_on_both_phones(ground: Ground, make_dovecot: MakeDovecot) -> None:
    """METADATA set over IMAP, a mail handed over by LMTP: iPhone and Android show its words."""
    await ground.subscribe("apn", "aa11")
    await ground.subscribe("gcm", "phone-2")
    async with engine.running(ground.etc, ground.state) as running:
        dovecot = make_dovecot(ground.notify_url(running))
        await asyncio.to_thread(dovecot.register, LOGIN, "user=3@1")
        await asyncio.to_thread(dovecot.deliver, [LOGIN], mail())
        pushes = {push.provider: push for push in await ground.sandbox.wait_for(count=2)}
    assert pushes["apns"].payload == {
        "aps": {
            "alert": {"title": "昼食は金曜日? 🍜", "body": "Änna Smith\n昼食は金曜日? 🍜"},
            "badge": 1,
            "sound": "default",
            "category": "new-message-category",
            "thread-id": pushes["apns"].at("aps", "thread-id"),
        },
        "cid": "default0/INBOX/1",
        "namespace": "/",
    }
    data = pushes["fcm"].at("data")
    assert isinstance(data, dict)
    assert data == {
        "folder": "default0/INBOX",
        "id": "1",
        "cid": "default0/INBOX/1",
        "email": "anna@example.com",
        "displayname": "Änna Smith",
        "subject": "昼食は金曜日? 🍜",
        "unread": "1",
        "event_id": pushes["apns"].headers["apns-collapse-id"],
    }


async def test_text_of_the_mail_stays_in_the_house(ground: Ground, make_dovecot: MakeDovecot) -> None:
    """Below content=full not a word of the body leaves, whatever the phone."""
    await ground.subscribe("apn", "aa11")
    await ground.subscribe("gcm", "phone-2")
    async with engine.running(ground.etc, ground.state) as running:
        dovecot = make_dovecot(ground.notify_url(running))
        await asyncio.to_thread(dovecot.register, LOGIN, "user=3@1")
        await asyncio.to_thread(dovecot.deliver, [LOGIN], mail())
        pushes = await ground.sandbox.wait_for(count=2)
    assert not any("noon" in str(push.payload) for push in pushes)


async def test_gone_token_loses_its_subscription(ground: Ground, make_dovecot: MakeDovecot) -> None:
    """A token that Apple and Google no longer know is removed, its neighbours stay."""
    for transport, token in (("apn", "aa11"), ("apn", "410aa"), ("gcm", "404-gone"), ("gcm", "phone-2")):
        await ground.subscribe(transport, token)
    async with engine.running(ground.etc, ground.state) as running:
        dovecot = make_dovecot(ground.notify_url(running))
        await asyncio.to_thread(dovecot.register, LOGIN, "user=3@1")
        await asyncio.to_thread(dovecot.deliver, [LOGIN], mail())
        await ground.sandbox.wait_for(count=4)
        # What was not removed by the first mail, its neighbour not having been reached by then, is by the second.
        await asyncio.to_thread(dovecot.deliver, [LOGIN], mail())
        await until(lambda: running.log().count("subscription removed") == 2)
        left = await ground.tokens()
    assert sorted(left) == ["aa11", "phone-2"]


async def test_token_is_kept_until_its_client_has_a_success(ground: Ground, make_dovecot: MakeDovecot) -> None:
    """Where no push has got through yet, what the provider calls gone may be our own mistake: nothing is removed."""
    await ground.subscribe("apn", "410aa")
    async with engine.running(ground.etc, ground.state) as running:
        dovecot = make_dovecot(ground.notify_url(running))
        await asyncio.to_thread(dovecot.register, LOGIN, "user=3@1")
        await asyncio.to_thread(dovecot.deliver, [LOGIN], mail())
        await until(lambda: "removal is held back" in running.log())
        left = await ground.tokens()
    assert left == ["410aa"]


async def test_hanging_apple_delays_neither_google_nor_the_mail_server(
    ground: Ground, make_dovecot: MakeDovecot
) -> None:
    """While APNs is held open without an answer, FCM arrives and LMTP has answered."""
    await ground.subscribe("apn", "hang-1")
    await ground.subscribe("gcm", "phone-2")
    async with engine.running(ground.etc, ground.state) as running:
        dovecot = make_dovecot(ground.notify_url(running))
        await asyncio.to_thread(dovecot.register, LOGIN, "user=3@1")
        answers = await asyncio.to_thread(dovecot.deliver, [LOGIN], mail())
        (push,) = await ground.sandbox.wait_for(lambda push: push.provider == "fcm")
        held = [push for push in ground.sandbox.pushes if push.provider == "apns"]
    assert (answers[LOGIN][:3], push.status) == ("250", 200)
    assert all(push.status == 0 for push in held)


async def test_login_of_the_directory_finds_the_user(ground: Ground, make_dovecot: MakeDovecot) -> None:
    """Without user_from_metadata Dovecot tells the login, and the directory knows whose it is."""
    await ground.subscribe("gcm", "phone-2")
    code, _, err = await ground.run("users", "add", "-c", "1", "-u", "3", "--login", LOGIN)
    assert code == 0, err
    async with engine.running(ground.etc, ground.state) as running:
        dovecot = make_dovecot(ground.notify_url(running), is_user_from_metadata=False)
        await asyncio.to_thread(dovecot.register, LOGIN, "user=someone else")
        await asyncio.to_thread(dovecot.deliver, [LOGIN], mail())
        (push,) = await ground.sandbox.wait_for()
    assert push.token == "phone-2"


async def test_several_recipients_are_each_told(ground: Ground, make_dovecot: MakeDovecot) -> None:
    """One LMTP transaction for three users is a push for each of their phones."""
    logins = {user: f"user{user}@example.com" for user in (3, 4, 5)}
    for user in logins:
        await ground.subscribe("apn", f"aa{user}", user=user)
    async with engine.running(ground.etc, ground.state) as running:
        dovecot = make_dovecot(ground.notify_url(running))
        for user, login in logins.items():
            await asyncio.to_thread(dovecot.register, login, f"user={user}@1")
        await asyncio.to_thread(dovecot.deliver, list(logins.values()), mail())
        pushes: tuple[Push, ...] = await ground.sandbox.wait_for(count=3)
    assert sorted(push.token for push in pushes) == ["aa3", "aa4", "aa5"]
