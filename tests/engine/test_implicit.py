"""Devices without a row beside those that have one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pytest

from oxpushctl.engine.implicit import WithImplicit
from oxpushctl.errors import NotReachable
from oxpushctl.model import NEW_MAIL, Outcome, PushUser, Scope, Subscription, Verdict
from tests.engine.parts import ANTON, APP, BERTA, PlainStore, ScriptedTransport, mail, phone
from tests.engine.running import Engine
from tests.waiting import until

_BROWSER = phone(ANTON, transport="websocket", token="ws", client=f"{APP}-ui")


class _Open:
    """The web sockets that are open: those it was given, to any topic."""

    def __init__(self, *wishes: Subscription) -> None:
        self.wishes = list(wishes)

    def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
        assert topic == NEW_MAIL
        return {wish.user: [wish] for wish in self.wishes if wish.user in users}

    def standing(self, ids: Collection[bytes]) -> frozenset[bytes]:
        return frozenset(wish.id for wish in self.wishes if wish.id in ids)


@pytest.mark.parametrize(
    ("stored", "implicit", "expected"),
    [
        ([phone()], [], [phone()]),
        ([], [_BROWSER], [_BROWSER]),
        ([phone()], [_BROWSER], [phone(), _BROWSER]),
        ([], [], []),
    ],
)
async def test_matching(
    stored: Sequence[Subscription], implicit: Sequence[Subscription], expected: Sequence[Subscription]
) -> None:
    """A user has what is stored and what is open; another user has its own."""
    store = WithImplicit(PlainStore(*stored, phone(BERTA, token="b")), _Open(*implicit))

    found = await store.matching([ANTON, BERTA], NEW_MAIL)

    assert {user: list(wishes) for user, wishes in found.items()} == {ANTON: expected, BERTA: [phone(BERTA, token="b")]}


async def test_matching_of_who_has_nothing_stored() -> None:
    """A store that leaves out who has nothing is no obstacle."""

    class Sparse(PlainStore):
        async def matching(self, users: Sequence[PushUser], topic: str) -> Mapping[PushUser, Sequence[Subscription]]:
            return {}

    assert await WithImplicit(Sparse(), _Open(_BROWSER)).matching([ANTON], NEW_MAIL) == {ANTON: [_BROWSER]}


async def test_store_fails() -> None:
    """What the store says when it fails is passed on: the event waits for all of its devices."""
    store = WithImplicit(PlainStore(failures=[NotReachable("away")]), _Open(_BROWSER))

    with pytest.raises(NotReachable):
        await store.matching([ANTON], NEW_MAIL)


async def test_standing() -> None:
    """Ids stand in either place; the store is not asked about those that are open."""
    stored = PlainStore(phone())
    store = WithImplicit(stored, _Open(_BROWSER))
    gone = b"gone".ljust(16)

    assert await store.standing([phone().id, _BROWSER.id, gone]) == {phone().id, _BROWSER.id}
    stored.failures.append(NotReachable("away"))
    assert await store.standing([_BROWSER.id]) == {_BROWSER.id}


async def test_delivered() -> None:
    """The store notes its own devices, and is not even asked when there are none of them."""
    stored = PlainStore(phone())
    store = WithImplicit(stored, _Open(_BROWSER))

    await store.delivered({phone().id: 1, _BROWSER.id: 2})
    stored.failures.append(NotReachable("away"))
    await store.delivered({_BROWSER.id: 3})

    assert stored.reached == {phone().id: 1}


async def test_remove_gone() -> None:
    """What is stored can be removed, what is open cannot."""
    stored = PlainStore(phone())
    store = WithImplicit(stored, _Open(_BROWSER))

    assert await store.remove_gone(phone(), None)
    assert not await store.remove_gone(_BROWSER, None)
    assert stored.subscriptions == []


async def test_others_pass() -> None:
    """All else is the store's."""
    stored = PlainStore()
    store = WithImplicit(stored, _Open(_BROWSER))

    await store.subscribe(phone())

    assert await store.listing(None, None) == [phone()]
    assert await store.unsubscribe(ANTON, None, None) == []
    assert await store.sweep() == []


async def test_expected_rejection(caplog: pytest.LogCaptureFixture) -> None:
    """A browser that went away between the look-up and the push is no news; the push is done."""
    gone = Outcome(Verdict.REJECTED, Scope.DEVICE, reason="no web socket is open any more", is_expected=True)
    engine = Engine(PlainStore(_BROWSER), ScriptedTransport("websocket", [gone]))
    caplog.set_level("INFO")
    async with engine.running() as dispatcher:
        await dispatcher.accept(mail(ANTON, at=engine.clock.now()))
        await until(lambda: not engine.outbox.depth)

    assert "push rejected" not in caplog.text
