"""Write what the program tells of itself: ``python -m oxpushctl.cli.written [FOLDER]``, or ``make docs``.

The files are checked in; a test says when one is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from oxpushctl.cli import manual
from oxpushctl.cli.completion_scripts import SCRIPTS
from oxpushctl.cli.main import oxpushctl
from oxpushctl.manual import properties as config_manual

README = "README.rst"
BEGIN = ".. What follows is written by ``make docs``, up to the next comment."
END = ".. Here ends what ``make docs`` writes."


def pages(root: Path) -> dict[str, str]:
    """Return the files that are written, by their path below the repository's root, which the README is read from."""
    return {
        "man/oxpushctl.1": manual.page(oxpushctl),
        "man/oxpushctl.5": config_manual.page(),
        "completions/oxpushctl.bash": SCRIPTS["bash"],
        "completions/_oxpushctl": SCRIPTS["zsh"],
        "completions/oxpushctl.fish": SCRIPTS["fish"],
        README: _with_properties((root / README).read_text(encoding="utf-8")),
    }


def write(root: Path) -> list[str]:
    """Write the files that are stale and return their paths."""
    stale = []
    for name, text in pages(root).items():
        path = root / name
        if path.is_file() and path.read_bytes() == text.encode():
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
        stale.append(name)
    return stale


def _with_properties(readme: str) -> str:
    """Return the README with its section of properties as it should be."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{config_manual.readme_section()}\n{end}{after}"


def main() -> None:
    """Write what is stale below a folder, the current one unless another is named, and say so."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    for name in write(root):
        click.echo(f"Wrote {name}")


if __name__ == "__main__":
    main()
