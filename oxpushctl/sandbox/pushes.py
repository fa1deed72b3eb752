"""What the phones got: a bounded record of pushes that can be waited on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oxpushctl.sandbox.exchange import Json


@dataclass(frozen=True, slots=True)
class Push:
    """One push as it came in, with the answer that it got; ``number`` counts from 1.

    ``provider`` is ``apns`` or ``fcm``, ``authentication`` is ``certificate``, ``bearer`` or empty. ``payload`` is the
    APNs body or FCM's ``message``. ``status`` 0 means that no answer was given; ``reason`` is the provider's word,
    empty when the push was delivered. ``id`` is the ``apns-id`` or the message's name.
    """

    number: int
    provider: str
    authentication: str
    topic: str
    project: str
    token: str = field(repr=False)
    headers: Mapping[str, str]
    payload: Mapping[str, Json] = field(repr=False)
    received_at: float
    status: int
    reason: str
    id: str

    def at(self, *path: str | int) -> Json:
        """Return a value from inside the payload, ``None`` where the path leads nowhere."""
        value: Json = dict(self.payload)
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return value

    @property
    def is_delivered(self) -> bool:
        """Whether the phone got it."""
        return self.status == 200


class PushLog:
    """The newest pushes, oldest first; the oldest fall out."""

    def __init__(self, limit: int) -> None:
        self._pushes: deque[Push] = deque(maxlen=limit)
        self._count = 0
        self.news = asyncio.Event()
        """Set by the next push and when the record is emptied, then replaced: take it before you read."""
        self.generation = 0
        """Grows when the record is emptied, so that a watcher knows to forget what it has."""

    @property
    def next_number(self) -> int:
        """The number of the push that comes next."""
        return self._count + 1

    def add(self, push: Push) -> None:
        """Keep a push and wake who waits."""
        self._count += 1
        self._pushes.append(push)
        self.wake()

    def clear(self) -> None:
        """Forget all pushes; numbers go on."""
        self._pushes.clear()
        self.generation += 1
        self.wake()

    def listing(self, *, after: int = 0, token: str | None = None) -> tuple[Push, ...]:
        """Return the pushes after a number, of one token or of all."""
        return tuple(push for push in self._pushes if push.number > after and token in (None, push.token))

    async def wait_for(self, wanted: Callable[[Push], bool], count: int) -> tuple[Push, ...]:
        """Return the pushes that are wanted as soon as there are enough of them."""
        while len(found := tuple(filter(wanted, self._pushes))) < count:
            await self.news.wait()
        return found

    def wake(self) -> None:
        """Let everybody look who waits."""
        self.news.set()
        self.news = asyncio.Event()
