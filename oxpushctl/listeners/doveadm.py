"""doveadm's HTTP API: what all callers ask goes there together, and each hears of its own.

::

    ask ─┐                    ┌─► end-point: one request at a time, at most 500 commands
    ask ─┼─► those that wait ─┤
    ask ─┘                    └─► end-point …

A connection serves one request (some 10 ms), a command in it costs a millisecond or two: while one request is under
way, what comes meanwhile is gathered for the next.

A single command can cost all of a request their answers (Dovecot's worker dies of it). So a request that is left
without an answer is halved until who spoils it is alone; before that a request without commands shows that the
end-point itself is well. Commands may be sent more than once, and must bear it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from oxpushctl import log
from oxpushctl.config.listening import (
    DOVEADM_CHECK_INTERVAL,
    DOVEADM_CONNECT_TIMEOUT,
    DOVEADM_ENDPOINTS,
    DOVEADM_READ_TIMEOUT,
    DOVEADM_SECRET,
)
from oxpushctl.config.mailboxes import lacking_for_doveadm
from oxpushctl.config.own import TLS_CA
from oxpushctl.config.settings import Settings
from oxpushctl.errors import NotPermitted, NotReachable, OxpushctlError
from oxpushctl.interfaces import Clock
from oxpushctl.listeners.doveadm_answers import (
    NO_ANSWER,
    NOT_ASKED,
    Answer,
    Command,
    Failed,
    answers_in,
    encoded,
)
from oxpushctl.listeners.doveadm_http import Endpoint, tls_context
from oxpushctl.listeners.doveadm_troubles import NoAnswer, TooSlow

MOST_AT_ONCE = 500
MOST_WAITING = 4 * MOST_AT_ONCE
# Requests to find out which commands of one spoil it: three of 500 can be found so.
MOST_HALVINGS = 64
# How long a caller waits, in times that one request may last.
_PATIENCE = 4

_log = log.get(__name__)


@dataclass(slots=True, eq=False)
class _Asked:
    """A command that somebody waits for; ``attempts`` counts the end-points that failed over it."""

    command: Command
    answer: asyncio.Future[Answer]
    attempts: int = 0

    def settle(self, answer: Answer) -> None:
        """Tell it; whoever asked may have gone."""
        if not self.answer.done():
            self.answer.set_result(answer)


@dataclass(slots=True, eq=False)
class _Place:
    """An end-point and how it fares: no request before ``rests_until``, none with more than ``most`` commands."""

    endpoint: Endpoint
    rests_until: float = 0.0
    most: int = MOST_AT_ONCE
    trouble: OxpushctlError | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Doveadm:
    """Asks doveadm at some end-points, which all serve all users.

    One that fails is not asked for ``check_interval_s``, unless it is the only one. A caller hears after
    ``patience_s`` at the latest.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], clock: Clock, *, check_interval_s: float, patience_s: float
    ) -> None:
        self._places = [_Place(endpoint) for endpoint in endpoints]
        self._clock = clock
        self._check_interval_s = check_interval_s
        self._patience_s = patience_s
        self._waiting: deque[_Asked] = deque()
        self._room = asyncio.Semaphore(MOST_WAITING)
        self._tags = itertools.count(1)
        self._is_closed = False

    @classmethod
    def from_settings(cls, settings: Settings, etc: Path, clock: Clock) -> Self | None:
        """Return what asks the configured end-points, ``None`` where doveadm is not to be used or something lacks.

        Raise ``ConfigurationError`` for authorities that cannot be read.
        """
        secret = settings[DOVEADM_SECRET]
        if lacking_for_doveadm(settings) or secret is None:
            return None
        tls = tls_context(_authorities(settings, etc))
        # 0 waits for ever in the middleware.
        connect_s = (settings[DOVEADM_CONNECT_TIMEOUT] or DOVEADM_CONNECT_TIMEOUT.default) / 1000
        answer_s = (settings[DOVEADM_READ_TIMEOUT] or DOVEADM_READ_TIMEOUT.default) / 1000
        return cls(
            [Endpoint(url, secret, tls, connect_s=connect_s, answer_s=answer_s) for url in settings[DOVEADM_ENDPOINTS]],
            clock,
            check_interval_s=settings[DOVEADM_CHECK_INTERVAL] / 1000,
            patience_s=_PATIENCE * (connect_s + answer_s),
        )

    def reload(self, settings: Settings, etc: Path) -> None:
        """Trust other authorities, or others in the same file."""
        tls = tls_context(_authorities(settings, etc))
        for place in self._places:
            place.endpoint.trust(tls)

    async def ask(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Return the answers in the order of the commands; nothing is raised.

        Each 500 of them wait in the queue together, and each of these portions has its own time.
        """
        answers: list[Answer] = []
        for start in range(0, len(commands), MOST_AT_ONCE):
            answers += await self._ask(commands[start : start + MOST_AT_ONCE])
        return answers

    async def aclose(self) -> None:
        """End what is under way; whoever waits hears that nothing more is asked."""
        self._is_closed = True
        self._fail(list(self._waiting), _closed())
        tasks = [place.task for place in self._places if place.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for place in self._places:
            await place.endpoint.aclose()

    async def _ask(self, commands: Sequence[Command]) -> Sequence[Answer]:
        loop = asyncio.get_running_loop()
        asked: list[_Asked] = []
        try:
            async with asyncio.timeout(self._patience_s):
                for command in commands:
                    await self._room.acquire()
                    one = _Asked(command, loop.create_future())
                    one.answer.add_done_callback(lambda _: self._room.release())
                    asked.append(one)
                    self._put(one)
                await asyncio.wait([one.answer for one in asked])
        except TimeoutError:
            pass
        finally:
            given_up = [one for one in asked if one.answer.cancel()]
            if given_up:
                self._waiting = deque(one for one in self._waiting if not one.answer.done())
        late = TooSlow(f"doveadm does not answer within {self._patience_s:g} s: it is slow, or too much is asked of it")
        unasked = [Failed(NOT_ASKED, 0, command, late) for command in commands]
        return [
            failed if one is None or one.answer.cancelled() else one.answer.result()
            for one, failed in itertools.zip_longest(asked, unasked)
        ]

    def _put(self, asked: _Asked) -> None:
        """Have a command wait, and see that somebody works."""
        if self._is_closed:
            self._fail([asked], _closed())
            return
        self._waiting.append(asked)
        self._work()

    def _work(self) -> None:
        """Set those that rest to work; where none may, nobody need wait."""
        usable = [place for place in self._places if self._is_usable(place)]
        for place in usable:
            if place.task is None and self._waiting:
                place.task = asyncio.create_task(self._serve(place), name=f"doveadm {place.endpoint.url}")
        if not usable:
            self._fail(list(self._waiting), self._last_trouble())

    def _is_usable(self, place: _Place) -> bool:
        return len(self._places) == 1 or self._clock.monotonic() >= place.rests_until

    def _last_trouble(self) -> OxpushctlError:
        _, trouble = max(((place.rests_until, place.trouble) for place in self._places), key=lambda pair: pair[0])
        return trouble or NotReachable(f"no end-point of doveadm is known: {DOVEADM_ENDPOINTS.key}")

    def _fail(self, asked: Sequence[_Asked], trouble: OxpushctlError) -> None:
        for one in asked:
            one.settle(Failed(NOT_ASKED, 0, one.command, trouble))
        self._waiting = deque(one for one in self._waiting if not one.answer.done())

    async def _serve(self, place: _Place) -> None:
        """Take what waits, request by request, as long as the end-point answers."""
        portion: list[_Asked] = []
        try:
            while self._waiting:
                portion = [self._waiting.popleft() for _ in range(min(place.most, len(self._waiting)))]
                try:
                    await self._ask_portion(place.endpoint, portion)
                except (NotReachable, NotPermitted) as trouble:
                    self._note(place, trouble, len(portion))
                    self._hand_on(portion, trouble)
                    portion = []
                    return
                self._note_success(place)
        finally:
            place.task = None
            # Cancelled, or a fault of ours.
            self._fail([one for one in portion if not one.answer.done()], _closed())
            if self._waiting and not self._is_closed:
                self._work()

    async def _ask_portion(self, endpoint: Endpoint, portion: Sequence[_Asked]) -> None:
        """Ask until each command has an answer, or none is to be had; raise what is wrong with the end-point."""
        parts = [portion]
        is_well = False
        for _ in range(MOST_HALVINGS):
            if not parts:
                return
            part = [one for one in parts.pop() if not one.answer.done()]
            left = await self._ask_once(endpoint, part) if part else []
            if not left:
                continue
            if not is_well:
                await endpoint.prove()
                is_well = True
            if len(left) < len(part):
                parts.append(left)
            elif len(left) == 1:
                left[0].settle(Failed(NO_ANSWER, 0, left[0].command))
            else:
                half = len(left) // 2
                parts += [left[half:], left[:half]]
        for one in itertools.chain.from_iterable(parts):
            one.settle(Failed(NO_ANSWER, 0, one.command))

    async def _ask_once(self, endpoint: Endpoint, part: Sequence[_Asked]) -> Sequence[_Asked]:
        """Send commands in one request; return those that are left without an answer."""
        tagged = {str(next(self._tags)): one for one in part}
        commands = {tag: one.command for tag, one in tagged.items()}
        try:
            answers = answers_in(await endpoint.post(encoded(commands)), commands)
        except NoAnswer:
            return part
        for tag, answer in (answers or {}).items():
            tagged[tag].settle(answer)
        return [one for one in part if not one.answer.done()]

    def _note(self, place: _Place, trouble: OxpushctlError, size: int) -> None:
        if place.trouble is None:
            _log.warning("doveadm fails", endpoint=place.endpoint.url, reason=str(trouble))
        place.trouble = trouble
        place.rests_until = self._clock.monotonic() + self._check_interval_s
        if isinstance(trouble, TooSlow):
            place.most = max(1, min(place.most, size) // 2)  # it may have been too much at once

    def _note_success(self, place: _Place) -> None:
        if place.trouble is not None:
            _log.info("doveadm answers again", endpoint=place.endpoint.url)
        place.trouble = None
        place.most = min(MOST_AT_ONCE, 2 * place.most)

    def _hand_on(self, portion: Sequence[_Asked], trouble: OxpushctlError) -> None:
        """Leave to other end-points what one could not answer; where there is none, nobody else need wait either."""
        for one in portion:
            one.attempts += 1
        if len(self._places) == 1:
            self._fail([*portion, *self._waiting], trouble)
            return
        self._fail([one for one in portion if one.attempts >= len(self._places)], trouble)
        self._waiting.extendleft(reversed([one for one in portion if not one.answer.done()]))


def _authorities(settings: Settings, etc: Path) -> Path | None:
    ca = settings[TLS_CA]
    return None if ca is None else etc / ca


def _closed() -> NotReachable:
    return NotReachable("doveadm is not asked any more: the engine stops")
