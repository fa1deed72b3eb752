"""Outboxes on a disk, and what is left of them when their process is killed."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from oxpushctl.engine.clock import SystemClock
from oxpushctl.engine.new_mail import notification_of
from oxpushctl.model import Entry, MailEvent
from oxpushctl.stores.outbox.opening import opened_outbox
from oxpushctl.stores.outbox.outbox import DurableOutbox
from tests.engine.parts import mail, phone

MAX_AGE_S = 4 * 3600.0
CLOCK = SystemClock()


@asynccontextmanager
async def outbox_in(folder: Path, *, capacity: int = 1000) -> AsyncIterator[DurableOutbox]:
    """Open the outbox of a state folder."""
    async with aclosing(
        await opened_outbox(folder / "outbox.db", CLOCK, max_age_s=MAX_AGE_S, capacity=capacity)
    ) as outbox:
        yield outbox


def killed(folder: Path, copy: Path) -> Path:
    """Return a folder as a process leaves it that is killed now: the files are read while they are open."""
    shutil.copytree(folder, copy)
    return copy


def fresh(uid: int = 1, subject: str = "Lunch?") -> MailEvent:
    """Return a mail that has just come."""
    return mail(uid=uid, subject=subject, at=CLOCK.now())


def message(event: MailEvent, token: str = "t1") -> Entry:
    """Return what goes to one device about a mail."""
    return Entry(notification_of(event, MAX_AGE_S), phone(token=token))


async def written(outbox: DurableOutbox, uid: int = 999) -> None:
    """Return when all that was done before is on the disk: one commit takes it all."""
    event = fresh(uid)
    await outbox.put(event)
    outbox.matched(event.id, ())
