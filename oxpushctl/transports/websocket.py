"""Web sockets: a message goes to the browsers that are open at this node, whatever their client.

There is nothing to remove where none is open any more, and nothing to send again: a browser that comes back looks for
itself.
"""

from __future__ import annotations

from oxpushctl.interfaces import SocketDelivery
from oxpushctl.model import Message, Outcome, Scope, Verdict

_NONE_OPEN = Outcome(
    Verdict.REJECTED,
    Scope.DEVICE,
    reason="no web socket is open any more",
    is_expected=True,
)
_DELIVERED = Outcome(Verdict.DELIVERED)


class WebSocketTransport:
    """Hands messages to the web sockets of this process; they are not its own to close."""

    name = "websocket"
    max_payload = 64 * 1024

    def __init__(self, delivery: SocketDelivery) -> None:
        self._delivery = delivery

    def serves(self, _client: str) -> bool:
        """Tell that no client needs any credentials."""
        return True

    async def send(self, message: Message) -> Outcome:
        """Make one attempt; it waits for nobody."""
        count = await self._delivery.send(message.subscription.token, message.payload)
        return _DELIVERED if count else _NONE_OPEN

    async def aclose(self) -> None:
        """Close nothing."""
