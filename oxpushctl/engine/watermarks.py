"""One event a mail, whoever hears of it and however often: what was heard before goes no further.

::

    listeners ─ accept ─► Heard ─► sink          known here: no waiting
                            │ │
            not known here: read, many at once    written a second later, many at once
                            └─┴── MarkStore

An event with uid 0 or without uidvalidity cannot be told from others, so it passes. What is known of a folder that no
mark is about stays in memory.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from oxpushctl import log
from oxpushctl.engine.heard_mailbox import LARGEST, HeardMailbox
from oxpushctl.engine.tally import Tally
from oxpushctl.errors import NotKept, NotReachable, OxpushctlError
from oxpushctl.interfaces import Clock, EventSink, MarkStore
from oxpushctl.model import MailEvent, Mark, PushUser

# Some 80 MB when each of them hears mails all the time.
MOST_KNOWN = 100_000
MOST_OTHER_FOLDERS = 10_000
WRITE_S = 1.0
# An event does not wait longer for what is known of its mailbox: the mail server waits for the answer.
PATIENCE_S = 0.5
# Whoever asks for a mark has more time.
ANSWER_S = 30.0
_AT_ONCE = 512

_log = log.get(__name__)


def _nobody_hears(_event: MailEvent) -> None:
    """Leave it at that."""


class Heard:
    """An ``EventSink`` that hands on what is new, and the ``Watermarks``; ``aclose`` writes what is not written.

    ``heard`` is told of every event that is handed on. ``repeats`` counts those that were not. ``folder`` is the one
    that marks are about.
    """

    def __init__(
        self,
        sink: EventSink,
        store: MarkStore,
        clock: Clock,
        *,
        folder: str = "INBOX",
        most_known: int = MOST_KNOWN,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.heard: Callable[[MailEvent], None] = _nobody_hears
        self.repeats = 0
        self._sink = sink
        self._store = store
        self._clock = clock
        self.reload(folder)
        self._most_known = most_known
        self._patience_s = patience_s
        # The one that was used last comes last.
        self._known: OrderedDict[PushUser, HeardMailbox] = OrderedDict()
        self._others: OrderedDict[tuple[PushUser, str], HeardMailbox] = OrderedDict()
        self._unwritten: list[tuple[PushUser, HeardMailbox]] = []
        self._wanted: dict[PushUser, asyncio.Future[OxpushctlError | None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._tally = Tally(_log, clock)

    async def accept(self, event: MailEvent) -> None:
        """Hand an event on unless it was heard before; return when it is safe, and raise what the sink raises.

        A repeat of one that is just handed on waits for what becomes of it.
        """
        uidvalidity, uid = event.uidvalidity, event.uid
        if not (0 < uid <= LARGEST and 0 < uidvalidity <= LARGEST):
            self.heard(event)
            await self._sink.accept(event)
            return
        mailbox = self._mailbox(event)
        if not mailbox.is_read:
            await self._read_in_time(event.user)
        while not mailbox.note(uidvalidity, uid):
            first = mailbox.handing_on(uidvalidity, uid)
            if first is None:
                self.repeats += 1
                return
            await asyncio.shield(first)
        self._is_changed(event.user, mailbox)
        self.heard(event)
        mailbox.begin_handing_on(uidvalidity, uid)
        try:
            await self._sink.accept(event)
        except NotKept:
            raise  # it is tried all the same
        except BaseException:
            mailbox.take_back(uidvalidity, uid)
            raise
        finally:
            mailbox.end_handing_on(uidvalidity, uid)

    def recall(self, events: Iterable[MailEvent]) -> None:
        """Know again which mails were heard at the end of an earlier run, whose marks may not have been written."""
        for event in events:
            if 0 < event.uid <= LARGEST and 0 < event.uidvalidity <= LARGEST:
                mailbox = self._mailbox(event)
                mailbox.note(event.uidvalidity, event.uid)
                self._is_changed(event.user, mailbox)

    async def mark(self, user: PushUser) -> Mark | None:
        """Return a user's mark; ``None`` before the first sight of its mailbox. Raise when it cannot be read now."""
        mailbox = self._of_user(user)
        if not mailbox.is_read:
            try:
                async with asyncio.timeout(ANSWER_S):
                    error = await asyncio.shield(self._want(user))
            except TimeoutError:
                raise NotReachable(f"the mark of user {user} could not be read in {ANSWER_S:.0f} s") from None
            if error is not None:
                raise error
        return mailbox.mark()

    def advance(self, user: PushUser, uidvalidity: int, uidnext: int) -> None:
        """Note that no mail below ``uidnext`` is to be pushed any more; another uidvalidity begins anew."""
        if 0 < uidvalidity <= LARGEST and 0 <= uidnext <= LARGEST + 1:
            mailbox = self._of_user(user)
            mailbox.advance(uidvalidity, uidnext)
            self._is_changed(user, mailbox)

    def forget(self, user: PushUser) -> None:
        """Know nothing of a user that has left, and write nothing of it."""
        self._known.pop(user, None)

    async def run(self) -> None:
        """Write every second."""
        while True:
            await self._clock.sleep(WRITE_S)
            await self.write()
            self._tally.flush()

    async def write(self) -> None:
        """Write what is not written; what cannot be written now is tried at the next time."""
        waiting, self._unwritten = self._unwritten, []
        for start in range(0, len(waiting), _AT_ONCE):
            # Those that were forgotten meanwhile are left out.
            batch = [pair for pair in waiting[start : start + _AT_ONCE] if self._known.get(pair[0]) is pair[1]]
            for _, mailbox in batch:
                mailbox.is_unwritten = False
            try:
                await self._write(batch)
            except BaseException as error:
                for user, mailbox in batch:
                    self._is_changed(user, mailbox)
                self._unwritten += waiting[start + _AT_ONCE :]
                if not isinstance(error, OxpushctlError):
                    raise
                self._tally.warn("it could not be noted which mails were heard", reason=str(error))
                break
        self._make_room()

    def reload(self, folder: str) -> None:
        """Take over another folder that marks are about; one of the former begins anew, by its uidvalidity."""
        self._folder = _folded(folder)

    async def aclose(self) -> None:
        """Read nothing more, and write what is not written."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self.write()

    def _mailbox(self, event: MailEvent) -> HeardMailbox:
        if event.folder == self._folder or _folded(event.folder) == self._folder:
            return self._of_user(event.user)
        key = (event.user, event.folder)
        if key not in self._others:
            self._others[key] = HeardMailbox(is_read=True)
            self._others[key].is_unwritten = True  # for ever: no mark is about it
            if len(self._others) > MOST_OTHER_FOLDERS:
                self._others.popitem(last=False)
        self._others.move_to_end(key)
        return self._others[key]

    def _of_user(self, user: PushUser) -> HeardMailbox:
        mailbox = self._known.get(user)
        if mailbox is None:
            mailbox = self._known[user] = HeardMailbox()
            self._make_room()
        else:
            self._known.move_to_end(user)
        return mailbox

    def _make_room(self) -> None:
        """Forget those that were not used for longest; what is not written stays, while there is some room left."""
        while len(self._known) > self._most_known:
            oldest = next(iter(self._known.values()))
            if oldest.is_unwritten and len(self._known) <= self._most_known * 1.1:
                break
            self._known.popitem(last=False)

    def _is_changed(self, user: PushUser, mailbox: HeardMailbox) -> None:
        if not mailbox.is_unwritten:
            mailbox.is_unwritten = True
            self._unwritten.append((user, mailbox))

    async def _write(self, batch: Sequence[tuple[PushUser, HeardMailbox]]) -> None:
        for future in [self._want(user) for user, mailbox in batch if not mailbox.is_read]:
            if (error := await asyncio.shield(future)) is not None:
                raise error
        marks = {user: mark for user, mailbox in batch if (mark := mailbox.mark()) is not None}
        if marks:
            await self._store.write(marks)

    async def _read_in_time(self, user: PushUser) -> None:
        """Wait a moment for what the store knows; without it, all that was not heard since we run is new."""
        try:
            async with asyncio.timeout(self._patience_s):
                error = await asyncio.shield(self._want(user))
            reason = None if error is None else str(error)
        except TimeoutError:
            reason = f"no answer in {self._patience_s:g} s"
        if reason is not None:
            self._tally.warn(
                "it could not be looked up which mails were heard: some may be pushed again", reason=reason
            )

    def _want(self, user: PushUser) -> asyncio.Future[OxpushctlError | None]:
        """Have a user's mark read, together with those of others; the result is what went wrong."""
        future = self._wanted.get(user)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._wanted[user] = loop.create_future()
            if self._reader is None or self._reader.done():
                self._reader = loop.create_task(self._read())
        return future

    async def _read(self) -> None:
        """Read until nobody waits."""
        try:
            while users := list(self._wanted)[:_AT_ONCE]:
                self._answer(users, await self._read_batch(users))
        finally:
            self._answer(list(self._wanted), NotReachable("the engine is stopping"))

    def _answer(self, users: Sequence[PushUser], error: OxpushctlError | None) -> None:
        for user in users:
            future = self._wanted.pop(user, None)
            if future is not None and not future.done():
                future.set_result(error)

    async def _read_batch(self, users: Sequence[PushUser]) -> OxpushctlError | None:
        try:
            found = await self._store.read(users)
        except OxpushctlError as error:
            return error
        except Exception as error:  # noqa: BLE001  # a bug in a store must not cost any push
            _log.error("marks could not be read: bug", reason=type(error).__name__)
            return NotReachable(f"marks could not be read: {type(error).__name__}")
        for user in users:
            mailbox = self._known.get(user)
            if mailbox is not None and not mailbox.is_read:
                mailbox.read(found.get(user))
        return None


def _folded(folder: str) -> str:
    """Return how a folder is known here: the inbox has its name in any case (RFC 3501, section 5.1)."""
    return "INBOX" if folder.upper() == "INBOX" else folder
