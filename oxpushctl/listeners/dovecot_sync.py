"""Registering everybody at Dovecot, or clearing everybody, at an operator's word: what became of each, and why."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from oxpushctl.errors import BadData, NotPermitted, OxpushctlError, UnknownEntry, Unsupported
from oxpushctl.listeners.dovecot_registrar import Cleared, Registered, Standing, is_of_all
from oxpushctl.listeners.dovecot_registry import Registry
from oxpushctl.model import PushUser, Registration

AT_A_TIME = 8
# Requests to doveadm go one by one anyway; while one is under way, the next is made ready.
_BATCHES_AT_A_TIME = 2
# After so many in a row for whom no mail server was there, no more of them wait for their time to run out.
MOST_FAILED = 5
_PAGE = 1000


class Result(enum.Enum):
    """What became of a user's registration."""

    REGISTERED = "registered"
    ALREADY = "already"
    WOULD_REGISTER = "would register"
    REMOVED = "removed"
    WOULD_REMOVE = "would remove"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


_Work = Callable[[Sequence[PushUser]], Coroutine[Any, Any, Sequence["Synced"]]]


@dataclass(frozen=True, slots=True)
class Synced:
    """One user; ``reason`` is empty where there is nothing to say. ``is_of_all``: others would meet it as well."""

    user: PushUser
    result: Result
    reason: str = ""
    is_of_all: bool = False


class Registrations(Protocol):
    """What is asked of a ``RegistrationStore``."""

    async def page(self, after: Registration | None, most: int) -> Sequence[Registration]:
        """Return registrations behind one in the order of context, user and client, at most that many."""


class Sync:
    """Goes through all users that are registered for a client, or remembered as registered at Dovecot.

    Each mailbox is asked, whatever is remembered of it, and what is found is remembered: a running engine need not ask
    again. Eight mailboxes at a time, in batches where doveadm is the way. Leave the loop over ``register`` or
    ``remove`` by its end, or close it (``contextlib.aclosing``). What fails beside the mail server (a database that
    does not answer) is raised.
    """

    def __init__(self, registrations: Registrations, registry: Registry) -> None:
        self._registrations = registrations
        self._registry = registry
        self._away_in_a_row = 0

    async def register(self, *, context: int | None = None, is_dry: bool = False) -> AsyncGenerator[Synced, None]:
        """Register everybody who is registered for a client, of one context only if one is given."""
        done = Result.WOULD_REGISTER if is_dry else Result.REGISTERED

        async def work(users: Sequence[PushUser]) -> Sequence[Synced]:
            answers = await self._registry.register(users, is_dry=is_dry)
            return [_of_registered(user, answer, done) for user, answer in zip(users, answers, strict=True)]

        async with aclosing(self._as_completed(self._registered(context), work)) as synced:
            async for each in synced:
                yield each

    async def remove(self, *, context: int | None = None, is_dry: bool = False) -> AsyncGenerator[Synced, None]:
        """Clear everybody who is registered for a client or remembered; what is another's stays in a mailbox."""
        done = Result.WOULD_REMOVE if is_dry else Result.REMOVED

        async def work(users: Sequence[PushUser]) -> Sequence[Synced]:
            answers = await self._registry.clear(users, is_dry=is_dry)
            return [_of_cleared(user, answer, done) for user, answer in zip(users, answers, strict=True)]

        async with aclosing(self._as_completed(self._known(context), work)) as synced:
            async for each in synced:
                yield each

    async def count(self, *, context: int | None = None, is_removing: bool = False) -> int:
        """Return how many users there are to go through."""
        count = 0
        async for _ in self._known(context) if is_removing else self._registered(context):
            count += 1
        return count

    async def _registered(self, context: int | None) -> AsyncIterator[PushUser]:
        """Yield those who are registered for a client, each once, in order."""
        after = None if context is None else Registration(PushUser(context, 0), "")
        last: PushUser | None = None
        while page := await self._registrations.page(after, _PAGE):
            after = page[-1]
            for each in page:
                if context not in (None, each.user.context):
                    return
                if each.user != last:
                    yield each.user
                last = each.user

    async def _remembered(self, context: int | None) -> AsyncIterator[PushUser]:
        """Yield those whose mailboxes are remembered, in order."""
        after = None if context is None else PushUser(context, 0)
        while page := await self._registry.mailboxes.page(after, _PAGE):
            after = page[-1].user
            for row in page:
                if context not in (None, row.user.context):
                    return
                yield row.user

    async def _known(self, context: int | None) -> AsyncIterator[PushUser]:
        """Yield both in one order, each user once, although the first become fewer meanwhile."""
        streams = [self._remembered(context), self._registered(context)]
        heads = [await anext(stream, None) for stream in streams]
        while (first := min((head for head in heads if head is not None), default=None)) is not None:
            yield first
            for number, head in enumerate(heads):
                if head == first:
                    heads[number] = await anext(streams[number], None)

    async def _as_completed(self, users: AsyncIterator[PushUser], work: _Work) -> AsyncGenerator[Synced, None]:
        """Yield what is done in the order of completion; no more is begun than there are places for."""
        places = AT_A_TIME if self._registry.at_once == 1 else _BATCHES_AT_A_TIME
        under_way: set[asyncio.Task[Sequence[Synced]]] = set()
        try:
            async for batch in _batches(users, self._registry.at_once):
                under_way.add(asyncio.create_task(self._done(batch, work)))
                if len(under_way) >= places:
                    for each in await _first(under_way):
                        yield each
            while under_way:
                for each in await _first(under_way):
                    yield each
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _done(self, users: Sequence[PushUser], work: _Work) -> Sequence[Synced]:
        if self._away_in_a_row >= MOST_FAILED:
            reason = f"not tried, after {self._away_in_a_row} in a row that failed"
            return [Synced(user, Result.FAILED, reason) for user in users]
        done = await work(users)
        for each in done:
            self._away_in_a_row = self._away_in_a_row + 1 if each.is_of_all else 0
        return done


async def _batches(users: AsyncIterator[PushUser], size: int) -> AsyncIterator[Sequence[PushUser]]:
    batch: list[PushUser] = []
    async for user in users:
        batch.append(user)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _of_registered(user: PushUser, answer: Registered | OxpushctlError, done: Result) -> Synced:
    if isinstance(answer, OxpushctlError):
        return _of_error(user, answer)
    match answer.standing:
        case Standing.ALREADY:
            return Synced(user, Result.ALREADY)
        case Standing.REPLACED:
            return Synced(user, done, "in the place of another value")
        case Standing.WRITTEN:
            return Synced(user, done)


def _of_cleared(user: PushUser, answer: Cleared | OxpushctlError, done: Result) -> Synced:
    if isinstance(answer, OxpushctlError):
        return _of_error(user, answer)
    return Synced(user, done) if answer is Cleared.REMOVED else Synced(user, Result.ALREADY, answer.value)


def _of_error(user: PushUser, error: OxpushctlError) -> Synced:
    if isinstance(error, Unsupported):
        return Synced(user, Result.UNSUPPORTED, str(error))
    is_refused = isinstance(error, NotPermitted | UnknownEntry | BadData)
    if is_refused:
        return Synced(user, Result.REFUSED, str(error))
    return Synced(user, Result.FAILED, str(error), is_of_all=is_of_all(error))


async def _first(under_way: set[asyncio.Task[Sequence[Synced]]]) -> Sequence[Synced]:
    done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    first = done.pop()
    under_way.discard(first)
    return first.result()
