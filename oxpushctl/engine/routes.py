"""Which transport and which generator serve a client's devices, and if none does, why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oxpushctl.interfaces import MessageGenerator, Transport
from oxpushctl.model import Message, Outcome

IsEnabled = Callable[[str, str, str], bool]


@dataclass(frozen=True, slots=True)
class Route:
    """How messages of one client reach its devices on one transport."""

    transport: Transport
    generator: MessageGenerator


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Why a client's devices on a transport are not served."""

    reason: str


class Routes:
    """All routes of one configuration; ``is_enabled`` answers for a client that is served, transport and topic."""

    def __init__(
        self, transports: Sequence[Transport], generators: Sequence[MessageGenerator], is_enabled: IsEnabled
    ) -> None:
        self._transports = {transport.name: transport for transport in transports}
        self._generators = tuple(generators)
        self._is_enabled = is_enabled
        self._known: dict[tuple[str, str, str], Route | NoRoute] = {}
        self._sending = 0
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    def find(self, client: str, transport: str, topic: str) -> Route | NoRoute:
        """Return the route for a subscription, or why there is none."""
        key = (client, transport, topic)
        route = self._known.get(key)
        if route is None:
            route = self._look_up(client, transport, topic)
            # Clients come from the database, topics from us: what is remembered stays as small as the table of clients.
            self._known[key] = route
        return route

    async def send(self, route: Route, message: Message) -> Outcome:
        """Make one attempt; the transports stay open until it has ended."""
        self._sending += 1
        self._is_quiet.clear()
        try:
            return await route.transport.send(message)
        finally:
            self._sending -= 1
            if not self._sending:
                self._is_quiet.set()

    async def aclose(self) -> None:
        """Close the transports when what is being sent has ended, each within the deadline of its transport."""
        await self._is_quiet.wait()
        await asyncio.gather(*(transport.aclose() for transport in self._transports.values()))

    def _look_up(self, client: str, transport: str, topic: str) -> Route | NoRoute:
        part = self._transports.get(transport)
        if part is None or not part.serves(client):
            return NoRoute(f"client {client} has no usable credentials for {transport}")
        if not self._is_enabled(client, transport, topic):
            return NoRoute(f"the transport {transport} is off for client {client}")
        for generator in self._generators:
            if generator.serves(client, transport):
                return Route(part, generator)
        return NoRoute(f"nobody writes messages for client {client} on {transport}")
