"""What listeners ask of a mailbox that is open: what is new in it, and its server's annotation. Nothing is marked seen.

::

    C: a UID FETCH * (UID)                  S: * 17 FETCH (UID 40)       17 mails, the highest uid
    C: b UID FETCH 38:40 (UID FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (FROM)]<0.16384> …)

However much is new, no more is fetched than was asked for, and of a header no more than anybody shows. To ask for
``38:*`` instead would give the last mail even where its uid is below that.
Source: RFC 3501, 6.4.5 and 6.4.8; RFC 8970 (PREVIEW); RFC 4731 (ESEARCH); RFC 5464 (METADATA).
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

from imapclient.response_parser import parse_response

from oxpushctl.errors import BadData, Unsupported
from oxpushctl.listeners.fetched import found_mails, numbered
from oxpushctl.listeners.imap import ImapConnection
from oxpushctl.listeners.imap_client import Client
from oxpushctl.listeners.imap_echo import quoted
from oxpushctl.listeners.imap_troubles import answer_of, clean
from oxpushctl.model import FoundMail

T = TypeVar("T")

# As much as the header's parser reads of a field.
_FIELD_OCTETS = 16_384
# So many mails with two long fields each, and so many uids, are less than what the wire takes for an answer.
_FETCHED_AT_ONCE = 20
_SEARCHED_AT_ONCE = 80_000

_FIELDS = [f"BODY.PEEK[HEADER.FIELDS ({name})]<0.{_FIELD_OCTETS}>" for name in ("FROM", "SUBJECT")]
# Capability → item; the last two are what Dovecot had before there was an RFC.
_SNIPPETS = {"PREVIEW": "PREVIEW", "PREVIEW=FUZZY": "PREVIEW (FUZZY)", "SNIPPET=FUZZY": "SNIPPET (FUZZY)"}
_METADATA = frozenset({"METADATA", "METADATA-SERVER"})
# Refusals that last: Dovecot has no place to keep annotations, or the server keeps no private ones (RFC 5464, 6).
_NEVER = re.compile(r"\[(CANNOT|METADATA NOPRIVATE)\]", re.IGNORECASE)
_QUOTABLE = re.compile(r"[\t\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Examined:
    """A folder as it was opened: the next mail gets ``uidnext`` or a higher uid, and ``exists`` mails are there."""

    uidvalidity: int
    uidnext: int
    exists: int


async def examined(connection: ImapConnection, folder: str) -> Examined:
    """Open a folder read-only; ``folder`` is its name as people write it, beyond ASCII as well.

    Raise ``ServerBusy`` when the server refuses, ``Unsupported`` if it has no uids that last.
    """
    seen = await connection.ask(lambda client: _examine(client, folder))
    if not seen.uidvalidity or not seen.uidnext:
        raise Unsupported(f"{connection.server} tells no UIDVALIDITY and UIDNEXT: new mail cannot be told from old")
    return seen


async def found(connection: ImapConnection, from_uid: int, most: int) -> Sequence[FoundMail]:
    """Return the newest mails of the open folder whose uid is not below one, at most so many, ascending by uid.

    Afterwards ``connection.has_news`` tells whether more mails were announced meanwhile.
    """
    return await connection.ask(lambda client: _found(client, from_uid, most, connection.capabilities))


async def unseen(connection: ImapConnection) -> int:
    """Return how many mails of the open folder nobody has seen."""
    return await connection.ask(_counted if "ESEARCH" in connection.capabilities else _searched)


async def get_metadata(connection: ImapConnection, entry: str) -> bytes | None:
    """Return the server's annotation for this user; ``None`` where there is none, or an empty one.

    Raise ``Unsupported`` without METADATA, ``ServerBusy`` for another refusal.
    """
    return await _with_metadata(connection, lambda client: _value(client, entry))


async def set_metadata(connection: ImapConnection, entry: str, value: str | None) -> None:
    """Write the server's annotation for this user, or remove it; errors as above.

    Raise ``BadData`` for a value that is more than ASCII on one line.
    """
    if value is not None and not _QUOTABLE.fullmatch(value):
        raise BadData(f"{entry}: what is more than ASCII on one line cannot be written there")
    written = f"({quoted(entry)} {'NIL' if value is None else quoted(value)})"
    await _with_metadata(connection, lambda client: client.told("SETMETADATA", '""', written, by="METADATA"))


def _examine(client: Client, folder: str) -> Examined:
    told = client.examine(folder)
    if not told.get("UIDVALIDITY") or not told.get("UIDNEXT"):
        status = client.folder_status(folder, ["UIDVALIDITY", "UIDNEXT"])
        told |= {name.decode("ascii", "replace").upper(): int(number) for name, number in status.items()}
    return Examined(told.get("UIDVALIDITY", 0), told.get("UIDNEXT", 0), told.get("EXISTS", 0))


def _found(client: Client, from_uid: int, most: int, capabilities: frozenset[str]) -> list[FoundMail]:
    snippet = next((item for capability, item in _SNIPPETS.items() if capability in capabilities), None)
    items = " ".join(["UID FLAGS INTERNALDATE", *([snippet] if snippet else []), *_FIELDS])
    uids = _newest(client, from_uid, most)
    mails: list[FoundMail] = []
    for some in _parts(uids, _FETCHED_AT_ONCE):
        client.allow_another_answer()
        answers = client.told("UID", "FETCH", ",".join(map(str, some)), f"({items})", by="FETCH")
        mails += found_mails(answers, some)
    return mails


def _newest(client: Client, from_uid: int, most: int) -> list[int]:
    """Return the highest uids of the open folder that are not below one, ascending."""
    client.forget_news()
    last = numbered(client.told("UID", "FETCH", "*", "(UID)", by="FETCH"))
    if not last or most <= 0:
        return []
    count, highest = max(last, key=lambda mail: mail[1])
    if highest - from_uid < most:
        return list(range(max(1, from_uid), highest + 1))
    # What was removed meanwhile has moved the numbers of those behind it.
    first = max(1, count - client.count_told("EXPUNGE") - most + 1)
    client.allow_another_answer()
    mails = numbered(client.told("FETCH", f"{first}:*", "(UID)", by="FETCH"))
    return sorted({uid for _, uid in mails if uid >= from_uid})[-most:]


def _counted(client: Client) -> int:
    for answer in client.told("SEARCH", "RETURN", "(COUNT)", "UNSEEN", by="ESEARCH"):
        words = parse_response(list(answer))
        for name, value in pairwise(words):
            if isinstance(name, bytes) and name.upper() == b"COUNT":
                return int(value)
    raise ValueError("no COUNT")


def _searched(client: Client) -> int:
    """Count what a server lists that cannot count, part by part: all of it may be more than the wire takes."""
    last = numbered(client.told("UID", "FETCH", "*", "(UID)", by="FETCH"))
    count = 0
    for first in range(1, max((number for number, _ in last), default=0) + 1, _SEARCHED_AT_ONCE):
        client.allow_another_answer()
        listed = client.told("SEARCH", f"{first}:{first + _SEARCHED_AT_ONCE - 1}", "UNSEEN", by="SEARCH")
        count += sum(len(part.split()) for answer in listed for part in answer if isinstance(part, bytes))
    return count


def _value(client: Client, entry: str) -> bytes | None:
    for answer in client.told("GETMETADATA", '""', f"({quoted(entry)})", by="METADATA"):
        for told in parse_response(list(answer)):
            pairs = zip(told[::2], told[1::2], strict=False) if isinstance(told, tuple) else ()
            for name, value in pairs:
                if isinstance(name, bytes) and name.lower() == entry.lower().encode():
                    return (value if isinstance(value, bytes) else str(value).encode()) if value else None
    return None


async def _with_metadata(connection: ImapConnection, command: Callable[[Client], T]) -> T:
    lacking = f"{connection.server} keeps no annotations for this user"
    if not _METADATA & connection.capabilities:
        raise Unsupported(f"{lacking}: it offers no METADATA (Dovecot: imap_metadata=yes and mail_attribute_dict)")
    return await connection.ask(partial(_refused_for_good, command, lacking))


def _refused_for_good(command: Callable[[Client], T], lacking: str, client: Client) -> T:
    try:
        return command(client)
    except imaplib.IMAP4.abort:  # the connection has ended
        raise
    except imaplib.IMAP4.error as error:
        if _NEVER.search(answer_of(error)):
            raise Unsupported(f"{lacking}: {clean(answer_of(error))}") from error
        raise


def _parts(uids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]
