"""How wrong passwords are slowed down: per login, per address, and never beyond what memory may cost."""

from __future__ import annotations

import pytest

from oxpushctl.web.throttle import FREE_OF_ADDRESS, FREE_OF_LOGIN, Attempt, Throttle
from tests.engine.parts import HandClock

_HOME, _ELSEWHERE = "192.0.2.7", "198.51.100.1"
_HALF_AN_HOUR, _DAY = 1800.0, 86400.0


class _Guesses:
    """Makes attempts one after the other, and tells how they went."""

    def __init__(self, **bounds: int) -> None:
        self.clock = HandClock(1_000_000.0)
        self.throttle = Throttle(self.clock.monotonic, **bounds)

    def fail(self, login: str = "anna", address: str | None = _HOME, times: int = 1) -> int:
        """Guess wrongly; return how many guesses were let through."""
        through = 0
        for _ in range(times):
            attempt = self.throttle.begin(login, address)
            if attempt is not None:
                with attempt:
                    attempt.failed()
                through += 1
        return through

    def succeed(self, login: str = "anna", address: str | None = _HOME) -> bool:
        attempt = self.throttle.begin(login, address)
        if attempt is None:
            return False
        with attempt:
            attempt.succeeded()
        return True


def _wait_s(guesses: _Guesses, login: str = "anna", address: str | None = _HOME) -> float:
    """Return for how long the next attempt is refused; the clock stands there afterwards."""
    for waited in range(1000):
        attempt = guesses.throttle.begin(login, address)
        if attempt is not None:
            with attempt:
                return float(waited)
        guesses.clock.time += 1
    raise AssertionError("refused for ever")


def test_login_free_failures() -> None:
    """Three failures of a login cost nothing; the next attempt is refused, wherever it comes from."""
    guesses = _Guesses()

    assert guesses.fail(times=FREE_OF_LOGIN + 1) == FREE_OF_LOGIN
    assert guesses.throttle.begin("anna", _ELSEWHERE) is None
    assert guesses.succeed("berta")


def test_address_that_failed_without_a_try() -> None:
    """What was not tried counts against its address as a wrong password does, and is as soon forgotten."""
    guesses = _Guesses()
    for _ in range(FREE_OF_ADDRESS):
        assert guesses.throttle.admits_address(_HOME)
        guesses.throttle.address_failed(_HOME)

    assert (guesses.throttle.admits_address(_HOME), guesses.throttle.begin("anna", _HOME)) == (False, None)
    assert guesses.throttle.admits_address(_ELSEWHERE)
    guesses.clock.time += _HALF_AN_HOUR
    assert guesses.throttle.admits_address(_HOME)
    assert len(guesses.throttle.addresses) == 0


def test_login_waits_double() -> None:
    """Each further failure doubles the wait, from one second to five minutes."""
    guesses = _Guesses()
    guesses.fail(times=FREE_OF_LOGIN)
    waits = []
    for number in range(11):
        waits.append(_wait_s(guesses, address=f"203.0.113.{number}"))
        guesses.fail(address=f"203.0.113.{number}")

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_many_failures() -> None:
    """No number of failures makes the wait longer, or the arithmetic fail."""
    guesses = _Guesses()
    for _ in range(1200):
        guesses.fail()
        guesses.clock.time += 300

    assert guesses.fail() == 1


def test_refusals_do_not_count() -> None:
    """Whoever asks while refused does not make the wait longer."""
    guesses = _Guesses()
    guesses.fail(times=FREE_OF_LOGIN)
    guesses.fail(times=50)

    guesses.clock.time += 1

    assert guesses.succeed()


def test_address_free_failures() -> None:
    """Ten failures of an address cost nothing, whatever the logins; the next attempt is refused for any login."""
    guesses = _Guesses()
    through = sum(guesses.fail(f"user{number}") for number in range(FREE_OF_ADDRESS + 5))

    assert through == FREE_OF_ADDRESS
    assert guesses.throttle.begin("somebody else", _HOME) is None
    assert guesses.succeed("somebody else", _ELSEWHERE)


def test_address_waits_double() -> None:
    """An address waits longer with each further failure, as a login does."""
    guesses = _Guesses()
    for number in range(FREE_OF_ADDRESS):
        guesses.fail(f"user{number}")
    waits = []
    for number in range(4):
        waits.append(_wait_s(guesses, f"more{number}"))
        guesses.fail(f"more{number}")

    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize(("quiet_s", "expected"), [(_HALF_AN_HOUR - 1, 1), (_HALF_AN_HOUR, FREE_OF_LOGIN)])
def test_forgotten(quiet_s: float, expected: int) -> None:
    """Half an hour without a failure, and nothing is held against a login any more; not a second before."""
    guesses = _Guesses()
    guesses.fail(times=FREE_OF_LOGIN)
    guesses.clock.time += quiet_s

    assert guesses.fail(times=10) == expected


def test_success_forgives_ones_own_failures() -> None:
    """Who mistyped a password and then has it right, starts anew."""
    guesses = _Guesses()
    guesses.fail(times=2)
    guesses.succeed()

    assert guesses.fail(times=2, address=_ELSEWHERE) == 2
    assert (guesses.succeed(address=_ELSEWHERE), len(guesses.throttle.addresses)) == (True, 0)


def test_success_does_not_forgive_others() -> None:
    """What others failed at elsewhere is still held against the login when its owner comes in between."""
    guesses = _Guesses()
    guesses.fail(times=2)
    guesses.fail(address=_ELSEWHERE)
    guesses.clock.time += 1
    assert guesses.succeed()

    assert guesses.fail(times=10, address="203.0.113.1") == FREE_OF_LOGIN - 1


def test_success_does_not_wash_an_address() -> None:
    """Somebody who has one password cannot make an address forget the other logins that it guesses at."""
    guesses = _Guesses()
    through = 0
    for number in range(FREE_OF_ADDRESS * 2):
        guesses.succeed("mine")
        through += guesses.fail(f"user{number}")

    assert through == FREE_OF_ADDRESS


def test_owner_is_not_locked_out() -> None:
    """Where a login succeeded within 30 days, it may be tried at once, whatever others do elsewhere."""
    guesses = _Guesses()
    guesses.succeed()
    guesses.clock.time += 30 * _DAY - 1
    guesses.fail(times=FREE_OF_LOGIN, address=_ELSEWHERE)

    assert (guesses.succeed(address=_ELSEWHERE), guesses.succeed()) == (False, True)


def test_owner_long_away() -> None:
    """After 30 days an address is like any other."""
    guesses = _Guesses()
    guesses.succeed()
    guesses.clock.time += 30 * _DAY
    guesses.fail(times=FREE_OF_LOGIN, address=_ELSEWHERE)

    assert not guesses.succeed()


def test_owner_s_address_is_limited_itself() -> None:
    """From where a login succeeded it can be guessed at no faster than the address may fail."""
    guesses = _Guesses()
    guesses.succeed()

    assert guesses.fail(times=100) == FREE_OF_ADDRESS


def test_clients_without_address() -> None:
    """Clients that have no address are one address, and are never let off since another of them succeeded."""
    guesses = _Guesses()
    guesses.succeed(address=None)
    guesses.fail(times=2, address=None)
    guesses.succeed(address=None)

    assert guesses.fail(times=10, address=None) == FREE_OF_LOGIN - 2
    assert sum(guesses.fail(f"user{number}", None) for number in range(20)) == FREE_OF_ADDRESS - FREE_OF_LOGIN


def _begun(guesses: _Guesses, count: int, login: str, address: str = _HOME) -> list[Attempt]:
    attempts = [guesses.throttle.begin(login, address) for _ in range(count)]
    return [attempt for attempt in attempts if attempt is not None]


def test_no_parallel_guesses_at_a_login() -> None:
    """No more guesses run at a time than may fail without a wait; once one has failed, one at a time."""
    guesses = _Guesses()
    together = _begun(guesses, 10, "anna")
    assert len(together) == FREE_OF_LOGIN
    with together[0] as first:
        first.failed()
    assert _begun(guesses, 10, "anna") == []
    for attempt in together[1:]:
        with attempt:
            pass

    assert len(_begun(guesses, 10, "anna")) == 1


def test_no_parallel_guesses_from_an_address() -> None:
    """An address has no more attempts at a time than may fail without a wait."""
    guesses = _Guesses()
    guesses.fail("x", times=2)

    together = [attempt for number in range(50) for attempt in _begun(guesses, 1, f"user{number}")]

    assert len(together) == FREE_OF_ADDRESS - 2


def test_attempt_without_an_outcome() -> None:
    """An attempt that the mail server did not answer is not held against anybody."""
    guesses = _Guesses()
    for _ in range(50):
        with _begun(guesses, 1, "anna")[0]:
            pass

    assert (len(guesses.throttle.logins), len(guesses.throttle.addresses)) == (0, 0)


def test_memory_is_bounded() -> None:
    """However many logins fail from however many addresses, those that failed longest ago are forgotten first."""
    guesses = _Guesses(most=100)
    guesses.fail("first", "address of first", times=FREE_OF_LOGIN)
    for number in range(99):
        guesses.fail(f"user{number}", f"address{number}")
    guesses.clock.time += 1
    guesses.fail("first", "address of first")
    for number in range(99, 198):
        guesses.fail(f"user{number}", f"address{number}")

    assert (len(guesses.throttle.logins), len(guesses.throttle.addresses)) == (100, 100)
    assert guesses.fail("first", "address of first") == 0


def test_known_addresses_are_bounded() -> None:
    """However many logins succeed, those that succeeded longest ago are forgotten first."""
    guesses = _Guesses(most=3)
    for login in ("anna", "berta", "carla", "anna", "dora"):
        guesses.succeed(login)
    for login in ("anna", "berta"):
        guesses.fail(login, _ELSEWHERE, times=FREE_OF_LOGIN)

    assert (guesses.succeed("anna"), guesses.succeed("berta")) == (True, False)


def test_old_records_go_by_the_way() -> None:
    """What is forgotten takes no memory once anybody logs in."""
    guesses = _Guesses()
    for number in range(50):
        guesses.fail(f"user{number}", f"address{number}")
    guesses.clock.time += _HALF_AN_HOUR

    guesses.succeed()

    assert (len(guesses.throttle.logins), len(guesses.throttle.addresses)) == (0, 0)
