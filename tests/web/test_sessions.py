"""Sessions: how they are found, when they end, and that there is a bound on them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

from oxpushctl.config.own import SESSION_IDLE, SESSION_MAX_AGE
from oxpushctl.config.settings import Settings
from oxpushctl.model import PushUser
from oxpushctl.web.sessions import Session, Sessions
from tests.engine.parts import ANTON, BERTA, HandClock

_IDLE_S, _MAX_AGE_S = 100.0, 1000.0


def _opened(sessions: Sessions, user: PushUser = ANTON, login: str = "anton", secret: str = "pw") -> Session:
    return sessions.open(user, login, client="app", secret=secret, address="192.0.2.7")


def _sessions(clock: HandClock, **bounds: int) -> Sessions:
    return Sessions(_IDLE_S, _MAX_AGE_S, clock, **bounds)


def test_found() -> None:
    """A session is found by its id, with what it was opened with; by no other id."""
    sessions = _sessions(HandClock())
    session = _opened(sessions)

    found = sessions.find(session.id)

    assert found is session
    assert (found.user, found.login, found.client, found.secret, found.address) == (
        ANTON,
        "anton",
        "app",
        "pw",
        "192.0.2.7",
    )
    other = session.id[:-1] + ("0" if session.id[-1] != "0" else "1")
    assert [sessions.find(wrong) for wrong in ("", other, session.id.upper() + "x", "é", "\udcff")] == [None] * 5


def test_ids() -> None:
    """An id is 32 hexadecimal digits, and none comes twice."""
    sessions = _sessions(HandClock())

    ids = {_opened(sessions).id for _ in range(50)}

    assert len(ids) == 50
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)


def test_secrets_are_not_shown() -> None:
    """Neither id nor password is in what a log or traceback would show; a log shows four characters of the id."""
    session = _opened(_sessions(HandClock()), secret="marker")

    assert session.id not in repr(session)
    assert "marker" not in repr(session)
    assert session.shown == f"{session.id[:4]}…"


def test_idle() -> None:
    """A session ends when it was not used for long enough; each use counts."""
    clock = HandClock()
    sessions = _sessions(clock)
    session = _opened(sessions)
    for _ in range(3):
        clock.time += _IDLE_S - 1
        assert sessions.find(session.id) is session

    clock.time += _IDLE_S

    assert (sessions.find(session.id), len(sessions)) == (None, 0)


def test_absolute_age() -> None:
    """However often it is used, a session ends with its greatest age."""
    clock = HandClock()
    sessions = _sessions(clock)
    session = _opened(sessions)
    for _ in range(19):
        clock.time += _MAX_AGE_S / 20
        assert sessions.find(session.id) is session

    clock.time += _MAX_AGE_S / 20

    assert (sessions.find(session.id), len(sessions)) == (None, 0)


def test_close() -> None:
    """A closed session is gone; it is closed once."""
    sessions = _sessions(HandClock())
    session, other = _opened(sessions), _opened(sessions)

    assert (sessions.close(session.id), sessions.close(session.id)) == (True, False)
    assert (sessions.find(session.id), sessions.find(other.id)) == (None, other)


def test_close_user() -> None:
    """All sessions of a user end, nobody else's."""
    sessions = _sessions(HandClock())
    its = [_opened(sessions) for _ in range(3)]
    other = _opened(sessions, BERTA)

    assert (sessions.close_user(ANTON), sessions.close_user(ANTON)) == (3, 0)
    assert [sessions.find(session.id) for session in its] == [None] * 3
    assert sessions.find(other.id) is other


def test_too_many_of_one_user() -> None:
    """A user that opens one too many loses the one that was not used for longest; others lose none."""
    sessions = _sessions(HandClock(), most_of_user=3)
    other = _opened(sessions, BERTA)
    first, second, third = (_opened(sessions) for _ in range(3))
    sessions.find(first.id)

    fourth = _opened(sessions)

    found = [sessions.find(session.id) for session in (first, second, third, fourth, other)]
    assert found == [first, None, third, fourth, other]


def test_too_many_at_all() -> None:
    """Where there is one too many, the one that was not used for longest goes."""
    sessions = _sessions(HandClock(), most=3)
    first, second, third = (_opened(sessions, PushUser(1, user)) for user in (1, 2, 3))
    sessions.find(first.id)

    fourth = _opened(sessions, PushUser(1, 4))

    found = [sessions.find(session.id) for session in (first, second, third, fourth)]
    assert found == [first, None, third, fourth]


def test_one_session_a_user() -> None:
    """A bound of one is a bound, too."""
    sessions = _sessions(HandClock(), most_of_user=1)
    first = _opened(sessions)

    second = _opened(sessions)

    assert (sessions.find(first.id), sessions.find(second.id), len(sessions)) == (None, second, 1)


def test_expired_ones_go_by_the_way() -> None:
    """Whoever opens and finds sessions removes those that are over, also if nobody asks for them again."""
    clock = HandClock()
    sessions = _sessions(clock)
    for user in range(1, 51):
        _opened(sessions, PushUser(1, user))
    clock.time += _IDLE_S

    for _ in range(25):
        _opened(sessions, BERTA)

    assert len(sessions) == 25


def test_sweep() -> None:
    """What is over can be removed at once; what is not stays."""
    clock = HandClock()
    sessions = _sessions(clock)
    for _ in range(30):
        _opened(sessions)
    clock.time += _IDLE_S / 2
    kept = _opened(sessions)
    clock.time += _IDLE_S / 2

    assert (sessions.sweep(), sessions.sweep()) == (30, 0)
    assert sessions.find(kept.id) is kept


def _replace(sessions: Sessions, session_id: str) -> None:
    for _ in range(3):
        _opened(sessions, BERTA)


def _expire(sessions: Sessions, session_id: str) -> None:
    assert sessions.find(session_id) is None


@pytest.mark.parametrize(
    ("after", "end"),
    [
        (0, lambda sessions, session_id: sessions.close(session_id)),
        (0, lambda sessions, session_id: sessions.close_user(PushUser(7, 11))),
        (0, _replace),
        (_IDLE_S, _expire),
        (_IDLE_S, lambda sessions, session_id: sessions.sweep()),
    ],
)
def test_nothing_is_left_of_a_user(after: float, end: Callable[[Sessions, str], object]) -> None:
    """With its last session goes all that is known of a user: who logs in once does not cost memory for ever."""
    clock = HandClock()
    sessions = _sessions(clock, most=3)
    user = PushUser(7, 11)
    before = sys.getrefcount(user)
    ids = [_opened(sessions, user).id for _ in range(2)]
    assert sys.getrefcount(user) > before
    sessions.close(ids[0])
    clock.time += after

    end(sessions, ids[1])

    assert sys.getrefcount(user) == before


def test_changed_password() -> None:
    """The password that opened the mailbox last is that of all sessions with this login, of nobody else's."""
    sessions = _sessions(HandClock())
    before = _opened(sessions, secret="old")
    renamed = _opened(sessions, login="toni", secret="old")
    other = _opened(sessions, BERTA, secret="old")

    _opened(sessions, secret="new")

    assert [session.secret for session in (before, renamed, other)] == ["new", "old", "old"]


@pytest.mark.parametrize(("idle", "age", "after", "is_there"), [(60.0, 600.0, 59, True), (600.0, 60.0, 60, False)])
def test_from_settings(idle: float, age: float, after: float, is_there: bool) -> None:
    """Sessions last for as long as the configuration says."""
    clock = HandClock()
    sessions = Sessions.from_settings(Settings({SESSION_IDLE.key: idle, SESSION_MAX_AGE.key: age}), clock)
    session = _opened(sessions)
    clock.time += after

    assert (sessions.find(session.id) is session) == is_there
