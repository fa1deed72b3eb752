"""Write a folder of configuration files and read it, as an operator's etc folder is read."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from oxpushctl.config import reading, render
from oxpushctl.config.configuration import Configuration

CLIENT = "open-xchange-mobile-api-facade"


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files that only their owner reads, as those with secrets should be."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def copy(folder: Path, to: Path) -> Path:
    """Copy a folder of the repository, whose files everybody may read, into one that is its owner's only."""
    shutil.copytree(folder, to, symlinks=True)
    for path in (to, *to.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
    return to


def read(
    folder: Path,
    files: Mapping[str, str | bytes] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Configuration:
    write(folder, files or {})
    return reading.read(folder, environ={"STATE_DIRECTORY": "/nowhere", **(environ or {})}, overrides=overrides)


def lines(configuration: Configuration) -> list[str]:
    """Return the findings as an operator sees them, the folder's name left out."""
    etc = str(configuration.etc)
    return [render.line(found).replace(etc, "ETC") for found in render.in_order(configuration.findings)]


def codes(configuration: Configuration) -> set[str]:
    return {found.code for found in configuration.findings}
