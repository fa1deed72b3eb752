"""Sessions that are held: they do not idle, they do grow old, and their holders hear of the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oxpushctl.web.sessions import Session, Sessions
from tests.engine.parts import ANTON, BERTA, HandClock

_IDLE_S, _MAX_AGE_S = 100.0, 1000.0


def _opened(sessions: Sessions, login: str = "anton") -> Session:
    return sessions.open(ANTON if login == "anton" else BERTA, login, client="ui", secret="pw", address=None)


class _Holder:
    """Counts how often it was told of an end."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_does_not_idle() -> None:
    """A session that is held stands after its idle time, and idles from when nobody holds it any more."""
    clock = HandClock()
    sessions = Sessions(_IDLE_S, _MAX_AGE_S, clock)
    session, first, second = _opened(sessions), _Holder(), _Holder()

    assert sessions.hold(session, first)
    assert sessions.hold(session, second)
    clock.time += 3 * _IDLE_S
    assert sessions.sweep() == 0
    sessions.release(session, first)
    clock.time += 3 * _IDLE_S
    assert sessions.sweep() == 0
    sessions.release(session, second)
    clock.time += _IDLE_S - 1
    assert sessions.sweep() == 0
    clock.time += 1

    assert sessions.sweep() == 1
    assert (first.count, second.count) == (0, 0)


def test_grows_old() -> None:
    """Nothing holds a session beyond its greatest age, whatever was used after it."""
    clock = HandClock()
    sessions = Sessions(_IDLE_S, _MAX_AGE_S, clock)
    session, holder = _opened(sessions), _Holder()
    sessions.hold(session, holder)
    clock.time += _MAX_AGE_S - 1
    later = _opened(sessions, "berta")
    clock.time += 1

    assert sessions.sweep() == 1
    assert holder.count == 1
    assert sessions.find(later.id) is later


def test_those_behind_it_idle() -> None:
    """A session that is held hides none that nobody holds."""
    clock = HandClock()
    sessions = Sessions(_IDLE_S, _MAX_AGE_S, clock)
    held, idle = _opened(sessions), _opened(sessions, "berta")
    sessions.hold(held, _Holder())
    clock.time += _IDLE_S

    assert sessions.sweep() == 1
    assert sessions.find(idle.id) is None
    assert sessions.find(held.id) is held


def _log_out(sessions: Sessions, session: Session, _: HandClock) -> None:
    sessions.close(session.id)


def _remove_user(sessions: Sessions, session: Session, _: HandClock) -> None:
    sessions.close_user(session.user)


def _ask_too_late(sessions: Sessions, session: Session, clock: HandClock) -> None:
    clock.time += _MAX_AGE_S
    sessions.find(session.id)


def _sweep_too_late(sessions: Sessions, _: Session, clock: HandClock) -> None:
    clock.time += _MAX_AGE_S
    sessions.sweep()


@pytest.mark.parametrize("end", [_log_out, _remove_user, _ask_too_late, _sweep_too_late])
def test_told(end: Callable[[Sessions, Session, HandClock], object]) -> None:
    """Every holder is told once of any end; it cannot be held any more, and releasing it does nothing."""
    clock = HandClock()
    sessions = Sessions(_IDLE_S, _MAX_AGE_S, clock)
    session, first, second = _opened(sessions), _Holder(), _Holder()
    sessions.hold(session, first)
    sessions.hold(session, second)

    end(sessions, session, clock)

    assert (first.count, second.count) == (1, 1)
    assert not sessions.hold(session, first)
    sessions.release(session, first)
    assert sessions.sweep() == 0


def test_holders_that_let_go_when_told() -> None:
    """A holder may release the session while it is told, and holders of others are not touched."""
    sessions = Sessions(_IDLE_S, _MAX_AGE_S, HandClock())
    session, other, of_other = _opened(sessions), _opened(sessions), _Holder()
    told = []

    def ended() -> None:
        told.append(session)
        sessions.release(session, ended)

    sessions.hold(session, ended)
    sessions.hold(other, of_other)
    sessions.close(session.id)

    assert told == [session]
    assert of_other.count == 0
    assert sessions.find(other.id) is other


def test_too_many() -> None:
    """Where one has to go, it is one that nobody holds; only where all are held, one of these."""
    sessions = Sessions(_IDLE_S, _MAX_AGE_S, HandClock(), most_of_user=2)
    held, idle, holder = _opened(sessions), _opened(sessions), _Holder()
    sessions.hold(held, holder)

    third = _opened(sessions)
    assert (sessions.find(idle.id), holder.count) == (None, 0)
    sessions.hold(third, holder)
    _opened(sessions)

    assert holder.count == 1
    assert len(sessions) == 2


def test_too_many_of_all() -> None:
    """The same holds for all users together."""
    sessions = Sessions(_IDLE_S, _MAX_AGE_S, HandClock(), most=2)
    held, idle, holder = _opened(sessions), _opened(sessions), _Holder()
    sessions.hold(held, holder)

    _opened(sessions, "berta")

    assert (sessions.find(idle.id), sessions.find(held.id)) == (None, held)
