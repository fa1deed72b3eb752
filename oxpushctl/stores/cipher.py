"""How the middleware encrypts kept mail passwords: reads the formats of 8.x and 7.x, writes that of 8.x.

::

    8.x   base64(iv)$base64(salt)$memory$iterations$lanes$base64(cipher text, tag)      AES-256-GCM, no AAD
          iv 12 bytes, salt 16, tag 16; memory in KiB; numbers decimal; text in UTF-8
          key = Argon2i 0x13 (password = hexadecimal digits of MurmurHash3 x64-128, seed 0, of the passphrase)
    7.x   base64(cipher text)                                    AES-128-CBC, PKCS#5 padding, IV of 16 zero bytes
          key = PBKDF2-HMAC-SHA1 (passphrase, salt = bytes 0 to 15, 1000 iterations)

An Argon2 takes some 15 ms, so the values of an installation share one salt, whose key is derived once; each has an IV
of its own. Source: ``CryptoServiceImpl``, ``LegacyCrypto`` and ``Obfuscator`` of the middleware. Where it takes what
it cannot decrypt for the password itself, we refuse: nothing but what was encrypted with the passphrase is a password.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from binascii import a2b_base64, b2a_base64
from typing import NamedTuple, Self

import mmh3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2i
from cryptography.hazmat.primitives.padding import PKCS7

from oxpushctl.errors import BadData, ConfigurationError, Undecipherable

# The width of the middleware's column, and how many bytes of password fit into it.
LONGEST_VALUE = 512
LONGEST_PASSWORD = 329

_SEALED_TEXT = "oxpushctl"
_IV_BYTES, _SALT_BYTES = 12, 16
_MARK_AT = 16  # behind the IV's 12 bytes: what values of one salt and parameters share

# What Java's ``strip`` takes off a passphrase; Python's would take no-break spaces and U+0085 as well.
_JAVA_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680" + "".join(
    map(chr, (*range(0x2000, 0x2007), *range(0x2008, 0x200B), 0x2028, 0x2029, 0x205F, 0x3000))
)

# A row must not make us allocate gigabytes or compute for minutes: the middleware's own parameters are 15360, 2 and 1.
_MOST = "more than 256 MiB, 256 iterations, 4 GiB times iterations or 16 lanes are refused"
_MOST_MEMORY_KIB = 256 * 1024
_MOST_ITERATIONS = 256
_MOST_WORK_KIB = 4 * 1024 * 1024  # memory times iterations: some two seconds
_MOST_LANES = 16

# Base64 has many spellings of the same bytes where the last digit's spare bits are not zero: only one is right.
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"
_NUMBER = r"([1-9][0-9]{0,6})"
_VALUE = re.compile(
    rf"([A-Za-z0-9+/]{{16}})\$([A-Za-z0-9+/]{{21}}[AQgw]==)\${_NUMBER}\${_NUMBER}\${_NUMBER}\$({_BASE64})"
)
_LEGACY_VALUE = re.compile(_BASE64)


class Parameters(NamedTuple):
    """What Argon2 is to spend on a key: memory in KiB."""

    memory: int
    iterations: int
    lanes: int


WRITTEN = Parameters(15360, 2, 1)


class _Parts(NamedTuple):
    iv: bytes
    salt: bytes
    parameters: Parameters
    sealed: bytes


class Cipher:
    """Encrypts and decrypts under one passphrase, in any thread; ``salt`` is the installation's, a new one if none.

    The keys of its own salt are kept. Of others only the one used last, so that a run of values with the same salt is
    quick and none stays for long. Raise ``ConfigurationError`` for a passphrase that is empty or not UTF-8.
    """

    def __init__(self, passcrypt: str, salt: bytes | None = None) -> None:
        passphrase = _bytes_of(passcrypt.strip(_JAVA_SPACES))
        if not passphrase:
            raise ConfigurationError("the passphrase for kept mail passwords is empty or not UTF-8")
        self._passphrase = passphrase
        self.salt = os.urandom(_SALT_BYTES) if salt is None else salt
        self._mark = f"${_base64(self.salt)}${'$'.join(map(str, WRITTEN))}$"
        self._deriving = threading.Lock()
        self._own: AESGCM | None = None
        self._last: tuple[tuple[bytes, Parameters], AESGCM] | None = None
        self._legacy: AES | None = None

    @classmethod
    def of_seal(cls, passcrypt: str, seal: str) -> Self | None:
        """Return the cipher with a seal's salt, or nothing where the passphrase does not open the seal."""
        cipher = cls(passcrypt, salt_of(seal))
        try:
            # The older format authenticates nothing: in a seal it would prove nothing.
            return cipher if not is_legacy(seal) and cipher.decrypt(seal) == _SEALED_TEXT else None
        except Undecipherable:
            return None

    def seal(self) -> str:
        """Return a known text under the key: who can read it has the same passphrase; it is not a hash of it."""
        return self.encrypt(_SEALED_TEXT)

    def encrypt(self, text: str) -> str:
        """Return a password in the format of 8.x; raise ``BadData`` for one that cannot be kept."""
        if not text:
            # The middleware keeps it as it is; to some directories, a log-in with it is one as nobody.
            raise BadData("an empty password cannot be kept")
        plain = _bytes_of(text)
        if plain is None:
            raise BadData("the password has a character that is not possible in UTF-8")
        if len(plain) > LONGEST_PASSWORD:
            raise BadData(f"the password has {len(plain)} bytes in UTF-8, {LONGEST_PASSWORD} are possible")
        iv = os.urandom(_IV_BYTES)
        sealed = self._key(self.salt, WRITTEN).encrypt(iv, plain, None)
        return _base64(iv) + self._mark + _base64(sealed)

    def decrypt(self, value: str) -> str:
        """Return a password from a value of either format; raise ``Undecipherable``, which says what is wrong."""
        parts = _parsed(value)
        plain = self._decrypted_legacy(parts) if isinstance(parts, bytes) else self._decrypted(parts)
        text = None if plain is None else _text_of(plain)
        if text is None:
            raise Undecipherable("the kept password is damaged, or was encrypted with another passphrase")
        if not text:
            raise Undecipherable("the kept password is empty, which none may be")
        return text

    def is_own(self, value: str) -> bool:
        """Tell whether a value is in the format of 8.x with our salt and parameters: one key for them all."""
        return value.startswith(self._mark, _MARK_AT) and is_wellformed(value)

    def is_quick(self, value: str) -> bool:
        """Tell whether to decrypt a value takes no Argon2, or is refused before one."""
        if value.startswith(self._mark, _MARK_AT):
            return self._own is not None
        return salt_of(value) is None

    def _decrypted(self, parts: _Parts) -> bytes | None:
        try:
            return self._key(parts.salt, parts.parameters).decrypt(parts.iv, parts.sealed, None)
        except InvalidTag:
            return None

    def _decrypted_legacy(self, sealed: bytes) -> bytes | None:
        # Nothing authenticates these: that the padding is right and the text valid UTF-8 is all that can be checked.
        # Another passphrase gets through about once in a million values, damage to one of two blocks once in 10,000.
        decryptor = BlockCipher(self._legacy_key(), CBC(bytes(16))).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
        unpadder = PKCS7(AES.block_size).unpadder()
        try:
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            return None

    def _key(self, salt: bytes, parameters: Parameters) -> AESGCM:
        if salt == self.salt and parameters == WRITTEN:
            return self._own or self._own_derived()
        last = self._last  # read and replaced as a whole: threads need no lock for it
        if last is None or last[0] != (salt, parameters):
            last = self._last = ((salt, parameters), self._derived(salt, parameters))
        return last[1]

    def _own_derived(self) -> AESGCM:
        with self._deriving:  # by whoever comes first; others wait for it
            if self._own is None:
                self._own = self._derived(self.salt, WRITTEN)
            return self._own

    def _derived(self, salt: bytes, parameters: Parameters) -> AESGCM:
        """Derive a key, which lets other threads run."""
        memory, iterations, lanes = parameters
        argon2 = Argon2i(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory)
        return AESGCM(argon2.derive(mmh3.mmh3_x64_128_digest(self._passphrase).hex().encode()))

    def _legacy_key(self) -> AES:
        if self._legacy is None:
            self._legacy = AES(hashlib.pbkdf2_hmac("sha1", self._passphrase, bytes(range(16)), 1000, 16))
        return self._legacy


def is_legacy(value: str) -> bool:
    """Tell whether a value is not in the format of 8.x, so at best in that of 7.x."""
    return "$" not in value


def is_wellformed(value: str) -> bool:
    """Tell whether a value is one of either format, whoever can decrypt it."""
    return _try_parsed(value) is not None


def salt_of(value: str) -> bytes | None:
    """Return the salt of a value in the format of 8.x; nothing for others and damaged ones."""
    parts = _try_parsed(value)
    return parts.salt if isinstance(parts, _Parts) else None


def _try_parsed(value: str) -> _Parts | bytes | None:
    try:
        return _parsed(value)
    except Undecipherable:
        return None


def _parsed(value: str) -> _Parts | bytes:
    """Return what a value is made of: only the cipher text for one of 7.x."""
    if not value:
        raise Undecipherable("the kept password is an empty one, which the middleware keeps as it is")
    if len(value) > LONGEST_VALUE:
        raise Undecipherable(f"the kept password has {len(value)} characters, {LONGEST_VALUE} are possible")
    if is_legacy(value):
        sealed = a2b_base64(value) if _LEGACY_VALUE.fullmatch(value) else b""
        if not sealed or len(sealed) % 16:
            raise Undecipherable("the kept password is not encrypted as the middleware does")
        return sealed
    match = _VALUE.fullmatch(value)
    if match is None:
        raise Undecipherable("the kept password is damaged: it does not have the six parts of the middleware's format")
    iv, salt, memory, iterations, lanes, sealed_text = match.groups()
    parameters = Parameters(int(memory), int(iterations), int(lanes))
    _refuse_excess(parameters)
    return _Parts(a2b_base64(iv), a2b_base64(salt), parameters, a2b_base64(sealed_text))


def _refuse_excess(parameters: Parameters) -> None:
    memory, iterations, lanes = parameters
    is_much = memory > _MOST_MEMORY_KIB or iterations > _MOST_ITERATIONS or memory * iterations > _MOST_WORK_KIB
    if is_much or lanes > _MOST_LANES:
        raise Undecipherable(
            f"the kept password asks Argon2 for {memory} KiB, {iterations} iterations and {lanes} lanes: {_MOST}"
        )
    if memory < 8 * lanes:  # RFC 9106, 3.1
        raise Undecipherable(f"the kept password is damaged: {memory} KiB of memory are too few for {lanes} lanes")


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


# Their errors hold the text, so they must not become the context of ours.
def _bytes_of(text: str) -> bytes | None:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _text_of(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
