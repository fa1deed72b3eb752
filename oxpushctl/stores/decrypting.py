"""Decrypting beside the event loop: an Argon2 at a time in each of two threads, what needs none at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from oxpushctl.errors import Undecipherable
from oxpushctl.stores import cipher as formats
from oxpushctl.stores.cipher import Cipher

_THREADS = 2
_SAMPLES = 3


class DecryptingPool:
    """Threads for what takes milliseconds of Argon2, which lets the event loop run meanwhile."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="decrypting")

    async def decrypt(self, cipher: Cipher, value: str) -> str:
        """Return a password; raise ``Undecipherable``."""
        if cipher.is_quick(value):
            return cipher.decrypt(value)
        return await asyncio.get_running_loop().run_in_executor(self._executor, cipher.decrypt, value)

    async def opened(self, passcrypt: str, seal: str | None) -> Cipher | None:
        """Return the cipher with a seal's salt, or nothing where the passphrase does not open it."""
        if seal is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._executor, Cipher.of_seal, passcrypt, seal)

    async def seal(self, cipher: Cipher) -> str:
        """Return the seal of a cipher."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, cipher.seal)

    async def can_open_some(self, ciphers: Iterable[Cipher], values: Iterable[str]) -> bool:
        """Tell whether one of the ciphers opens one of a few of the values, or none of these is a password at all.

        With no seal, this is how a wrong passphrase shows. Values of 8.x come first: only they are authenticated.
        """
        wellformed = sorted(filter(formats.is_wellformed, values), key=formats.is_legacy)[:_SAMPLES]
        for cipher in ciphers:
            for value in wellformed:
                try:
                    await self.decrypt(cipher, value)
                except Undecipherable:
                    continue
                return True
        return not wellformed

    async def aclose(self) -> None:
        """Drop what has not begun and wait for the rest."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
