"""How fast passwords may be guessed: wrong ones slow down the login that they are for, and the address they come from.

::

    failures   1 … free │ free+1  free+2  …                     forgotten after 30 minutes without another
    wait       none     │ 1 s ──► 2 s ──► 4 s … 5 minutes

``free`` is 3 for a login and 10 for an address. Until the wait is over nothing is tried, so that the mail server is not
asked either. Anybody can make a login fail: an address from which it succeeded lately does not wait for that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

FREE_OF_LOGIN, FREE_OF_ADDRESS = 3, 10

_FIRST_S, _LONGEST_S = 1.0, 300.0
_MOST_DOUBLINGS = 16
_FORGOTTEN_S = 30 * 60.0
_KNOWN_S = 30 * 86400.0
_MOST = 50_000
_MOST_ADDRESSES = 16


@dataclass(eq=False, slots=True)
class _Record:
    """What is held against a login or address; ``of_addresses`` are a login's failures by where they came from."""

    failures: int = 0
    failed_at: float = 0.0
    under_way: int = 0
    of_addresses: dict[str, int] = field(default_factory=dict)


class _Ledger:
    """The records of all logins, or of all addresses; those that failed longest ago go where there are too many.

    ``is_strict``: one attempt at a time as soon as one has failed; else as many as could fail without a wait.
    """

    def __init__(self, free: int, most: int, monotonic: Callable[[], float], *, is_strict: bool) -> None:
        self._free = free
        self._most = most
        self._monotonic = monotonic
        self._is_strict = is_strict
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def begin(self, key: str) -> _Record:
        """Return the record of an attempt that begins."""
        record = self._records.get(key)
        if record is None:
            if len(self._records) >= self._most:
                self._records.popitem(last=False)
            record = self._records[key] = _Record()
        record.under_way += 1
        return record

    def admits(self, key: str) -> bool:
        """Tell whether an attempt may begin."""
        self._forget()
        record = self._records.get(key)
        if record is None:
            return True
        one_at_a_time = self._is_strict and record.failures > 0
        together = 1 if one_at_a_time else max(1, self._free - record.failures)
        return record.under_way < together and self._monotonic() >= record.failed_at + self._wait_s(record)

    def failed(self, key: str, record: _Record) -> None:
        """Hold a failure against a key."""
        record.failures += 1
        record.failed_at = self._monotonic()
        if key in self._records:
            self._records.move_to_end(key)

    def end(self, key: str, record: _Record) -> None:
        """Note that an attempt is over."""
        record.under_way -= 1
        if record.failures <= 0 and record.under_way == 0 and self._records.get(key) is record:
            del self._records[key]

    def _wait_s(self, record: _Record) -> float:
        if record.failures < self._free:
            return 0.0
        return min(_FIRST_S * 2.0 ** min(record.failures - self._free, _MOST_DOUBLINGS), _LONGEST_S)

    def _forget(self) -> None:
        """Remove what failed long ago: the first ones, since they are in the order of it."""
        now = self._monotonic()
        while self._records:
            key, record = next(iter(self._records.items()))
            if record.under_way or now < record.failed_at + _FORGOTTEN_S:
                break
            del self._records[key]


class Throttle:
    """Decides who may try a password now; ``begin`` is asked before the mail server is."""

    def __init__(self, monotonic: Callable[[], float], *, most: int = _MOST) -> None:
        self._monotonic = monotonic
        self._most = most
        self.logins = _Ledger(FREE_OF_LOGIN, most, monotonic, is_strict=True)
        self.addresses = _Ledger(FREE_OF_ADDRESS, most, monotonic, is_strict=False)
        self._known: OrderedDict[tuple[str, str | None], float] = OrderedDict()

    def begin(self, login: str, address: str | None) -> Attempt | None:
        """Return an attempt to be made and ended, ``None`` when there must be none now.

        The login is compared as it is. All clients without an address (``None``) are one address, that is never known.
        """
        if not self.admits_address(address):
            return None
        if not self.logins.admits(login) and not self._is_known(login, address):
            return None
        return Attempt(self, login, address)

    def admits_address(self, address: str | None) -> bool:
        """Tell whether an attempt may come from an address now, whoever's login it is for."""
        return self.addresses.admits(address or "")

    def address_failed(self, address: str | None) -> None:
        """Count what is wrong whoever's login it is for, and so is not tried."""
        record = self.addresses.begin(address or "")
        self.addresses.failed(address or "", record)
        self.addresses.end(address or "", record)

    def remember(self, login: str, address: str) -> None:
        """Note that a login succeeded from an address."""
        self._known[login, address] = self._monotonic()
        self._known.move_to_end((login, address))
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def _is_known(self, login: str, address: str | None) -> bool:
        at = self._known.get((login, address))
        return at is not None and self._monotonic() < at + _KNOWN_S


class Attempt:
    """One attempt: ``with attempt:`` try, then tell how it went, or nothing when the mail server did not answer."""

    def __init__(self, throttle: Throttle, login: str, address: str | None) -> None:
        self._throttle = throttle
        self._login = login
        self._address = address
        self._of_login = throttle.logins.begin(login)
        self._of_address = throttle.addresses.begin(address or "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._throttle.logins.end(self._login, self._of_login)
        self._throttle.addresses.end(self._address or "", self._of_address)

    def failed(self) -> None:
        """Count a wrong password."""
        self._throttle.logins.failed(self._login, self._of_login)
        self._throttle.addresses.failed(self._address or "", self._of_address)
        places = self._of_login.of_addresses
        if self._address is not None and (self._address in places or len(places) < _MOST_ADDRESSES):
            places[self._address] = places.get(self._address, 0) + 1

    def succeeded(self) -> None:
        """Forgive the failures of this login that came from this address, not those of others or from elsewhere."""
        if self._address is None:
            return
        forgiven = self._of_login.of_addresses.pop(self._address, 0)
        self._of_login.failures -= forgiven
        self._of_address.failures = max(0, self._of_address.failures - forgiven)
        self._throttle.remember(self._login, self._address)
