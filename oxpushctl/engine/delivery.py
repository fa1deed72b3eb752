"""One attempt to deliver one message, and what follows from the provider's verdict."""

from __future__ import annotations

import random
from collections.abc import Callable

from oxpushctl import log
from oxpushctl.engine.breaker import Breaker
from oxpushctl.engine.new_mail import without_unread
from oxpushctl.engine.retry import next_attempt_at
from oxpushctl.engine.routes import NoRoute, Routes
from oxpushctl.engine.standing import Standing
from oxpushctl.engine.successes import Successes
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock, Outbox, SubscriptionStore
from oxpushctl.model import Entry, Outcome, Subscription, Verdict

_log = log.get(__name__)

# A store that failed is asked again after this time.
AGAIN_S = 1.0
# After this many seconds the number of unseen mails is likely to be another one.
LATE_S = 60.0


class Delivery:
    """Tries entries and acts on the outcomes; ``routes`` may be swapped by a reload at any time."""

    def __init__(
        self,
        routes: Routes,
        subscriptions: SubscriptionStore,
        outbox: Outbox,
        clock: Clock,
        successes: Successes,
        *,
        breaker: Breaker | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.routes = routes
        self._subscriptions = subscriptions
        self._outbox = outbox
        self._clock = clock
        self._successes = successes
        self._breaker = breaker
        self._chance = chance
        self._standing = Standing(subscriptions, clock)
        self._unreachable: set[tuple[str, str]] = set()

    async def attempt(self, entry: Entry) -> bool:
        """Try one entry once; return whether it is kept back for later, else it is done, whatever happened."""
        try:
            return await self._attempt(entry)
        except OxpushctlError as error:
            _log.error("push given up", **_named(entry), reason=str(error))
            self._outbox.done(entry)
        except Exception as error:  # noqa: BLE001  # a bug met by one message must not stop those of others
            _log.error("push given up: bug", **_named(entry), reason=f"{type(error).__name__}: {error}")
            self._outbox.done(entry)
        return False

    async def _attempt(self, entry: Entry) -> bool:
        subscription = entry.subscription
        notification = entry.notification
        now = self._clock.now()
        if now >= notification.expires_at:
            _log.warning("push too old", **_named(entry), attempts=entry.attempts)
            self._outbox.done(entry)
            return False
        routes = self.routes
        route = routes.find(subscription.client, subscription.transport, notification.topic)
        if isinstance(route, NoRoute):
            _log.info("push dropped", **_named(entry), reason=route.reason)
            self._outbox.done(entry)
            return False
        if not self._standing.is_fresh(entry):  # it waited in its lane
            try:
                gone = await self._standing.gone([entry])
            except OxpushctlError as error:  # as the dispatcher: what was accepted waits, whatever ails the database
                return self._keep_back(entry, now + AGAIN_S, str(error))
            if gone:
                _log.info("push dropped: no longer subscribed", **_named(entry))
                self._outbox.done(entry)
                return False
        if entry.attempts or now - notification.at > LATE_S:
            notification = without_unread(notification)
        message = route.generator.render(notification, subscription, route.transport.max_payload)
        entry.attempts += 1
        outcome = await routes.send(route, message)
        if self._unreachable and outcome.verdict is not Verdict.UNREACHABLE:
            self._tell_reachable(subscription)
        if self._breaker is not None:
            self._breaker.note(subscription, outcome)
        if outcome.verdict is Verdict.DELIVERED:
            self._delivered(entry, outcome)
        elif outcome.verdict is Verdict.TOKEN_GONE:
            await self._token_gone(entry, outcome)
        elif outcome.verdict is Verdict.REJECTED:
            tell = _log.debug if outcome.is_expected else _log.warning
            tell("push rejected", **_named(entry), reason=outcome.reason, todo=outcome.advice or None)
            self._outbox.done(entry)
        else:
            return self._postpone(entry, outcome)
        return False

    def _delivered(self, entry: Entry, outcome: Outcome) -> None:
        self._outbox.done(entry)
        self._successes.note(entry.subscription.id)
        if _log.is_debug:
            _log.debug("push delivered", **_named(entry), provider_id=outcome.provider_id)

    def _tell_reachable(self, subscription: Subscription) -> None:
        lane = (subscription.transport, subscription.client)
        if lane in self._unreachable:
            self._unreachable.discard(lane)
            _log.info("provider reachable again", transport=subscription.transport, client=subscription.client)

    async def _token_gone(self, entry: Entry, outcome: Outcome) -> None:
        """Remove a dead token, unless the breaker holds it back; a doubtful one stays."""
        if outcome.is_doubtful:
            _log.warning("push rejected", **_named(entry), reason=outcome.reason, todo=outcome.advice or None)
        elif self._breaker is not None and not self._breaker.may_remove(entry.subscription):
            _log.info("subscription kept: removal is held back", **_named(entry), reason=outcome.reason)
        elif await self._subscriptions.remove_gone(entry.subscription, outcome.gone_since_ms):
            _log.info("subscription removed", **_named(entry), reason=outcome.reason)
        else:
            _log.info("subscription kept: renewed since", **_named(entry), reason=outcome.reason)
        self._outbox.done(entry)

    def _postpone(self, entry: Entry, outcome: Outcome) -> bool:
        now = self._clock.now()
        at = next_attempt_at(
            outcome, entry.attempts, now=now, expires_at=entry.notification.expires_at, chance=self._chance()
        )
        if at is None:
            _log.warning("push given up: too old by the next attempt", **_named(entry), reason=outcome.reason)
            self._outbox.done(entry)
            return False
        self._tell_postponed(entry, outcome, at - now)
        return self._keep_back(entry, at, outcome.reason)

    def _keep_back(self, entry: Entry, at: float, reason: str) -> bool:
        if not self._outbox.later(entry, at):
            _log.error("push given up: the outbox was full", **_named(entry), reason=reason)
            return False
        return True

    def _tell_postponed(self, entry: Entry, outcome: Outcome, wait_s: float) -> None:
        """Say once that a provider cannot be reached, not once a push."""
        fields: dict[str, log.Field] = {**_named(entry), "reason": outcome.reason, "retry_s": round(wait_s, 1)}
        lane = (entry.subscription.transport, entry.subscription.client)
        if outcome.verdict is Verdict.THROTTLED:
            _log.info("push throttled", **fields)
        elif lane in self._unreachable:
            _log.debug("provider unreachable", **fields)
        else:
            self._unreachable.add(lane)
            _log.warning("provider unreachable", **fields, todo=outcome.advice or None)


def _named(entry: Entry) -> dict[str, str]:
    """Return the fields by which a log record names an entry."""
    subscription = entry.subscription
    return {
        "event_id": entry.notification.id,
        "user": str(subscription.user),
        "client": subscription.client,
        "transport": subscription.transport,
        "token": subscription.token,
    }
