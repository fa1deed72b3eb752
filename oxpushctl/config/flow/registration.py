"""The flow's question of who is registered: which clients may, and which devices have asked for new mail."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from oxpushctl.config import table, writing
from oxpushctl.config.allowed_clients import is_allowed, widened
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.flow.facts import fact, line
from oxpushctl.config.flow.step import Answer, Step, answered
from oxpushctl.config.flow.stored import Stored
from oxpushctl.config.properties import ALLOWED_CLIENTS
from oxpushctl.model import NEW_MAIL, PushUser

_ADMITTED = f"the middleware's 8.x also admits a client that subscribed to {NEW_MAIL}; oxpushctl goes by the list alone"
_NO_DEVICE = f"no push arrives: no device of the user has subscribed to {NEW_MAIL}"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the flow is about, where it is not the node alone.

    ``registered`` are the user's clients in the table registeredPush, ``subscribed`` those with a live subscription to
    new mail, ``others`` those of the user's further devices. ``is_password_kept`` is ``None`` where that is not known,
    ``stored`` where the rest was not looked up.
    """

    user: PushUser | None = None
    client: str | None = None
    subscribed: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    registered: frozenset[str] = frozenset()
    is_password_kept: bool | None = None
    stored: Stored | None = None

    def __str__(self) -> str:
        if self.user is None:
            return f"for users of the client {self.client}" if self.client else "on this node"
        client = f", client {self.client}" if self.client else ""
        return f"for user {self.user.user} of context {self.user.context}{client}"


def registration(configuration: Configuration, target: Target) -> Step:
    """Ask whether a client may register its users; for a user, whether one of those has.

    A device registers its user when it subscribes, but a registration may be there without one: by hand, or from the
    middleware. Each that stands in the table counts while its client is allowed.
    """
    if target.user is None:
        return _allowed(configuration, target, "registration")
    registered = sorted(each for each in target.registered if target.client in (None, each))
    counted = [client for client in registered if is_allowed(client, configuration.settings[ALLOWED_CLIENTS])]
    allowed, device = _allowed(configuration, target, "registration.allowedClients"), _device(target, counted)
    return Step(
        "registration",
        f"Is user {target.user.user} of context {target.user.context} registered for new mail?",
        answered(bool(counted)),
        detail="" if target.client else ", ".join(counted),
        caution=_NO_DEVICE if counted and device.is_no else "",
        advice="" if counted else _advice(target, allowed, device, registered),
        remedies=allowed.remedies,  # no setting makes a device subscribe
        steps=(allowed, device),
    )


def is_registered(configuration: Configuration, target: Target) -> bool:
    """Tell whether a user is registered with any client that is allowed, asked for or not."""
    return any(is_allowed(client, configuration.settings[ALLOWED_CLIENTS]) for client in target.registered)


def _advice(target: Target, allowed: Step, device: Step, registered: Sequence[str]) -> str:
    """Say what registers a user, besides allowing the client; nothing where that alone does."""
    if device.is_no:
        return "" if registered else device.advice
    waiting = sorted(target.subscribed.difference(registered) if target.client is None else {target.client})
    if target.user is None or not set(waiting).difference(registered):
        return ""
    by_hand = f"registrations add -c {target.user.context} -u {target.user.user} -i {shlex.quote(waiting[0])}"
    return (
        "A device has subscribed, but the user is not registered, as when the client was not allowed at that time. "
        f"The app has to subscribe again{', once its client is allowed' if allowed.is_no else ''}; oxpushctl {by_hand} "
        "does so by hand."
    )


def _allowed(configuration: Configuration, target: Target, name: str) -> Step:
    decided_by = (fact(configuration, ALLOWED_CLIENTS),)
    patterns = configuration.settings[ALLOWED_CLIENTS]
    configured = _configured(configuration)
    asked = [target.client] if target.client else sorted(target.registered | target.subscribed or configured)
    allowed = [client for client in asked if is_allowed(client, patterns)]
    refused = [client for client in asked if client not in allowed]
    question = f"May {target.client or 'a client'} register its users?"
    if not asked:
        detail = "every client may" if not patterns else "no client is configured"
        answer = Answer.NOT_EVALUATED if patterns else Answer.YES
        return Step(name, question, answer, decided_by, detail)
    if not allowed:
        listed = writing.value(ALLOWED_CLIENTS, widened(patterns, refused))
        remedies = ((line(configuration, ALLOWED_CLIENTS, listed),),)
        detail = "" if target.client else f"not {' nor '.join(refused)}"
        return Step(name, question, Answer.NO, decided_by, detail, _ADMITTED, remedies=remedies)
    notes = []
    if refused:
        notes.append(f"not allowed: {', '.join(refused)}")
    if target.client and target.client not in configured:
        notes.append("no options file has this client: its devices get no pushes")
    detail = "" if target.client else ", ".join(allowed)
    return Step(name, question, Answer.YES, decided_by, detail, "; ".join(notes))


def _device(target: Target, counted: Sequence[str]) -> Step:
    subscribed = sorted(client for client in target.subscribed if target.client in (None, client))
    others = sorted(client for client in target.others - target.subscribed if target.client in (None, client))
    question = f"Has a device of the user subscribed to {NEW_MAIL}{f' with {target.client}' if target.client else ''}?"
    if subscribed:
        return Step(
            "registration.subscription", question, Answer.YES, detail="" if target.client else ", ".join(subscribed)
        )
    return Step(
        "registration.subscription",
        question,
        Answer.NO,
        detail="registered by hand, or by the middleware" if counted else "",
        note=f"expired, or for other topics: {', '.join(others)}" if others else "",
        advice=f"The app has to subscribe to {NEW_MAIL}; oxpushctl subscriptions add does so by hand.",
    )


def _configured(configuration: Configuration) -> set[str]:
    """Return the clients that options files name, those with errors too: who registers needs no credentials."""
    enabled = {client.client for client in configuration.clients if client.is_enabled}
    # An error about a property proves nothing: what follows its key may be anything.
    lost = (finding for finding in configuration.client_errors if table.find(finding.key) is None)
    return enabled | {finding.client for finding in lost if finding.client}
