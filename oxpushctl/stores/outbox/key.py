"""The key of a node's outbox: a file beside it that only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oxpushctl.errors import ConfigurationError
from oxpushctl.stores.outbox.records import KEY_BYTES


def key_path(outbox: Path) -> Path:
    """Return where the key of an outbox is."""
    return outbox.with_name(f"{outbox.name}.key")


def read_or_make(path: Path) -> bytes:
    """Return the key, made at first use with mode 0600.

    Raise ``ConfigurationError`` where it cannot be read or made, others can read it, or it is not a key.
    """
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            return _made(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: the key of the outbox: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigurationError(f"{path}: others can read the key of the outbox (chmod 600 {path})")
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{path}: not the key of an outbox: {KEY_BYTES} bytes are expected; remove it, and what the outbox holds "
            "is set aside, since nothing else opens it"
        )
    return key


def _made(path: Path) -> bytes:
    """Write a new key: whole and on the disk before it has its name."""
    key = os.urandom(KEY_BYTES)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key
