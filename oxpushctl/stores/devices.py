"""Devices with what belongs to them elsewhere: the mail password that subscribing had kept goes with the last of them.

Subscriptions and registrations change in one transaction; the password may be in another store. So it goes afterwards,
and what could not be removed then is found by going through the passwords that are kept. It stays as long as the
mailbox is registered at Dovecot: that is taken back with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

from oxpushctl import log
from oxpushctl.errors import OxpushctlError, Undecipherable
from oxpushctl.interfaces import CredentialStore, RegisteredMailboxes, RegistrationStore
from oxpushctl.model import Origin, PushUser, Registration, Subscription
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore

_AT_ONCE = 256  # users whose registrations are asked for in one go

_log = log.get(__name__)


async def _nobody() -> AsyncIterator[PushUser]:
    nobody: tuple[PushUser, ...] = ()
    for user in nobody:
        yield user


class Devices:
    """A ``SubscriptionStore``; ``credentials`` is ``None`` where no password is kept.

    ``kept_users`` goes through the users whose kept password came by subscribing; ``mailboxes`` are those that are
    registered at Dovecot.
    """

    def __init__(
        self,
        subscriptions: SqlSubscriptionStore,
        registrations: RegistrationStore,
        credentials: CredentialStore | None = None,
        kept_users: Callable[[], AsyncIterator[PushUser]] = _nobody,
        mailboxes: RegisteredMailboxes | None = None,
    ) -> None:
        self.changed: Callable[[Collection[PushUser]], None] = _ignore
        """Called with users whose registrations may have changed here."""
        self._subscriptions = subscriptions
        self._registrations = registrations
        self._credentials = credentials
        self._kept_users = kept_users
        self._mailboxes = mailboxes

    async def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        """Return the live subscriptions of every user asked for, each with the one topic that matched."""
        return await self._subscriptions.matching(users, topic)

    async def subscribe(self, subscription: Subscription) -> bool:
        """Store a wish as the subscriptions do; a token's former user may lose its kept password."""
        change = await self._subscriptions.subscribe(subscription)
        await self._settle(change.unregistered)
        if change.is_registered:
            self.changed({subscription.user})
        return change.is_registered

    async def unsubscribe(self, user: PushUser, client: str | None, token: str | None) -> Sequence[Subscription]:
        """Remove a user's subscriptions, all or those of a client or token; return what was removed."""
        change = await self._subscriptions.unsubscribe(user, client, token)
        await self._settle(change.unregistered)
        return change.removed

    async def unregister(self, registration: Registration) -> bool:
        """Take a registration back, whatever is subscribed; tell whether it was there."""
        is_removed = await self._registrations.remove(registration)
        if is_removed:
            await self._settle([registration])
        return is_removed

    async def remove_gone(self, subscription: Subscription, gone_since_ms: int | None) -> bool:
        """Remove a dead token unless it was renewed since; tell whether it was removed."""
        change = await self._subscriptions.remove_gone(subscription, gone_since_ms)
        await self._settle(change.unregistered)
        return bool(change.removed)

    async def sweep(self) -> Sequence[Subscription]:
        """Remove some of what is expired and return it; empty when all is gone."""
        change = await self._subscriptions.sweep()
        await self._settle(change.unregistered)
        return change.removed

    async def standing(self, ids: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of some ids whose subscriptions are still there and not expired."""
        return await self._subscriptions.standing(ids)

    async def delivered(self, at_ms: Mapping[bytes, int]) -> None:
        """Note when pushes reached the devices with these ids; ids that are gone are left out."""
        await self._subscriptions.delivered(at_ms)

    async def listing(
        self, user: PushUser | None = None, client: str | None = None, *, context: int | None = None
    ) -> Sequence[Subscription]:
        """Return subscriptions, expired ones too, ordered by context, user, client, transport and token."""
        return await self._subscriptions.listing(user, client, context=context)

    async def forget(self, user: PushUser) -> None:
        """Forget what subscribing stored for a user without a registration, now that nothing else needs it."""
        await self._forget([user])

    async def forget_unregistered(self) -> None:
        """Forget the passwords that subscribing had kept for users without a registration."""
        count = 0
        batch: list[PushUser] = []
        async for user in self._kept_users():
            batch.append(user)
            if len(batch) == _AT_ONCE:
                count += await self._forget(batch)
                batch.clear()
        count += await self._forget(batch)
        if count:
            _log.info("passwords of unregistered users removed", count=count)

    async def _settle(self, unregistered: Sequence[Registration]) -> None:
        """Forget what was kept for users who have just lost a registration, or leave it to the next sweep."""
        users = {each.user for each in unregistered}
        try:
            await self._forget(users)
        except OxpushctlError as error:
            _log.warning("password of an unregistered user could not be removed yet", reason=str(error))
        if users:
            self.changed(users)

    async def _forget(self, users: Collection[PushUser]) -> int:
        """Forget what subscribing stored for those of some users who have no registration left.

        They are looked up only now, after it was seen that their passwords are there: who subscribes is registered
        before its password is kept, so that one that was seen has its registration already.
        """
        if self._credentials is None or not users:
            return 0
        registered = await self._registrations.registered(list(users))
        at_dovecot = await self._mailboxes.read(list(users)) if self._mailboxes is not None else {}
        gone = [user for user in sorted(users) if user not in registered and user not in at_dovecot]
        return sum([await self._forget_one(self._credentials, user) for user in gone])

    async def _forget_one(self, credentials: CredentialStore, user: PushUser) -> bool:
        """Forget what was kept for a user, unless it subscribes in this very moment.

        Its password was there, so subscribing wrote none: it is put back where the registration came meanwhile, unless
        another came with it.
        """
        try:
            kept = await credentials.get(user)
        except Undecipherable:
            kept = None
        is_forgotten = await credentials.remove(user, Origin.SUBSCRIBING)
        if not is_forgotten or kept is None or not await self._registrations.registered([user]):
            return is_forgotten
        if not await _has_password(credentials, user):
            await credentials.put(kept, Origin.SUBSCRIBING)
        return False


def _ignore(_: Collection[PushUser]) -> None:
    """Nobody listens on behalf of anybody here."""


async def _has_password(credentials: CredentialStore, user: PushUser) -> bool:
    try:
        return await credentials.get(user) is not None
    except Undecipherable:
        return True
