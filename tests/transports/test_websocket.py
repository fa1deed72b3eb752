"""The transport for web sockets: what goes to whom, and what follows when nobody is there."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from oxpushctl.model import Message, Outcome, PushUser, Scope, Subscription, Verdict
from oxpushctl.transports.websocket import WebSocketTransport
from tests.transports.messages import ID


@dataclass
class _Delivery:
    """Has so many sockets of every token."""

    count: int
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def send(self, token: str, payload: bytes) -> int:
        self.sent.append((token, payload))
        return self.count


def _message() -> Message:
    return Message(ID, Subscription(PushUser(1, 3), "ui", "websocket", "ws::3-1::ui"), b"{}", {}, notification_id="n1")


@pytest.mark.parametrize("count", [1, 8])
async def test_delivered(count: int) -> None:
    """A message is delivered when any socket took it; it goes there as it is."""
    delivery = _Delivery(count)

    outcome = await WebSocketTransport(delivery).send(_message())

    assert outcome == Outcome(Verdict.DELIVERED)
    assert delivery.sent == [("ws::3-1::ui", b"{}")]


async def test_nobody_there() -> None:
    """Where none is open any more nothing is repeated or removed, and nobody need hear of it."""
    outcome = await WebSocketTransport(_Delivery(0)).send(_message())

    assert (outcome.verdict, outcome.scope, outcome.is_expected) == (Verdict.REJECTED, Scope.DEVICE, True)
    assert outcome.reason == "no web socket is open any more"


async def test_every_client() -> None:
    """No client needs credentials, and closing the transport leaves the sockets alone."""
    delivery = _Delivery(1)
    transport = WebSocketTransport(delivery)
    await transport.aclose()

    assert transport.serves("whatever")
    assert (transport.name, transport.max_payload) == ("websocket", 65536)
    assert (await transport.send(_message())).verdict is Verdict.DELIVERED
