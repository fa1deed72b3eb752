from __future__ import annotations

import tracemalloc

from oxpushctl.engine.listener_record import NOBODY, ListenerRecord, numbers
from oxpushctl.engine.listener_roll import SLICE, ListenerRoll
from oxpushctl.model import Health, PushUser
from tests.engine.parts import ANTON, BERTA


def _wanted(roll: ListenerRoll, user: PushUser) -> ListenerRecord:
    record = ListenerRecord(user, 1000.0)
    roll.add(record)
    with roll.changing(record):
        record.is_registered = True
    return record


def test_counts() -> None:
    """Counted is who is wanted, by what it is now; nothing is left of who is not wanted any more."""
    roll = ListenerRoll()
    anton, berta = _wanted(roll, ANTON), _wanted(roll, BERTA)
    with roll.changing(anton):
        anton.implementation, anton.health = 1, Health.OK
    both = dict(roll.counts)
    with roll.changing(berta):
        berta.is_registered = False
    with roll.changing(berta):
        berta.health = Health.FAILED
    assert both == {(1, True, Health.OK): 1, (NOBODY, True, Health.STARTING): 1}
    assert dict(roll.counts) == {(1, True, Health.OK): 1}


def test_coming_and_going() -> None:
    """A user is found while it is there, and nobody else in its place."""
    roll = ListenerRoll()
    anton = _wanted(roll, ANTON)
    found = (roll.of(ANTON), roll.of(BERTA), roll.find(ANTON.context, ANTON.user), roll.find(7, ANTON.user))
    roll.remove(anton)
    assert found == (anton, None, anton, None)
    assert (roll.of(ANTON), list(roll.slices())) == (None, [])


def test_slices() -> None:
    """All come in order, in parts of bounded size, across contexts."""
    roll = ListenerRoll()
    users = [PushUser(context, user) for context in (1, 2, 3) for user in range(1, SLICE)]
    for user in reversed(users):
        _wanted(roll, user)
    parts = [[record.user for record in part] for part in roll.slices()]
    assert [len(part) for part in parts] == [SLICE, SLICE, SLICE - 3]
    assert [user for part in parts for user in part] == users


def test_memory_of_a_record() -> None:
    """Half a million records, with their users, fit into less than 300 MB."""
    roll, count = ListenerRoll(), 10_000
    tracemalloc.start()
    for number in range(count):
        record = _wanted(roll, PushUser(1000 + number // 100, 1000 + number))
        record.since, record.up_at, record.proven_at = float(number), float(number + 1), float(number + 2)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / count < 600


def test_numbers() -> None:
    """A set of implementations is gone through in their order."""
    assert [numbers(bits) for bits in (0, 1, 0b110)] == [[], [0], [1, 2]]
