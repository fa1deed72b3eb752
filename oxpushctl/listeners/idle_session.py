"""One IMAP IDLE session: a socket that the event loop watches, and what is said on it without a thread.

::

                     + idling                  EXISTS, or time to renew
    at rest ──IDLE──► asked ─────────► idling ──────────DONE──────────► ending ──tagged OK──► IDLE again, or at work
                                                                                              (news: the owner has it)

While it waits it holds no thread, no transport of asyncio's and no timer: its owner looks at ``due_at`` now and then.
Bytes that came too early or in pieces stay in the wire's buffer, from which imapclient goes on reading.
Source: RFC 2177; RFC 3501, 7.
"""

from __future__ import annotations

import asyncio
import enum
import math
import random
from dataclasses import dataclass
from typing import Protocol

from oxpushctl.errors import OxpushctlError
from oxpushctl.listeners import idle_ends, idle_wire
from oxpushctl.listeners.idle_wire import Response
from oxpushctl.listeners.imap import ImapConnection
from oxpushctl.listeners.imap_mailbox import Examined
from oxpushctl.listeners.imap_wire import Received
from oxpushctl.model import PushUser

# RFC 2177: a server may log out who is idle for 30 minutes.
OLDEST_S = 28 * 60.0
# Up to this share of the time before it, so that not all renew at once.
_SPREAD = 0.2
# An IDLE that the server ends by itself is begun again, unless it ends at once.
_SHORTEST_S = 1.0


class State(enum.Enum):
    """What a session does."""

    AT_REST = "nothing is said on the connection"
    AT_WORK = "the owner has the connection"
    ASKED = "IDLE is sent"
    IDLING = "the server tells what happens"
    ENDING = "DONE is sent"
    GONE = "it is closed"


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long nothing need be heard of an IDLE, and how long the server may take over an answer."""

    quiet_s: float
    answer_s: float


class Owner(Protocol):
    """Who has sessions, and is told what becomes of them."""

    def heard(self, session: IdleSession) -> None:
        """Hear that the server said something."""

    def idling(self, session: IdleSession) -> None:
        """Hear that an IDLE has begun."""

    def news(self, session: IdleSession) -> None:
        """Take the connection, on which no IDLE runs now, and see what is new; then ``idle()`` once more."""

    def ended(self, session: IdleSession, error: OxpushctlError) -> None:
        """Hear that a session came to its end by itself; it is closed."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""


class IdleSession:
    """A user's session on a connection whose folder is open: all below ``uidnext`` was heard."""

    __slots__ = (
        "_began",
        "_connection",
        "_has_news",
        "_loop",
        "_owner",
        "_patience",
        "_spread",
        "_state",
        "_tag",
        "due_at",
        "name",
        "uidnext",
        "uidvalidity",
        "user",
    )

    def __init__(
        self,
        owner: Owner,
        user: PushUser,
        name: str,
        connection: ImapConnection,
        patience: Patience,
        examined: Examined,
    ) -> None:
        self.user = user
        self.name = name
        self.uidvalidity = examined.uidvalidity
        self.uidnext = examined.uidnext
        self._owner = owner
        self._connection = connection
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._state = State.AT_REST
        self._began = owner.monotonic()
        self._spread = 1.0
        self.due_at = math.inf
        self._tag = 0
        self._has_news = False

    @property
    def connection(self) -> ImapConnection:
        """The connection, for commands of the owner's while it has it."""
        return self._connection

    @property
    def is_gone(self) -> bool:
        """Whether it is closed, or will be as soon as a thread lets go of it."""
        return self._state is State.GONE

    @property
    def _is_waiting(self) -> bool:
        return self._state in (State.ASKED, State.IDLING, State.ENDING)

    def idle(self, *, has_news: bool = False) -> None:
        """Begin to wait; with ``has_news`` only until IDLE has begun, and then for nothing but its end.

        The owner is told of everything after this, so of an end at once as well.
        """
        if self.is_gone:
            return
        self._has_news = has_news
        try:
            self._ask()
            self._loop.add_reader(self._connection.wire.socket.fileno(), self._readable)
        except OSError as error:
            self.fail(idle_ends.broken(self._connection.server, error))
            return
        self._readable()  # what came behind the last answer, in our buffer or in that of TLS, makes no socket readable

    def see_to(self) -> None:
        """Do what is due at ``due_at``: renew the IDLE, or give up a server that does not answer."""
        match self._state:
            case State.ASKED | State.ENDING:
                self.fail(idle_ends.silent(self._connection.server, is_ending=self._state is State.ENDING))
            case State.IDLING:
                self._end_idle()

    def close(self) -> None:
        """End it without a word: a LOGOUT would wake a session that the server has put to sleep.

        Where the owner has the connection its work there comes to an end by this, and then it calls ``release``.
        """
        wire = self._connection.wire
        if self._state is State.AT_WORK:
            wire.cut()
        elif self._state is not State.GONE:
            self._loop.remove_reader(wire.socket.fileno())
            wire.close()
        self._state = State.GONE

    def fail(self, error: OxpushctlError) -> None:
        """End it and say why; nothing happens to one that is gone."""
        if not self.is_gone:
            self.close()
            self._owner.ended(self, error)

    def release(self) -> None:
        """Close the socket of a session that is gone; the owner's work on it has ended."""
        self._connection.wire.close()

    def _ask(self) -> None:
        self._tag += 1
        self._await_answer(State.ASKED)
        self._connection.wire.send_now(b"%s IDLE\r\n" % self._tagged)

    @property
    def _tagged(self) -> bytes:
        return b"X%d" % self._tag  # imaplib's own begin with four letters up to P

    def _end_idle(self) -> None:
        self._await_answer(State.ENDING)
        try:
            self._connection.wire.send_now(b"DONE\r\n")
        except OSError as error:
            self.fail(idle_ends.broken(self._connection.server, error))

    def _await_answer(self, state: State) -> None:
        self._state = state
        self.due_at = self._owner.monotonic() + self._patience.answer_s

    def _put_off(self) -> None:
        """Note that something was heard: an IDLE that hears need not be renewed before it is old."""
        if self._state is State.IDLING:
            quiet_at = self._owner.monotonic() + self._patience.quiet_s * self._spread
            self.due_at = min(quiet_at, self._began + OLDEST_S * self._spread)

    def _readable(self) -> None:
        """Take in what is there and act on every response that is whole."""
        if not self._is_waiting:
            return  # the loop had called before it was told to watch no more
        wire = self._connection.wire
        try:
            before = len(wire.received)
            received = wire.receive_now()
            if len(wire.received) > before:
                self._owner.heard(self)
                self._put_off()
            while self._is_waiting and (response := idle_wire.taken(wire.received)):
                self._act_on(response)
        except (OSError, ValueError) as error:
            self.fail(idle_ends.broken(self._connection.server, error))
            return
        if not self._is_waiting:
            return
        if received is Received.END:
            self.fail(idle_ends.cut_off(self._connection.server))
        elif received is Received.MORE:
            self._loop.call_soon(self._readable)

    def _act_on(self, response: Response) -> None:
        if response.tag == b"*":
            if response.name == b"EXISTS":
                self._has_news = True
                if self._state is State.IDLING:
                    self._end_idle()
            elif response.name == b"BYE":
                self.fail(idle_ends.farewell(self._connection.server, self.name, response.text))
        elif response.tag == b"+":
            if self._state is State.ASKED:
                self._begin()
        elif response.tag == self._tagged:
            self._answered(response)
        else:
            raise ValueError("an answer to what was not asked")

    def _begin(self) -> None:
        self._state = State.IDLING
        self._began = self._owner.monotonic()
        self._spread = random.uniform(1 - _SPREAD, 1)  # noqa: S311  # spreads load, guards nothing
        self._put_off()
        self._owner.idling(self)
        if self._has_news and self._state is State.IDLING:
            self._end_idle()

    def _answered(self, response: Response) -> None:
        """Act on the end of an IDLE, whether it was asked for or not."""
        is_asked_for = self._state is State.ENDING
        is_short = self._state is State.IDLING and self._began + _SHORTEST_S > self._owner.monotonic()
        if response.name != b"OK":
            self.fail(idle_ends.refused(self._connection.server, self.name, response.text))
        elif self._has_news and is_asked_for:
            self._state, self.due_at = State.AT_WORK, math.inf
            self._loop.remove_reader(self._connection.wire.socket.fileno())
            self._owner.news(self)
        elif self._state is State.ASKED or is_short:
            self.fail(idle_ends.refused(self._connection.server, self.name, b"it ends at once"))
        else:
            self._ask()
