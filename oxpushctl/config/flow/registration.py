"""The flow's question of who is registered: which clients may, and which devices have asked for new mail."""

from __future__ import annotations

from dataclasses import dataclass

from oxpushctl.config import table, writing
from oxpushctl.config.allowed_clients import is_allowed, widened
from oxpushctl.config.configuration import Configuration
from oxpushctl.config.flow.facts import fact, line
from oxpushctl.config.flow.step import Answer, Step, answered
from oxpushctl.config.properties import ALLOWED_CLIENTS
from oxpushctl.model import NEW_MAIL, PushUser

_ADMITTED = f"the middleware's 8.x also admits a client that subscribed to {NEW_MAIL}; oxpushctl goes by the list alone"
_REGISTRATIONS = "devices are looked at; what stands in the table registeredPush is not evaluated in this version"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the flow is about, where it is not the node alone.

    ``subscribed`` are the user's clients with a live subscription to new mail, ``others`` those of the user's further
    devices.
    """

    user: PushUser | None = None
    client: str | None = None
    subscribed: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    def __str__(self) -> str:
        if self.user is None:
            return f"for users of the client {self.client}" if self.client else "on this node"
        client = f", client {self.client}" if self.client else ""
        return f"for user {self.user.user} of context {self.user.context}{client}"


def registration(configuration: Configuration, target: Target) -> Step:
    """Ask whether a client may register its users; for a user, whether one has."""
    if target.user is None:
        return _allowed(configuration, target, "registration")
    allowed, device = _allowed(configuration, target, "registration.allowedClients"), _device(target)
    return Step(
        "registration",
        f"Is user {target.user.user} of context {target.user.context} registered for new mail?",
        answered(not allowed.is_no and not device.is_no),
        note=_REGISTRATIONS,
        advice=device.advice,
        remedies=allowed.remedies,  # no setting makes a device subscribe
        steps=(allowed, device),
    )


def _allowed(configuration: Configuration, target: Target, name: str) -> Step:
    decided_by = (fact(configuration, ALLOWED_CLIENTS),)
    patterns = configuration.settings[ALLOWED_CLIENTS]
    configured = _configured(configuration)
    asked = [target.client] if target.client else sorted(target.subscribed or configured)
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


def _device(target: Target) -> Step:
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
        note=f"expired, or for other topics: {', '.join(others)}" if others else "",
        advice=f"The app has to subscribe to {NEW_MAIL}; oxpushctl subscriptions add does so by hand.",
    )


def _configured(configuration: Configuration) -> set[str]:
    """Return the clients that options files name, those with errors too: who registers needs no credentials."""
    enabled = {client.client for client in configuration.clients if client.is_enabled}
    # An error about a property proves nothing: what follows its key may be anything.
    lost = (finding for finding in configuration.client_errors if table.find(finding.key) is None)
    return enabled | {finding.client for finding in lost if finding.client}
