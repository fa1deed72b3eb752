"""The straight path: event, notification, subscriptions, one entry per message, the lane of its transport and client.

::

    accept ─► outbox.put ─► inbox ─► buffer ─► matching, many users at once ─► outbox.matched ─► lanes ─► delivery
    outbox.recovered ────────► inbox      outbox.due (retries) ─► still the user's device? ─► lanes
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from oxpushctl import log
from oxpushctl.engine.buffer import Buffer, Decision
from oxpushctl.engine.delivery import Delivery
from oxpushctl.engine.lane import Lane
from oxpushctl.engine.new_mail import notification_of
from oxpushctl.engine.routes import NoRoute
from oxpushctl.engine.standing import Standing
from oxpushctl.errors import NotKept, OxpushctlError
from oxpushctl.interfaces import Clock, Outbox, SubscriptionStore
from oxpushctl.model import Entry, MailEvent, Notification

_log = log.get(__name__)

INBOX_SIZE = 50_000
BATCH = 200
# Behind a batch, the next one is given this time to grow: a query for ten users costs nearly as much as one for fifty,
# and ten messages in one TLS record less than ten records. An event that comes alone does not wait.
GATHER_S = 0.005
# A lane that was full is offered its messages again after this time, a store that failed is asked again.
AGAIN_S = 1.0


class Dispatcher:
    """Accepts events and sees each to its devices; ``run`` is its life, ``drain`` its orderly end."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        buffer: Buffer,
        subscriptions: SubscriptionStore,
        delivery: Delivery,
        clock: Clock,
        max_age_s: float,
    ) -> None:
        self.max_age_s = max_age_s
        self._outbox = outbox
        self._buffer = buffer
        self._subscriptions = subscriptions
        self._delivery = delivery
        self._clock = clock
        self._inbox: deque[MailEvent] = deque()
        self._matching: list[Notification] = []
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._wake = asyncio.Event()
        self._is_store_down = False
        self._standing = Standing(subscriptions, clock)
        self._looked_up: list[Entry] = []
        self._is_recovering = True

    async def accept(self, event: MailEvent) -> None:
        """Return when the event is safe; an event that cannot be kept is tried all the same, if there is room."""
        if len(self._inbox) >= INBOX_SIZE:
            raise NotKept(f"{len(self._inbox)} events wait to be matched with subscriptions")
        try:
            await self._outbox.put(event)
        finally:
            self._inbox.append(event)
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wait()
            is_going_on = True
            while is_going_on:
                await self._recover()
                self._leave_windows()
                is_more_due = await self._hand_out_due()
                is_going_on = await self._take_batch() or is_more_due

    async def drain(self, limit_s: float) -> None:
        """Send what was accepted: return when nothing is left, or nothing that falls due within the limit."""
        deadline = self._clock.monotonic() + limit_s
        while self._outbox.depth and (left_s := deadline - self._clock.monotonic()) > 0:
            if not self._inbox:  # whose events might be held back as well
                self._matching.extend(self._buffer.release())
            self._wake.set()
            next_due = self._outbox.next_due()
            is_at_work = bool(self._inbox or self._matching or self._looked_up)
            is_waiting = not is_at_work and all(lane.is_idle for lane in self._lanes.values())
            if is_waiting and (next_due is None or next_due > self._clock.now() + left_s):
                return
            await self._clock.sleep(0.02)

    async def aclose(self) -> None:
        """End the lanes; what they had is left in the outbox."""
        for lane in self._lanes.values():
            await lane.aclose()

    async def _wait(self) -> None:
        """Return when there is an event, or when a window ends or a message falls due."""
        if self._is_recovering and not self._matching:
            return
        if self._matching:  # the store has failed: new events must not make us ask it any sooner
            await self._clock.sleep(AGAIN_S)
            return
        waits = []
        if (end := self._buffer.next_end()) is not None:
            waits.append(end - self._clock.monotonic())
        if (due := self._outbox.next_due()) is not None:
            waits.append(due - self._clock.now())
        try:
            async with asyncio.timeout(max(0.0, min(waits)) if waits else None):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _take_batch(self) -> bool:
        """Match one batch; return false when there is none, or when the store failed and the batch has to wait."""
        now = self._clock.monotonic()
        while self._inbox and len(self._matching) < BATCH:
            self._offer(notification_of(self._inbox.popleft(), self.max_age_s), now)
        batch = self._matching[:BATCH]
        if not batch:
            return bool(self._inbox)
        try:
            await self._match(batch)
        except OxpushctlError as error:
            self._tell_store_down(error)
            return False
        self._tell_store_up()
        del self._matching[: len(batch)]
        if len(self._inbox) < BATCH:
            await self._clock.sleep(GATHER_S)
        return True

    def _tell_store_down(self, error: OxpushctlError) -> None:
        """Say once that events wait for the store, not once a second."""
        tell = _log.debug if self._is_store_down else _log.error
        tell("subscriptions cannot be read, events wait", reason=str(error), waiting=self._outbox.depth)
        self._is_store_down = True

    def _tell_store_up(self) -> None:
        if self._is_store_down:
            self._is_store_down = False
            _log.info("subscriptions can be read again")

    def _offer(self, notification: Notification, now: float) -> None:
        decision = self._buffer.offer(notification, now)
        if decision is Decision.SEND:
            self._matching.append(notification)
        elif decision is Decision.SWALLOW:
            self._outbox.matched(notification.id, ())
            _log.debug("repeat swallowed", event_id=notification.id, user=str(notification.user))

    async def _recover(self) -> None:
        """Take in what an earlier run has left, little by little, beside what comes now."""
        if not self._is_recovering or len(self._inbox) >= BATCH:
            return
        try:
            events = await self._outbox.recovered(BATCH)
        except NotKept as error:
            self._is_recovering = False
            _log.error("what an earlier run has left cannot be read: the next start tries again", reason=str(error))
            return
        self._is_recovering = bool(events)
        self._inbox.extend(events)

    def _leave_windows(self) -> None:
        if (end := self._buffer.next_end()) is not None and end <= (now := self._clock.monotonic()):
            self._matching.extend(self._buffer.leaving(now))

    async def _hand_out_due(self) -> bool:
        """Queue what falls due, unless its device is no longer the user's; tell whether there may be more of it."""
        due = await self._outbox.due(self._clock.now(), BATCH)
        self._looked_up = [entry for entry in due if not self._standing.is_fresh(entry)]
        gone: set[Entry] = set()
        if self._looked_up:
            try:
                gone.update(await self._standing.gone(self._looked_up))
            except OxpushctlError as error:
                self._tell_store_down(error)
                for entry in due:
                    self._outbox.later(entry, self._clock.now() + AGAIN_S)
                return False
            finally:
                self._looked_up = []
            self._tell_store_up()
        for entry in due:
            if entry in gone:
                self._outbox.done(entry)
                _log.info("push dropped: no longer subscribed", event_id=entry.notification.id)
            else:
                self._queue(entry)
        return len(due) == BATCH

    async def _match(self, batch: Sequence[Notification]) -> None:
        """Find the devices of a batch in one query per topic, and queue one entry for each."""
        for topic in {notification.topic for notification in batch}:
            notifications = [notification for notification in batch if notification.topic == topic]
            users = list({notification.user: None for notification in notifications})
            seen_at = self._clock.monotonic()
            found = await self._subscriptions.matching(users, topic)
            for notification in notifications:
                wishes = found.get(notification.user, ())
                entries = [Entry(notification, subscription, seen_at=seen_at) for subscription in wishes]
                served = [entry for entry in entries if self._is_served(entry)]
                for entry in self._outbox.matched(notification.id, served):
                    self._queue(entry)
                if not entries:
                    _log.debug("nobody subscribed", event_id=notification.id, user=str(notification.user), topic=topic)

    def _is_served(self, entry: Entry) -> bool:
        subscription = entry.subscription
        route = self._delivery.routes.find(subscription.client, subscription.transport, entry.notification.topic)
        if isinstance(route, NoRoute):
            _log.debug("push dropped", event_id=entry.notification.id, user=str(subscription.user), reason=route.reason)
            return False
        return True

    def _queue(self, entry: Entry) -> None:
        key = (entry.subscription.transport, entry.subscription.client)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self._attempt)
        if not lane.offer(entry) and not self._outbox.later(entry, self._clock.now() + AGAIN_S):
            _log.error("push lost: lane and outbox are full", event_id=entry.notification.id, client=key[1])

    async def _attempt(self, entry: Entry) -> None:
        if await self._delivery.attempt(entry):
            self._wake.set()  # it may fall due before anything else
