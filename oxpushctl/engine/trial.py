"""One push through the real path, told step by step: the same parts as the engine's, one device after the other.

The five steps are those of a push's life: event, subscription, route, message, outcome.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from oxpushctl.engine.new_mail import notification_of
from oxpushctl.engine.routes import NoRoute, Route, Routes
from oxpushctl.model import MailEvent, Message, Outcome, Subscription, Verdict

Send = Callable[[Route, Message], Awaitable[Outcome | None]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``outcome`` is set with the last, ``is_blocked`` when the path ends here."""

    name: str
    text: str
    is_blocked: bool = False
    subscription: Subscription | None = None
    message: Message | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """How the one push is made; ``send`` makes the attempt or, for a dry run, returns ``None``."""

    routes: Routes
    max_age_s: float
    send: Send
    options: dict[str, str]

    async def steps(self, event: MailEvent, subscriptions: Sequence[Subscription]) -> AsyncIterator[Step]:
        """Walk an event to each of the devices, and say what happens."""
        notification = notification_of(event, self.max_age_s)
        words = ", ".join(sorted(notification.data)) or "nothing"
        whose = f" for {event.user}" if event.user.user else ""
        yield Step("event", f"{notification.topic}{whose}, id {event.id}, says {words}")
        if not subscriptions:
            yield Step("subscription", f"no device of {event.user} is subscribed", is_blocked=True)
        for subscription in subscriptions:
            token = _shown(subscription.token)
            yield Step(
                "subscription",
                f"{subscription.client} on {subscription.transport}, token {token}",
                subscription=subscription,
            )
            route = self.routes.find(subscription.client, subscription.transport, notification.topic)
            if isinstance(route, NoRoute):
                yield Step("route", route.reason, is_blocked=True, subscription=subscription)
                continue
            yield Step("route", f"{subscription.transport} is on, credentials are loaded", subscription=subscription)
            message = route.generator.render(notification, subscription, route.transport.max_payload)
            message = replace(message, options={**message.options, **self.options})
            yield Step("message", _describe(message), subscription=subscription, message=message)
            outcome = await self.send(route, message)
            if outcome is not None:
                yield Step("outcome", _explain(outcome), subscription=subscription, outcome=outcome)


def _shown(token: str) -> str:
    """Shorten a token so that two of them can be told apart, but none be used; a real one is never this short."""
    return token if len(token) <= 16 else f"{token[:8]}…{token[-4:]}"


def _describe(message: Message) -> str:
    options = " ".join(f"{name}={value}" for name, value in message.options.items())
    return f"{len(message.payload)} bytes {options}\n{message.payload.decode()}"


def _explain(outcome: Outcome) -> str:
    parts = [outcome.verdict.value]
    if outcome.status is not None:
        parts.append(f"HTTP {outcome.status}")
    if outcome.reason:
        parts.append(outcome.reason)
    if outcome.provider_id:
        parts.append(f"id {outcome.provider_id}")
    if outcome.retry_after_s is not None:
        parts.append(f"retry after {outcome.retry_after_s:g} s")
    lines = [", ".join(parts), outcome.advice]
    if outcome.is_doubtful:
        lines.append("It is doubtful whose fault this is: the subscription is kept.")
    if outcome.verdict in (Verdict.THROTTLED, Verdict.UNREACHABLE):
        lines.append("This test was one attempt; the engine would try again.")
    return "\n".join(line for line in lines if line)
