"""The notify endpoint: what becomes an event, whom it is for, and when it is answered."""

from __future__ import annotations

import asyncio
import logging

import pytest

from oxpushctl.config.settings import Settings
from oxpushctl.errors import NotKept
from oxpushctl.model import Address, MailEvent, PushUser
from oxpushctl.registration import Trust, derive_key, sign
from oxpushctl.web.notify import NotifyEndpoint
from tests.engine.parts import ANTON, HandClock
from tests.waiting import until
from tests.web.parts import Answer, Names, Sink, basic, intake, notice, request

_KEY = derive_key("secret")
_SUCCESS = b'{"success":true}'


async def test_new_mail() -> None:
    """A new mail becomes an event with everything that Dovecot told."""
    async with intake() as serving:
        serving.clock.time = 1_700_000_000.5
        answer = await serving.ask(request(notice()))

    assert answer is not None
    assert (answer.status, answer.body) == (200, _SUCCESS)
    [event] = serving.sink.events
    assert event == MailEvent(
        user=ANTON,
        folder="INBOX",
        uidvalidity=1795434152,
        uid=1,
        sender=Address("Anna", "anna@example.com"),
        subject="Lunch?",
        snippet="at noon",
        unseen=2,
        heard_by="dovecot",
        at=1_700_000_000.5,
        id=event.id,
    )


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_methods(method: str) -> None:
    """Both methods are served."""
    async with intake() as serving:
        assert await serving.status(request(notice(), method=method)) == 200

    assert len(serving.sink.events) == 1


async def test_optional_members_missing() -> None:
    """Without sender, subject, snippet and unseen there still is a mail."""
    body = notice(from_=..., subject=..., snippet=..., unseen=..., imap_uidvalidity=..., imap_uid=0)
    async with intake() as serving:
        assert await serving.status(request(body)) == 200

    [event] = serving.sink.events
    assert (event.sender, event.subject, event.snippet, event.unseen, event.uid) == (None, "", "", None, 0)


async def test_unknown_members_and_negative_unseen() -> None:
    """Members that we do not know are skipped; a negative number of unseen mails is none."""
    async with intake() as serving:
        assert await serving.status(request(notice(later={"a": [1, None]}, unseen=-1))) == 200

    assert [event.unseen for event in serving.sink.events] == [None]


@pytest.mark.parametrize("event", ["messageExpunge", "MESSAGENEW", "", "messageNew "])
async def test_other_events(event: str) -> None:
    """Events that are none of our business are answered with success and dropped."""
    async with intake() as serving:
        answer = await serving.ask(request(b'{"user":"3@1","event":"%s"}' % event.encode()))

    assert answer is not None
    assert (answer.status, answer.body, serving.sink.events) == (200, _SUCCESS, [])
    assert serving.endpoint.counts == {"ignored": 1}


@pytest.mark.parametrize(
    ("mode", "user", "expected"),
    [
        ("plain", "3@1", ANTON),
        ("plain", "03@01", ANTON),
        ("plain", sign(ANTON, _KEY), None),
        ("plain", "anton@nr.test", ANTON),
        ("signed", sign(ANTON, _KEY), ANTON),
        ("signed", "3@1", None),
        ("signed", "anton@nr.test", None),
        ("signed", sign(PushUser(1, 4), _KEY).replace("4@1", "3@1"), None),
        ("signed", sign(ANTON, derive_key("another")), None),
        ("both", sign(ANTON, _KEY), ANTON),
        ("both", "3@1", ANTON),
        ("both", "anton@nr.test", ANTON),
        ("both", "nobody@nr.test", None),
        ("both", "3@1/AAAAAAAAAAAAAAAAAAAAAA", None),
        *(
            ("plain", nobody, None)
            for nobody in (
                "x",
                "",
                "0@0",
                "3@0",
                "0@1",
                "1@1@1",
                "-3@1",
                "3@1 ",
                "３@1",
                "4294967296@1",
                "9" * 5000 + "@1",
            )
        ),
    ],
)
async def test_users(mode: str, user: str, expected: PushUser | None) -> None:
    """A registration or a name stands for a user as the mode allows; whoever it does not name is answered alike."""
    async with intake(trust=Trust.of(mode, _KEY)) as serving:
        answer = await serving.ask(request(notice(user=user)))

    assert answer is not None
    assert (answer.status, answer.body) == (200, _SUCCESS)
    assert [event.user for event in serving.sink.events] == ([] if expected is None else [expected])
    assert serving.endpoint.counts["unknown_user"] == (expected is None)


async def test_unknown_users_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """However many requests name nobody, one line a minute tells of them, without the proof that was shown."""
    value = "77@1/AAAAAAAAAAAAAAAAAAAAAA"
    async with intake(trust=Trust.of("signed", _KEY)) as serving, serving.wire() as wire:
        for _ in range(3):
            await wire.ask(request(notice(user=value)))
        serving.clock.time += 61
        await wire.ask(request(notice(user=value)))

    lines = [record.__dict__["fields"] for record in caplog.records if record.levelno == logging.WARNING]
    assert all("oxpushctl.dovecot.registration" in line.pop("todo") for line in lines)
    assert lines == [
        {"user": "77@1", "mode": "signed", "count": 1},
        {"user": "77@1", "mode": "signed", "count": 3},
    ]
    assert serving.endpoint.counts["unknown_user"] == 4


async def test_event_not_kept() -> None:
    """What could not be kept is not acknowledged."""
    async with intake(Sink(failure=NotKept("the outbox is full"))) as serving:
        answer = await serving.ask(request(notice()))

    assert answer is not None
    assert (answer.status, answer.body) == (503, b'{"error":"the outbox is full"}')


async def test_directory_down() -> None:
    """A directory that does not answer is our trouble, not the client's; events for U@C need none."""
    async with intake(names=Names(user=None)) as serving:
        by_name = await serving.status(request(notice(user="anton@nr.test")))
        by_number = await serving.status(request(notice(user="3@1")))

    assert (by_name, by_number) == (503, 200)


async def test_answer_waits_for_the_sink_alone() -> None:
    """The answer comes when the event is safe, not before."""
    sink = Sink(gate=asyncio.Event())
    async with intake(sink) as serving, serving.wire() as wire, asyncio.TaskGroup() as tasks:
        answer: asyncio.Task[Answer | None] = tasks.create_task(wire.ask(request(notice())))
        await until(lambda: sink.waiting)
        assert not answer.done()
        assert sink.gate is not None
        sink.gate.set()

    assert [event.uid for event in sink.events] == [1]


async def test_reload() -> None:
    """A reload changes the password and the mode of registration, and keeps the key."""
    sink, clock = Sink(), HandClock()
    before = Settings(
        {
            "com.openexchange.rest.services.basic-auth.login": "pushuser",
            "com.openexchange.rest.services.basic-auth.password": "old",
            "com.openexchange.push.credstorage.passcrypt": " secret ",
        }
    )
    after = Settings(
        {
            "com.openexchange.rest.services.basic-auth.login": "pushuser",
            "com.openexchange.rest.services.basic-auth.password": "new",
            "oxpushctl.dovecot.registration": "both",
        }
    )
    endpoint = NotifyEndpoint.from_settings(before, sink, Names(), clock)
    old, new = basic(password="old"), basic(password="new")
    async with intake(endpoint=endpoint) as serving:
        statuses = [
            await serving.status(request(notice(user="3@1"), authorization=old)),
            await serving.status(request(notice(user=sign(ANTON, _KEY)), authorization=old)),
        ]
        endpoint.reload(after)
        statuses += [
            await serving.status(request(notice(user="4@1"), authorization=old)),
            await serving.status(request(notice(user="5@1"), authorization=new)),
            await serving.status(request(notice(user=sign(ANTON, _KEY)), authorization=new)),
        ]

    assert statuses == [200, 200, 401, 200, 200]
    assert [event.user.user for event in sink.events] == [3, 5, 3]
