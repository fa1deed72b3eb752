"""Bringing every kept password under one passphrase and one salt, a batch at a time; a crash anywhere costs nothing.

::

    seals      current=old                      vaults with the old passphrase read and write
               current=old  following=new       rows are brought over; no vault writes, whatever its passphrase
               current=new                      done; vaults with the new passphrase read and write

What is under the new passphrase with the seal's salt is left as it is, so a second run goes on where the first ended.
A row is written only over the value that was read. The middleware knows no seals, so whole passes are made until one
found nothing of the old passphrase. To go back half-way, the two seals are swapped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from oxpushctl.errors import ConfigurationError, NotPermitted, TryLater, Undecipherable
from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import KeptCredential, PushUser, Seals
from oxpushctl.stores import cipher as formats
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.decrypting import DecryptingPool

_BATCH = 200
_MOST_PASSES = 20


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of the rows: brought under passphrase and salt, there already, and left as none could open them."""

    changed: int
    already: int
    unopened: Sequence[tuple[PushUser, str]]


async def rotate(
    rows: CredentialRows, old: str | None, new: str, advance: Callable[[int], None] = lambda _count: None
) -> Rotation:
    """Bring kept passwords from an old passphrase, or from other salts and the format of 7.x, under the new one.

    ``advance`` is called with the number of rows that a batch had, each row counted once. Raise ``NotPermitted`` when
    the old passphrase is not the one, ``ConfigurationError`` when they are being brought under yet another, and
    ``TryLater`` when somebody else interferes: nothing is lost, and a second run goes on.
    """
    run = _Run(rows, old, new, advance)
    try:
        return await run.run()
    finally:
        await run.aclose()


@dataclass(frozen=True, slots=True)
class _Course:
    """Where it goes: the seals meanwhile and at the end, and the ciphers to write with and to read from."""

    seals: Seals
    end: Seals
    target: Cipher
    source: Cipher | None


class _Found(Enum):
    """What a row is."""

    ALREADY = "already"
    OTHER_SALT = "other salt"
    OLD = "old"
    UNOPENED = "unopened"


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found in a row: the value to write, or why there is none."""

    kept: KeptCredential
    found: _Found
    value: str = ""
    reason: str = ""


class _Run:
    def __init__(self, rows: CredentialRows, old: str | None, new: str, advance: Callable[[int], None]) -> None:
        self._rows = rows
        self._old = old
        self._new = new
        self._advance = advance
        self._pool = DecryptingPool()
        self._source = None if old is None else Cipher(old)
        self._furthest: PushUser | None = None
        self._changed = 0
        self._already = 0
        self._unopened: list[tuple[PushUser, str]] = []

    async def run(self) -> Rotation:
        """Choose the course, make passes until nothing is left to do, and put the last seals."""
        before = await self._rows.seals()
        course = await self._begun()
        try:
            for _ in range(_MOST_PASSES):
                if await self._passed(course) and await self._ended(course):
                    return Rotation(self._changed, self._already, self._unopened)
                course = await self._still(course)
        except ConfigurationError:
            # A table that is too narrow refuses the first batch already: then it is as if this had not begun.
            if not self._changed:
                await self._rows.seal(course.seals, before)
            raise
        raise TryLater(
            "another program keeps writing mail passwords under the old passphrase: give it the new one, then rotate "
            "again"
        )

    async def aclose(self) -> None:
        """Let go of the threads."""
        await self._pool.aclose()

    async def _begun(self) -> _Course:
        """Put the seals that let nobody write meanwhile; they are read again, since somebody else may be faster."""
        while True:
            seals = await self._rows.seals()
            chosen = await self._chosen(seals)
            if isinstance(chosen, _Course):
                return chosen
            await self._rows.seal(seals, chosen)

    async def _chosen(self, seals: Seals) -> _Course | Seals:
        """Return the course under these seals, or the seals to put first."""
        target = await self._pool.opened(self._new, seals.current)
        if target is not None and seals.following is None:
            return _Course(seals, seals, target, self._source)
        if target is not None:
            await self._demand_old(seals.following, "were being brought under")
            return Seals(current=seals.following, following=seals.current)
        source = self._source
        if seals.current is not None:
            source = await self._demand_old(seals.current, "are kept under")
        if seals.following is None:
            new = Cipher(self._new)
            if seals.current is None:
                await self._demand_samples(new)
            return Seals(current=seals.current, following=await self._pool.seal(new))
        target = await self._pool.opened(self._new, seals.following)
        if target is None:
            raise ConfigurationError(
                "the kept mail passwords are being brought under another passphrase than this one: finish that first, "
                "with 'oxpushctl credentials rotate' under that one"
            )
        return _Course(seals, Seals(current=seals.following), target, source)

    async def _demand_old(self, seal: str | None, which: str) -> Cipher:
        """Return the cipher of the old passphrase, which has to open a seal."""
        if self._old is None:
            raise NotPermitted(f"the passphrase that the mail passwords {which} is needed as the old one")
        source = await self._pool.opened(self._old, seal)
        if source is None:
            raise NotPermitted(f"the old passphrase is not the one that the mail passwords {which}")
        return source

    async def _demand_samples(self, new: Cipher) -> None:
        """Where there is no seal yet, have the passwords themselves tell whether a passphrase is theirs."""
        ciphers = [new] if self._source is None else [self._source, new]
        some = await self._rows.page(None, _BATCH)
        if not await self._pool.can_open_some(ciphers, [kept.value for kept in some]):
            raise NotPermitted("none of the kept mail passwords can be opened: give the passphrase that they are under")

    async def _passed(self, course: _Course) -> bool:
        """Go through all rows; tell whether no other pass is needed."""
        is_last = True
        self._unopened = []
        after: PushUser | None = None
        while batch := await self._rows.page(after, _BATCH):
            after = batch[-1].user
            looks = await asyncio.gather(*(self._looked_at(course, kept) for kept in batch))
            changes = [(look.kept, look.value) for look in looks if look.value]
            replaced = await self._rows.replace(changes, course.seals) if changes else 0
            if replaced is None:
                return False
            self._count(looks, replaced)
            # Whoever wrote one row behind our back may have written others where we have been already.
            if replaced < len(changes) or any(look.found is _Found.OLD for look in looks):
                is_last = False
        return is_last

    def _count(self, looks: Sequence[_Look], replaced: int) -> None:
        """Count what a batch had; a row of an earlier pass counts once more only where it was replaced again."""
        self._changed += replaced
        self._unopened += [(look.kept.user, look.reason) for look in looks if look.found is _Found.UNOPENED]
        seen = [look for look in looks if self._furthest is None or look.kept.user > self._furthest]
        if seen:
            self._furthest = seen[-1].kept.user
            self._already += sum(look.found is _Found.ALREADY for look in seen)
            self._advance(len(seen))

    async def _ended(self, course: _Course) -> bool:
        """Put the last seals, unless they are in place."""
        return await self._rows.seals() == course.end or await self._rows.seal(course.seals, course.end)

    async def _still(self, course: _Course) -> _Course:
        """Return the course again, with its last seals where another run of the same was faster."""
        seals = await self._rows.seals()
        if seals not in (course.seals, course.end):
            raise TryLater("the passphrase of kept mail passwords is being changed elsewhere too: rotate again")
        return replace(course, seals=seals)

    async def _looked_at(self, course: _Course, kept: KeptCredential) -> _Look:
        try:
            text, found = await self._opened(course, kept.value)
        except Undecipherable as reason:
            return _Look(kept, _Found.UNOPENED, reason=str(reason))
        return _Look(kept, found, "" if found is _Found.ALREADY else course.target.encrypt(text))

    async def _opened(self, course: _Course, value: str) -> tuple[str, _Found]:
        """Return the password of a value and what it is under."""
        candidates = _candidates(course, value)
        opened: dict[str, _Found] = {}
        for cipher, found in candidates:
            with suppress(Undecipherable):
                opened.setdefault(await self._pool.decrypt(cipher, value), found)
            if opened and not formats.is_legacy(value):
                break
        if len(opened) > 1:
            # Nothing authenticates a value of 7.x: a wrong passphrase may seem to open it.
            raise Undecipherable("both passphrases seem to open the kept password, each to another: set it again")
        if not opened:
            await self._pool.decrypt(course.target, value)  # says what is wrong with it
        return next(iter(opened.items()))


def _candidates(course: _Course, value: str) -> Sequence[tuple[Cipher, _Found]]:
    """Return the ciphers that may open a value, the likeliest first."""
    is_own = course.target.is_own(value)
    under_new = (course.target, _Found.ALREADY if is_own else _Found.OTHER_SALT)
    if course.source is None:
        return [under_new]
    under_old = (course.source, _Found.OLD)
    # While rows are brought over, a salt that is not the last seal's is one of the old passphrase.
    is_old_likelier = course.seals != course.end and not is_own
    return [under_old, under_new] if is_old_likelier else [under_new, under_old]
