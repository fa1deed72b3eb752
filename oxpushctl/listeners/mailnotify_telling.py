"""From datagrams to events: what is heard of a user is collected, its mailbox asked, and what is new handed on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from oxpushctl import log
from oxpushctl.errors import NotKept, OxpushctlError
from oxpushctl.interfaces import Clock, EventSink, Watermarks
from oxpushctl.listeners.mailnotify_asking import Asking, News, without_words
from oxpushctl.listeners.mailnotify_windows import Windows
from oxpushctl.model import MailEvent, PushUser

# At the end: what is heard already is handed on as it is.
_FLUSH_S = 2.0

_log = log.get(__name__)


class Telling:
    """Hands on what was noted, one round for each window that ends, until ``run`` is cancelled.

    ``is_permanent`` tells of which kind a user's listener is, ``None`` where it has none any more.
    """

    def __init__(
        self,
        windows: Windows,
        asking: Asking,
        sink: EventSink,
        watermarks: Watermarks,
        clock: Clock,
        is_permanent: Callable[[PushUser], bool | None],
    ) -> None:
        self._windows = windows
        self._asking = asking
        self._sink = sink
        self._watermarks = watermarks
        self._clock = clock
        self._is_permanent = is_permanent
        # Of whom something is being handed on, and whether more was heard of them since.
        self._under_way: dict[PushUser, bool] = {}

    async def run(self) -> None:
        """Hand on, over and over; what is still open in the end becomes events without words at once."""
        try:
            async with asyncio.TaskGroup() as asking:
                while True:
                    await self._hand_on(await self._windows.next(), asking)
                    await asyncio.sleep(0)  # many may end at once
        finally:
            await self._flush()

    async def _hand_on(self, user: PushUser, asking: asyncio.TaskGroup) -> None:
        is_permanent = self._is_permanent(user)
        if is_permanent is None:
            return
        if user in self._under_way:
            self._under_way[user] = True
            return
        self._under_way[user] = False
        if self._asking.is_worth_it(user):
            asking.create_task(self._ask(user, is_permanent=is_permanent))
        else:
            await self._accept(without_words(user, self._clock.now()))
            del self._under_way[user]

    async def _ask(self, user: PushUser, *, is_permanent: bool) -> None:
        # Cancelled in here, the user is still under way, and flushed.
        news = await self._news(user, is_permanent=is_permanent)
        if self._is_permanent(user) is not None:
            await self._accept_news(user, news)
        if self._under_way.pop(user):
            self._windows.note(user)

    async def _accept_news(self, user: PushUser, news: News | None) -> None:
        if news is None:
            await self._accept(without_words(user, self._clock.now()))
            return
        is_safe = [await self._accept(event) for event in news.events]
        if all(is_safe):
            self._watermarks.advance(user, news.uidvalidity, news.uidnext)

    async def _news(self, user: PushUser, *, is_permanent: bool) -> News | None:
        try:
            return await self._asking.news(user, is_permanent=is_permanent)
        except Exception as error:  # noqa: BLE001  # a bug met by one mailbox must not end hearing of all others
            _log.error("a mailbox could not be asked: a bug", user=str(user), error=type(error).__name__)
            return None

    async def _accept(self, event: MailEvent) -> bool:
        """Hand an event on; return whether it need not be heard of again."""
        try:
            await self._sink.accept(event)
        except NotKept:  # it is tried all the same, and whoever could not keep it has said so
            return True
        except OxpushctlError as error:
            _log.warning("a new mail was heard of and could not be handed on", user=str(event.user), reason=str(error))
            return False
        return True

    async def _flush(self) -> None:
        open_now = dict.fromkeys([*self._under_way, *self._windows.take_all()])
        self._under_way.clear()
        left = [user for user in open_now if self._is_permanent(user) is not None]
        # In a task of its own: this one is being cancelled, and before Python 3.11.4 asyncio.timeout ends at once then.
        flushing = asyncio.create_task(self._accept_without_words(left))
        try:
            await asyncio.wait([flushing], timeout=_FLUSH_S)
        finally:
            flushing.cancel()
            await asyncio.wait([flushing])
        if not flushing.cancelled():
            flushing.result()
        if left:
            _log.warning("new mails were heard of and could not be handed on in time", users=len(left))

    async def _accept_without_words(self, left: list[PushUser]) -> None:
        """Hand on an event of each user, and take from the list whose is done."""
        while left:
            await self._accept(without_words(left[0], self._clock.now()))
            del left[0]
