"""Looking into many inboxes at once, over doveadm: nobody logs in, and nothing is marked seen.

::

    mailboxStatus   uidvalidity, uidnext, unseen        of all
    fetch           uid                                 of those with uids above their mark: which are unseen
    fetch           uid, flags, headers, snippet …      of the newest of them

``hdr.from`` has the raw values of all fields of that name, one a line and folded as they were; where there is no such
field it is empty. ``date.received.unixtime`` is the INTERNALDATE in epoch seconds.
Source: Dovecot 2.3.19, doveadm-mail-fetch.c, and what it was seen to answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxpushctl.errors import OxpushctlError, TryLater
from oxpushctl.listeners.doveadm_answers import Answer, Command, Failed
from oxpushctl.listeners.doveadm_metadata import AsksDoveadm
from oxpushctl.listeners.inbox import INBOX, Inbox, first_unheard
from oxpushctl.model import FoundMail, Mark

# Unseen mails are looked for among so many of the newest uids: whoever was away for longer has been told enough.
_LOOKED_THROUGH = 10_000
_FIELDS = ["uid", "flags", "date.received.unixtime", "hdr.from", "hdr.subject", "body.snippet"]
_NEXT_FIELD = re.compile(r"\n(?![ \t])")


@dataclass(frozen=True, slots=True)
class _Status:
    uidvalidity: int
    uidnext: int
    unseen: int


async def look_inside(
    doveadm: AsksDoveadm, marks: Mapping[str, Mark | None], most: int
) -> Mapping[str, Inbox | OxpushctlError]:
    """Return the inboxes of users by the names that doveadm knows them by, each with at most so many unseen mails."""
    found: dict[str, Inbox | OxpushctlError] = {}
    statuses: dict[str, _Status] = {}
    for name, answer in (await _answers(doveadm, {name: _status_of(name) for name in marks})).items():
        status = _read_status(answer)
        if isinstance(status, OxpushctlError):
            found[name] = status
        else:
            statuses[name] = status
            found[name] = Inbox(status.uidvalidity, status.uidnext)
    uids = await _unseen_uids(doveadm, marks, statuses, most) if most else {}
    wanted = {name: of for name, of in uids.items() if isinstance(of, Sequence) and of}
    found |= {name: of for name, of in uids.items() if isinstance(of, OxpushctlError)}
    fetches = {name: _fetch(name, _FIELDS, ",".join(map(str, of))) for name, of in wanted.items()}
    for name, answer in (await _answers(doveadm, fetches)).items():
        status = statuses[name]
        found[name] = (
            answer.error
            if isinstance(answer, Failed)
            else Inbox(status.uidvalidity, status.uidnext, status.unseen, _mails(answer.rows))
        )
    return found


async def _unseen_uids(
    doveadm: AsksDoveadm, marks: Mapping[str, Mark | None], statuses: Mapping[str, _Status], most: int
) -> Mapping[str, Sequence[int] | OxpushctlError]:
    """Return the highest uids of unseen mails above the marks, ascending; names without a gap are left out."""
    commands = {}
    for name, status in statuses.items():
        from_uid = first_unheard(marks[name], status.uidvalidity, status.uidnext)
        if from_uid is not None:
            lowest = max(from_uid, status.uidnext - _LOOKED_THROUGH)
            commands[name] = _fetch(name, ["uid"], f"{lowest}:{status.uidnext - 1}")
    return {
        name: answer.error
        if isinstance(answer, Failed)
        else sorted(uid for row in answer.rows if (uid := _number(row.get("uid"))))[-most:]
        for name, answer in (await _answers(doveadm, commands)).items()
    }


async def _answers(doveadm: AsksDoveadm, commands: Mapping[str, Command]) -> Mapping[str, Answer]:
    return dict(zip(commands, await doveadm.ask(list(commands.values())), strict=True))


def _status_of(name: str) -> Command:
    fields = ["uidvalidity", "uidnext", "unseen"]
    return Command("mailboxStatus", {"user": name, "mailboxMask": [INBOX], "field": fields})


def _fetch(name: str, fields: Sequence[str], uids: str) -> Command:
    query = ["mailbox", INBOX, "uid", uids, "unseen"]
    return Command("fetch", {"user": name, "field": fields, "query": query})


def _read_status(answer: Answer) -> _Status | OxpushctlError:
    if isinstance(answer, Failed):
        return answer.error
    row = answer.rows[0] if answer.rows else {}
    uidvalidity, uidnext, unseen = (_number(row.get(field)) for field in ("uidvalidity", "uidnext", "unseen"))
    if not uidvalidity or not uidnext or unseen is None:
        return TryLater("doveadm's mailboxStatus does not tell uidvalidity, uidnext and unseen of an inbox")
    return _Status(uidvalidity, uidnext, unseen)


def _mails(rows: Sequence[Mapping[str, str]]) -> Sequence[FoundMail]:
    """Return what was fetched, ascending by uid."""
    mails = []
    for row in rows:
        uid, received = _number(row.get("uid")), _number(row.get("date.received.unixtime"))
        if uid and received is not None:
            sender, subject = _first(row.get("hdr.from", "")), _first(row.get("hdr.subject", ""))
            is_seen = "\\Seen" in row.get("flags", "").split()
            mails.append(FoundMail(uid, received, is_seen, sender, subject, row.get("body.snippet", "")))
    return sorted(mails, key=lambda mail: mail.uid)


def _first(values: str) -> str | None:
    return _NEXT_FIELD.split(values, maxsplit=1)[0] or None


def _number(text: str | None) -> int | None:
    """Return a number as doveadm writes it, which is not negative; ``None`` for anything else."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None
