"""Kept passwords as the middleware writes them, made with the recipe of its formats and not with our code."""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode, b64encode
from collections.abc import Sequence

import mmh3
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2i
from cryptography.hazmat.primitives.padding import PKCS7

from oxpushctl.interfaces import CredentialRows
from oxpushctl.model import KeptCredential, Origin, PushUser, Seals
from oxpushctl.stores.cipher import salt_of
from oxpushctl.stores.vault import Vault

ALICE, BOB, CAROL = PushUser(1, 3), PushUser(1, 4), PushUser(2, 3)


def key_8(passphrase: str, salt: bytes, memory: int = 15360, iterations: int = 2, lanes: int = 1) -> bytes:
    """Derive a key as 8.x does."""
    argon2 = Argon2i(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory)
    return argon2.derive(mmh3.mmh3_x64_128_digest(passphrase.encode()).hex().encode())


def value_8(passphrase: str, text: str, *, memory: int = 15360, iterations: int = 2, lanes: int = 1) -> str:
    """Encrypt as 8.x does: with a salt of its own."""
    iv, salt = os.urandom(12), os.urandom(16)
    sealed = AESGCM(key_8(passphrase, salt, memory, iterations, lanes)).encrypt(iv, text.encode(), None)
    parts = [b64encode(iv), b64encode(salt), *(str(n).encode() for n in (memory, iterations, lanes)), b64encode(sealed)]
    return b"$".join(parts).decode()


def text_8(value: str, key: bytes) -> str:
    """Decrypt as 8.x does, once the key is derived."""
    iv, *_, sealed = value.split("$")
    return AESGCM(key).decrypt(b64decode(iv), b64decode(sealed), None).decode()


def value_7(passphrase: str, plain: bytes) -> str:
    """Encrypt as 7.x does: the same each time."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES(key_7(passphrase)), CBC(bytes(16))).encryptor()
    return b64encode(encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()).decode()


def key_7(passphrase: str) -> bytes:
    """Derive a key as 7.x does."""
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), bytes(range(16)), 1000, 16)


def kept(user: PushUser, value: str, origin: Origin = Origin.COMMAND) -> KeptCredential:
    """Return a row of a user whose login tells who it is."""
    return KeptCredential(user, f"user{user}", value, origin)


async def everything(rows: CredentialRows) -> list[KeptCredential]:
    """Return every row."""
    return list(await rows.page(None, 100_000))


async def filled(rows: CredentialRows, values: Sequence[str], seals: Seals) -> list[KeptCredential]:
    """Put a row for each value; return them."""
    written = [kept(PushUser(1 + number // 500, 1 + number % 500), value) for number, value in enumerate(values)]
    assert await rows.seal(Seals(), seals)
    assert await rows.put(written, seals)
    return written


async def secrets(rows: CredentialRows, passphrase: str) -> list[str]:
    """Return every password as a member with a passphrase reads it."""
    vault = Vault(rows, passphrase)
    try:
        return [(await vault.decrypted(row)).secret async for row in vault.kept()]
    finally:
        await vault.aclose()


async def salts(rows: CredentialRows) -> set[bytes | None]:
    """Return the salts of all rows and of the seal."""
    seal = (await rows.seals()).current or ""
    return {salt_of(value) for value in [seal, *(row.value for row in await everything(rows))]}
