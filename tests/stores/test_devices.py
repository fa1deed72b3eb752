"""The password that subscribing had kept goes with the last device that it was kept for, and no other does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from oxpushctl.model import NEW_MAIL, Credential, Origin, PushUser, Registration, Subscription
from oxpushctl.stores.devices import Devices
from oxpushctl.stores.sql.credentials import SqlCredentialRows
from oxpushctl.stores.sql.database import Database
from oxpushctl.stores.sql.registrations import SqlRegistrationStore
from oxpushctl.stores.sql.subscriptions import SqlSubscriptionStore
from oxpushctl.stores.vault import Vault
from tests.peers.ports import free_port
from tests.stores.conftest import Now

ALICE, BOB = PushUser(1, 3), PushUser(1, 4)
PHONE = Subscription(ALICE, "app", "apn", "a1b2c3")
TABLET = replace(PHONE, token="d4e5f6")
SECRET = "correct horse"


@pytest.fixture
async def vault(database: Database) -> AsyncIterator[Vault]:
    vault = Vault(SqlCredentialRows(database), "passphrase")
    yield vault
    await vault.aclose()


@pytest.fixture
def registrations(database: Database) -> SqlRegistrationStore:
    return SqlRegistrationStore(database)


@pytest.fixture
def store(database: Database, now: Now) -> SqlSubscriptionStore:
    """Every client is allowed."""
    return SqlSubscriptionStore(database, lambda _client: True, now)


def _kept_users(vault: Vault) -> Callable[[], AsyncIterator[PushUser]]:
    async def kept_users() -> AsyncIterator[PushUser]:
        async for kept in vault.kept():
            if kept.origin is Origin.SUBSCRIBING:
                yield kept.user

    return kept_users


@pytest.fixture
def devices(store: SqlSubscriptionStore, registrations: SqlRegistrationStore, vault: Vault) -> Devices:
    return Devices(store, registrations, vault, _kept_users(vault))


async def _come(devices: Devices, vault: Vault, wish: Subscription, origin: Origin = Origin.SUBSCRIBING) -> None:
    """Subscribe, and keep the password as the web does."""
    assert await devices.subscribe(wish)
    await vault.put(Credential(wish.user, "login", SECRET), origin)


Way = Callable[[Devices, Now], Awaitable[object]]


async def _unsubscribe(devices: Devices, _now: Now) -> None:
    assert [each.token for each in await devices.unsubscribe(ALICE, "app", PHONE.token)] == [PHONE.token]


async def _bury(devices: Devices, _now: Now) -> None:
    [stored] = [each for each in await devices.listing(ALICE, "app") if each.token == PHONE.token]
    assert await devices.remove_gone(stored, None)


async def _expire(devices: Devices, now: Now) -> None:
    await devices.subscribe(replace(PHONE, expires_ms=now.ms))
    now.ms += 1
    assert [each.token for each in await devices.sweep()] == [PHONE.token]


async def _want_less(devices: Devices, _now: Now) -> None:
    assert not await devices.subscribe(replace(PHONE, topics=("ox:calendar:updates",)))


async def _move(devices: Devices, _now: Now) -> None:
    await devices.subscribe(replace(PHONE, user=BOB))


WAYS = [_unsubscribe, _bury, _expire, _want_less, _move]


@pytest.mark.parametrize("way", WAYS)
async def test_last_device_goes(devices: Devices, vault: Vault, now: Now, way: Way) -> None:
    """By whatever way the last device goes that somebody listened for, the password goes that it had brought."""
    await _come(devices, vault, PHONE)

    await way(devices, now)

    assert await vault.get(ALICE) is None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("other", [TABLET, replace(PHONE, client="other")])
async def test_another_registration_stays(
    devices: Devices, vault: Vault, now: Now, other: Subscription, way: Way
) -> None:
    """While the user is listened for on behalf of any client, the password stays."""
    await _come(devices, vault, PHONE)
    await _come(devices, vault, other)

    await way(devices, now)

    assert await vault.get(ALICE) == Credential(ALICE, "login", SECRET)


async def test_password_that_a_command_set(devices: Devices, vault: Vault, now: Now) -> None:
    """What an administrator set is the administrator's to take away."""
    await _come(devices, vault, PHONE, Origin.COMMAND)

    await devices.unsubscribe(ALICE, None, None)
    await devices.forget_unregistered()

    assert await vault.get(ALICE) == Credential(ALICE, "login", SECRET)


async def test_no_password_is_kept(store: SqlSubscriptionStore, registrations: SqlRegistrationStore, now: Now) -> None:
    """Where passwords are not kept, devices come and go all the same."""
    devices = Devices(store, registrations)

    is_registered = await devices.subscribe(PHONE)
    [matched] = (await devices.matching([ALICE], NEW_MAIL))[ALICE]
    await devices.delivered({matched.id: now.ms})
    standing = await devices.standing([matched.id])
    [listed] = await devices.listing()
    removed = await devices.unsubscribe(ALICE, None, None)
    await devices.forget_unregistered()

    assert (is_registered, listed.delivered_ms) == (True, now.ms)
    assert standing == {matched.id}
    assert [each.id for each in removed] == [matched.id]
    assert await registrations.listing() == []


async def test_store_of_passwords_that_is_away(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A device goes even when its password cannot be removed yet; that is told once, and fails nothing."""
    away = Database.open(f"mysql://nobody@127.0.0.1:{free_port()}/nothing")
    vault = Vault(SqlCredentialRows(away), "passphrase")
    devices = Devices(store, registrations, vault)
    await devices.subscribe(PHONE)

    with caplog.at_level(logging.WARNING, "oxpushctl.stores.devices"):
        removed = await devices.unsubscribe(ALICE, None, None)
    await vault.aclose()
    await away.aclose()

    assert [each.token for each in removed] == [PHONE.token]
    assert await registrations.listing() == []
    [record] = caplog.records
    assert record.getMessage().startswith("password of an unregistered user could not be removed yet")


async def test_sweep_makes_up_for_it(
    devices: Devices, store: SqlSubscriptionStore, registrations: SqlRegistrationStore, vault: Vault
) -> None:
    """Passwords whose users lost their registration in whatever way are found; those of others stay."""
    users = [PushUser(1, number) for number in range(1, 601)]
    for user in users:
        await vault.put(Credential(user, f"login {user}", SECRET), Origin.SUBSCRIBING)
    registered = users[::3]
    for user in registered:
        await registrations.add(Registration(user, "app"))
    by_command = PushUser(2, 1)
    await vault.put(Credential(by_command, "login", SECRET), Origin.COMMAND)

    await devices.forget_unregistered()

    assert [kept.user async for kept in vault.kept()] == [*registered, by_command]


async def test_subscribed_while_it_is_swept(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, vault: Vault
) -> None:
    """A user whose password was seen by a sweep was registered before it, and keeps it."""

    async def kept_users() -> AsyncIterator[PushUser]:
        await store.subscribe(PHONE)
        await vault.put(Credential(ALICE, "login", SECRET), Origin.SUBSCRIBING)
        yield ALICE

    await Devices(store, registrations, vault, kept_users).forget_unregistered()

    assert await vault.get(ALICE) == Credential(ALICE, "login", SECRET)


class _InBetween:
    """A store of passwords in whose removals somebody comes between."""

    def __init__(self, vault: Vault, come: Callable[[], Awaitable[None]]) -> None:
        self._vault = vault
        self._come = come
        self.put, self.renew, self.get = vault.put, vault.renew, vault.get

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        await self._come()
        return await self._vault.remove(user, origin)


async def test_subscribed_while_the_password_is_removed(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, vault: Vault
) -> None:
    """Who subscribes again in the moment in which the password of its last device goes has it kept all the same."""
    await store.subscribe(PHONE)
    await vault.put(Credential(ALICE, "login", SECRET), Origin.SUBSCRIBING)

    async def come_again() -> None:
        await store.subscribe(TABLET)
        await vault.put(Credential(ALICE, "login", SECRET), Origin.SUBSCRIBING)

    await Devices(store, registrations, _InBetween(vault, come_again)).unsubscribe(ALICE, "app", PHONE.token)

    assert await vault.get(ALICE) == Credential(ALICE, "login", SECRET)


class _Renewed(_InBetween):
    """A store of passwords after whose removals somebody comes."""

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        is_removed = await self._vault.remove(user, origin)
        await self._come()
        return is_removed


async def test_renewed_while_the_password_is_removed(
    store: SqlSubscriptionStore, registrations: SqlRegistrationStore, vault: Vault
) -> None:
    """Who subscribes again with a new password in that moment has that one kept, and not the old one put back."""
    await store.subscribe(PHONE)
    await vault.put(Credential(ALICE, "login", SECRET), Origin.SUBSCRIBING)

    async def come_again() -> None:
        await store.subscribe(TABLET)
        await vault.put(Credential(ALICE, "login", "new"), Origin.SUBSCRIBING)

    await Devices(store, registrations, _Renewed(vault, come_again)).unsubscribe(ALICE, "app", PHONE.token)

    assert await vault.get(ALICE) == Credential(ALICE, "login", "new")
