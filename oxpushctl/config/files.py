"""Read a configuration file: a regular one, within a bound, never waiting for a pipe's other end."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from oxpushctl.errors import MissingFile

_LIMIT = 64 * 1024 * 1024
_KIB, _MIB = 1024, 1024 * 1024
_NO_FILE = "is not a regular file"


def read_file(path: Path, limit: int = _LIMIT) -> bytes:
    """Return the bytes of a regular file of at most ``limit`` bytes; ``MissingFile`` says why there are none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise MissingFile(_NO_FILE)
            # Some files of the kernel are regular and have nothing to say yet.
            data: bytes | None = file.read(limit + 1)
    except OSError as error:
        raise MissingFile(_why(path, error)) from error
    except ValueError as error:  # a NUL or a lone surrogate in the path
        raise MissingFile("cannot be read: not a path") from error
    if data is None:
        raise MissingFile("cannot be read: nothing comes of it")
    if len(data) > limit:
        raise MissingFile(f"is larger than {_size(limit)}")
    return data


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no file, or none that is seen from here, and what to do about it."""

    reason: str
    hint: str = ""


def absence(path: Path) -> Absence | None:
    """Return why a file is not there, ``None`` when it is, of whatever readability; what is no path is not there."""
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        return Absence(f"{path} cannot be looked for: {error.strerror}", "run the check as the engine's user")
    except (OSError, ValueError):
        mode = 0
    return None if stat.S_ISREG(mode) else Absence(f"there is no file {path}")


def exists(path: Path) -> bool:
    """Tell whether a file is there, and seen from here."""
    return absence(path) is None


def is_absent(path: Path) -> bool:
    """Tell whether nothing is there, not even a broken link; what cannot be looked for may be: reading it will say."""
    try:
        path.lstat()
    except PermissionError:
        return False
    except (OSError, ValueError):
        return True
    return False


def _why(path: Path, error: OSError) -> str:
    if error.errno == errno.ENXIO:  # a socket, or a device that is not there
        return _NO_FILE
    if error.errno == errno.ENOENT and path.is_symlink():
        return f"is a symbolic link to {path.readlink()}, which is not there"
    return f"cannot be read: {error.strerror}"


def _size(limit: int) -> str:
    return f"{limit // _KIB} KiB" if limit % _MIB else f"{limit // _MIB} MiB"
