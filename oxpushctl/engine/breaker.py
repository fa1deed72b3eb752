"""Stop removing devices when "everything" is suddenly invalid: one wrong certificate must never wipe a user base.

Judged for each transport and client by what came of its last pushes, each device counting once with its newest outcome,
so that many mails to one dead device weigh no more than one. Nothing is removed

* before a push was delivered with the present credentials, by this process: who is kept too long is only tried again;
* while the share of invalid tokens is over the limit. Fewer than ``LEAST`` devices count as that many, so that a site
  of three can lose one, and a small site no more than the limit's share of ``LEAST``.

Outcomes that say nothing about a token do not count: the provider is busy or away, the message is refused. Who has no
credentials, such as web sockets, is not judged.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oxpushctl import log
from oxpushctl.model import Outcome, Scope, Subscription, Verdict

LIMIT = 0.2
WINDOW = 200
LEAST = 20
# It closes a little below the limit: else every other outcome would open and close it.
_CLOSING = 0.9

_log = log.get(__name__)

_LOOKS_LIKE = {
    "BadDeviceToken": "sandbox against production? production: has to match how the app was built",
    "DeviceTokenNotForTopic": "wrong topic? topic: has to be the app's bundle id",
    "SENDER_ID_MISMATCH": "wrong project? keyPath: has to be a service account of the app's own Firebase project",
}
_LOOKS_LIKE_ANY = "were the credentials or the app changed? oxpushctl test-push tells more"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What is known of a client: ``invalid`` of the last ``devices`` that were tried had no valid token."""

    transport: str
    client: str
    is_open: bool
    has_success: bool
    invalid: int
    devices: int


@dataclass(slots=True)
class _Client:
    credentials: bytes | None = None
    has_success: bool = False
    is_open: bool = False
    # The reason for each device whose token is invalid, None for the others; the newest last.
    outcomes: OrderedDict[bytes, str | None] = field(default_factory=OrderedDict)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def invalid(self) -> int:
        return self.reasons.total()

    def put(self, device: bytes, reason: str | None) -> None:
        self._forget(self.outcomes.pop(device, None))
        self.outcomes[device] = reason
        if reason is not None:
            self.reasons[reason] += 1
        if len(self.outcomes) > WINDOW:
            self._forget(self.outcomes.popitem(last=False)[1])

    def _forget(self, reason: str | None) -> None:
        if reason is not None:
            self.reasons[reason] -= 1
            if not self.reasons[reason]:
                del self.reasons[reason]


class Breaker:
    """Knows of every client whether its dead devices may be removed; ``limit`` is a share between 0 and 1."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._clients: dict[tuple[str, str], _Client] = {}

    def renew(self, credentials: Mapping[tuple[str, str], bytes]) -> None:
        """Take over the fingerprints of the credentials by transport and client; who has others begins anew."""
        for lane in [lane for lane in self._clients if lane not in credentials]:
            del self._clients[lane]
        for lane, fingerprint in credentials.items():
            known = self._clients.get(lane)
            if known is None or known.credentials != fingerprint:
                self._clients[lane] = _Client(fingerprint)

    def note(self, subscription: Subscription, outcome: Outcome) -> None:
        """Count what came of a push."""
        lane = (subscription.transport, subscription.client)
        client = self._clients.get(lane)
        if client is None:
            return
        if outcome.verdict is Verdict.DELIVERED:
            client.has_success = True
            client.put(subscription.id, None)
        elif outcome.verdict is Verdict.TOKEN_GONE or _is_of_another_app(outcome):
            client.put(subscription.id, outcome.reason)
        else:
            return
        self._judge(lane, client)

    def may_remove(self, subscription: Subscription) -> bool:
        """Tell whether a device whose token is said to be gone may be removed."""
        client = self._clients.get((subscription.transport, subscription.client))
        return client is None or (client.has_success and not client.is_open)

    def status(self) -> Sequence[BreakerState]:
        """Return the state of every client that has credentials, ordered by transport and client."""
        return [
            BreakerState(*lane, client.is_open, client.has_success, client.invalid, len(client.outcomes))
            for lane, client in sorted(self._clients.items())
        ]

    def _judge(self, lane: tuple[str, str], client: _Client) -> None:
        transport, name = lane
        share = client.invalid / max(len(client.outcomes), LEAST)
        if not client.is_open and share > self.limit:
            client.is_open = True
            [(reason, _)] = client.reasons.most_common(1)
            _log.error(
                "devices are no longer removed: too many invalid tokens",
                transport=transport,
                client=name,
                invalid=client.invalid,
                devices=len(client.outcomes),
                reason=reason,
                todo=_LOOKS_LIKE.get(reason, _LOOKS_LIKE_ANY),
            )
        elif client.is_open and share <= self.limit * _CLOSING:
            client.is_open = False
            _log.info("devices are removed again: few invalid tokens", transport=transport, client=name)


def _is_of_another_app(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.REJECTED and outcome.scope is Scope.DEVICE
