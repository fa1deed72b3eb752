"""The files that belong to the repository, found without git: an unpacked archive is judged as a clone is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def texts() -> dict[str, str]:
    """Return every text file by its path below the root; what .gitignore names is not ours."""
    found = {}
    for path in _walk(ROOT):
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image or a captured request
    return found


def modules(*rooms: str) -> dict[str, ast.Module]:
    """Return the parsed Python files below those folders, by path."""
    return {
        path: ast.parse(text, path)
        for path, text in texts().items()
        if path.endswith(".py") and path.startswith(tuple(f"{room}/" for room in rooms))
    }


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name == ".git" or any(fnmatch(path.name, pattern) for pattern in _ignored()):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif not path.is_symlink():
            yield path


@cache
def _ignored() -> tuple[str, ...]:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    return tuple(line.strip("/") for line in lines)
