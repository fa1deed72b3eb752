"""Mail servers that answer a listener's questions oddly, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from oxpushctl.errors import OxpushctlError, TryLater, Unsupported
from oxpushctl.listeners.imap import ImapConnection
from oxpushctl.listeners.imap_mailbox import Examined, examined, found, get_metadata, set_metadata, unseen
from oxpushctl.listeners.imap_troubles import ServerBusy, ServerUnreachable
from tests.listeners.boxes import connected
from tests.listeners.scripted import RESET, SILENCE, scripted

DATE = 'INTERNALDATE "23-Nov-2026 23:49:35 +0100"'
EXAMINED = "* 17 EXISTS\r\n* OK [UIDVALIDITY 9] ok\r\n* OK [UIDNEXT 41] ok\r\nTAG OK done\r\n"
_MEGABYTES = "x" * (3 * 1024 * 1024)


@asynccontextmanager
async def mailbox(
    answers: Mapping[str, str], *, offers: str = "METADATA ESEARCH", answer_s: float = 10.0
) -> AsyncIterator[tuple[ImapConnection, list[str]]]:
    """Log in at a server with these answers, and yield the commands that it hears besides."""
    log_in = {"AUTHENTICATE": "+ \r\n", "": f"TAG OK [CAPABILITY IMAP4rev1 {offers}] in\r\n", "EXAMINE": EXAMINED}
    async with (
        scripted(answers={**log_in, **answers}) as (port, heard),
        connected(port, "anton", answer_s=answer_s) as connection,
    ):
        heard.clear()
        yield connection, heard


def commands(heard: list[str]) -> list[str]:
    """Return what was heard, without tags."""
    return [line.partition(" ")[2] for line in heard]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (EXAMINED, Examined(9, 41, 17)),
        ("* 1 EXISTS\r\n* 2 EXISTS\r\n* OK [UIDNEXT 41]\r\n* OK [UIDVALIDITY 9]\r\nTAG OK x\r\n", Examined(9, 41, 2)),
        ("* OK [UIDNEXT 41] a\r\n* OK [UIDVALIDITY 9] b\r\nTAG OK [READ-ONLY] x\r\n", Examined(9, 41, 0)),
        ("* 17 EXISTS\r\n* OK [UIDVALIDITY 9] b\r\nTAG OK x\r\n", Examined(8, 50, 17)),
        ("* 17 EXISTS\r\nTAG OK x\r\n", Examined(8, 50, 17)),
        ("* 17 EXISTS\r\n* OK [UIDVALIDITY x] b\r\n* OK [UIDNEXT] c\r\nTAG OK x\r\n", Examined(8, 50, 17)),
    ],
)
async def test_examined(answer: str, expected: Examined) -> None:
    """What is not said when a folder is opened is asked for."""
    status = '* STATUS "INBOX" (UIDNEXT 50 UIDVALIDITY 8)\r\nTAG OK done\r\n'
    async with mailbox({"EXAMINE": answer, "STATUS": status}) as (connection, _):
        assert expected == await examined(connection, "INBOX")


@pytest.mark.parametrize(
    "status",
    ['* STATUS "INBOX" ()\r\nTAG OK done\r\n', '* STATUS "INBOX" (UIDNEXT 50 UIDVALIDITY 0)\r\nTAG OK done\r\n'],
)
async def test_uids_that_do_not_last(status: str) -> None:
    """Without a UIDVALIDITY nobody can tell new mail from old, ever."""
    async with mailbox({"EXAMINE": "* 17 EXISTS\r\nTAG OK x\r\n", "STATUS": status}) as (connection, _):
        with pytest.raises(Unsupported, match="UIDVALIDITY"):
            await examined(connection, "INBOX")


@pytest.mark.parametrize(
    "status",
    ["* STATUS\r\nTAG OK x\r\n", "TAG OK x\r\n", "TAG NO x\r\n", '* STATUS "INBOX" (UIDNEXT x)\r\nTAG OK x\r\n'],
)
async def test_status_that_is_garbage(status: str) -> None:
    """What cannot be read of the answer ends with an error of ours."""
    async with mailbox({"EXAMINE": "TAG OK x\r\n", "STATUS": status}) as (connection, _):
        with pytest.raises((ServerBusy, ServerUnreachable)):
            await examined(connection, "INBOX")


async def test_lines_in_between() -> None:
    """What is said unasked is neither a mail that was asked for, nor lost to whoever waits for more."""
    answer = (
        f"* 17 FETCH (UID 40 {DATE})\r\n* 40 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (UID 12 FLAGS ())\r\n* 18 EXISTS\r\n"
        "* OK still here\r\n* FLAGS (\\Seen)\r\n* 1 RECENT\r\n* VANISHED 5\r\nTAG OK done\r\n"
    )
    async with mailbox({"UID": answer}) as (connection, _):
        await examined(connection, "INBOX")
        had_news = connection.has_news
        mails = await found(connection, 40, 20)
        assert (
            [(mail.uid, mail.is_seen) for mail in mails],
            had_news,
            connection.has_news,
        ) == ([(40, False)], False, True)


async def test_only_the_newest_is_asked_for() -> None:
    """Of a hundred thousand new mails a few are fetched, also when some have just been removed."""
    answers = {
        "UID": f"* 100000 FETCH (UID 250000 {DATE})\r\n* 7 EXPUNGE\r\n* 9 EXPUNGE\r\nTAG OK done\r\n",
        "FETCH": "".join(f"* {99990 + n} FETCH (UID {249980 + 2 * n})\r\n" for n in range(11)) + "TAG OK done\r\n",
    }
    async with mailbox(answers) as (connection, heard):
        await examined(connection, "INBOX")
        await found(connection, 1, 3)
    asked = [line for line in commands(heard) if "FETCH" in line]
    assert (
        asked[:2],
        asked[2].startswith("UID FETCH 249996,249998,250000 (UID FLAGS INTERNALDATE BODY.PEEK["),
    ) == (["UID FETCH * (UID)", "FETCH 99996:* (UID)"], True)


@pytest.mark.parametrize(
    ("offers", "item"),
    [
        ("PREVIEW", " PREVIEW "),
        ("PREVIEW=FUZZY PREVIEW SNIPPET=FUZZY", " PREVIEW "),
        ("SNIPPET=FUZZY", " SNIPPET (FUZZY) "),
        ("PREVIEW=FUZZY", " PREVIEW (FUZZY) "),
        ("IDLE", " INTERNALDATE BODY.PEEK["),
    ],
)
async def test_snippet_where_it_is_offered(offers: str, item: str) -> None:
    """A snippet is asked for as the server has it, and of no other."""
    async with mailbox({"UID": f"* 1 FETCH (UID 1 {DATE})\r\nTAG OK done\r\n"}, offers=offers) as (connection, heard):
        await examined(connection, "INBOX")
        await found(connection, 1, 3)
    assert item in commands(heard)[2]


async def test_refusal_after_a_part() -> None:
    """A server that refuses since one mail is gone has told of the others."""
    answer = f"* 1 FETCH (UID 1 {DATE})\r\nTAG NO [EXPUNGEISSUED] Some messages were removed\r\n"
    async with mailbox({"UID": answer}) as (connection, _):
        await examined(connection, "INBOX")
        assert [mail.uid for mail in await found(connection, 1, 3)] == [1]


async def test_refusal_of_everything() -> None:
    """A refusal alone may be another thing the next time."""
    async with mailbox({"UID": "TAG NO [SERVERBUG] Internal error\r\n"}) as (connection, _):
        await examined(connection, "INBOX")
        with pytest.raises(TryLater, match="SERVERBUG"):
            await found(connection, 1, 3)


@pytest.mark.parametrize(
    "answer",
    [
        f"* 1 FETCH (UID 1 PREVIEW {{99999999}}\r\n{_MEGABYTES})\r\nTAG OK done\r\n",
        f'* 1 FETCH (UID 1 PREVIEW "{_MEGABYTES}")\r\nTAG OK done\r\n',
        "* 1 FETCH (UID 1)\r\n" * 200_000,
        "* BYE shutting down\r\n",
        "* 1 FETCH (UID 1",
        "* 1 fetch\r\n",
        "",
        RESET,
        SILENCE,
    ],
    ids=["literal", "line", "lines", "bye", "half-a-line", "lower-case", "end", "reset", "silence"],
)
async def test_answers_that_end_a_connection(answer: str) -> None:
    """What is no answer, or no end of one, ends in time."""
    async with asyncio.timeout(20), mailbox({"UID": answer}, answer_s=1.0) as (connection, _):
        await examined(connection, "INBOX")
        with pytest.raises(ServerUnreachable):
            await found(connection, 1, 3)


@pytest.mark.parametrize(
    ("offers", "answer", "count"),
    [
        ("ESEARCH", '* ESEARCH (TAG "A1") COUNT 3\r\nTAG OK x\r\n', 3),
        ("ESEARCH", '* 4 EXISTS\r\n* ESEARCH (TAG "COUNT") UID COUNT 0\r\nTAG OK x\r\n', 0),
        ("IDLE", "* SEARCH 1 2 30\r\nTAG OK x\r\n", 3),
        ("IDLE", "* SEARCH 1\r\n* SEARCH 2\r\nTAG OK x\r\n", 2),
        ("IDLE", "* SEARCH\r\nTAG OK x\r\n", 0),
        ("IDLE", "TAG OK x\r\n", 0),
    ],
)
async def test_unseen(offers: str, answer: str, count: int) -> None:
    """Servers that count are asked for the number, others for the mails."""
    answers = {"SEARCH": answer, "UID": "* 17 FETCH (UID 40)\r\nTAG OK done\r\n"}
    async with mailbox(answers, offers=offers) as (connection, _):
        await examined(connection, "INBOX")
        assert count == await unseen(connection)


async def test_unseen_among_many() -> None:
    """However many there are, no answer is longer than what is taken for one."""
    answers = {
        "SEARCH": f"* SEARCH {'4294967295 ' * 60_000}\r\nTAG OK x\r\n",
        "UID": "* 200000 FETCH (UID 4294967295)\r\nTAG OK done\r\n",
    }
    async with mailbox(answers, offers="IDLE") as (connection, heard):
        await examined(connection, "INBOX")
        assert await unseen(connection) == 180_000
    assert [line for line in commands(heard) if "SEARCH" in line] == [
        "SEARCH 1:80000 UNSEEN",
        "SEARCH 80001:160000 UNSEEN",
        "SEARCH 160001:240000 UNSEEN",
    ]


@pytest.mark.parametrize(
    "answer",
    ["TAG OK x\r\n", '* ESEARCH (TAG "A1")\r\nTAG OK x\r\n', "* ESEARCH COUNT x\r\nTAG OK x\r\n", "TAG NO x\r\n"],
)
async def test_count_that_is_garbage(answer: str) -> None:
    """A number that is none ends with an error of ours."""
    async with mailbox({"SEARCH": answer}) as (connection, _):
        await examined(connection, "INBOX")
        with pytest.raises((ServerBusy, ServerUnreachable)):
            await unseen(connection)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('* METADATA "" (/private/x "a \\"b\\" \\\\")\r\nTAG OK x\r\n', b'a "b" \\'),
        ('* METADATA "" (/PRIVATE/X {3}\r\na)b)\r\nTAG OK x\r\n', b"a)b"),
        ('* METADATA "" (/private/y "no" /private/x "yes")\r\nTAG OK x\r\n', b"yes"),
        ('* METADATA "" /private/x\r\n* METADATA "" (/private/x ok)\r\nTAG OK x\r\n', b"ok"),
        ('* METADATA "" (/private/x 12)\r\nTAG OK x\r\n', b"12"),
        ('* METADATA "" (/private/x NIL)\r\nTAG OK x\r\n', None),
        ('* METADATA "" (/private/x "")\r\nTAG OK x\r\n', None),
        ('* METADATA "" (/private/xx "no")\r\nTAG OK x\r\n', None),
        ('* METADATA "" ()\r\nTAG OK x\r\n', None),
        ("TAG OK x\r\n", None),
    ],
)
async def test_annotation(answer: str, value: bytes | None) -> None:
    """The value of the entry that was asked for counts, however it is written."""
    async with mailbox({"GETMETADATA": answer}) as (connection, _):
        assert value == await get_metadata(connection, "/private/x")


@pytest.mark.parametrize(
    ("offers", "answer", "kind"),
    [
        ("IDLE", "TAG OK x\r\n", Unsupported),
        ("METADATA-SERVER", "TAG NO [METADATA NOPRIVATE] x\r\n", Unsupported),
        ("METADATA", "TAG NO [CANNOT] Mailbox attributes not enabled\r\n", Unsupported),
        ("METADATA", "TAG NO [METADATA MAXSIZE 10] x\r\n", TryLater),
        ("METADATA", "TAG NO [UNAVAILABLE] CANNOT now\r\n", TryLater),
        ("METADATA", "TAG BAD [CLIENTBUG] x\r\n", TryLater),
        ("METADATA", "* BYE [CANNOT] x\r\n", ServerUnreachable),
        ("METADATA", "", ServerUnreachable),
    ],
)
async def test_annotation_that_is_refused(offers: str, answer: str, kind: type[OxpushctlError]) -> None:
    """What the server cannot do at all is told apart from what may work in a while."""
    async with mailbox({"SETMETADATA": answer, "GETMETADATA": answer}, offers=offers) as (connection, heard):
        with pytest.raises(kind):
            await set_metadata(connection, "/private/x", "a")
        assert (offers == "IDLE") == (heard == [])
    async with mailbox({"GETMETADATA": answer}, offers=offers) as (connection, _):
        with pytest.raises(kind):
            await get_metadata(connection, "/private/x")


async def test_annotation_that_is_garbage() -> None:
    """An annotation that cannot be read is an error, never a value."""
    async with mailbox({"GETMETADATA": '* METADATA "" (/private/x "a\r\nTAG OK x\r\n'}) as (connection, _):
        with pytest.raises((ServerBusy, ServerUnreachable)):
            await get_metadata(connection, "/private/x")
