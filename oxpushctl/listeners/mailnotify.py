"""Hearing of new mail by the datagrams that Cyrus' notifyd sends: nothing is registered, and nobody logs in to listen.

::

    datagram ─ believed? ─ whose? ─► window of delay_millis ─► mailbox asked ─► events with sender and subject
                                                          └─ cannot be asked ─► one event without words
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from itertools import islice

from oxpushctl import log
from oxpushctl.config.listening import (
    NOTIFY_DELAY,
    NOTIFY_ENABLED,
    NOTIFY_HOST,
    NOTIFY_MULTICAST,
    NOTIFY_OX_LOGIN,
    NOTIFY_PORT,
)
from oxpushctl.config.own import NOTIFY_SOURCES
from oxpushctl.config.settings import Settings
from oxpushctl.errors import NotReachable, OxpushctlError, UnknownEntry
from oxpushctl.interfaces import Clock, EventSink, Watch, Watermarks
from oxpushctl.listeners.mailnotify_asking import NAME, Asking
from oxpushctl.listeners.mailnotify_datagram import is_inbox, parsed
from oxpushctl.listeners.mailnotify_ears import Ears
from oxpushctl.listeners.mailnotify_entries import Entries, Together
from oxpushctl.listeners.mailnotify_names import Names, NoOwner, Spelling
from oxpushctl.listeners.mailnotify_socket import bound
from oxpushctl.listeners.mailnotify_tally import Fate, Tally
from oxpushctl.listeners.mailnotify_telling import Telling
from oxpushctl.listeners.mailnotify_windows import Windows
from oxpushctl.listeners.openings import Openings
from oxpushctl.model import DirectoryEntry, PushUser

LOOK_S = 30.0
# Looking at the directory of many users takes at most so small a part of the time.
_LOOK_SHARE = 20
_LOOK_PAGE = 500
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_SENDERS_KNOWN = 1024

_log = log.get(__name__)


class MailNotifyListeners:
    """An ``Implementation``: one socket for all users; ``counts`` has how many datagrams met each ``Fate``.

    Settings but those of ``reload`` are read once.
    """

    name = NAME

    def __init__(
        self,
        openings: Openings,
        sink: EventSink,
        watermarks: Watermarks,
        directory: Entries,
        settings: Settings,
        clock: Clock,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._directory = directory
        self._together = Together(directory)
        self._clock = clock
        self._look_s = look_s
        self._place = (settings[NOTIFY_HOST], settings[NOTIFY_PORT], settings[NOTIFY_MULTICAST])
        self._spelling = Spelling(settings)
        self._is_believed = lru_cache(_SENDERS_KNOWN)(_Sources(settings).has)
        self._users: dict[PushUser, bool] = {}  # and whether each is permanent
        self._names = Names()
        self._tally = Tally(clock.monotonic)
        self._windows = Windows(clock, settings[NOTIFY_DELAY] / 1000)
        self._asking = Asking(openings, watermarks, settings, clock)
        self._telling = Telling(self._windows, self._asking, sink, watermarks, clock, self._users.get)
        self._watch: Watch | None = None
        self._ears: Ears | None = None
        self._trouble = ""
        self._is_enabled = settings[NOTIFY_ENABLED]
        self._switched = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def counts(self) -> Counter[str]:
        """How many datagrams met each fate since the start."""
        return self._tally.counts

    @property
    def is_hearing(self) -> bool:
        """Whether the socket is open."""
        return self._ears is not None

    def is_on(self, *, is_permanent: bool) -> bool:
        """Tell whether datagrams are listened for, for both kinds alike."""
        return self._is_enabled

    def reload(self, settings: Settings) -> None:
        """Take over whether it is enabled at all; what could not be opened is tried again."""
        self._asking.reload(settings)
        self._asking.forget()
        self._is_enabled = settings[NOTIFY_ENABLED]
        self._switched.set()
        if self._ears is not None and not self._is_enabled:
            self._ears.end()

    def look(self) -> None:
        """Look at the directory at once, and try what could not be opened: something was changed."""
        self._asking.forget()
        self._changed.set()

    async def adopt(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return nobody: an earlier run left nothing behind."""
        return frozenset()

    async def start(self, user: PushUser, *, is_permanent: bool) -> None:
        """Listen for a user's names; raise ``UnknownEntry`` for one without any, ``NotReachable`` without a socket."""
        self._refuse_in_trouble()
        if user not in self._users:
            names = self._names_of(user, await self._together.entry(user))
            self._refuse_in_trouble()
            self._names.put(user, names)
        self._users[user] = is_permanent

    async def stop(self, user: PushUser) -> None:
        """Listen for a user's names no more; what was heard and not yet handed on is dropped."""
        self._drop(user)

    def leave(self, user: PushUser) -> None:
        """Listen for a user's names no more."""
        self._drop(user)

    async def run(self, watch: Watch) -> None:
        """Hear datagrams and hand on what they tell, until it is cancelled: then what was heard goes out as it is."""
        self._watch = watch
        # First what hears ends, then what hands on.
        async with asyncio.TaskGroup() as handing_on:
            telling = handing_on.create_task(self._telling.run())
            try:
                async with asyncio.TaskGroup() as hearing:
                    hearing.create_task(self._hear(watch))
                    hearing.create_task(self._look_now_and_then(watch))
            finally:
                telling.cancel()

    def _refuse_in_trouble(self) -> None:
        if self._trouble:
            raise NotReachable(self._trouble)

    def _drop(self, user: PushUser) -> None:
        self._users.pop(user, None)
        self._names.remove(user)
        self._windows.drop(user)
        self._asking.forget(user)

    async def _hear(self, watch: Watch) -> None:
        """Keep the socket open while this is enabled; one that cannot be had is tried again, less and less often."""
        pause_s = _FIRST_PAUSE_S
        while True:
            self._switched.clear()
            if not self._is_enabled:
                self._trouble = ""
                await self._switched.wait()
                continue
            try:
                host, port, is_multicast = self._place
                sockets = await bound(host, port, is_multicast=is_multicast)
                _log.info("datagrams are listened for", host=host, port=port, multicast=is_multicast)
                self._trouble = ""
                self._ears = Ears(sockets, self._heard, self._overflowed)
                pause_s = _FIRST_PAUSE_S
                try:
                    await self._ears.ended
                finally:
                    self._ears.close()
                    self._ears = None
            except OxpushctlError as error:
                self._lose_all(watch, error, pause_s)
                await _set_within(self._switched, pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _lose_all(self, watch: Watch, error: OxpushctlError, pause_s: float) -> None:
        tell = _log.debug if self._trouble == str(error) else _log.warning
        tell("datagrams are not listened for", reason=str(error), again_in_s=pause_s)
        self._trouble = str(error)
        for user in list(self._users):
            self._drop(user)
            watch.lost(user, error)

    def _overflowed(self, count: int) -> None:
        self._tally.note(Fate.OVERFLOW, count)

    def _heard(self, datagram: bytes, sender: str) -> None:
        if not self._is_believed(sender):
            self._tally.note(Fate.FOREIGN, sender=sender)
            return
        notification = parsed(datagram)
        if notification is None:
            self._tally.note(Fate.GARBAGE, sender=sender)
            return
        name = self._spelling.received(notification.user)
        if not is_inbox(notification.mailbox, (name, notification.user.lower())):
            self._tally.note(Fate.OTHER, sender=sender, name=name, mailbox=notification.mailbox)
            return
        owner = self._names.owner(name)
        match owner:
            case PushUser():
                self._tally.note(Fate.HEARD)
                self._windows.note(owner)
                if self._watch is not None:
                    self._watch.proven(owner)
            case NoOwner.UNKNOWN:
                self._tally.note(Fate.UNKNOWN, sender=sender, name=name)
            case NoOwner.AMBIGUOUS:
                users = ", ".join(map(str, self._names.claimants(name)))
                self._tally.note(Fate.AMBIGUOUS, sender=sender, name=name, users=users)

    async def _look_now_and_then(self, watch: Watch) -> None:
        """Read the names of the users again, now and then and when told so: others write into the directory as well."""
        pause_s = self._look_s
        while True:
            await _set_within(self._changed, pause_s)
            self._changed.clear()
            began = self._clock.monotonic()
            try:
                await self._look_at_all(watch)
            except OxpushctlError as error:
                _log.warning("the names of users could not be read again", reason=str(error))
            pause_s = max(self._look_s, _LOOK_SHARE * (self._clock.monotonic() - began))

    async def _look_at_all(self, watch: Watch) -> None:
        remaining = iter(list(self._users))
        while users := list(islice(remaining, _LOOK_PAGE)):
            entries = await self._directory.entries(users)
            for user in users:
                if user not in self._users:
                    continue  # it was stopped meanwhile
                try:
                    self._names.put(user, self._names_of(user, entries.get(user)))
                except UnknownEntry as error:
                    self._drop(user)
                    watch.lost(user, error)

    def _names_of(self, user: PushUser, entry: DirectoryEntry | None) -> frozenset[str]:
        options = f"-c {user.context} -u {user.user}"
        if entry is None:
            add = f"oxpushctl users add {options} --login … --mail …"
            raise UnknownEntry(f"the directory has no {user}, and so no name for datagrams: add it with `{add}`")
        names = self._spelling.names(entry)
        if not names:
            kind = "whole addresses" if self._spelling.is_full else "addresses"
            raise UnknownEntry(
                f"the directory has no address of {user}, and datagrams name {kind}: give it one with "
                f"`oxpushctl users add {options} --login {entry.login} --mail …`, or set {NOTIFY_OX_LOGIN.key} to true"
            )
        return names


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Return when an event is set, or after a while."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


class _Sources:
    """Whose datagrams are believed."""

    def __init__(self, settings: Settings) -> None:
        self._networks = settings[NOTIFY_SOURCES]

    def has(self, host: str) -> bool:
        """Tell whether an address is in one of the networks; one of IPv4 within IPv6 counts as what it is."""
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
