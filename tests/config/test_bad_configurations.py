"""Each folder of tests/data/config has one fault and, in expected.txt, all that is said about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oxpushctl.config.codes import CATALOGUE
from tests.config import folders

_FOLDERS = sorted((Path(__file__).parents[1] / "data" / "config").glob("*.bad"))

# Findings of reading the configuration that no folder of files can show by itself.
_NO_FOLDER = {
    "OXP004": "is about environment variables: test_precedence",
    "OXP005": "is about environment variables: test_precedence",
    "OXP006": "is about environment variables: test_secrets",
    "OXP313": "is a part's: tests/web/test_server",
    "OXP314": "is about the state folder: test_state",
    "OXP331": "is about modes of files, which a checkout does not keep: test_permissions",
}


@pytest.mark.parametrize("folder", _FOLDERS, ids=lambda folder: folder.stem)
def test_one_fault_is_told_once_with_its_place(folder: Path, tmp_path: Path) -> None:
    """Every fault has its line, and none has a consequence that is reported again."""
    (tmp_path / "empty").mkdir()
    always = folders.lines(folders.read(tmp_path / "empty"))
    expected = (folder / "expected.txt").read_text().splitlines()
    found = folders.lines(folders.read(folders.copy(folder, tmp_path / "etc")))
    assert [line for line in found if line not in always] == expected


def test_the_folders_are_there() -> None:
    """The collection above is not empty by accident."""
    assert len(_FOLDERS) >= 110


def test_every_finding_has_a_folder() -> None:
    """Whatever reading a folder can find is shown by one of them, or it is said above why not."""
    shown = {code for folder in _FOLDERS for code in re.findall(r"OXP\d{3}", (folder / "expected.txt").read_text())}
    assert shown | set(_NO_FOLDER) >= {code for code in CATALOGUE if code < "OXP4"}
    assert shown & set(_NO_FOLDER) == set()
