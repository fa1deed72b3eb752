"""IDLE sessions at servers that say what no server at hand would: each goes on, or ends, as it should."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from imaplib import Time2Internaldate

import pytest

from oxpushctl.config.own import IDLE_RENEW
from oxpushctl.errors import OxpushctlError, TryLater, Unsupported
from oxpushctl.listeners.imap_troubles import ServerBusy, ServerUnreachable
from oxpushctl.model import Mark
from tests.listeners.idling import ANTON, Idling, Marks, idling
from tests.listeners.scripted import CAPABILITY, CUT, END, GREETING, RESET, SILENCE, scripted
from tests.waiting import until

Answers = Mapping[str, str | Iterator[str]]

GO = "+ idling\r\n"
DONE = "TAG OK done\r\n"
EXAMINED = f"* 1 EXISTS\r\n* OK [UIDVALIDITY 17] x\r\n* OK [UIDNEXT 2] x\r\n{DONE}"


def always(*first: str, then: str) -> Iterator[str]:
    return itertools.chain(first, itertools.repeat(then))


def new_mail(uid: int = 2) -> str:
    """Answer to every FETCH of it."""
    date = Time2Internaldate(time.time())
    header = "Subject: new\r\n\r\n"
    part = f"BODY[HEADER.FIELDS (SUBJECT)]<0> {{{len(header)}}}\r\n{header}"
    return f"* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE {date} {part})\r\n{DONE}"


def answers(**changed: str | Iterator[str]) -> Answers:
    """Return those of a server with one mail, and a second one when it is asked; ``end`` follows a PLAIN or DONE."""
    said: dict[str, str | Iterator[str]] = {
        "ID": DONE,
        "AUTHENTICATE": "+ \r\n",
        "": DONE,
        "EXAMINE": EXAMINED,
        "IDLE": GO,
        "UID": new_mail(),
        "SEARCH": f"* SEARCH 2\r\n{DONE}",
    }
    return said | {name.upper().replace("LINE", ""): answer for name, answer in changed.items()}


@asynccontextmanager
async def listening(
    said: Answers,
    greeting: str = GREETING,
    *,
    renew_s: float = 60.0,
    answer_s: float = 15.0,
    marks: Marks | None = None,
) -> AsyncIterator[tuple[Idling, list[str]]]:
    async with (
        scripted(greeting, said) as (port, heard),
        idling(port, settings={IDLE_RENEW: renew_s}, answer_s=answer_s, marks=marks) as place,
    ):
        yield place, heard


async def refused(said: Answers, greeting: str = GREETING, *, answer_s: float = 15.0) -> OxpushctlError:
    """Return why a session cannot begin."""
    async with listening(said, greeting, answer_s=answer_s) as (place, _):
        with pytest.raises(OxpushctlError) as raised:
            await place.start()
        await asyncio.sleep(0)
    assert place.lost_users == [], "who starts it is told, and nobody else"
    return raised.value


_BEGIN = "+ idling\r\n* 2 EXISTS\r\n* 2 RECENT\r\n"
_END = "* OK Still here\r\n* 1 FETCH (FLAGS (\\Seen))\r\nTAG OK done\r\n"
_IN_TAG = (_END.index("TAG") + 1, _END.index("TAG") + 2)  # no place in what is sent


@pytest.mark.parametrize(
    ("begin", "end"),
    [(f"{_BEGIN[:cut]}{CUT}{_BEGIN[cut:]}", _END) for cut in range(1, len(_BEGIN))]
    + [(_BEGIN, f"{_END[:cut]}{CUT}{_END[cut:]}") for cut in range(1, len(_END)) if cut not in _IN_TAG],
)
async def test_segments_that_end_anywhere(begin: str, end: str) -> None:
    """Wherever the server's words are cut, the mail is heard, once, and the session waits again."""
    said = answers(idle=always(begin, then=GO), line=always(DONE, end, then=DONE))
    async with listening(said) as (place, heard):
        await place.start()
        await place.heard("new")
        await until(lambda: sum(line.endswith(" IDLE") for line in heard) == 2)
    assert (place.lost_users, place.marks.marks[ANTON]) == ([], Mark(17, 3))


async def test_everything_drips() -> None:
    """A server that sends a character at a time is heard as well as any other."""
    said = answers(idle=always(_BEGIN, then=GO))
    async with scripted(GREETING, said, pause_s=0.0005) as (port, _), idling(port) as place:
        await place.start()
        await place.heard("new")
    assert place.lost_users == []


async def test_news_while_it_is_fetched() -> None:
    """What is announced beside the answer to a command is looked for at once: it will not be announced again."""
    beside = f"* 3 EXISTS\r\n{new_mail(2)}"
    said = answers(idle=always(_BEGIN, then=GO), uid=always(new_mail(2), beside, then=new_mail(3)))
    async with listening(said) as (place, _):
        await place.start()
        await until(lambda: len(place.events) == 2)
    assert [event.uid for event in place.events] == [2, 3]


async def test_news_before_it_idles() -> None:
    """What is announced before the server says that it waits is looked for, but not before that."""
    said = answers(idle=always("* 2 EXISTS\r\n+ idling\r\n", then=GO))
    async with listening(said) as (place, heard):
        await place.start()
        await place.heard("new")
    assert heard.index("DONE") > next(number for number, line in enumerate(heard) if line.endswith(" IDLE"))


async def test_server_that_waits_for_its_own_log_in_process() -> None:
    """Dovecot says so before its greeting, and goes on when that process is there."""
    greeting = f"* OK Waiting for authentication process to respond..\r\n{CUT}* OK ready\r\n"
    async with listening(answers(idle=always(_BEGIN, then=GO)), greeting) as (place, _):
        await place.start()
        await place.heard("new")


async def test_words_without_news() -> None:
    """A server that says that it is still there need not be asked."""
    words = "* OK Still here\r\n* 0 RECENT\r\n* 1 FETCH (FLAGS ())\r\n* 1 EXPUNGE\r\n"
    said = answers(idle=f"{GO}{CUT}{words * 3}")
    async with listening(said) as (place, heard):
        await place.start()
        await until(lambda: place.proofs)
    assert "DONE" not in heard
    assert (place.events, place.lost_users) == ([], [])


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            "* BYE Server shutting down.\r\n",
            ServerBusy,
            "ended the session of 'anton@example.com': Server shutting down.",
        ),
        ("* BYE [UNAVAILABLE] later\r\n", ServerBusy, "[UNAVAILABLE] later"),
        ("* BYE [LIMIT] too many\r\n", ServerBusy, "[LIMIT] too many"),
        ("* BYE\r\n", ServerBusy, "no reason given"),
        ("* BYE \xff\0\r\n", ServerBusy, "ended the session of"),
        ("* 2 EXISTS\r\n* BYE Mailbox was deleted\r\n", ServerBusy, "Mailbox was deleted"),
        ("HTTP/1.1 400\r\n", ServerUnreachable, "something else than IMAP"),
        ("\r\n", ServerUnreachable, "a line that is no IMAP"),
        ("X99 OK done\r\n", ServerUnreachable, "an answer to what was not asked"),
        ("x" * 70_000, ServerUnreachable, "more than 65536 bytes"),
        ("* OK {99999999}\r\n", ServerUnreachable, "is announced"),
        ("TAG NO [INUSE] somebody else\r\n", ServerBusy, "[INUSE] somebody else"),
        ("TAG BAD no such command\r\n", Unsupported, "no such command"),
        ("TAG OK that was it\r\n", Unsupported, "it ends at once"),
    ],
)
async def test_ends_while_it_idles(said: str, kind: type[OxpushctlError], words: str) -> None:
    """What ends a session is told once, in the server's words where it has some."""
    async with listening(answers(idle=f"{GO}{CUT}{said}")) as (place, _):
        await place.start()
        error = await place.ended()
        await asyncio.sleep(0)
    assert type(error) is kind, error
    assert words in str(error)
    assert len(place.lost_users) == 1


@pytest.mark.parametrize(("end", "words"), [(END, "ended the session without a word"), (RESET, "connection reset")])
async def test_connection_ends_while_it_idles(end: str, words: str) -> None:
    """So is the end of the connection, with no word before it."""
    said = answers(line=always(DONE, end, then=DONE))
    async with listening(said, renew_s=0.1) as (place, _):
        await place.start()
        error = await place.ended()
    assert isinstance(error, ServerUnreachable)
    assert words in str(error)


@pytest.mark.parametrize("answer", [SILENCE, "* OK Still here\r\n", "+ go on\r\n"])
async def test_done_without_an_answer(answer: str) -> None:
    """A server that does not end the IDLE in time is given up, whatever else it says."""
    said = answers(line=always(DONE, then=answer))
    async with listening(said, renew_s=0.1, answer_s=0.2) as (place, _):
        await place.start()
        error = await place.ended()
    assert "does not answer any more on a session that was open" in str(error)


@pytest.mark.parametrize(("answer", "kind"), [("TAG NO never\r\n", Unsupported), (END, ServerUnreachable)])
async def test_fetch_that_fails(answer: str, kind: type[OxpushctlError]) -> None:
    """A look that fails ends the session; the next one looks again, from the same mark."""
    said = answers(
        idle=always(_BEGIN, then=GO),
        uid=always(answer, then=new_mail()),
        examine=always(EXAMINED, then=EXAMINED.replace("UIDNEXT 2", "UIDNEXT 3")),
    )
    async with listening(said) as (place, _):
        await place.start()
        error = await place.ended()
        await place.start()
        await place.heard("new")
    assert isinstance(error, ServerBusy | ServerUnreachable), error


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"capability": CAPABILITY.replace(" IDLE", "") + DONE}, Unsupported, "offers 'anton@example.com' no IDLE"),
        ({"idle": "TAG NO not for you\r\n"}, Unsupported, "refuses IDLE to 'anton@example.com': not for you"),
        ({"idle": "TAG BAD what?\r\n"}, Unsupported, "what?"),
        ({"idle": "TAG NO [LIMIT] too many\r\n"}, ServerBusy, "[LIMIT] too many"),
        ({"idle": "TAG OK done\r\n"}, Unsupported, "it ends at once"),
        ({"idle": "* BYE [UNAVAILABLE] later\r\n"}, ServerBusy, "[UNAVAILABLE] later"),
        ({"idle": END}, ServerUnreachable, "without a word"),
        ({"idle": SILENCE}, ServerUnreachable, "does not answer to IDLE in time"),
        ({"examine": "TAG NO Mailbox doesn't exist\r\n"}, TryLater, "Mailbox doesn't exist"),
        ({"examine": END}, ServerUnreachable, "ended the connection"),
        ({"line": "TAG NO [UNAVAILABLE] later\r\n"}, ServerBusy, "[UNAVAILABLE] later"),
        ({"line": "TAG NO [LIMIT] too many\r\n"}, ServerBusy, "[LIMIT] too many"),
    ],
)
async def test_refused(changed: dict[str, str], kind: type[OxpushctlError], words: str) -> None:
    """A session that cannot begin says why, and whether another implementation has to serve."""
    error = await refused(answers(**changed), answer_s=0.3)
    assert isinstance(error, kind), error
    assert words in str(error)


async def test_mailbox_made_anew() -> None:
    """After a session ended the mailbox may be another one: what is in it is not new."""
    anew = EXAMINED.replace("VALIDITY 17", "VALIDITY 18").replace("UIDNEXT 2", "UIDNEXT 9")
    said = answers(idle=f"{GO}{CUT}* BYE deleted\r\n", examine=always(EXAMINED, then=anew))
    async with listening(said) as (place, _):
        await place.start()
        await place.ended()
        await place.start()
    assert (place.events, place.marks.marks[ANTON]) == ([], Mark(18, 9))
