"""Writing files that hold secrets: readable for nobody else, and whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from oxpushctl.errors import MissingFile


def make_private(folder: Path) -> None:
    """Make a folder that nobody else can enter, with those above it; one that exists stays as it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MissingFile(f"{folder}: cannot be made: {error.strerror}") from error


def write_private(path: Path, content: bytes) -> None:
    """Write or replace a file, mode 0600; a reader sees the old content or the new, never a part."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError as error:
        raise MissingFile(f"{path}: cannot be written: {error.strerror}") from error
