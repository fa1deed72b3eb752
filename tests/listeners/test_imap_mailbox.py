"""What is asked of mailboxes that are open, at a real Dovecot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from oxpushctl.errors import BadData, TryLater, Unsupported
from oxpushctl.listeners.imap_mailbox import examined, found, get_metadata, set_metadata, unseen
from oxpushctl.model import FoundMail
from tests.listeners.boxes import connected, message, owner
from tests.peers.dovecot import REGISTRATION_ENTRY, Dovecot, LogIns

HOUR = 3600.0


@pytest.fixture(scope="module", params=["sdbox", "maildir"])
def dovecot(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with Dovecot(storage=request.param) as running:
        yield running


async def test_examined(dovecot: Dovecot) -> None:
    """A folder says how many mails it has, and which uid the next one gets."""
    async with connected(dovecot.imap_port, "examined") as connection:
        empty = await examined(connection, "INBOX")
        dovecot.deliver(["examined"], message("Lunch?"))
        dovecot.deliver(["examined"], message("Dinner?"))
        filled = await examined(connection, "INBOX")
    assert (empty.uidvalidity > 0, empty.uidnext, empty.exists) == (True, 1, 0)
    assert (empty.uidvalidity, 3, 2) == (filled.uidvalidity, filled.uidnext, filled.exists)


@pytest.mark.parametrize("folder", ["Müll & Wertstoff", "日本語/☃ 🔑", 'a "b" \\c', "a&b*%"])
async def test_folder_names(dovecot: Dovecot, folder: str) -> None:
    """A folder is found by the name that people see."""
    async with connected(dovecot.imap_port, "names") as connection:
        await connection.ask(lambda client: client.create_folder(folder))
        assert (await examined(connection, folder)).exists == 0


async def test_folder_that_is_not_there(dovecot: Dovecot) -> None:
    """A folder that is not there is a refusal; the connection goes on."""
    async with connected(dovecot.imap_port, "no_folder") as connection:
        with pytest.raises(TryLater, match="Mailbox doesn't exist: N"):
            await examined(connection, "Nöwhere")
        assert (await examined(connection, "INBOX")).exists == 0


async def test_new_mail(dovecot: Dovecot) -> None:
    """Mails are found with their raw headers and a snippet, and nobody has seen them afterwards."""
    began = time.time()
    dovecot.deliver(["new"], message("Lunch, Günter?"))
    dovecot.deliver(["new"], message("x" * 100, "Berta <berta@example.com>", 'say "hi" \\o/\n\nsoon'))
    async with connected(dovecot.imap_port, "new") as connection:
        await examined(connection, "INBOX")
        first, second = await found(connection, 1, 20)
        both = await unseen(connection)
    told = "Lunch, =?utf-8?q?G=C3=BCnter=3F?="
    assert replace(first, received_at=0.0) == FoundMail(1, 0.0, False, "Anna <anna@example.com>", told, "at noon")
    assert (second.uid, second.sender, second.snippet) == (2, "Berta <berta@example.com>", 'say "hi" \\o/ soon')
    assert (both, began - 60 < first.received_at < time.time() + 60) == (2, True)
    with owner(dovecot, "new") as imap:
        assert imap.search(None, "SEEN")[1] == [b""]


async def test_folded_and_repeated_headers(dovecot: Dovecot) -> None:
    """Folding stays, the first header of a name counts, and one that is absent is not an empty one."""
    raw = b"Subject: a\r\n  b\r\n\tc\r\nsubject: again\r\nX: " + b"y" * 70_000 + b"\r\n\r\nhi\r\n"
    dovecot.deliver(["folded"], raw)
    dovecot.deliver(["folded"], b"From:\r\nTo: x\r\n\r\nhi\r\n")
    async with connected(dovecot.imap_port, "folded") as connection:
        await examined(connection, "INBOX")
        first, second = await found(connection, 1, 20)
    assert (first.sender, first.subject) == (None, "a\r\n  b\r\n\tc")
    assert (second.sender, second.subject) == ("", None)


async def test_long_headers(dovecot: Dovecot) -> None:
    """Of headers of any length no more is fetched than anybody reads, and of every mail that is asked for."""
    raw = b"From: " + b"f" * 200_000 + b"\r\nSubject: " + b"s" * 200_000 + b"\r\n\r\nhi\r\n"
    with owner(dovecot, "long") as imap:
        for _ in range(45):
            imap.append("INBOX", "", "", raw)
    async with connected(dovecot.imap_port, "long") as connection:
        await examined(connection, "INBOX")
        mails = await found(connection, 1, 45)
    assert [(uid, "f" * (16_384 - 6), "s" * (16_384 - 9)) for uid in range(1, 46)] == [
        (mail.uid, mail.sender, mail.subject) for mail in mails
    ]


async def test_only_the_newest(dovecot: Dovecot) -> None:
    """However many are new, the newest are found, whatever has been removed among them."""
    with owner(dovecot, "many") as imap:
        for number in range(1, 31):
            imap.append("INBOX", "", "", message(f"number {number}").as_bytes())
        imap.store("10:24,26,30", "+FLAGS", "\\Deleted")
        imap.expunge()
    async with connected(dovecot.imap_port, "many") as connection:
        await examined(connection, "INBOX")
        assert [mail.uid for mail in await found(connection, 1, 5)] == [9, 25, 27, 28, 29]
        assert [mail.uid for mail in await found(connection, 26, 5)] == [27, 28, 29]
        assert [mail.uid for mail in await found(connection, 10, 5)] == [25, 27, 28, 29]
        assert len(await found(connection, 0, 100)) == 13
        assert await found(connection, 1, 0) == []


@pytest.mark.parametrize("from_uid", [2, 3, 4_294_967_295])
async def test_nothing_new(dovecot: Dovecot, from_uid: int) -> None:
    """Where nothing has so high a uid, the last mail is not taken for it."""
    name = f"nothing{from_uid}"
    dovecot.deliver([name], message("the last"))
    async with connected(dovecot.imap_port, name) as connection:
        await examined(connection, "INBOX")
        assert await found(connection, from_uid, 20) == []


async def test_empty_folder(dovecot: Dovecot) -> None:
    """An empty folder has nothing new, and nothing unseen."""
    async with connected(dovecot.imap_port, "empty") as connection:
        await examined(connection, "INBOX")
        assert (list(await found(connection, 1, 20)), await unseen(connection)) == ([], 0)


async def test_old_and_seen_mail(dovecot: Dovecot) -> None:
    """Mail that somebody put there keeps its date and its flag."""
    with owner(dovecot, "archive") as imap:
        raw = message("old").as_bytes()
        imap.append("INBOX", "(\\Seen)", internal_date(time.time() - 1000 * HOUR), raw)
        imap.append("INBOX", "", internal_date(86_400.0), raw)
    async with connected(dovecot.imap_port, "archive") as connection:
        await examined(connection, "INBOX")
        seen, old = await found(connection, 1, 20)
        count = await unseen(connection)
    assert (seen.is_seen, old.is_seen, old.received_at, count) == (True, False, 86_400.0, 1)
    assert abs(time.time() - 1000 * HOUR - seen.received_at) < HOUR


def internal_date(at: float) -> str:
    return time.strftime('"%d-%b-%Y %H:%M:%S +0000"', time.gmtime(at))


async def test_mail_that_vanishes(dovecot: Dovecot) -> None:
    """A mail that is removed while the folder is open is not found, and costs no other."""
    for subject in ("a", "b", "c"):
        dovecot.deliver(["vanish"], message(subject))
    async with connected(dovecot.imap_port, "vanish") as connection:
        await examined(connection, "INBOX")
        with owner(dovecot, "vanish") as imap:
            imap.store("2", "+FLAGS", "\\Deleted")
            imap.store("3", "+FLAGS", "\\Seen")
            imap.expunge()
        found_once = await found(connection, 1, 20)
        found_again = await found(connection, 1, 20)
    assert (
        [mail.uid for mail in found_again],
        [(mail.uid, mail.is_seen) for mail in found_again],
    ) == ([1, 3], [(1, False), (3, True)])
    assert {1, 3} <= {mail.uid for mail in found_once}


async def test_news_beside_the_answer(dovecot: Dovecot) -> None:
    """A mail that comes while others are looked for is announced then, and found the next time."""
    dovecot.deliver(["news"], message("a"))
    async with connected(dovecot.imap_port, "news") as connection:
        before = await examined(connection, "INBOX")
        had_news = connection.has_news
        dovecot.deliver(["news"], message("b"))
        told: list[int] = []
        for _ in range(3):
            told += [mail.uid for mail in await found(connection, before.uidnext, 20) if mail.uid not in told]
            if not connection.has_news:
                break
        assert (had_news, told, connection.has_news) == (False, [2], False)


@pytest.mark.parametrize(
    "value", ["user=3@1", 'user=3@1/"quoted" \\ back', "a\tb", "x" * 5000, "(NIL) {3}", "NIL", "123"]
)
async def test_annotation(dovecot: Dovecot, value: str) -> None:
    """What is written there is read again, as it is, with a folder open or without."""
    async with connected(dovecot.imap_port, "annotated") as connection:
        await set_metadata(connection, REGISTRATION_ENTRY, value)
        assert value.encode() == await get_metadata(connection, REGISTRATION_ENTRY)
        await examined(connection, "INBOX")
        assert value.encode() == await get_metadata(connection, REGISTRATION_ENTRY)
        await set_metadata(connection, REGISTRATION_ENTRY, None)
        assert None is await get_metadata(connection, REGISTRATION_ENTRY)


@pytest.mark.parametrize("dovecot", ["sdbox"], indirect=True)
async def test_annotation_after_others(dovecot: Dovecot) -> None:
    """What else spoke imaplib in this process, and in which state, changes nothing: that is shared by all of them."""
    dovecot.register("others", "user=3@1")
    assert dovecot.registration("others") == "user=3@1"
    async with connected(dovecot.imap_port, "others") as connection:
        await examined(connection, "INBOX")
        assert await get_metadata(connection, REGISTRATION_ENTRY) == b"user=3@1"


async def test_annotation_of_the_owner(dovecot: Dovecot) -> None:
    """Whatever the owner wrote is read as bytes, an empty value as none."""
    async with connected(dovecot.imap_port, "owner") as connection:
        assert None is await get_metadata(connection, REGISTRATION_ENTRY)
        dovecot.register("owner", "")
        assert None is await get_metadata(connection, REGISTRATION_ENTRY)
        odd = "ü\r\n)".encode()
        with owner(dovecot, "owner") as imap:
            imap.send(b'x SETMETADATA "" (%b {%d+}\r\n%b)\r\n' % (REGISTRATION_ENTRY.encode(), len(odd), odd))
            assert imap.readline().startswith(b"x OK")
        assert odd == await get_metadata(connection, REGISTRATION_ENTRY)


@pytest.mark.parametrize("value", ["a\r\nb", "a\0b", "ü", "\x7f"])
async def test_annotation_that_cannot_be_written(dovecot: Dovecot, value: str) -> None:
    """What would take more than a line of ASCII is refused before anything is sent."""
    async with connected(dovecot.imap_port, "unwritable") as connection:
        with pytest.raises(BadData, match=REGISTRATION_ENTRY):
            await set_metadata(connection, REGISTRATION_ENTRY, value)
        assert None is await get_metadata(connection, REGISTRATION_ENTRY)


@pytest.mark.parametrize(
    "dovecot_without",
    [Dovecot(log_ins=LogIns(has_metadata=False)), Dovecot(extra="mail_attribute_dict =")],
    ids=["imap_metadata=no", "no mail_attribute_dict"],
)
async def test_no_annotations(dovecot_without: Dovecot) -> None:
    """A Dovecot that keeps none is told apart, and from one that merely refuses."""
    with dovecot_without as running:
        async with connected(running.imap_port, "anton") as connection:
            with pytest.raises(Unsupported, match="mail_attribute_dict"):
                await get_metadata(connection, REGISTRATION_ENTRY)
            with pytest.raises(Unsupported, match="mail_attribute_dict"):
                await set_metadata(connection, REGISTRATION_ENTRY, "user=3@1")


async def test_entry_that_is_refused(dovecot: Dovecot) -> None:
    """Another refusal is no lack of the server's, and the connection goes on."""
    async with connected(dovecot.imap_port, "refused") as connection:
        with pytest.raises(TryLater, match="Entry name must begin with /private or /shared"):
            await set_metadata(connection, "/bogus", "x")
        assert None is await get_metadata(connection, REGISTRATION_ENTRY)
