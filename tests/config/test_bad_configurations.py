"""Each folder of tests/data/config has one fault and, in expected.txt, all that is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config import folders

_FOLDERS = sorted((Path(__file__).parents[1] / "data" / "config").glob("*.bad"))


@pytest.mark.parametrize("folder", _FOLDERS, ids=lambda folder: folder.stem)
def test_one_fault_is_told_once_with_its_place(folder: Path, tmp_path: Path) -> None:
    """Every fault has its line, and none has a consequence that is reported again."""
    always = folders.lines(folders.read(tmp_path))
    expected = (folder / "expected.txt").read_text().splitlines()
    assert [line for line in folders.lines(folders.read(folder)) if line not in always] == expected


def test_the_folders_are_there() -> None:
    """The collection above is not empty by accident."""
    assert len(_FOLDERS) > 60
