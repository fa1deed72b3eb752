"""Many inboxes of a real Dovecot, looked into over doveadm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import pytest

from oxpushctl.errors import NotReachable, UnknownEntry
from oxpushctl.listeners.doveadm import Doveadm
from oxpushctl.listeners.doveadm_answers import Answer, Command
from oxpushctl.listeners.inbox import Inbox
from oxpushctl.listeners.inbox_over_doveadm import look_inside
from oxpushctl.model import Mark
from tests.listeners.boxes import message, owner
from tests.listeners.doveadm_scripted import KEY, Heard, answered, asking, scripted_doveadm
from tests.peers.dovecot import Dovecot
from tests.peers.ports import free_port

_numbers = count(1)


@pytest.fixture(scope="module", params=["sdbox", "maildir"])
def dovecot(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with Dovecot(doveadm_key=KEY, storage=request.param) as running:
        yield running


@pytest.fixture
def name() -> str:
    """A mailbox that nobody used before."""
    return f"user{next(_numbers)}@example.com"


async def looked(dovecot: Dovecot, mark: Mark | None, name: str, most: int = 20) -> Inbox:
    async with asking(dovecot.doveadm_url) as doveadm:
        found = (await look_inside(doveadm, {name: mark}, most))[name]
    assert isinstance(found, Inbox)
    return found


async def seen_before(dovecot: Dovecot, name: str) -> Mark:
    """Return the mark of an inbox as it is."""
    first = await looked(dovecot, None, name)
    return Mark(first.uidvalidity, first.uidnext)


async def test_first_sight(dovecot: Dovecot, name: str) -> None:
    """Without a mark there is nothing to compare with, however much is there."""
    dovecot.deliver([name], message("before"))
    found = await looked(dovecot, None, name)
    assert (found.uidnext, found.unheard) == (2, ())
    assert found.uidvalidity > 0


async def test_uids_anew(dovecot: Dovecot, name: str) -> None:
    """Where uids have begun anew there is nothing to compare with either."""
    dovecot.deliver([name], message("before"))
    mark = await seen_before(dovecot, name)
    dovecot.deliver([name], message("after"))
    found = await looked(dovecot, Mark(mark.uidvalidity - 1, 1), name)
    assert (found.uidvalidity, found.uidnext, found.unheard) == (mark.uidvalidity, 3, ())


async def test_above_mark(dovecot: Dovecot, name: str) -> None:
    """What came since is found with its words, in the order of uids, and stays unseen."""
    dovecot.deliver([name], message("before"))
    mark = await seen_before(dovecot, name)
    dovecot.deliver([name], message("one", text='at "noon"\nor later, müde'))
    dovecot.deliver(
        [name],
        b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\nFrom: second@example.com\n"
        b"Subject: a long\n =?utf-8?b?w7w=?=\n\tone\nSubject: second\n\nbody\n",
    )
    dovecot.deliver([name], b"To: nobody\n\nno headers\n")
    found = await looked(dovecot, mark, name)
    assert [(mail.uid, mail.is_seen, mail.sender, mail.subject, mail.snippet) for mail in found.unheard] == [
        (2, False, "Anna <anna@example.com>", "one", 'at "noon" or later, müde'),
        (3, False, "=?utf-8?q?J=C3=BCrgen?= <j@example.com>", "a long\n =?utf-8?b?w7w=?=\n\tone", "body"),
        (4, False, None, None, "no headers"),
    ]
    assert (found.uidnext, found.unseen) == (5, 4)
    assert (await looked(dovecot, mark, name)).unheard == found.unheard


async def test_seen_and_gone(dovecot: Dovecot, name: str) -> None:
    """What somebody has read meanwhile, or removed, is not among them."""
    dovecot.deliver([name], message("before"))
    mark = await seen_before(dovecot, name)
    for subject in ("read", "removed", "new"):
        dovecot.deliver([name], message(subject))
    with owner(dovecot, name) as imap:
        imap.store("2", "+FLAGS", "\\Seen")
        imap.store("3", "+FLAGS", "\\Deleted")
        imap.expunge()
    found = await looked(dovecot, mark, name)
    assert [(mail.uid, mail.subject) for mail in found.unheard] == [(4, "new")]
    assert (found.uidnext, found.unseen) == (5, 2)


async def test_old_mail_appended(dovecot: Dovecot, name: str) -> None:
    """A mail that was put there carries the date that it was put there with."""
    dovecot.deliver([name], message("before"))
    mark = await seen_before(dovecot, name)
    with owner(dovecot, name) as imap:
        imap.append("INBOX", "", '"01-Jan-2020 00:00:00 +0000"', message("archived").as_bytes())
    (mail,) = (await looked(dovecot, mark, name)).unheard
    assert mail.received_at == 1577836800


@pytest.mark.parametrize(("most", "uids"), [(0, []), (1, [5]), (3, [3, 4, 5]), (20, [2, 3, 4, 5])])
async def test_newest_only(dovecot: Dovecot, name: str, most: int, uids: list[int]) -> None:
    """Of many only the newest are fetched, none where none are wanted."""
    for number in range(5):
        dovecot.deliver([name], message(f"number {number}"))
    first = await seen_before(dovecot, name)
    found = await looked(dovecot, Mark(first.uidvalidity, 2), name, most)
    assert [mail.uid for mail in found.unheard] == uids


class Counting:
    """Counts what goes to doveadm."""

    def __init__(self, doveadm: Doveadm) -> None:
        self._doveadm = doveadm
        self.asked: list[int] = []

    async def ask(self, commands: Sequence[Command]) -> Sequence[Answer]:
        self.asked.append(len(commands))
        return await self._doveadm.ask(commands)


async def test_many_users(dovecot: Dovecot) -> None:
    """Many are looked into together, with more commands for those only who have mail; who is not known is told."""
    names = [f"user{next(_numbers)}@example.com" for _ in range(20)]
    dovecot.deliver(names, message("before"))
    async with asking(dovecot.doveadm_url) as asked:
        doveadm = Counting(asked)
        first = await look_inside(doveadm, dict.fromkeys(names), 20)
        dovecot.deliver(names[:10], message("after"))
        marks = {each: Mark(box.uidvalidity, box.uidnext) for each, box in first.items() if isinstance(box, Inbox)}
        found = await look_inside(doveadm, {**marks, "günter": None}, 20)
    told = {each: [mail.subject for mail in box.unheard] for each, box in found.items() if isinstance(box, Inbox)}
    assert told == {each: ["after"] if each in names[:10] else [] for each in names}
    assert isinstance(found["günter"], UnknownEntry)
    assert doveadm.asked == [20, 0, 0, 21, 10, 10]


async def test_nobody_there() -> None:
    """Where doveadm cannot be asked everybody has that for an answer."""
    async with asking(f"http://127.0.0.1:{free_port()}/doveadm/v1") as doveadm:
        found = await look_inside(doveadm, {"anton": None, "berta": Mark(1, 1)}, 20)
    assert all(isinstance(each, NotReachable) for each in found.values())


@pytest.mark.parametrize(
    "row",
    ["{}", '{"uidvalidity":"1","uidnext":"x","unseen":"0"}', '{"uidvalidity":"0","uidnext":"1","unseen":"0"}'],
    ids=["empty", "no number", "no uidvalidity"],
)
async def test_odd_status(row: str) -> None:
    """A status that tells nothing of use is an error of that mailbox, and no mark."""

    async def say(heard: Heard) -> bytes:
        return answered(f'[["doveadmResponse",[{row}],"{heard.commands[0][2]}"]]')

    async with scripted_doveadm(say) as server, asking(server.url) as doveadm:
        found = await look_inside(doveadm, {"anton": Mark(1, 1)}, 20)
    assert "mailboxStatus" in str(found["anton"])
