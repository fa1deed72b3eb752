from __future__ import annotations

from oxpushctl.engine.agenda import Agenda
from oxpushctl.engine.listener_record import ListenerRecord
from oxpushctl.engine.listener_roll import ListenerRoll
from oxpushctl.model import PushUser


class _Listed:
    """An agenda and its records, which are made when they are first named."""

    def __init__(self) -> None:
        self.roll = ListenerRoll()
        self.ready = 0
        self.agenda = Agenda(self.roll.find, self._note)

    def _note(self) -> None:
        self.ready += 1

    def record(self, user: int, context: int = 1) -> ListenerRecord:
        found = self.roll.find(context, user)
        if found is None:
            found = ListenerRecord(PushUser(context, user), 0.0)
            self.roll.add(found)
        return found

    def taken(self) -> list[str]:
        found = []
        while (record := self.agenda.take()) is not None:
            found.append(str(record.user))
        return found


def test_order() -> None:
    """First who is waited for, then who has failed least often, then by context and user."""
    listed = _Listed()
    listed.record(9).failures = 1
    listed.record(1).failures = 2**20
    for user, context in ((1, 1), (9, 1), (3, 2), (2, 2), (5, 1)):
        listed.agenda.add(listed.record(user, context))
    listed.agenda.add(listed.record(7, 3), is_urgent=True)
    assert listed.taken() == ["7@3", "5@1", "2@2", "3@2", "9@1", "1@1"]


def test_largest_numbers() -> None:
    """The largest ids that there can be are kept apart."""
    listed = _Listed()
    for user, context in ((2**32 - 1, 2**32 - 1), (1, 2**32 - 1), (2**32 - 1, 1)):
        listed.agenda.add(listed.record(user, context))
    assert listed.taken() == [f"{2**32 - 1}@1", f"1@{2**32 - 1}", f"{2**32 - 1}@{2**32 - 1}"]


def test_added_twice() -> None:
    """Who is on it is taken once; one for whom somebody waits now comes first."""
    listed = _Listed()
    for user in (1, 2, 2, 3):
        listed.agenda.add(listed.record(user))
    listed.agenda.add(listed.record(3), is_urgent=True)
    listed.agenda.add(listed.record(3))
    assert (listed.taken(), listed.ready) == (["3@1", "1@1", "2@1"], 4)


def test_somebody_is_at_it() -> None:
    """About whom something is being done just now, it is only noted."""
    listed = _Listed()
    record = listed.record(1)
    record.is_busy = True
    listed.agenda.add(record, is_urgent=True)
    assert (listed.taken(), record.is_changed, record.is_urgent) == ([], True, True)


def test_due() -> None:
    """What is put off comes when it is due, unless it was done before or put off again."""
    listed = _Listed()
    for user, due in ((1, 30.0), (2, 10.0), (3, 10.0), (4, 10.0), (5, 20.0)):
        listed.agenda.add_later(listed.record(user), due)
    listed.agenda.add_later(listed.record(3), 40.0)
    listed.agenda.add(listed.record(4))
    at_once = listed.taken()
    is_more = listed.agenda.tick(20.0, most=10)
    assert (at_once, is_more, listed.taken()) == (["4@1"], False, ["2@1", "5@1"])


def test_many_due() -> None:
    """When many are due at the same time, they are taken over in parts."""
    listed = _Listed()
    for user in range(1, 8):
        listed.agenda.add_later(listed.record(user), 10.0)
    is_more, first = listed.agenda.tick(10.0, most=5), listed.taken()
    assert (is_more, len(first)) == (True, 5)
    assert (listed.agenda.tick(10.0, most=5), len(listed.taken())) == (False, 2)


def test_gone() -> None:
    """Who is gone by then is passed over."""
    listed = _Listed()
    for user in (1, 2):
        listed.agenda.add(listed.record(user))
        listed.agenda.add_later(listed.record(user + 10), 5.0)
    for user in (1, 11):
        listed.roll.remove(listed.record(user))
    listed.agenda.tick(5.0, most=10)
    assert listed.taken() == ["2@1", "12@1"]
