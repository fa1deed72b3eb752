"""All listeners of this node, in the order of context and user, and how many fare how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from oxpushctl.engine.listener_record import ListenerRecord
from oxpushctl.model import Health, PushUser

# Implementation's number, whether permanent, health.
Kind = tuple[int, bool, Health]

# Records that are walked over before others on the loop have their turn.
SLICE = 2000


class ListenerRoll:
    """Records by context and user: numbers alone are looked up, and only the users of one context sorted at once."""

    def __init__(self) -> None:
        self._contexts: dict[int, dict[int, ListenerRecord]] = {}
        self.counts: Counter[Kind] = Counter()

    def find(self, context: int, user: int) -> ListenerRecord | None:
        """Return a user's record."""
        users = self._contexts.get(context)
        return None if users is None else users.get(user)

    def of(self, user: PushUser) -> ListenerRecord | None:
        """Return a user's record."""
        return self.find(user.context, user.user)

    def add(self, record: ListenerRecord) -> None:
        """Take a record in; ``changing`` makes it count."""
        self._contexts.setdefault(record.user.context, {})[record.user.user] = record

    def remove(self, record: ListenerRecord) -> None:
        """Drop a record that is not wanted."""
        users = self._contexts[record.user.context]
        del users[record.user.user]
        if not users:
            del self._contexts[record.user.context]

    @contextmanager
    def changing(self, record: ListenerRecord) -> Iterator[None]:
        """Change what is counted of a record: its reasons, its implementation, its health."""
        if record.is_wanted:
            self._count(record, -1)
        try:
            yield
        finally:
            if record.is_wanted:
                self._count(record, +1)

    def slices(self, context: int | None = None, user: int | None = None) -> Iterator[list[ListenerRecord]]:
        """Yield the records, all or those of a context or with a user's number, in parts of bounded size.

        In between any may come and go.
        """
        part: list[ListenerRecord] = []
        for each in sorted(self._contexts) if context is None else [context]:
            users = self._contexts.get(each, {})
            for number in sorted(users) if user is None else [user]:
                record = self.find(each, number)
                if record is not None:
                    part.append(record)
                if len(part) == SLICE:
                    yield part
                    part = []
        if part:
            yield part

    def _count(self, record: ListenerRecord, change: int) -> None:
        kind = (record.implementation, record.is_registered, record.health)
        self.counts[kind] += change
        if not self.counts[kind]:
            del self.counts[kind]
