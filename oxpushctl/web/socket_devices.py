"""Web sockets as devices: each client of a user that has one open is subscribed, without a row in any table.

The token is the middleware's: ``ws::<user>-<context>::<client>``. What is sent to it goes to all of its sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from oxpushctl import log, topics
from oxpushctl.config.allowed_clients import is_allowed
from oxpushctl.model import PushUser, Subscription
from oxpushctl.web import engine_io
from oxpushctl.web.open_socket import MOST_QUEUED, OpenSocket, text_frame

TRANSPORT = "websocket"
TOPICS = ("ox:mail:*", "ox:calendar:*")

_log = log.get(__name__)


@dataclass(eq=False, slots=True)
class _Device:
    """The sockets of one client of a user that take events."""

    subscription: Subscription
    sockets: list[OpenSocket] = field(default_factory=list)


class SocketDevices:
    """All sockets that take events; ``patterns`` are the clients for whose users listeners run (no pattern: all).

    ``changed`` is called with a user who is one of ``users`` from now on, or no more.
    """

    def __init__(self, patterns: Sequence[str], written: Callable[[OpenSocket], None]) -> None:
        self.changed: Callable[[PushUser], None] = _nothing
        self._patterns = patterns
        self._written = written
        self._by_token: dict[str, _Device] = {}
        self._by_id: dict[bytes, _Device] = {}
        self._of_user: dict[PushUser, dict[str, _Device]] = {}
        self._listened: dict[PushUser, int] = {}  # how many of its clients are allowed

    def join(self, socket: OpenSocket) -> None:
        """Begin to send events to a socket."""
        if socket.is_joined:
            return
        socket.is_joined = True
        user, client = socket.session.user, socket.session.client
        its = self._of_user.setdefault(user, {})
        device = its.get(client)
        if device is not None:
            device.sockets.append(socket)
            return
        subscription = _subscription(user, client)
        device = its[client] = _Device(subscription, [socket])
        self._by_token[subscription.token] = self._by_id[subscription.id] = device
        self._count(user, client, 1)

    def leave(self, socket: OpenSocket) -> None:
        """Send no more events to a socket."""
        if not socket.is_joined:
            return
        socket.is_joined = False
        user, client = socket.session.user, socket.session.client
        its = self._of_user[user]
        device = its[client]
        device.sockets.remove(socket)
        if device.sockets:
            return
        del its[client], self._by_token[device.subscription.token], self._by_id[device.subscription.id]
        if not its:
            del self._of_user[user]
        self._count(user, client, -1)

    def users(self) -> Collection[PushUser]:
        """Return the users whose listeners are bound to a session, as they are at any time."""
        return self._listened.keys()

    def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the subscriptions of those of some users that have one to a topic."""
        if not self._of_user or not any(topics.matches(wanted, topic) for wanted in TOPICS):
            return {}
        return {
            user: [device.subscription for device in its.values()]
            for user in users
            if (its := self._of_user.get(user)) is not None
        }

    def standing(self, ids: Collection[bytes]) -> frozenset[bytes]:
        """Return those of some ids that are still there."""
        return frozenset(each for each in ids if each in self._by_id) if self._by_id else frozenset()

    async def send(self, token: str, payload: bytes) -> int:
        """Send an event to the sockets of a token; return to how many.

        A socket whose reader has left too much lying is dropped.
        """
        device = self._by_token.get(token)
        if device is None:
            return 0
        frame = text_frame(engine_io.event(payload))
        if any(socket.queued > MOST_QUEUED for socket in device.sockets):
            await asyncio.sleep(0)  # a loop may hand to the system only now what came at once
        count = 0
        for socket in list(device.sockets):
            if socket.queued > MOST_QUEUED:
                _log.info("web socket dropped: it reads too slowly", **socket.named, queued=socket.queued)
                self.leave(socket)
                socket.drop("it reads too slowly")
                continue
            socket.write(frame)
            self._written(socket)
            count += 1
        return count

    def _count(self, user: PushUser, client: str, change: int) -> None:
        if not is_allowed(client, self._patterns):
            return
        before = self._listened.get(user, 0)
        if before + change:
            self._listened[user] = before + change
        else:
            del self._listened[user]
        if not before or not before + change:
            self.changed(user)


def _subscription(user: PushUser, client: str) -> Subscription:
    token = f"ws::{user.user}-{user.context}::{client}"
    identity = blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Subscription(user, client, TRANSPORT, token, TOPICS, id=identity)


def _nothing(_: PushUser) -> None:
    """Tell nobody."""
