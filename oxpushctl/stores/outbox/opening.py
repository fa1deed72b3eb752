"""Open a node's outbox, whatever state its file is in: nothing is ever thrown away without a word."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from oxpushctl import log
from oxpushctl.errors import BadData
from oxpushctl.interfaces import Clock
from oxpushctl.stores.outbox import records
from oxpushctl.stores.outbox.file import Batch, Damaged, OutboxFile, readable, set_aside
from oxpushctl.stores.outbox.key import key_path, read_or_make
from oxpushctl.stores.outbox.outbox import CAPACITY, DurableOutbox
from oxpushctl.stores.outbox.records import Sealer

_log = log.get(__name__)


async def opened_outbox(path: Path, clock: Clock, *, max_age_s: float, capacity: int = CAPACITY) -> DurableOutbox:
    """Open or make an outbox, whose key is in a file beside it; what is older than ``max_age_s`` is dropped.

    A damaged file is set aside, and what can be read of it taken over. Raise ``NotReachable`` where another engine has
    it open, ``ConfigurationError`` where file or key cannot be used.
    """
    file, sealer = await asyncio.to_thread(_opened, path, clock.now(), max_age_s)
    outbox = DurableOutbox(file, sealer, clock, capacity)
    if outbox.depth:
        _log.info("outbox: left by an earlier run, to be sent now", count=outbox.depth)
    return outbox


def _opened(path: Path, now: float, max_age_s: float) -> tuple[OutboxFile, Sealer]:
    sealer = Sealer(read_or_make(key_path(path)))
    try:
        file = OutboxFile.open(path)
    except Damaged as problem:
        file = _replaced(path, sealer, str(problem))
    if unreadable := _first_unreadable(file, sealer):
        file.close()
        file = _replaced(path, sealer, unreadable)
    if expired := file.remove_old(now - max_age_s, now):
        _log.warning("outbox: too old to be sent, dropped", count=expired, max_age_s=round(max_age_s))
    return file, sealer


def _replaced(path: Path, sealer: Sealer, reason: str) -> OutboxFile:
    """Set a file aside that cannot be used, and begin another with what can still be read of it."""
    aside = set_aside(path, time.strftime("%Y%m%dT%H%M%S", time.gmtime()))
    file = OutboxFile.open(path)
    batch = Batch()
    number = 0
    for table, body in readable(aside):
        with contextlib.suppress(BadData):
            number += 1
            if table == "event":
                batch.events.append((number, records.read_event(sealer.open(records.EVENT, body)).at, body))
            else:
                expires_at = records.read_entry(sealer.open(records.ENTRY, body)).notification.expires_at
                batch.entries[number] = (expires_at, body)
    file.commit(batch)
    _log.error(
        "outbox: damaged, set aside; what it held besides what could be read is not sent",
        file=str(aside),
        reason=reason,
        read=len(batch.events) + len(batch.entries),
        todo="look at the health of the disk; remove the file when you need it no more",
    )
    return file


def _first_unreadable(file: OutboxFile, sealer: Sealer) -> str:
    """Return why the first rows cannot be read, if that is so: the key is another one then."""
    firsts = [(records.EVENT, body) for _, body in file.event_bodies(0, 1)]
    firsts += [(records.ENTRY, body) for body in file.entry_bodies(file.entry_numbers()[:1]).values()]
    for kind, body in firsts:
        try:
            sealer.open(kind, body)
        except records.NewerRecord:
            continue
        except BadData:
            return "its key is another one: the file beside it with the suffix .key was changed or removed"
    return ""
