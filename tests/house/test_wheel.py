"""What an installation brings besides the code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house.tree import ROOT, texts

_SHARED = {
    "share/man/man1/oxpushctl.1": "man/oxpushctl.1",
    "share/man/man5/oxpushctl.5": "man/oxpushctl.5",
    "share/bash-completion/completions/oxpushctl.bash": "completions/oxpushctl.bash",
    "share/zsh/site-functions/_oxpushctl": "completions/_oxpushctl",
    "share/fish/vendor_completions.d/oxpushctl.fish": "completions/oxpushctl.fish",
}


@pytest.mark.slow
def test_wheel_brings_man_pages_and_completions(tmp_path: Path) -> None:
    """man and the shells find them where a wheel puts them: below share/ of the prefix."""
    clone = tmp_path / "clone"  # building leaves folders behind
    for name in texts():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, clone / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]

    built = subprocess.run([*pip, "--wheel-dir", tmp_path, clone], capture_output=True, text=True, check=False)

    assert built.returncode == 0, built.stderr
    (path,) = tmp_path.glob("oxpushctl-*.whl")
    with ZipFile(path) as wheel:
        below = {name.partition(".data/data/")[2]: name for name in wheel.namelist()}
        brought = {name: wheel.read(below[name]) for name in _SHARED if name in below}
    assert brought == {name: (ROOT / source).read_bytes() for name, source in _SHARED.items()}
