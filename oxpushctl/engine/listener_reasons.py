"""For whom listeners are to run: registrations of allowed clients, and sessions with a socket.

Registrations are read page by page, while others have their turn; what is asked for meanwhile is looked at between two
pages. All reading goes through here, one after the other, so that what was read last is the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

from oxpushctl import log
from oxpushctl.engine.agenda import Agenda
from oxpushctl.engine.listener_record import ListenerRecord, numbers
from oxpushctl.engine.listener_roll import ListenerRoll
from oxpushctl.engine.listener_steps import ListenerSteps
from oxpushctl.errors import OxpushctlError
from oxpushctl.interfaces import Clock, Implementation, RegisteredMailboxes, RegistrationStore
from oxpushctl.model import Health, PushUser, Registration

PAGE = 1000
_MOST_CLIENTS = 1000

_log = log.get(__name__)


class ListenerReasons:
    """Keeps the roll as registrations and sessions want it; who is new is adopted, or else started.

    ``is_permanent_allowed`` and ``is_client_allowed`` say what the configuration allows, ``remembered`` what each
    implementation registered elsewhere, by its name. ``is_ours`` tells whose listeners are this
    node's. All that reads raises what the stores raise, and can be repeated.
    """

    def __init__(
        self,
        registrations: RegistrationStore,
        session_users: Callable[[], Collection[PushUser]],
        implementations: Sequence[Implementation],
        roll: ListenerRoll,
        agenda: Agenda,
        steps: ListenerSteps,
        clock: Clock,
        *,
        is_permanent_allowed: Callable[[], bool],
        is_client_allowed: Callable[[str], bool],
        remembered: Mapping[str, RegisteredMailboxes],
        is_ours: Callable[[PushUser], bool],
    ) -> None:
        self._registrations = registrations
        self._session_users = session_users
        self._implementations = implementations
        self._roll = roll
        self._agenda = agenda
        self._steps = steps
        self._clock = clock
        self._is_permanent_allowed = is_permanent_allowed
        self._is_client_allowed = is_client_allowed
        self._remembered = remembered
        self._is_ours = is_ours
        self._allowed: dict[str, bool] = {}
        self._with_session: set[PushUser] = set()
        self._fresh: list[tuple[ListenerRecord, bool]] = []
        self._look = 0

    async def look_at_all(
        self, between: Callable[[], Awaitable[None]], *, is_told: bool = False, is_reloaded: bool = False
    ) -> None:
        """Read all registrations and sessions; ``between`` is awaited now and then.

        ``is_told``: somebody says that something has changed, so that mailboxes which could not be opened are tried.
        ``is_reloaded``: the configuration has changed.
        """
        self._look += 1
        look = self._look
        if is_reloaded:
            self._allowed.clear()
        self._settle_sessions()
        if self._is_permanent_allowed():
            after: Registration | None = None
            while page := await self._registrations.page(after, PAGE):
                for user in dict.fromkeys(each.user for each in page if self._is_allowed(each.client)):
                    if self._is_ours(user):
                        self._settle(user, is_registered=True)
                after = page[-1]
                await self._adopt()
                await between()
        await self._adopt()
        for part in self._roll.slices():
            for record in part:
                if record.is_registered and record.seen < look:
                    self._settle(record.user, is_registered=False)
                elif record.is_wanted:
                    self._reconsider(record, is_told=is_told, is_reloaded=is_reloaded)
            await asyncio.sleep(0)
            await between()

    async def look_at(self, users: Sequence[PushUser]) -> None:
        """Read what there is of some users of whom something has changed."""
        registered = await self._registered(users)
        sessions = frozenset(filter(self._is_ours, self._session_users()))
        for user in users:
            self._settle(user, is_registered=user in registered, has_session=user in sessions, is_urgent=True)
            record = self._roll.of(user)
            if record is not None and record.health is Health.AUTH_FAILED:
                self._agenda.add(record, is_urgent=True)
        await self._adopt()

    async def look_at_remembered(self, between: Callable[[], Awaitable[None]]) -> None:
        """Have those stopped that an earlier run registered elsewhere, where they are not to be any more.

        A node that may have no permanent listeners leaves this to others.
        """
        if not self._is_permanent_allowed():
            return
        for number, implementation in enumerate(self._implementations):
            store = self._remembered.get(implementation.name)
            after: PushUser | None = None
            while store is not None and (page := await store.page(after, PAGE)):
                users = [mailbox.user for mailbox in page]
                ours = [user for user in users if self._is_ours(user)]
                # Who has come since the last look is looked at soon.
                unknown = await self._registered([user for user in ours if self._roll.of(user) is None])
                for user in ours:
                    if user not in unknown:
                        self._stop_remembered(user, number)
                after = users[-1]
                await between()

    def leave_others(self) -> Sequence[ListenerRecord]:
        """Hear no more at once for those whose listeners are not this node's; return their records."""
        left = [
            record
            for part in self._roll.slices()
            for record in part
            if record.is_wanted and not self._is_ours(record.user)
        ]
        for record in left:
            for number in numbers(record.touched):
                self._implementations[number].leave(record.user)
            self._settle(record.user, is_registered=False, has_session=False)
        return left

    async def _registered(self, users: Sequence[PushUser]) -> frozenset[PushUser]:
        """Return those of some users that are ours and registered for an allowed client."""
        users = [user for user in users if self._is_ours(user)]
        if not users or not self._is_permanent_allowed():
            return frozenset()
        found = set()
        for user in sorted(await self._registrations.registered(users)):
            its = await self._registrations.listing(user)
            if any(self._is_allowed(each.client) for each in its):
                found.add(user)
        return frozenset(found)

    def _is_allowed(self, client: str) -> bool:
        allowed = self._allowed.get(client)
        if allowed is None:
            if len(self._allowed) >= _MOST_CLIENTS:
                self._allowed.clear()
            allowed = self._allowed[client] = self._is_client_allowed(client)
        return allowed

    def _settle_sessions(self) -> None:
        """See who has come and gone since the last look at all sessions."""
        now = frozenset(filter(self._is_ours, self._session_users()))
        for user in self._with_session - now:
            self._settle(user, has_session=False)
        for user in now:
            self._settle(user, has_session=True)

    def _settle(
        self,
        user: PushUser,
        *,
        is_registered: bool | None = None,
        has_session: bool | None = None,
        is_urgent: bool = False,
    ) -> None:
        """Note the reasons of a user, those that are given, and what follows from a change of them."""
        record = self._roll.of(user)
        if record is None:
            if not is_registered and not has_session:
                return
            record = ListenerRecord(user, self._clock.now())
            self._roll.add(record)
            self._fresh.append((record, is_urgent))
        if is_registered:
            record.seen = self._look
        was = (record.is_registered, record.has_session)
        is_ = (was[0] if is_registered is None else is_registered, was[1] if has_session is None else has_session)
        if was == is_:
            return
        with self._roll.changing(record):
            record.is_registered, record.has_session = is_
        if has_session:
            self._with_session.add(user)
        elif has_session is not None:
            self._with_session.discard(user)
        # Permanent or not is another question, and gone or back again; a further session is none.
        if was[0] != is_[0] or not any(was) or not any(is_):
            record.is_elsewhere = not record.is_wanted and not self._is_ours(user)
            record.owes_forgetting = (
                not record.is_registered and not record.is_elsewhere and (was[0] or record.owes_forgetting)
            )
            if not record.is_fresh:
                self._agenda.add(record, is_urgent=is_urgent)

    async def _adopt(self) -> None:
        """Find out for whom of those that are new somebody hears already; the others are started."""
        fresh = [record for record, _ in self._fresh if record.is_wanted]
        adopted: set[PushUser] = set()
        for number, implementation in enumerate(self._implementations):
            asked = [
                record
                for record in fresh
                if record.user not in adopted and implementation.is_on(is_permanent=record.is_registered)
            ]
            if asked:
                theirs = await self._adopted_by(implementation, asked)
                for record in asked:
                    if record.user in theirs:
                        self._steps.has_adopted(record, number)
                adopted |= theirs
        for record, is_urgent in self._fresh:
            record.is_fresh = False
            if record.user not in adopted:
                self._agenda.add(record, is_urgent=is_urgent)
        self._fresh.clear()

    async def _adopted_by(
        self, implementation: Implementation, records: Iterable[ListenerRecord]
    ) -> frozenset[PushUser]:
        try:
            return await implementation.adopt([record.user for record in records])
        except OxpushctlError:
            raise
        except Exception as error:  # noqa: BLE001  # without it they are started, as if they were new
            _log.error("listeners not adopted: bug", implementation=implementation.name, reason=type(error).__name__)
            return frozenset()

    def _reconsider(self, record: ListenerRecord, *, is_told: bool, is_reloaded: bool) -> None:
        """See whether something is to be done about a listener whose reasons have not changed."""
        if record.is_fresh:
            return
        is_to_offer = record.unsupported != 0 and record.offer_at <= self._clock.monotonic()
        if is_to_offer or (is_reloaded and record.health is Health.UNSUPPORTED):
            record.unsupported = 0
        if record.health is Health.AUTH_FAILED:
            is_due = is_told or is_reloaded
        elif record.health is Health.UNSUPPORTED:
            is_due = is_to_offer or is_reloaded or record.offer_at <= self._clock.monotonic()
        elif record.is_up:
            is_due = (is_to_offer or is_reloaded) and not self._steps.is_served_rightly(record)
        else:
            is_due = is_reloaded
        if is_due:
            self._agenda.add(record)

    def _stop_remembered(self, user: PushUser, number: int) -> None:
        record = self._roll.of(user)
        if record is None:
            record = ListenerRecord(user, self._clock.now())
            record.is_fresh, record.owes_forgetting = False, True
            self._roll.add(record)
        elif record.is_wanted and (
            record.implementation == number
            or (not record.is_up and self._implementations[number].is_on(is_permanent=record.is_registered))
        ):
            return
        record.touched |= 1 << number
        self._agenda.add(record)
