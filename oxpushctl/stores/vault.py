"""Kept mail passwords, in clear for whoever opens a mailbox and encrypted wherever they are kept.

Which passphrase they are under shows in the seal beside them: a member with another one is refused before it writes
anything or reads a password, and so is everybody while they are brought under another one. To walk over them and to
remove one takes no passphrase.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from oxpushctl.config.properties import PASSCRYPT
from oxpushctl.errors import BadData, ConfigurationError, TryLater, Undecipherable
from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import Credential, CredentialState, KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.checks import check_kept
from oxpushctl.stores.cipher import Cipher
from oxpushctl.stores.decrypting import DecryptingPool
from oxpushctl.stores.rotation import Rotation, rotate

_PAGE = 500
_ANOTHER = (
    f"{PASSCRYPT.key} is another than the one that the mail passwords are kept under: set that one, or bring them "
    "under this one with 'oxpushctl credentials rotate'"
)
_UNFINISHED = (
    f"{PASSCRYPT.key}: to bring the kept mail passwords under another passphrase was begun and is not finished: run "
    "'oxpushctl credentials rotate' again"
)


class _Unfinished(ConfigurationError):
    """The passwords are being brought under another passphrase, from ours or to it."""


@dataclass(frozen=True, slots=True)
class _Opened:
    seals: Seals
    cipher: Cipher


class Vault:
    """A ``CredentialStore`` over rows of any technology, which it leaves open.

    What encrypts or decrypts, and ``mark``, raises ``ConfigurationError`` where the passwords are kept under another
    passphrase.
    """

    def __init__(self, rows: CredentialRows, passcrypt: str) -> None:
        self._rows = rows
        self._passcrypt = passcrypt
        self._pool = DecryptingPool()
        self._opening = asyncio.Lock()
        self._opened: _Opened | None = None

    async def open(self) -> None:
        """See that the passphrase is the one that passwords are kept under; the first one to come decides on it."""
        await self._sealed()

    async def refuse_another_passphrase(self) -> None:
        """Raise ``ConfigurationError`` where the passwords never were and will not be under ours.

        While they are brought from or to it, that is nothing to whoever decrypts none.
        """
        with suppress(_Unfinished):
            await self._ready()

    async def put(self, credential: Credential, origin: Origin) -> bool:
        """Keep a password; tell whether that changed anything. What a command set stays of a command's origin.

        Raise ``BadData`` for a login or password that cannot be kept.
        """
        opened = await self._sealed()
        value = opened.cipher.encrypt(credential.secret)
        before = await self._rows.get(credential.user)
        if before is None or not await self._is_same(opened, before, credential):
            await self._write([KeptCredential(credential.user, credential.login, value, origin)])
            return True
        if before.state is CredentialState.REFUSED:
            await self._rows.mark(before, CredentialState.UNTRIED)  # who gives it again wants it to be tried again
        if before.origin in (origin, Origin.COMMAND):
            return False
        state = CredentialState.UNTRIED if before.state is CredentialState.REFUSED else before.state
        await self._write([replace(before, origin=origin, state=state)])
        return True

    async def renew(self, credential: Credential) -> bool:
        """Put the password that just opened a mailbox in place of another one kept for this login, if there is one.

        Logins are compared in lower case, as mail servers and the directory do.
        """
        opened = await self._sealed()
        before = await self._rows.get(credential.user)
        if before is None or before.login.lower() != credential.login.lower():
            return False
        if not await self._is_same(opened, before, credential):
            value = opened.cipher.encrypt(credential.secret)
            await self._write([replace(before, login=credential.login, value=value, state=CredentialState.OPENED)])
            return True
        if before.state is not CredentialState.OPENED:
            await self._rows.mark(before, CredentialState.OPENED)
        return False

    async def get(self, user: PushUser) -> Credential | None:
        """Return what is kept for a user; raise ``Undecipherable`` for what cannot be decrypted."""
        await self._ready()
        kept = await self._rows.get(user)
        return None if kept is None else await self.decrypted(kept)

    async def row(self, user: PushUser) -> KeptCredential | None:
        """Return what is kept for a user as it is kept, with what it is worth."""
        return await self._rows.get(user)

    async def remove(self, user: PushUser, origin: Origin | None = None) -> bool:
        """Forget a user's password, of one origin only if one is given; tell whether it was there."""
        return await self._rows.remove(user, origin)

    async def kept(self, after: PushUser | None = None, *, context: int | None = None) -> AsyncIterator[KeptCredential]:
        """Walk over what is kept, encrypted, in the order of context and user, behind a user or from the start."""
        while page := await self._rows.page(after, _PAGE, context=context):
            for kept in page:
                yield kept
            after = page[-1].user

    async def kept_of(self, users: Iterable[PushUser]) -> Mapping[PushUser, KeptCredential]:
        """Return what some users have, encrypted: where they come in order, most of it is one page."""
        wanted = sorted(users)
        if not wanted:
            return {}
        page = await self._rows.page(PushUser(wanted[0].context, wanted[0].user - 1), len(wanted))
        found = {kept.user: kept for kept in page}
        if len(page) == len(wanted):
            for user in wanted:
                if user > page[-1].user and (kept := await self._rows.get(user)) is not None:
                    found[user] = kept
        return {user: found[user] for user in wanted if user in found}

    async def decrypted(self, kept: KeptCredential) -> Credential:
        """Return the password of a row; raise ``Undecipherable``."""
        opened = await self._ready()
        try:
            secret = await self._pool.decrypt(opened.cipher, kept.value)
        except Undecipherable:
            if await self._rows.seals() != opened.seals:
                await self._ready(but_not=opened)  # refuses when the row is under another passphrase by now
            raise
        return Credential(kept.user, kept.login, secret)

    async def put_encrypted(self, rows: Sequence[KeptCredential]) -> Sequence[BadData | None]:
        """Keep encrypted passwords as they are; return for each why it was refused, or ``None``.

        Each must open with our passphrase. What is kept like this already is not written again, and of several rows
        of one user the last one counts.
        """
        opened = await self._sealed()
        refusals = list(await asyncio.gather(*(self._refusal(opened, row) for row in rows)))
        sound = {row.user: row for row, refusal in zip(rows, refusals, strict=True) if refusal is None}
        before = await self.kept_of(sound)
        refused = await self._put_sound([row for row in sound.values() if not _is_kept(row, before.get(row.user))])
        return [
            refusal or (refused.get(row.user) if sound.get(row.user) is row else None)
            for row, refusal in zip(rows, refusals, strict=True)
        ]

    async def mark(self, kept: KeptCredential, state: CredentialState) -> None:
        """Note what the mail server said about a password, unless another one is kept by now."""
        await self._ready()
        await self._rows.mark(kept, state)

    async def count(self, *, context: int | None = None) -> int:
        """Return how many passwords are kept, under whatever passphrase."""
        count, after = 0, None
        while page := await self._rows.page(after, _PAGE, context=context):
            count, after = count + len(page), page[-1].user
        return count

    async def rotated(self, old: str, advance: Callable[[int], None] = lambda _count: None) -> Rotation:
        """Bring what is kept from an old passphrase under ours; ``rotation`` says how, and what it raises."""
        return await rotate(self._rows, old, self._passcrypt, advance)

    async def aclose(self) -> None:
        """Let go of the threads."""
        await self._pool.aclose()

    async def _ready(self, *, but_not: _Opened | None = None) -> _Opened:
        """Return the seals and their cipher, read once; ``but_not`` are those that turned out to be others by now."""
        if self._opened is not None and self._opened is not but_not:
            return self._opened
        async with self._opening:
            if self._opened is but_not:
                self._opened = None
            if self._opened is None:
                self._opened = await self._open()
            return self._opened

    async def _sealed(self, *, but_not: _Opened | None = None) -> _Opened:
        """Return the seals and their cipher for somebody who writes: where there are none, ours is put there."""
        opened = await self._ready(but_not=but_not)
        if opened.seals != Seals():
            return opened
        async with self._opening:
            if self._opened is opened:
                self._opened = await self._open(is_sealing=True)
        return await self._ready()

    async def _open(self, *, is_sealing: bool = False) -> _Opened:
        """Read the seals; who only reads puts none there, since it may be that nothing is ever written."""
        while (seals := await self._rows.seals()) == Seals():
            cipher = Cipher(self._passcrypt)
            some = await self._rows.page(None, _PAGE)
            if not await self._pool.can_open_some([cipher], [kept.value for kept in some]):
                raise ConfigurationError(_ANOTHER)
            if not is_sealing:
                return _Opened(seals, cipher)
            after = Seals(current=await self._pool.seal(cipher))
            if await self._rows.seal(seals, after):
                return _Opened(after, cipher)
        opened = await self._pool.opened(self._passcrypt, seals.current)
        if opened is not None and seals.following is None:
            return _Opened(seals, opened)
        if opened is not None or await self._pool.opened(self._passcrypt, seals.following) is not None:
            raise _Unfinished(_UNFINISHED)
        raise ConfigurationError(_ANOTHER)

    async def _is_same(self, opened: _Opened, before: KeptCredential, credential: Credential) -> bool:
        if before.login != credential.login:
            return False
        try:
            return await self._pool.decrypt(opened.cipher, before.value) == credential.secret
        except Undecipherable:
            return False

    async def _write(self, rows: Sequence[KeptCredential]) -> None:
        """Write rows under the seals that we know, or once under others that our passphrase opens as well."""
        for row in rows:
            check_kept(row)
        opened = await self._sealed()
        if await self._rows.put(rows, opened.seals):
            return
        opened = await self._sealed(but_not=opened)
        if not await self._rows.put(rows, opened.seals):
            raise TryLater("the kept mail passwords are being brought under another passphrase: try again in a while")

    async def _refusal(self, opened: _Opened, row: KeptCredential) -> BadData | None:
        try:
            check_kept(row)
            await self._pool.decrypt(opened.cipher, row.value)
        except BadData as refusal:
            return refusal
        return None

    async def _put_sound(self, rows: Sequence[KeptCredential]) -> Mapping[PushUser, BadData]:
        """Write rows, and one by one where the technology does not take all; return why it did not."""
        if not rows:
            return {}
        try:
            await self._write(rows)
        except BadData as refusal:
            if len(rows) == 1:
                return {rows[0].user: refusal}
        else:
            return {}
        refused: dict[PushUser, BadData] = {}
        for row in rows:
            refused |= await self._put_sound([row])
        return refused


def _is_kept(row: KeptCredential, before: KeptCredential | None) -> bool:
    """Tell whether a row is there already, whatever its state; one of a command's origin stays of it."""
    if before is None or before.origin not in (row.origin, Origin.COMMAND):
        return False
    return (row.login, row.value) == (before.login, before.value)
